-- The record of a fleet. Words and rules: the specification of the plants; here only what makes the wrong thing impossible.

create table vendor_accounts (
  id text primary key check (id <> ''),
  brand text not null check (brand in ('SOLIS', 'HUAWEI', 'GOODWE', 'DELE')),
  name text not null,
  created_at timestamptz not null default now(),
  -- target of the plants' foreign key: a plant's account is of the plant's brand
  unique (id, brand)
);

create table integration_credentials (
  account_id text primary key references vendor_accounts (id),
  -- raised by every replacement; a refusal pauses only while it is the version that was tried
  version integer not null default 1 check (version > 0),
  -- which master key sealed the row
  key_version text not null,
  iv bytea not null check (octet_length(iv) = 12),
  -- AES-256-GCM ciphertext followed by its 16-byte tag
  sealed bytea not null check (octet_length(sealed) > 16),
  updated_at timestamptz not null default now()
);

create table plants (
  id text primary key check (id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
  -- people's
  name text not null check (name <> ''),
  customer_id text,
  brand text not null check (brand in ('SOLIS', 'HUAWEI', 'GOODWE', 'DELE')),
  vendor_account_id text not null,
  vendor_plant_id text not null check (vendor_plant_id <> ''),
  timezone text not null,
  latitude double precision check (latitude between -90 and 90),
  longitude double precision check (longitude between -180 and 180),
  installed_capacity_kw double precision check (installed_capacity_kw > 0 and installed_capacity_kw <= 10000000),
  poll_interval_s integer not null default 600 check (poll_interval_s between 1 and 86400),
  integration_status text not null default 'PENDING_DOCS'
    check (integration_status in ('ACTIVE', 'PAUSED_AUTH_ERROR', 'DISABLED_BY_OPERATOR', 'PENDING_DOCS')),
  -- when an operator's pause ends by itself
  paused_until timestamptz,
  pause_reason text,
  alerts_silenced_until timestamptz,
  activated_at timestamptz,
  created_at timestamptz not null default now(),
  -- raised by the trigger below
  revision bigint not null default 1,
  -- the loop's: what it has seen and decided
  seen_revision bigint not null default 0,
  status text not null default 'GREY' check (status in ('GREEN', 'YELLOW', 'RED', 'GREY')),
  status_reason text not null default 'PENDING_DOCS',
  status_since timestamptz not null default now(),
  last_seen_at timestamptz,
  last_seen_source text check (last_seen_source in ('VENDOR', 'EVIDENCE')),
  consecutive_failures integer not null default 0 check (consecutive_failures >= 0),
  last_polled_at timestamptz,
  alarms_complete_at timestamptz,
  low_generation_streak jsonb,
  -- the fence: the newest slot whose alert step was committed, and its outcome as booked
  last_slot timestamptz,
  last_poll jsonb,
  unique (brand, vendor_plant_id),
  foreign key (vendor_account_id, brand) references vendor_accounts (id, brand),
  check ((last_seen_at is null) = (last_seen_source is null)),
  check (integration_status <> 'ACTIVE' or activated_at is not null)
);

create index plants_account on plants (vendor_account_id);
create index plants_customer on plants (customer_id) where customer_id is not null;
create index plants_unseen_revision on plants (id) where seen_revision <> revision;
create index plants_paused_until on plants (paused_until) where paused_until is not null;

-- Whatever people change, by API, CLI or SQL, raises the revision: the loop looks again. Becoming ACTIVE stamps activated_at.
create function plants_before_write() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.integration_status = 'ACTIVE' and new.activated_at is null then
      new.activated_at := now();
    end if;
    if new.integration_status = 'ACTIVE' and new.status_reason = 'PENDING_DOCS' then
      new.status_reason := 'WAITING_FOR_FIRST_READING';
    end if;
    return new;
  end if;
  if new.brand <> old.brand or new.vendor_plant_id <> old.vendor_plant_id or new.id <> old.id then
    raise exception 'id, brand and vendor_plant_id of a plant never change (plant %)', old.id
      using errcode = 'check_violation', constraint = 'plants_identity';
  end if;
  if new.integration_status = 'ACTIVE' and old.integration_status <> 'ACTIVE'
     and new.activated_at is not distinct from old.activated_at then
    new.activated_at := now();
  end if;
  if new.integration_status <> 'DISABLED_BY_OPERATOR' then
    new.paused_until := null;
    new.pause_reason := null;
  end if;
  if (new.name, new.customer_id, new.vendor_account_id, new.timezone, new.latitude, new.longitude,
      new.installed_capacity_kw, new.poll_interval_s, new.integration_status, new.paused_until, new.alerts_silenced_until)
     is distinct from
     (old.name, old.customer_id, old.vendor_account_id, old.timezone, old.latitude, old.longitude,
      old.installed_capacity_kw, old.poll_interval_s, old.integration_status, old.paused_until, old.alerts_silenced_until) then
    new.revision := old.revision + 1;
  end if;
  return new;
end
$$;
create trigger plants_before_write before insert or update on plants
  for each row execute function plants_before_write();

-- Credentials that were replaced are tried at once: every plant of the account looks again.
create function credentials_after_write() returns trigger language plpgsql as $$
begin
  update plants set revision = revision + 1 where vendor_account_id = new.account_id;
  return null;
end
$$;
create trigger credentials_after_write after insert or update on integration_credentials
  for each row execute function credentials_after_write();

-- When a plant was due, and when not and why: a slot is due exactly when it lies in an open active period.
create table plant_periods (
  plant_id text not null references plants (id) on delete cascade,
  from_at timestamptz not null,
  to_at timestamptz check (to_at >= from_at),
  interval_s integer not null check (interval_s between 1 and 86400),
  phase_ms integer not null check (phase_ms >= 0),
  -- ACTIVE, or the integration_status that stood against it
  reason text not null check (reason in ('ACTIVE', 'PAUSED_AUTH_ERROR', 'DISABLED_BY_OPERATOR', 'PENDING_DOCS')),
  primary key (plant_id, from_at)
);
create unique index plant_periods_one_open on plant_periods (plant_id) where to_at is null;

create table metric_snapshots (
  plant_id text not null references plants (id) on delete cascade,
  -- the plant's own calendar date
  date date not null,
  today_energy_kwh double precision not null check (today_energy_kwh >= 0 and today_energy_kwh < 'Infinity'),
  peak_power_w double precision check (peak_power_w > '-Infinity' and peak_power_w < 'Infinity'),
  lifetime_energy_kwh double precision check (lifetime_energy_kwh >= 0 and lifetime_energy_kwh < 'Infinity'),
  raw_source text not null default 'MOCK' check (raw_source = 'MOCK'),
  quality text not null check (quality in ('LIVE', 'BACKFILLED', 'FINAL')),
  complete boolean not null,
  last_seen_at timestamptz,
  -- the last total that a live reading booked, whatever the series said since
  live_energy_kwh double precision,
  -- the day's totals at local 00:00, 00:10 … 24:00, stored by the closing
  totals_by_time jsonb,
  -- a lower total that the series proposed once: it needs a second, equal refresh
  proposed_energy_kwh double precision,
  -- the fence: the newest slot that wrote the row, and what it wrote
  slot timestamptz,
  claim jsonb,
  updated_at timestamptz not null default now(),
  primary key (plant_id, date),
  check (quality <> 'LIVE' or slot is not null)
);

create table snapshot_revisions (
  id bigint generated always as identity primary key,
  plant_id text not null references plants (id) on delete cascade,
  date date not null,
  old_energy_kwh double precision,
  new_energy_kwh double precision not null,
  source text not null check (source in ('BACKFILL', 'CLOSING', 'OPERATOR')),
  at timestamptz not null
);
create index snapshot_revisions_day on snapshot_revisions (plant_id, date);

-- Days whose series was asked without success, so that they are not asked at every poll.
create table day_gaps (
  plant_id text not null references plants (id) on delete cascade,
  date date not null,
  tries integer not null check (tries > 0),
  tried_at timestamptz not null,
  note text not null,
  primary key (plant_id, date)
);

create table alerts (
  id bigint generated always as identity primary key,
  plant_id text not null references plants (id) on delete cascade,
  type text not null check (type in ('OFFLINE', 'LOW_GENERATION', 'MOCK_FAULT', 'API_ERROR')),
  vendor_alarm_code text,
  device_sn text,
  severity text not null check (severity in ('YELLOW', 'RED')),
  state text not null check (state in ('NEW', 'ACKED', 'RESOLVED')),
  message text not null,
  vendor_level text,
  vendor_text text,
  started_at timestamptz not null,
  last_seen_at timestamptz not null,
  acked_at timestamptz,
  acked_by text,
  acked_until timestamptz,
  resolved_at timestamptz,
  last_notified_at timestamptz,
  -- was open before the plant was first asked: recorded, never announced
  muted boolean not null default false,
  check ((state = 'RESOLVED') = (resolved_at is not null)),
  check (state <> 'ACKED' or acked_at is not null),
  check (type not in ('OFFLINE', 'LOW_GENERATION') or (vendor_alarm_code is null and device_sn is null)),
  check (type not in ('API_ERROR', 'MOCK_FAULT') or vendor_alarm_code is not null),
  check (resolved_at is null or resolved_at >= started_at)
);
-- The dedupe key (LOCKED): at most one active alert of each.
create unique index alerts_one_active on alerts (plant_id, type, vendor_alarm_code, device_sn) nulls not distinct
  where state in ('NEW', 'ACKED');
create index alerts_ended on alerts (plant_id, resolved_at) where state = 'RESOLVED';

create table alert_events (
  id bigint generated always as identity primary key,
  alert_id bigint not null references alerts (id) on delete cascade,
  at timestamptz not null,
  from_state text check (from_state in ('NEW', 'ACKED')),
  to_state text not null check (to_state in ('NEW', 'ACKED', 'RESOLVED')),
  severity text not null check (severity in ('YELLOW', 'RED')),
  -- loop, or the person
  actor text not null,
  reason text not null,
  check (from_state is not null or to_state = 'NEW')
);
create index alert_events_alert on alert_events (alert_id, id);

-- The outbox: what is to be said, to whom is decided by whoever sends it.
create table notifications (
  id bigint generated always as identity primary key,
  alert_id bigint not null references alerts (id) on delete cascade,
  plant_id text not null references plants (id) on delete cascade,
  kind text not null check (kind in ('RAISED', 'ESCALATED', 'REMINDER', 'RECOVERED')),
  severity text not null check (severity in ('YELLOW', 'RED')),
  created_at timestamptz not null,
  not_before timestamptz not null,
  -- the alert ended before not_before: nothing is sent
  dropped_at timestamptz,
  unique (alert_id, kind, created_at)
);
create index notifications_alert on notifications (alert_id);

-- The slot ledger. It grows without bound, so it is partitioned by month: old months are detached, not deleted row by row.
create table poll_logs (
  plant_id text not null,
  job_type text not null check (job_type in ('POLL', 'DAILY')),
  -- the slot; of a manual poll, a first poll and a closing its start
  scheduled_for timestamptz not null,
  "trigger" text not null check ("trigger" in ('SCHEDULE', 'START', 'MANUAL', 'CATCH_UP')),
  status text check (status in ('SUCCESS', 'ERROR')),
  outcome text not null
    check (outcome in ('OK', 'PARTIAL', 'FAILED', 'SKIPPED_LOCKED', 'SKIPPED_INACTIVE', 'MISSED')),
  started_at timestamptz,
  requested_at timestamptz,
  duration_ms integer check (duration_ms >= 0),
  late_ms bigint check (late_ms >= 0),
  attempts integer not null default 0 check (attempts >= 0),
  slots_missed integer check (slots_missed > 0),
  adapter_error_type text check (adapter_error_type in ('NETWORK_TIMEOUT', 'RATE_LIMIT_EXCEEDED', 'AUTH_FAILED',
    'INVALID_DATA_FORMAT', 'VENDOR_ERROR', 'PLANT_NOT_FOUND', 'UNKNOWN')),
  error text,
  power_w double precision,
  today_energy_kwh double precision,
  lifetime_energy_kwh double precision,
  booked_date date,
  source_time timestamptz,
  workflow_id text not null,
  run_id text not null,
  primary key (plant_id, job_type, scheduled_for),
  check (status is not distinct from (case
    when outcome in ('OK', 'PARTIAL') then 'SUCCESS' when outcome = 'FAILED' then 'ERROR' end)),
  check ((outcome in ('OK', 'PARTIAL', 'FAILED')) = (started_at is not null)),
  check ((outcome = 'MISSED') = (slots_missed is not null))
) partition by range (scheduled_for);
-- Takes what no month takes, so that a missing partition never stops a fleet.
create table poll_logs_default partition of poll_logs default;
create index poll_logs_recent on poll_logs (scheduled_for desc);

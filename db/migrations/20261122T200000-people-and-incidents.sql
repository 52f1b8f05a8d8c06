-- People, what they decide, and what the fleet's reconciliation finds of whole brands.

create table users (
  id bigint generated always as identity primary key,
  email text not null unique check (email = lower(email) and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
  -- bcrypt
  password_hash text not null,
  role text not null check (role in ('ADMIN', 'OPERATOR', 'CUSTOMER')),
  -- whose plants a CUSTOMER sees
  customer_id text,
  must_change_password boolean not null default true,
  -- raised when every session of the user ends: a new password, a reset, a removal
  session_version integer not null default 1,
  disabled_at timestamptz,
  created_at timestamptz not null default now(),
  last_login_at timestamptz,
  check ((role = 'CUSTOMER') = (customer_id is not null))
);

-- One row for each refused attempt to sign in; limits count them by account and by address.
create table login_failures (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  email text not null,
  address text not null
);
create index login_failures_email on login_failures (email, at);
create index login_failures_address on login_failures (address, at);

-- Links that sign a person in once; the token itself is never stored.
create table sign_in_links (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  user_id bigint not null references users (id) on delete cascade,
  expires_at timestamptz not null,
  used_at timestamptz
);

-- What people decided: who, what, before and after.
create table audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  -- the user's e-mail address; `cli` or `temporal` where that is all that is known
  actor text not null check (actor <> ''),
  action text not null,
  subject_type text not null check (subject_type in ('PLANT', 'ALERT', 'ACCOUNT', 'USER')),
  subject_id text not null,
  before jsonb,
  after jsonb,
  request_id text
);
create index audit_log_subject on audit_log (subject_type, subject_id, id desc);

-- Answers to requests that came with an idempotency key, for 24 h.
create table idempotency_keys (
  user_id bigint not null references users (id) on delete cascade,
  key text not null check (length(key) between 1 and 255),
  -- method, path and body: the same key for something else is refused
  request_hash bytea not null check (octet_length(request_hash) = 32),
  created_at timestamptz not null default now(),
  -- null while the first request runs
  status integer,
  body jsonb,
  primary key (user_id, key),
  check ((status is null) = (body is null))
);
create index idempotency_keys_age on idempotency_keys (created_at);

-- A brand that does not answer: one root cause instead of an alarm for each plant. brand null: all brands at once, our side.
create table brand_incidents (
  id bigint generated always as identity primary key,
  brand text check (brand in ('SOLIS', 'HUAWEI', 'GOODWE', 'DELE')),
  -- since when enough plants have failed: when a reconciliation first saw it
  suspected_at timestamptz not null,
  -- in how many reconciliations in a row
  sightings integer not null check (sightings > 0),
  -- when that had lasted long enough; null while it is only suspected
  opened_at timestamptz,
  -- since when fewer than a tenth failed
  recovering_since timestamptz,
  closed_at timestamptz,
  plants_failed integer not null,
  plants_active integer not null,
  -- by adapter_error_type
  errors jsonb not null,
  -- since when accounts whose credentials were refused are left alone, and paused by nobody: enough of them were refused
  held_at timestamptz,
  -- when one plant last tried them for all, and which
  probed_at timestamptz,
  probe_plant_id text,
  -- when such a try was answered: the others try theirs again
  released_at timestamptz,
  check (closed_at is null or opened_at is not null)
);
create unique index brand_incidents_one_open on brand_incidents (brand) nulls not distinct where closed_at is null;

-- Recorded vendors that a visitor of the demo has taken away; empty anywhere else.
create table demo_outages (
  brand text primary key check (brand in ('SOLIS', 'HUAWEI', 'GOODWE', 'DELE')),
  until_at timestamptz not null
);

alter table alerts drop constraint alerts_type_check;
alter table alerts add constraint alerts_type_check
  check (type in ('OFFLINE', 'LOW_GENERATION', 'MOCK_FAULT', 'API_ERROR', 'DEVICE_DOWN'));
alter table alerts add constraint alerts_device_down_check
  check (type <> 'DEVICE_DOWN' or (vendor_alarm_code is null and device_sn is not null));
alter table alerts
  add column ack_comment text,
  -- an estimate: what the plant's own 7-day median curve would have given since it began, less what was produced
  add column estimated_lost_kwh double precision check (estimated_lost_kwh >= 0),
  -- the same where the plant may well be producing unseen
  add column at_risk_kwh double precision check (at_risk_kwh >= 0),
  add column estimated_at timestamptz;
create index alerts_resolved on alerts (resolved_at) where state = 'RESOLVED';
create index alerts_plant on alerts (plant_id, started_at desc);

alter table plants
  -- people's: STRICT is the locked rules to the letter, DAYLIGHT counts only light for the two hours
  add column status_profile text not null default 'STRICT' check (status_profile in ('STRICT', 'DAYLIGHT')),
  -- the loop's: each inverter's newest reading, its peaks of the last 7 days and how often in a row it was down
  add column devices jsonb,
  add constraint plants_daylight_check
    check (status_profile = 'STRICT' or (latitude is not null and longitude is not null));

create or replace function plants_before_write() returns trigger language plpgsql as $$
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
      new.installed_capacity_kw, new.poll_interval_s, new.integration_status, new.paused_until, new.alerts_silenced_until,
      new.status_profile)
     is distinct from
     (old.name, old.customer_id, old.vendor_account_id, old.timezone, old.latitude, old.longitude,
      old.installed_capacity_kw, old.poll_interval_s, old.integration_status, old.paused_until, old.alerts_silenced_until,
      old.status_profile) then
    new.revision := old.revision + 1;
  end if;
  return new;
end
$$;

-- A replacement raises the version, and every plant of the account looks again. The same credentials sealed with another
-- master key are none: nothing that a loop could see has changed.
create or replace function credentials_after_write() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.version = old.version then
    return null;
  end if;
  update plants set revision = revision + 1 where vendor_account_id = new.account_id;
  return null;
end
$$;

-- Under which id the poll was asked for, as the log of the API has it; null for slots.
alter table poll_logs add column request_id text check (length(request_id) between 1 and 64);

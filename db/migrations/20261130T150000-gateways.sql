-- Gateways: what people define, what a walker knows of each, the ledger of their slots, and who walks which shard.

create table gateways (
  id text primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text not null check (name <> ''),
  host text not null check (host <> ''),
  port integer not null default 502 check (port between 1 and 65535),
  plant_id text references plants (id) on delete set null,
  customer_id text,
  -- people may set 10 s and more; tests and benches go down to 1 s
  poll_interval_s integer not null check (poll_interval_s between 1 and 86400),
  priority text not null default 'NORMAL' check (priority in ('HIGH', 'NORMAL', 'LOW')),
  -- false: paused by people
  is_active boolean not null default true,
  pause_reason text,
  quirks jsonb not null default '{}',
  -- the list of points that its readings follow
  map_id integer not null,
  -- FNV-1a-32 of the canonical host:port, as domain/gateways/gateway.ts computes it: its remainder is the shard
  address_hash bigint not null check (address_hash between 0 and 4294967295),
  alerts_silenced_until timestamptz,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  -- raised by the trigger below: whoever walks the gateway reads it again
  revision bigint not null default 1,
  check (removed_at is null or not is_active)
);
create index gateways_plant on gateways (plant_id) where plant_id is not null;
create index gateways_customer on gateways (customer_id) where customer_id is not null;
create index gateways_address on gateways (address_hash) where removed_at is null;

-- Lists of points, shared by all gateways that have the same; a list never changes.
create table gateway_maps (
  id integer generated always as identity primary key,
  -- SHA-256 over the JSON of the points
  digest bytea not null unique,
  points jsonb not null
);
alter table gateways add foreign key (map_id) references gateway_maps (id);

create table gateway_units (
  gateway_id text not null references gateways (id) on delete cascade,
  -- the order in which people gave them
  position integer not null,
  unit_id integer not null check (unit_id between 0 and 255),
  preset text,
  capacity_kw double precision check (capacity_kw > 0 and capacity_kw < 'Infinity'),
  quirks jsonb not null default '{}',
  -- points beside those of the preset, as FILE.json has them
  points jsonb not null default '[]',
  primary key (gateway_id, unit_id)
);

-- Whatever people change, also by SQL, raises the revision and is told to the walkers at once.
create function gateways_before_write() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if new.id <> old.id then
      raise exception 'the id of a gateway never changes (gateway %)', old.id
        using errcode = 'check_violation', constraint = 'gateways_identity';
    end if;
    if new.removed_at is not null then
      new.is_active := false;
    end if;
    if new.is_active then
      new.pause_reason := null;
    end if;
    if new is distinct from old then
      new.revision := old.revision + 1;
    end if;
  end if;
  perform pg_notify('gateways_changed', new.id);
  return new;
end
$$;
create trigger gateways_before_write before insert or update on gateways
  for each row execute function gateways_before_write();
create function gateway_units_after_write() returns trigger language plpgsql as $$
begin
  update gateways set revision = revision + 1 where id = coalesce(new.gateway_id, old.gateway_id);
  return null;
end
$$;
create trigger gateway_units_after_write after insert or update or delete on gateway_units
  for each row execute function gateway_units_after_write();

-- When a gateway was due, and when not and why: a slot is due exactly when it lies in an ACTIVE period.
create table gateway_periods (
  gateway_id text not null references gateways (id) on delete cascade,
  from_at timestamptz not null,
  to_at timestamptz check (to_at >= from_at),
  interval_s integer not null check (interval_s between 1 and 86400),
  phase_ms integer not null check (phase_ms >= 0),
  -- PAUSED: by people. DISABLED: by failures. HALTED: by the emergency stop.
  reason text not null check (reason in ('ACTIVE', 'PAUSED', 'DISABLED', 'HALTED', 'REMOVED')),
  primary key (gateway_id, from_at)
);
create unique index gateway_periods_one_open on gateway_periods (gateway_id) where to_at is null;

-- What is known of a gateway now. Its walker writes it with every batch of rows; few columns are indexed, so that an update
-- stays on its page.
create table gateway_state (
  gateway_id text primary key references gateways (id) on delete cascade,
  status text not null default 'WAITING'
    check (status in ('PAUSED', 'DISABLED', 'WAITING', 'OFFLINE', 'DEGRADED', 'ONLINE')),
  -- one word (TIMEOUT, EXCEPTION_2 …) and its sentence; null while ONLINE
  status_reason text,
  status_message text,
  status_since timestamptz not null default now(),
  -- the newest slot that has a row, also one that was missed: the fence of the next
  last_slot timestamptz,
  -- the newest poll, and the newest that brought a value
  last_polled_at timestamptz,
  last_seen_at timestamptz,
  consecutive_failures integer not null default 0 check (consecutive_failures >= 0),
  failing_since timestamptz,
  -- outcomes of the last 20 polls, the newest last: O OK, P PARTIAL, F FAILED
  recent text not null default '' check (recent ~ '^[OPF]{0,20}$'),
  -- consecutive polls for which each point was BAD, and each unit silent, where it is more than 0
  bad_points jsonb not null default '{}',
  silent_units jsonb not null default '{}',
  -- the last GOOD value of each counter, as domain/gateways/counters.ts keeps it
  counters jsonb not null default '{}',
  -- the newest reading, for lists and live values: map, values and quality as in gateway_readings
  last_reading jsonb,
  -- while DISABLED
  disabled_at timestamptz,
  next_probe_at timestamptz,
  probes integer not null default 0,
  good_probes integer not null default 0
) with (fillfactor = 50);
create function gateways_after_insert() returns trigger language plpgsql as $$
begin
  insert into gateway_state (gateway_id) values (new.id);
  return null;
end
$$;
create trigger gateways_after_insert after insert on gateways
  for each row execute function gateways_after_insert();

-- The ledger: one row for every due slot, or for the slots of a gap in one UTC day, and for every MANUAL poll and PROBE.
create table gateway_readings (
  gateway_id text not null,
  -- the slot; of MANUAL and PROBE rows when they began
  read_at timestamptz not null,
  "trigger" text not null check ("trigger" in ('SCHEDULE', 'START', 'CATCH_UP', 'MANUAL', 'PROBE')),
  outcome text not null check (outcome in ('OK', 'PARTIAL', 'FAILED', 'MISSED', 'SKIPPED_LOCKED')),
  -- why it is not OK, in one word
  reason text,
  slots_missed integer not null default 0 check (slots_missed >= 0),
  -- when the answer came
  measured_at timestamptz,
  late_ms integer,
  duration_ms integer,
  requests smallint,
  map_id integer,
  "values" float8[],
  -- by point, as qualityCode of domain/gateways/reading.ts; null when all are GOOD
  quality smallint[],
  primary key (gateway_id, read_at),
  check ((outcome = 'MISSED') = (slots_missed > 0)),
  -- a point without a value is null: one NaN would spoil every sum
  check ('NaN' <> all ("values") and 'Infinity' <> all ("values") and '-Infinity' <> all ("values"))
) partition by range (read_at);
create index gateway_readings_at on gateway_readings using brin (read_at);
create table gateway_readings_default partition of gateway_readings default;

create table gateway_readings_kept (
  only_row boolean primary key default true check (only_row),
  from_at timestamptz not null
);

-- Texts that a device gives of itself (serial number, model, firmware): a row when one changes.
create table gateway_facts (
  gateway_id text not null references gateways (id) on delete cascade,
  unit_id integer not null,
  key text not null,
  value text not null,
  changed_at timestamptz not null,
  primary key (gateway_id, unit_id, key)
);

-- What a device refused twice, by socket, its host in lower case without the dot at the end.
create table gateway_learned (
  host text not null,
  port integer not null,
  unit_id integer not null,
  function integer not null,
  address integer not null,
  registers integer not null,
  code integer not null,
  -- how often, and when last: a day later it is asked again
  times integer not null check (times > 0),
  refused_at timestamptz not null,
  primary key (host, port, unit_id, function, address, registers)
);

-- Where SunSpec's models of a unit begin.
create table gateway_layouts (
  host text not null,
  port integer not null,
  unit_id integer not null,
  layout jsonb not null,
  found_at timestamptz not null,
  primary key (host, port, unit_id)
);

-- Who walks which shard: the lease with its epoch is the fence of every batch of rows.
create table gateway_shards (
  shard integer primary key check (shard between 0 and 63),
  epoch bigint not null default 0,
  -- the process: boot id, pid namespace, pid and its start time; null: free
  owner text,
  worker text,
  expires_at timestamptz not null default '-infinity',
  -- another attempt waits for the lease
  wanted_by text,
  -- what the walker last said of itself
  figures jsonb,
  figures_at timestamptz
);

create table gateway_workers (
  owner text primary key,
  host text not null,
  pid integer not null,
  started_at timestamptz not null,
  seen_at timestamptz not null
);

-- What people ask of a walker: a poll now, or a read of registers. Answered in the row.
create table gateway_requests (
  id bigint generated always as identity primary key,
  gateway_id text not null references gateways (id) on delete cascade,
  kind text not null check (kind in ('POLL', 'READ')),
  arguments jsonb not null default '{}',
  requested_by text not null,
  requested_at timestamptz not null default now(),
  answered_at timestamptz,
  answer jsonb
);
create index gateway_requests_open on gateway_requests (gateway_id) where answered_at is null;
-- One poll answers all who wait for it.
create unique index gateway_requests_one_poll on gateway_requests (gateway_id) where answered_at is null and kind = 'POLL';
create function gateway_requests_after_insert() returns trigger language plpgsql as $$
begin
  perform pg_notify('gateway_requests', new.id || ' ' || new.gateway_id);
  return null;
end
$$;
create trigger gateway_requests_after_insert after insert on gateway_requests
  for each row execute function gateway_requests_after_insert();

-- The emergency stop of all polling: nothing is sent while one is open.
create table polling_halts (
  id bigint generated always as identity primary key,
  from_at timestamptz not null default now(),
  to_at timestamptz check (to_at >= from_at),
  by text not null,
  reason text,
  lifted_by text
);
create unique index polling_halts_one_open on polling_halts ((true)) where to_at is null;
create function polling_halts_after_write() returns trigger language plpgsql as $$
begin
  perform pg_notify('polling_halts', '');
  return null;
end
$$;
create trigger polling_halts_after_write after insert or update on polling_halts
  for each row execute function polling_halts_after_write();

-- Roll-ups: arrays over the points of the map, like the values of the readings.
create table gateway_rollups_15min (
  gateway_id text not null,
  bucket_at timestamptz not null,
  map_id integer not null,
  -- polls, also those that failed
  readings integer not null,
  -- over the GOOD values; null where there is none
  min float8[] not null,
  mean float8[] not null,
  max float8[] not null,
  last float8[] not null,
  -- what counters rose, from the last GOOD value before the bucket on; null for gauges
  delta float8[] not null,
  -- of counters: the last GOOD value up to the end of the bucket, from which the next one goes on; null for gauges
  counter float8[] not null,
  -- in how many readings the point was GOOD
  good integer[] not null,
  primary key (gateway_id, bucket_at, map_id)
) partition by range (bucket_at);
create index gateway_rollups_15min_at on gateway_rollups_15min using brin (bucket_at);
create table gateway_rollups_15min_default partition of gateway_rollups_15min default;
create table gateway_rollups_day (like gateway_rollups_15min including defaults including constraints);
alter table gateway_rollups_day add primary key (gateway_id, bucket_at, map_id);
create index gateway_rollups_day_at on gateway_rollups_day using brin (bucket_at);

-- Up to where the gateways of a shard are rolled up, for each number of shards: the first bucket that is not.
create table gateway_rollups_done (
  shards integer not null,
  shard integer not null,
  unit text not null check (unit in ('15min', 'day')),
  until_at timestamptz not null,
  primary key (shards, shard, unit)
);
-- Buckets that are rolled up again, because a row came late.
create table gateway_rollups_due (
  gateway_id text not null,
  unit text not null check (unit in ('15min', 'day')),
  bucket_at timestamptz not null,
  primary key (gateway_id, unit, bucket_at)
);

-- The counters of a roll-up in the order of another list of points; those that it lacks are null.
create function counters_in_map(counter float8[], of_map integer, in_map integer) returns float8[] language sql stable as $$
  select case when of_map = in_map then counter else (
    select array_agg(counter[o.n] order by i.n)
    from gateway_maps im cross join lateral jsonb_array_elements(im.points) with ordinality i (point, n)
    left join (
      select point, n from gateway_maps om cross join lateral jsonb_array_elements(om.points) with ordinality p (point, n)
      where om.id = of_map) o
      on o.point ->> 'key' = i.point ->> 'key' and o.point ->> 'unitId' = i.point ->> 'unitId'
        and o.point ->> 'unit' is not distinct from i.point ->> 'unit'
    where im.id = in_map) end
$$;

-- Alerts of gateways beside those of plants: exactly one of the two is the subject.
alter table alerts
  alter column plant_id drop not null,
  add column gateway_id text references gateways (id) on delete cascade,
  add constraint alerts_one_subject check (num_nonnulls(plant_id, gateway_id) = 1),
  drop constraint alerts_type_check,
  add constraint alerts_type_check check (
    case when plant_id is null then type in ('GATEWAY_OFFLINE', 'GATEWAY_DISABLED', 'POINT_BAD', 'UNIT_SILENT')
    else type in ('OFFLINE', 'LOW_GENERATION', 'MOCK_FAULT', 'API_ERROR', 'DEVICE_DOWN') end);
-- The plants' index takes nulls as equal, so it must leave gateways out.
drop index alerts_one_active;
create unique index alerts_one_active on alerts (plant_id, type, vendor_alarm_code, device_sn) nulls not distinct
  where plant_id is not null and state in ('NEW', 'ACKED');
create unique index alerts_one_active_of_gateway on alerts (gateway_id, type, vendor_alarm_code, device_sn)
  nulls not distinct where gateway_id is not null and state in ('NEW', 'ACKED');
create index alerts_ended_of_gateway on alerts (gateway_id, resolved_at) where gateway_id is not null and state = 'RESOLVED';

-- Arithmetic of slots and of silence, written once for every statement that needs it, and partitions for every ledger.
-- The functions below are inlined into the statements that call them (test: db/slot-functions.service.test.ts).

-- The first slot of the grid phase + n × interval at or after an instant. Everything is computed without a time zone, so
-- that the function is immutable. domain/slots.ts has the same for workflows.
create function slot_at_or_after(at timestamptz, interval_s integer, phase_ms integer) returns timestamptz
language sql immutable parallel safe return
  date_bin(make_interval(secs => interval_s),
    (at at time zone 'UTC') + make_interval(secs => interval_s) - interval '1 microsecond',
    timestamp 'epoch' + phase_ms * interval '1 millisecond') at time zone 'UTC';

-- Whether an instant is a slot of the grid.
create function is_slot(at timestamptz, interval_s integer, phase_ms integer) returns boolean
language sql immutable parallel safe return
  date_bin(make_interval(secs => interval_s), at at time zone 'UTC',
    timestamp 'epoch' + phase_ms * interval '1 millisecond') = at at time zone 'UTC';

-- How many slots of the grid lie in [from_at, to_at); 0 where to_at is not after from_at.
create function slots_between(from_at timestamptz, to_at timestamptz, interval_s integer, phase_ms integer) returns bigint
language sql immutable parallel safe return
  greatest(0, extract(epoch from
    slot_at_or_after(to_at, interval_s, phase_ms) - slot_at_or_after(from_at, interval_s, phase_ms)) / interval_s)::bigint;

-- What is polled every interval_s seconds is stale once its newest poll is older than this: two intervals and a minute.
create function stale_after(interval_s integer) returns interval
language sql immutable parallel safe return make_interval(secs => 2 * interval_s + 60);

-- Makes the partition of a ledger that holds the month or day (`unit`) of `at`, in UTC: poll_logs_2026_11 for a month, with
-- _30 after it for a day. Rows of that time that the DEFAULT partition (poll_logs_default) took meanwhile move along.
-- Gives the name of the partition; null where it is there already.
create function make_ledger_part(ledger text, unit text, at timestamp) returns text language plpgsql as $$
declare
  first_day timestamp := date_trunc(unit, at);
  from_at timestamptz := first_day at time zone 'UTC';
  to_at timestamptz := (first_day + ('1 ' || unit)::interval) at time zone 'UTC';
  part text := ledger || to_char(first_day, case unit when 'day' then '_YYYY_MM_DD' else '_YYYY_MM' end);
  slot text;
begin
  if to_regclass(part) is not null then
    return null;
  end if;
  perform pg_advisory_xact_lock(hashtext('make_ledger_part'));
  if to_regclass(part) is not null then
    return null;
  end if;
  select attname into strict slot from pg_partitioned_table
    join pg_attribute on attrelid = partrelid and attnum = partattrs[0] where partrelid = ledger::regclass;
  execute format('create table %I (like %I including defaults including constraints)', part, ledger);
  execute format(
    'with moved as (delete from %1$I where %2$I >= %3$L and %2$I < %4$L returning *) insert into %5$I select * from moved',
    ledger || '_default', slot, from_at, to_at, part);
  execute format('alter table %I attach partition %I for values from (%L) to (%L)', ledger, part, from_at, to_at);
  return part;
end
$$;

create or replace function make_poll_log_month(month date) returns boolean language sql as $$
  select make_ledger_part('poll_logs', 'month', month) is not null
$$;

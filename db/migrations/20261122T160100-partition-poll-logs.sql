-- Makes the partition of one month, in UTC. Rows of that month that the DEFAULT partition took meanwhile move along.
create function make_poll_log_month(month date) returns boolean language plpgsql as $$
declare
  from_at timestamptz := date_trunc('month', month::timestamp) at time zone 'UTC';
  to_at timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') at time zone 'UTC';
  name text := 'poll_logs_' || to_char(date_trunc('month', month::timestamp), 'YYYY_MM');
begin
  if to_regclass(name) is not null then
    return false;
  end if;
  perform pg_advisory_xact_lock(hashtext('make_poll_log_month'));
  if to_regclass(name) is not null then
    return false;
  end if;
  execute format('create table %I (like poll_logs including defaults including constraints)', name);
  execute format(
    'with moved as (delete from poll_logs_default where scheduled_for >= %L and scheduled_for < %L returning *)
     insert into %I select * from moved', from_at, to_at, name);
  execute format('alter table poll_logs attach partition %I for values from (%L) to (%L)', name, from_at, to_at);
  return true;
end
$$;

-- What the automatic checks found: validate every 5 min, audit every 10 min.
create table polling_checks (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('VALIDATE', 'AUDIT')),
  started_at timestamptz not null,
  ended_at timestamptz not null check (ended_at >= started_at),
  -- the worst of what was found
  state text not null check (state in ('ok', 'degraded', 'down')),
  findings integer not null check (findings >= 0),
  -- findings by kind: { "SLOT_OVERDUE": 2 }
  kinds jsonb not null default '{}',
  -- what was looked at: { "plants": 12 }
  counts jsonb not null default '{}',
  -- the first of the findings, in words
  sentences jsonb not null default '[]'
);
create index polling_checks_newest on polling_checks (kind, id desc);

-- The partitions of a ledger belong to whoever owns the ledger, also where a process with fewer rights makes them.
do $$
begin
  execute format('alter function make_ledger_part(text, text, timestamp) security definer set search_path = %I, pg_temp',
    current_schema());
end
$$;

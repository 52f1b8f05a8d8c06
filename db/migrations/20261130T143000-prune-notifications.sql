-- Since when it is known who was told what: `heliograph prune` takes away what is older.
create table notifications_kept (
  -- one row at most
  only_row boolean primary key default true check (only_row),
  from_at timestamptz not null
);

-- A problem takes its notifications along; without this each removed problem reads all of them.
create index notifications_problem on notifications (problem_id) where problem_id is not null;
-- What a prune begins with.
create index messages_oldest on messages (created_at);

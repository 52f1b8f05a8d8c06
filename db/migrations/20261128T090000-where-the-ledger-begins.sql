-- Where the ledger begins: `heliograph prune` takes away what is older, and whoever reads the ledger looks no further back.
create table ledger_kept (
  -- one row at most
  only_row boolean primary key default true check (only_row),
  from_at timestamptz not null
);

alter table audit_log drop constraint audit_log_subject_type_check;
alter table audit_log add constraint audit_log_subject_type_check
  check (subject_type in ('PLANT', 'ALERT', 'ACCOUNT', 'USER', 'LEDGER'));

-- Rows that stand for several slots are a few in millions, and the audit and a prune look for all of them.
create index poll_logs_overflow on poll_logs (plant_id, scheduled_for) where slots_missed > 1;

-- Outbox, audit log and idempotency name their subject as a pair of words, and list no kinds: gateways, imports and the
-- system itself use them without another migration.

alter table notifications
  -- what it is about; a word in capitals and the id that this kind of subject has
  add column subject_kind text check (subject_kind ~ '^[A-Z][A-Z_]*$'),
  add column subject_id text check (subject_id <> '');
update notifications set subject_kind = 'PLANT', subject_id = plant_id;
alter table notifications
  alter column subject_kind set not null,
  alter column subject_id set not null,
  -- The subject says which plant. The reference to the alert stays where there is one: a deleted plant takes its alerts
  -- along, and they take what was to be said of them.
  drop column plant_id,
  alter column alert_id drop not null,
  drop constraint notifications_kind_check,
  add constraint notifications_kind_check check (kind ~ '^[A-Z][A-Z_]*$'),
  -- A step that is repeated says the same thing once, also where there is no alert.
  drop constraint notifications_alert_id_kind_created_at_key,
  add constraint notifications_once unique nulls not distinct (alert_id, subject_kind, subject_id, kind, created_at);

alter table audit_log
  drop constraint audit_log_subject_type_check,
  add constraint audit_log_subject_type_check check (subject_type ~ '^[A-Z][A-Z_]*$');

-- Whose keys they are: `user:7`. Without a reference to the user, whose answers are deleted after a day anyway.
alter table idempotency_keys add column scope text check (length(scope) between 1 and 255);
update idempotency_keys set scope = 'user:' || user_id;
alter table idempotency_keys
  alter column scope set not null,
  drop column user_id,
  add primary key (scope, key);

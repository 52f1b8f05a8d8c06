-- How notifications reach people: channels, routes, messages, deliveries.

alter table notifications
  -- ENDED, TOO_OLD, WITHHELD
  add column drop_reason text check (drop_reason ~ '^[A-Z][A-Z_]*$'),
  -- whether it tells of an end
  add column is_end boolean not null default false,
  -- when every route had its line; null: no route has looked at it
  add column routed_at timestamptz;
alter table notifications alter column is_end drop default;
update notifications set is_end = true where kind = 'RECOVERED';
update notifications set drop_reason = 'ENDED' where dropped_at is not null;
-- Nobody was told of what is older than this migration. What is still open then is told to each new route.
update notifications set dropped_at = now(), drop_reason = 'TOO_OLD' where dropped_at is null;
alter table notifications
  add check ((dropped_at is null) = (drop_reason is null));
create index notifications_unrouted on notifications (not_before) where routed_at is null and dropped_at is null;

-- A way out.
create table notification_channels (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('EMAIL', 'SLACK', 'WEBHOOK', 'HEARTBEAT')),
  name text not null check (name <> ''),
  -- ENVIRONMENT: its settings are variables of the worker; DATABASE: they are sealed here
  source text not null check (source in ('ENVIRONMENT', 'DATABASE')),
  key_version text,
  iv bytea,
  sealed bytea,
  -- nothing is sent before it: a limit of the receiver, or our own pace
  next_send_at timestamptz,
  -- since when the whole channel refuses; null: it works, or was not tried
  failing_since timestamptz,
  last_success_at timestamptz,
  last_error_at timestamptz,
  last_error text,
  created_at timestamptz not null default now(),
  created_by text not null,
  removed_at timestamptz,
  check ((source = 'DATABASE') = (sealed is not null)),
  check ((sealed is null) = (iv is null) and (sealed is null) = (key_version is null))
);
create unique index notification_channels_name on notification_channels (name) where removed_at is null;
create unique index notification_channels_environment on notification_channels (kind)
  where source = 'ENVIRONMENT' and removed_at is null;

-- Which notifications go to which channel and recipients. An empty list does not restrict.
create table notification_routes (
  id bigint generated always as identity primary key,
  name text not null check (name <> ''),
  channel_id bigint not null references notification_channels (id),
  -- e-mail addresses; other channels have one receiver, which their settings name
  recipients text[] not null default '{}',
  severities text[] not null default '{}' check (severities <@ '{YELLOW,RED}'),
  subject_kinds text[] not null default '{}',
  brands text[] not null default '{}',
  customer_ids text[] not null default '{}',
  plant_ids text[] not null default '{}',
  -- the zone of the two times of day below
  timezone text not null default 'UTC',
  quiet_from time,
  quiet_to time,
  -- NONE: everything at once; YELLOW: what is YELLOW of plants, gateways and incidents waits for the digest; ALL: everything
  digest text not null default 'NONE' check (digest in ('NONE', 'YELLOW', 'ALL')),
  digest_at time,
  digest_sent_at timestamptz,
  -- a RED alert that is still NEW so long after it was sent goes to a second route
  second_call_after_s integer check (second_call_after_s > 0),
  second_route_id bigint references notification_routes (id),
  -- who subscribed; null: a route of the ADMINs
  owner_id bigint references users (id) on delete cascade,
  unsubscribe_hash bytea check (octet_length(unsubscribe_hash) = 32),
  -- too many messages: since when it sends summaries only, when the newest was due, and how many in a row were short
  storm_since timestamptz,
  storm_summary_at timestamptz,
  storm_short_summaries integer not null default 0,
  -- what was open when it was made has its lines
  begun_at timestamptz,
  created_at timestamptz not null default now(),
  created_by text not null,
  removed_at timestamptz,
  check ((quiet_from is null) = (quiet_to is null)),
  check ((storm_since is null) = (storm_summary_at is null)),
  check ((digest = 'NONE') = (digest_at is null)),
  check ((second_call_after_s is null) = (second_route_id is null)),
  check (second_route_id <> id),
  check ((owner_id is null) = (unsubscribe_hash is null))
);
create unique index notification_routes_name on notification_routes (name) where removed_at is null;

-- What is really sent: the lines of one route, grouped.
create table messages (
  id bigint generated always as identity primary key,
  route_id bigint references notification_routes (id),
  kind text not null check (kind in ('ALERTS', 'SUMMARY', 'DIGEST', 'TEST', 'HEARTBEAT')),
  created_at timestamptz not null,
  -- a sentence above the lines
  remark text,
  -- the lines of the morning brief
  brief text[] not null default '{}',
  check ((route_id is null) = (kind in ('TEST', 'HEARTBEAT')))
);
create index messages_route on messages (route_id, created_at desc);

-- A notification for a route: one line of a message.
create table notification_lines (
  id bigint generated always as identity primary key,
  route_id bigint not null references notification_routes (id),
  notification_id bigint not null references notifications (id) on delete cascade,
  -- the second call of another route's line
  second_call boolean not null default false,
  due_at timestamptz not null,
  message_id bigint references messages (id),
  suppressed_at timestamptz,
  -- ENDED, ACKNOWLEDGED, REPLACED
  suppressed_reason text check (suppressed_reason ~ '^[A-Z][A-Z_]*$'),
  unique (route_id, notification_id),
  check ((suppressed_at is null) = (suppressed_reason is null))
);
create index notification_lines_due on notification_lines (route_id, due_at) where message_id is null and suppressed_at is null;
create index notification_lines_notification on notification_lines (notification_id);
create index notification_lines_message on notification_lines (message_id);

-- One message to one recipient.
create table deliveries (
  id bigint generated always as identity primary key,
  message_id bigint not null references messages (id),
  channel_id bigint not null references notification_channels (id),
  -- an e-mail address; empty where the channel has one receiver
  recipient text not null,
  state text not null default 'PENDING' check (state in ('PENDING', 'SENDING', 'SENT', 'FAILED', 'DEAD', 'SUPPRESSED')),
  attempts integer not null default 0 check (attempts >= 0),
  -- SENDING: until when the claim holds
  leased_until timestamptz,
  next_attempt_at timestamptz not null,
  -- when something was first handed to the receiver: from then on it may have arrived
  tried_at timestamptz,
  finished_at timestamptz,
  -- why it failed, died or was suppressed; what the server said to what it took
  answer text,
  created_at timestamptz not null,
  unique (message_id, recipient),
  check ((state = 'SENDING') = (leased_until is not null)),
  check ((finished_at is not null) = (state in ('SENT', 'DEAD', 'SUPPRESSED')))
);
create index deliveries_due on deliveries (channel_id, next_attempt_at) where state in ('PENDING', 'SENDING', 'FAILED');
create index deliveries_newest on deliveries (created_at desc);

create table delivery_attempts (
  delivery_id bigint not null references deliveries (id) on delete cascade,
  attempt integer not null check (attempt > 0),
  at timestamptz not null,
  ended_at timestamptz,
  -- SENT, RETRY, RECIPIENT_REFUSED, CHANNEL_REFUSED; null: its worker was lost
  outcome text check (outcome ~ '^[A-Z][A-Z_]*$'),
  answer text,
  primary key (delivery_id, attempt)
);

-- What needs a person and is no alert of a plant or gateway: import jobs, runs, the system.
create table problems (
  id bigint generated always as identity primary key,
  subject_kind text not null check (subject_kind ~ '^[A-Z][A-Z_]*$'),
  subject_id text not null check (subject_id <> ''),
  -- which problem of the subject
  code text not null check (code ~ '^[A-Z][A-Z_]*$'),
  severity text not null check (severity in ('YELLOW', 'RED')),
  state text not null default 'OPEN' check (state in ('OPEN', 'ACKNOWLEDGED', 'CLOSED')),
  message text not null,
  opened_at timestamptz not null,
  last_seen_at timestamptz not null,
  acked_at timestamptz,
  acked_by text,
  ack_comment text,
  closed_at timestamptz,
  check ((state = 'CLOSED') = (closed_at is not null)),
  check (state <> 'ACKNOWLEDGED' or acked_at is not null)
);
create unique index problems_one_open on problems (subject_kind, subject_id, code) where state <> 'CLOSED';
create index problems_newest on problems (opened_at desc);
alter table notifications
  -- the problem that it announces; null if it is about something else
  add column problem_id bigint references problems (id) on delete cascade,
  -- what a beginning and its end have in common
  add column topic text not null generated always as (
    case when alert_id is not null then 'ALERT ' || alert_id
      when problem_id is not null then 'PROBLEM ' || problem_id
      else subject_kind || ' ' || subject_id end) stored;
create index notifications_topic on notifications (topic);

-- Whoever sends hears of what is written, without asking for it again and again.
create function notifications_after_insert() returns trigger language plpgsql as $$
begin
  perform pg_notify('notifications', '');
  return null;
end
$$;
create trigger notifications_after_insert after insert on notifications
  for each statement execute function notifications_after_insert();

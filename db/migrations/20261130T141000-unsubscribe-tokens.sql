-- The token by which a person ends a subscription without signing in: `unsubscribe_hash` recognises it, and the sender of
-- mails, which writes it into each of them, opens it from its seal.
alter table notification_routes
  add column key_version text,
  add column iv bytea,
  add column sealed bytea,
  add check ((owner_id is null) = (sealed is null)),
  add check ((sealed is null) = (iv is null) and (sealed is null) = (key_version is null));
create unique index notification_routes_unsubscribe on notification_routes (unsubscribe_hash) where removed_at is null;
-- A person has one subscription.
create unique index notification_routes_owner on notification_routes (owner_id) where removed_at is null;

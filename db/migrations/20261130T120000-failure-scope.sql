-- What a failed poll is about: one request, one plant, the account or the vendor's cloud. The three functions say of a stored
-- poll (plants.last_poll) what domain/plants/failure.ts says of a failure; a test compares them. Polls that were stored
-- without a scope count by their type, as they did before.

alter table poll_logs add column adapter_error_scope text
  check (adapter_error_scope in ('REQUEST', 'PLANT', 'ACCOUNT', 'CLOUD'));

-- The scope of a failed poll; null for any other.
create function failure_scope(poll jsonb) returns text
language sql immutable parallel safe return
  case when poll ->> 'outcome' = 'FAILED' then coalesce(poll ->> 'errorScope',
    case poll ->> 'errorType' when 'AUTH_FAILED' then 'ACCOUNT' when 'PLANT_NOT_FOUND' then 'PLANT' else 'CLOUD' end) end;

-- Whether the vendor itself refused the account: only this pauses its plants.
create function refuses_account(poll jsonb) returns boolean
language sql immutable parallel safe return
  coalesce(failure_scope(poll) = 'ACCOUNT' and poll ->> 'errorType' = 'AUTH_FAILED'
    and coalesce((poll ->> 'errorCertain')::boolean, true), false);

-- Whether the plant counts towards "the brand does not answer".
create function counts_for_incident(poll jsonb) returns boolean
language sql immutable parallel safe return
  coalesce(failure_scope(poll) in ('ACCOUNT', 'CLOUD'), false);

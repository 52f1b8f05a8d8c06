-- Since when plants, brands and accounts fail, as people are told it.

-- the first of the failed polls in a row; null while the newest poll succeeded
alter table plants add column failing_since timestamptz;
update plants p set failing_since = coalesce((
  select min(l.scheduled_for) from poll_logs l
  where l.plant_id = p.id and l.job_type = 'POLL' and l.status = 'ERROR'
    and l.scheduled_for > coalesce((
      select max(s.scheduled_for) from poll_logs s
      where s.plant_id = p.id and s.job_type = 'POLL' and s.status = 'SUCCESS'), '-infinity')), p.last_slot)
where p.consecutive_failures > 0;

alter table brand_incidents
  -- the first failed poll of the outage; suspected_at is when a reconciliation first saw enough of them
  add column failing_since timestamptz,
  -- the most plants that failed at once
  add column plants_failed_most integer;
update brand_incidents set plants_failed_most = plants_failed;

-- Why the account's credentials are of no use; all null while they are not refused. Credentials that replace them begin anew.
alter table vendor_accounts
  -- UNUSABLE: we refuse to use them; REFUSED: the vendor does
  add column refusal text check (refusal in ('UNUSABLE', 'REFUSED')),
  add column refusal_message text,
  add column refused_at timestamptz,
  add check ((refusal is null) = (refusal_message is null) and (refusal is null) = (refused_at is null));
update vendor_accounts a set refusal = 'REFUSED', refusal_message = p.error, refused_at = p.at
from (
  select distinct on (vendor_account_id) vendor_account_id, coalesce(last_poll ->> 'error', 'the credentials were refused') as error,
    coalesce(failing_since, last_polled_at, now()) as at
  from plants where integration_status = 'PAUSED_AUTH_ERROR'
  order by vendor_account_id, (last_poll ->> 'errorType' = 'AUTH_FAILED') desc nulls last, last_polled_at desc nulls last) p
where p.vendor_account_id = a.id
  and exists (select from integration_credentials c where c.account_id = a.id);

-- Credentials that the vendor was never shown say nothing of its brand.
create or replace function counts_for_incident(poll jsonb) returns boolean
language sql immutable parallel safe return
  coalesce(failure_scope(poll) in ('ACCOUNT', 'CLOUD') and poll ->> 'credentials' is null, false);

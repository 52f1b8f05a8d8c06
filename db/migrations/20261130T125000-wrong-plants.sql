-- Wrong plants can be corrected and removed. A removed plant keeps its row, its days and its ledger until it is purged; its
-- vendor's plant is free again at once, for another plant.

alter table plants
  add column removed_at timestamptz,
  -- nothing that looks for ACTIVE plants finds it
  add constraint plants_removed_check check (removed_at is null or integration_status = 'DISABLED_BY_OPERATOR'),
  drop constraint plants_brand_vendor_plant_id_key;
create unique index plants_vendor_plant on plants (brand, vendor_plant_id) where removed_at is null;

-- Whether the vendor has ever answered for the plant: then its days and its ledger are those of its vendor_plant_id.
create function plant_has_answered(plant plants) returns boolean language sql stable return
  plant.last_seen_at is not null
  or exists (select from metric_snapshots s where s.plant_id = plant.id)
  or exists (select from poll_logs l where l.plant_id = plant.id and l.job_type = 'POLL' and l.status = 'SUCCESS');

-- Whatever removes a plant, also SQL: it is GREY, no ACTIVE plant, and its loop looks again and ends.
create or replace function plants_before_write() returns trigger language plpgsql as $$
begin
  if new.removed_at is not null then
    new.integration_status := 'DISABLED_BY_OPERATOR';
    new.paused_until := null;
    new.pause_reason := null;
    if new.status <> 'GREY' then
      new.status_since := new.removed_at;
    end if;
    new.status := 'GREY';
    new.status_reason := 'DISABLED_BY_OPERATOR';
  end if;
  if tg_op = 'INSERT' then
    if new.integration_status = 'ACTIVE' and new.activated_at is null then
      new.activated_at := now();
    end if;
    if new.integration_status = 'ACTIVE' and new.status_reason = 'PENDING_DOCS' then
      new.status_reason := 'WAITING_FOR_FIRST_READING';
    end if;
    return new;
  end if;
  if new.brand <> old.brand or new.id <> old.id then
    raise exception 'id and brand of a plant never change (plant %)', old.id
      using errcode = 'check_violation', constraint = 'plants_identity';
  end if;
  if new.vendor_plant_id <> old.vendor_plant_id and plant_has_answered(old) then
    raise exception 'vendor_plant_id changes only while a plant has never answered (plant %)', old.id
      using errcode = 'check_violation', constraint = 'plants_identity';
  end if;
  if new.integration_status = 'ACTIVE' and old.integration_status <> 'ACTIVE'
     and new.activated_at is not distinct from old.activated_at then
    new.activated_at := now();
  end if;
  if new.integration_status <> 'DISABLED_BY_OPERATOR' then
    new.paused_until := null;
    new.pause_reason := null;
  end if;
  if (new.name, new.customer_id, new.vendor_account_id, new.vendor_plant_id, new.timezone, new.latitude, new.longitude,
      new.installed_capacity_kw, new.poll_interval_s, new.integration_status, new.paused_until, new.alerts_silenced_until,
      new.status_profile, new.removed_at)
     is distinct from
     (old.name, old.customer_id, old.vendor_account_id, old.vendor_plant_id, old.timezone, old.latitude, old.longitude,
      old.installed_capacity_kw, old.poll_interval_s, old.integration_status, old.paused_until, old.alerts_silenced_until,
      old.status_profile, old.removed_at) then
    new.revision := old.revision + 1;
  end if;
  return new;
end
$$;

create or replace function credentials_after_write() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.version = old.version then
    return null;
  end if;
  update plants set revision = revision + 1 where vendor_account_id = new.account_id and removed_at is null;
  return null;
end
$$;

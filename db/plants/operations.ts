import { sql } from 'kysely';

import type { AdapterErrorType, Brand, Outcome } from '../../domain/plants/plant.ts';
import { type Db, onlyRow } from '../database.ts';
import { newestSlot } from './ledger.ts';
import { isStale } from './plants.ts';

/** How polling goes, for those who run it: figures of the ledger over the last hour and day. PostgreSQL's clock is "now". */

/** The polls of one brand in the last hour. */
export interface BrandPolling {
  brand: Brand;
  active_plants: number;
  /** ACTIVE plants whose newest poll is older than 2 intervals + 1 min. */
  not_polled: number;
  /** Polls that asked, or were to ask, a vendor: every outcome but MISSED and the skips. */
  polls: number;
  outcomes: Partial<Record<Outcome, number>>;
  /** Of polls on a slot: ms from the slot to the poll's begin. null without such a poll. */
  late_p50_ms: number | null;
  late_p99_ms: number | null;
  late_max_ms: number | null;
  /** Polls that began later than max(30 s, a tenth of the interval). */
  late: number;
  newest_poll_at: Date | null;
}

/** What went wrong in the last hour, by kind and brand. */
export interface PollingError {
  brand: Brand;
  error_type: AdapterErrorType;
  polls: number;
  plants: number;
  newest_at: Date;
  /** The sentence of the newest. */
  newest: string | null;
}

export async function readBrandPolling(db: Db): Promise<BrandPolling[]> {
  const result = await sql<BrandPolling>`
    with rows as (
      select p.brand, l.outcome, l.late_ms, l.status, l.started_at,
        l."trigger" in ('SCHEDULE', 'CATCH_UP') and l.late_ms is not null as on_slot,
        l.late_ms > greatest(30000, p.poll_interval_s * 100) as late
      from poll_logs l join plants p on p.id = l.plant_id
      where l.job_type = 'POLL' and l.scheduled_for > now() - interval '1 hour' and l.scheduled_for <= now()),
    outcomes as (
      select brand, jsonb_object_agg(outcome, n) as outcomes
      from (select brand, outcome, count(*) as n from rows group by brand, outcome) each group by brand),
    polls as (
      select brand, count(*) filter (where status is not null) as polls,
        percentile_cont(0.5) within group (order by late_ms) filter (where on_slot) as late_p50_ms,
        percentile_cont(0.99) within group (order by late_ms) filter (where on_slot) as late_p99_ms,
        max(late_ms) filter (where on_slot) as late_max_ms,
        count(*) filter (where on_slot and late) as late,
        max(started_at) as newest_poll_at
      from rows group by brand),
    fleet as (
      select p.brand, count(*) filter (where p.integration_status = 'ACTIVE') as active_plants,
        count(*) filter (where ${isStale}) as not_polled
      from plants p group by p.brand)
    select fleet.brand, active_plants, not_polled, coalesce(polls, 0) as polls, coalesce(outcomes, '{}') as outcomes,
      late_p50_ms, late_p99_ms, late_max_ms, coalesce(late, 0) as late, newest_poll_at
    from fleet left join polls using (brand) left join outcomes using (brand) order by brand`.execute(
    db,
  );
  return result.rows;
}

/** The worst first. */
export async function readPollingErrors(db: Db): Promise<PollingError[]> {
  const result = await sql<PollingError>`
    select p.brand, l.adapter_error_type as error_type, count(*) as polls, count(distinct l.plant_id) as plants,
      max(l.scheduled_for) as newest_at, (array_agg(l.error order by l.scheduled_for desc))[1] as newest
    from poll_logs l join plants p on p.id = l.plant_id
    where l.job_type = 'POLL' and l.adapter_error_type is not null
      and l.scheduled_for > now() - interval '1 hour' and l.scheduled_for <= now()
    group by p.brand, l.adapter_error_type order by polls desc, brand, error_type`.execute(db);
  return result.rows;
}

/** Slots of the last 24 h that nobody polled. */
export interface MissedSlots {
  /** With a row that says so. */
  written: number;
  /** Of plants that are not polled now: their rows are written when somebody polls again. */
  unwritten: number;
}

export async function readMissedSlots(db: Db): Promise<MissedSlots> {
  const result = await sql<MissedSlots>`
    select
      (select coalesce(sum(slots_missed), 0)::bigint from poll_logs
        where job_type = 'POLL' and outcome = 'MISSED' and scheduled_for > now() - interval '24 hours') as written,
      (select coalesce(sum(least(
          slots_between(greatest(p.last_slot, o.from_at) + interval '1 ms', now(), o.interval_s, o.phase_ms) - 1,
          86400 / o.interval_s)), 0)::bigint
        from plants p join plant_periods o on o.plant_id = p.id and o.to_at is null and o.reason = 'ACTIVE'
        where greatest(p.last_slot, o.from_at) < now() - stale_after(o.interval_s)) as unwritten`.execute(
    db,
  );
  return onlyRow(result);
}

/** An ACTIVE plant with what says whether it is polled. */
export interface WatchedPlant {
  id: string;
  name: string;
  brand: Brand;
  created_at: Date;
  activated_at: Date;
  /** The open ACTIVE period; null where the loop has not opened it. */
  period_from: Date | null;
  interval_s: number | null;
  phase_ms: number | null;
  /** The newest slot with a row. */
  newest_slot: Date | null;
}

/** @param plants all plants, whatever their integration_status. */
export async function listWatchedPlants(
  db: Db,
): Promise<{ nowMs: number; plants: number; watched: WatchedPlant[] }> {
  const result = await sql<WatchedPlant>`
    select p.id, p.name, p.brand, p.created_at, p.activated_at,
      o.from_at as period_from, o.interval_s, o.phase_ms, l.newest_slot
    from plants p
    left join plant_periods o on o.plant_id = p.id and o.to_at is null and o.reason = 'ACTIVE'
    left join lateral (${newestSlot(sql`now()`)}) l on true
    where p.integration_status = 'ACTIVE' order by p.id`.execute(db);
  // Asked after the rows: a clock that is a moment ahead of them overlooks nothing for long.
  const counts = await sql<{ plants: number; now: Date }>`
    select count(*) as plants, now() as now from plants`.execute(db);
  const all = onlyRow(counts);
  return { nowMs: all.now.getTime(), plants: all.plants, watched: result.rows };
}

/** Plants of which people changed something that their loops have not seen. */
export async function listUnseenChanges(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('plants')
    .select('id')
    .whereRef('seen_revision', '<>', 'revision')
    .orderBy('id')
    .execute();
  return rows.map((row) => row.id);
}

/** What the database is. */
export async function readDatabaseVersions(
  db: Db,
): Promise<{ postgres: string; migration: string | null }> {
  const result = await sql<{ postgres: string; migration: string | null }>`
    select current_setting('server_version') as postgres,
      (select max(name) from migration_checksums) as migration`.execute(db);
  return onlyRow(result);
}

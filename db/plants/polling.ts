import { type RawBuilder, sql } from 'kysely';

import type { Brand, Outcome, Status } from '../../domain/plants/plant.ts';
import { type Db, instant, query, queryRow, timestamp } from '../database.ts';
import { newestSlot } from './ledger.ts';

/** Whether polling goes on, out of the ledger alone: what the diagnosis and the metrics tell. */

/** An ACTIVE plant with what says whether it is polled. */
export interface WatchedPlant {
  id: string;
  brand: Brand;
  created_at: Date;
  activated_at: Date;
  /** The begin of the open ACTIVE period; null where the loop has not opened it. */
  period_from: Date | null;
  /** The newest slot with a row. */
  newest_at: Date | null;
  /** No row, no activation and no new period for 2 intervals + 1 min. */
  unpolled: boolean;
  /** The first slot after the newest row, which may be still to come; null without an open period. */
  due_at: Date | null;
}

/** Every `WatchedPlant`, as a statement: whether a plant is polled is decided here and nowhere else. */
const watchedPlants = (now: RawBuilder<unknown>) => sql<WatchedPlant>`
      select p.id, p.brand, p.created_at, p.activated_at, o.from_at as period_from, l.newest_slot as newest_at,
        coalesce(greatest(l.newest_slot, p.activated_at, o.from_at), p.created_at)
          < ${now} - stale_after(p.poll_interval_s) as unpolled,
        slot_at_or_after(greatest(l.newest_slot + interval '1 millisecond', o.from_at), o.interval_s, o.phase_ms) as due_at
      from plants p
      left join lateral (${newestSlot(now)}) l on true
      left join plant_periods o on o.plant_id = p.id and o.to_at is null and o.reason = 'ACTIVE'
      where p.integration_status = 'ACTIVE'`;

export async function listWatchedPlants(db: Db, nowMs: number): Promise<WatchedPlant[]> {
  return query(db)<WatchedPlant>`${watchedPlants(timestamp(nowMs))} order by p.id`;
}

export interface PollingPulse {
  /** ACTIVE plants. */
  active: number;
  /** Of those, without a ledger row, an activation or a new period for 2 intervals + 1 min. */
  unpolled: number;
  /** The newest slot with a row, of all ACTIVE plants; null before the first. */
  newestRowAt: Date | null;
  /** The oldest slot that is due and has no row yet, of all plants; null where none is. */
  oldestDueAt: Date | null;
  /** The same counts of each brand that has ACTIVE plants. */
  byBrand: Partial<Record<Brand, { active: number; unpolled: number }>>;
  /** All plants but removed ones, whatever their integration_status: each has a loop. */
  plants: number;
}

/** One statement; about 10 ms for 1,000 plants. */
export async function readPulse(db: Db, nowMs: number): Promise<PollingPulse> {
  const now = timestamp(nowMs);
  return queryRow(db)<PollingPulse>`
    with active as (${watchedPlants(now)})
    select count(*)::int as active, count(*) filter (where unpolled)::int as unpolled, max(newest_at) as "newestRowAt",
      min(due_at) filter (where due_at <= ${now}) as "oldestDueAt",
      (select coalesce(jsonb_object_agg(brand, counts), '{}') from (
        select brand, jsonb_build_object('active', count(*), 'unpolled', count(*) filter (where unpolled)) as counts
        from active group by brand) b) as "byBrand",
      (select count(*)::int from plants where removed_at is null) as plants
    from active`;
}

/** Ledger rows by outcome since an instant. */
export async function countOutcomes(
  db: Db,
  sinceMs: number,
): Promise<Partial<Record<Outcome, number>>> {
  const rows = await db
    .selectFrom('poll_logs')
    .select(['outcome', (eb) => eb.fn.countAll<number>().as('polls')])
    .where('job_type', '=', 'POLL')
    .where('scheduled_for', '>', instant(sinceMs))
    .groupBy('outcome')
    .execute();
  return Object.fromEntries(rows.map((row) => [row.outcome, row.polls]));
}

/** How late scheduled polls began, ms. null where nothing was polled. */
export async function readLateness(
  db: Db,
  sinceMs: number,
): Promise<{ p50: number; p99: number } | null> {
  const { p50, p99 } = await queryRow(db)<{ p50: number | null; p99: number | null }>`
    select percentile_cont(0.5) within group (order by late_ms) as p50,
      percentile_cont(0.99) within group (order by late_ms) as p99
    from poll_logs
    where job_type = 'POLL' and "trigger" in ('SCHEDULE', 'CATCH_UP') and late_ms is not null
      and scheduled_for > ${instant(sinceMs)}`;
  return p50 === null || p99 === null ? null : { p50, p99 };
}

export interface PolledMinute {
  polled: number;
  failed: number;
}

/** The polls of each of the last `minutes` whole or begun minutes, the oldest first. */
export async function countByMinute(
  db: Db,
  nowMs: number,
  minutes: number,
): Promise<PolledMinute[]> {
  return query(db)<PolledMinute>`
    select count(l.outcome)::int as polled, count(*) filter (where l.outcome = 'FAILED')::int as failed
    from generate_series(
      date_trunc('minute', ${instant(nowMs)}::timestamptz) - make_interval(mins => ${minutes - 1}::int),
      date_trunc('minute', ${instant(nowMs)}::timestamptz), interval '1 minute') as m(at)
    left join poll_logs l on l.job_type = 'POLL' and l.status is not null
      and l.scheduled_for >= m.at and l.scheduled_for < m.at + interval '1 minute'
    group by m.at order by m.at`;
}

/** A plant as the metrics tell of it. */
export interface PlantGauge {
  id: string;
  brand: Brand;
  status: Status;
  last_seen_at: Date | null;
}

export async function listPlantGauges(db: Db): Promise<PlantGauge[]> {
  return db
    .selectFrom('plants')
    .select(['id', 'brand', 'status', 'last_seen_at'])
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute();
}

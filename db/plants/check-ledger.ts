import { sql } from 'kysely';

import { type Db, instant, msOf, query, queryRow } from '../database.ts';
import type { AuditWindow, LedgerScope, SlotGap } from '../ledger/check.ts';

/** The check of what only the plants' ledger has: polls, and the days that they booked. */

/**
 * Polls, also START and MANUAL ones, that left their mark on the plant or on a day and have no row: each as a gap of one
 * slot. Those that are due slots as well are among `findSlotGaps` too.
 */
export async function findBookedWithoutRow(
  db: Db,
  scope: LedgerScope,
  limit: number,
): Promise<SlotGap[]> {
  const ids = scope.subjectIds === undefined ? null : [...scope.subjectIds];
  return query(db)<SlotGap>`
    select b.plant_id as "subjectId", ${msOf(sql`b.at`)} as "firstMs", ${msOf(sql`b.at`)} as "lastMs", 0 as "intervalMs",
      1 as slots, not exists (
        select from poll_logs l where l.plant_id = b.plant_id and l.job_type = 'POLL' and l.scheduled_for > b.at) as newest
    from (
      select id as plant_id, last_slot as at from plants
      union
      select plant_id, slot from metric_snapshots) b
    where b.at >= ${instant(scope.fromMs)} and b.at < ${instant(scope.toMs)}
      and (${ids}::text[] is null or b.plant_id = any(${ids}))
      and not exists (
        select from poll_logs l where l.plant_id = b.plant_id and l.job_type = 'POLL' and l.scheduled_for = b.at)
    order by newest desc, b.plant_id, b.at limit ${limit}`;
}

export interface Overlap {
  plantId: string;
  at: Date;
  /** By how much an earlier poll of the plant was still running. */
  overlapMs: number;
}

/** Polls of one plant that ran at once for more than `toleranceMs`. */
export async function findOverlaps(
  db: Db,
  window: AuditWindow,
  toleranceMs: number,
  limit: number,
): Promise<{ overlaps: Overlap[]; total: number }> {
  const rows = await query(db)<Overlap & { total: number }>`
    with runs as (
      select plant_id, scheduled_for as at, started_at, max(started_at + coalesce(duration_ms, 0) * interval '1 millisecond')
        over (partition by plant_id order by started_at, scheduled_for
          rows between unbounded preceding and 1 preceding) as busy_until
      from poll_logs
      where job_type = 'POLL' and started_at is not null
        and scheduled_for >= ${instant(window.fromMs)} and scheduled_for < ${instant(window.toMs)}),
    overlapping as (
      select plant_id, at, (extract(epoch from busy_until - started_at) * 1000)::float8 as overlap_ms
      from runs where busy_until > started_at)
    select plant_id as "plantId", at, overlap_ms as "overlapMs", count(*) over () as total
    from overlapping where overlap_ms > ${toleranceMs}
    order by at, plant_id limit ${limit}`;
  return { overlaps: rows, total: rows[0]?.total ?? 0 };
}

export interface DayBesideLedger {
  plantId: string;
  date: string;
  energyKwh: number;
  peakPowerW: number | null;
  /** The highest of the ledger's rows with this `booked_date`; null: none has a value. */
  ledgerEnergyKwh: number | null;
  ledgerPeakPowerW: number | null;
}

/** Sums of the same decimals, made in another order. */
const roundingKwh = 1e-6;

/**
 * LIVE days of the window beside the ledger, and how many were compared. Left out: days whose rows may lie before
 * `ledgerStartMs`, and those whose last poll has no row yet (it runs, or `findBookedWithoutRow` tells).
 */
export async function findDaysUnlikeLedger(
  db: Db,
  window: AuditWindow,
  ledgerStartMs: number,
  limit: number,
): Promise<{ days: DayBesideLedger[]; compared: number; total: number }> {
  const ledgerStart = instant(ledgerStartMs);
  return queryRow(db)<{ compared: number; total: number; days: DayBesideLedger[] }>`
    with days as (
      select s.plant_id, s.date, s.today_energy_kwh as energy, s.peak_power_w as peak, l.energy as ledger_energy,
        l.peak as ledger_peak, s.today_energy_kwh - l.energy between -${roundingKwh}::float8 and ${roundingKwh}::float8
          and (s.peak_power_w is null and l.peak is null
            or s.peak_power_w - l.peak between -${roundingKwh}::float8 and ${roundingKwh}::float8) as alike
      from metric_snapshots s
      join plants p on p.id = s.plant_id
      cross join lateral (
        select s.date::timestamp at time zone p.timezone as starts_at, (s.date + 1)::timestamp at time zone p.timezone as ends_at) day
      cross join lateral (
        -- a slot may be polled up to its whole interval late, and a day takes readings until it is final at D+3
        select day.starts_at - interval '2 days' as from_at, day.ends_at + interval '4 days' as to_at) booked
      cross join lateral (
        select max(l.today_energy_kwh) as energy, max(l.power_w) as peak from poll_logs l
        where l.plant_id = s.plant_id and l.job_type = 'POLL' and l.scheduled_for >= booked.from_at
          and l.scheduled_for < booked.to_at and l.booked_date = s.date) l
      where s.quality = 'LIVE'
        and day.ends_at > ${instant(window.fromMs)} and day.starts_at < ${instant(window.toMs)}
        and (booked.from_at >= ${ledgerStart} or not exists (
          select from plant_periods e where e.plant_id = s.plant_id and e.reason = 'ACTIVE' and e.from_at < ${ledgerStart}))
        and exists (
          select from poll_logs w where w.plant_id = s.plant_id and w.job_type = 'POLL' and w.scheduled_for = s.slot)),
    unlike as (select * from days where alike is not true)
    select (select count(*) from days) as compared, (select count(*) from unlike) as total,
      (select coalesce(json_agg(json_build_object('plantId', plant_id, 'date', date, 'energyKwh', energy, 'peakPowerW', peak,
          'ledgerEnergyKwh', ledger_energy, 'ledgerPeakPowerW', ledger_peak) order by date, plant_id), '[]'::json)
        from (select * from unlike order by date, plant_id limit ${limit}) u) as days`;
}

/** A plant whose loop the check looks for. */
export interface PlantToWatch {
  id: string;
  createdAtMs: number;
  /** Its loop ends, and may run until it has seen the removal. */
  removed: boolean;
}

/** The plants that must have a loop, and the removed ones whose loop may still run. */
export async function listPlantsToWatch(db: Db): Promise<PlantToWatch[]> {
  return query(db)<PlantToWatch>`
    select id, ${msOf(sql`created_at`)} as "createdAtMs", removed_at is not null as removed from plants
    where removed_at is null or seen_revision <> revision order by id`;
}

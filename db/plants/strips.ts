import { sql } from 'kysely';

import {
  type SlotPeriod,
  type SlotRow,
  type StripTick,
  stripFrom,
  stripTicks,
} from '../../domain/plants/strip.ts';
import { type Db, instant, msOf, query } from '../database.ts';

/** More changes of a plant's plan than this within its newest slots are not looked through. */
const periodsMax = 10;

/**
 * The newest due slots of these plants with what became of each, oldest first, by plant id; plants that were never due are
 * left out. Two round trips, however many plants.
 */
export async function readStrips(
  db: Db,
  plantIds: readonly string[],
  nowMs: number,
): Promise<Map<string, StripTick[]>> {
  const periods = await readPeriods(db, plantIds, nowMs);
  const wanted = [...periods].flatMap(([id, ofPlant]) => {
    const fromMs = stripFrom(ofPlant, nowMs);
    return fromMs === null ? [] : [{ id, fromMs, periods: ofPlant }];
  });
  const slots = await query(db)<SlotRow & { plantId: string }>`
    select l.plant_id as "plantId", ${msOf(sql`l.scheduled_for`)} as "slotMs", l.outcome, l.late_ms as "lateMs"
    from unnest(${wanted.map(({ id }) => id)}::text[],
      ${wanted.map(({ fromMs }) => instant(fromMs))}::timestamptz[]) as w (plant_id, from_at)
    cross join lateral (
      select plant_id, scheduled_for, outcome, late_ms from poll_logs
      where plant_id = w.plant_id and job_type = 'POLL' and scheduled_for >= w.from_at) l`;
  const rows = Map.groupBy(slots, ({ plantId }) => plantId);
  return new Map(
    wanted.map(({ id, periods: ofPlant }) => [id, stripTicks(ofPlant, rows.get(id) ?? [], nowMs)]),
  );
}

/** The newest periods in which the plants were due, newest first, as far back as the ledger is kept. */
async function readPeriods(
  db: Db,
  plantIds: readonly string[],
  nowMs: number,
): Promise<Map<string, SlotPeriod[]>> {
  const rows = await query(db)<SlotPeriod & { plantId: string }>`
    select r.plant_id as "plantId", ${msOf(sql`greatest(r.from_at, k.from_at)`)} as "fromMs", ${msOf(sql`r.to_at`)} as "toMs",
      r.interval_s * 1000 as "intervalMs", r.phase_ms as "phaseMs"
    from unnest(${[...plantIds]}::text[]) as ids (id)
    cross join (select max(from_at) as from_at from ledger_kept) k
    cross join lateral (
      select * from plant_periods
      where plant_id = ids.id and reason = 'ACTIVE' and from_at <= ${instant(nowMs)}
        and (to_at is null or k.from_at is null or to_at > k.from_at)
      order by from_at desc limit ${periodsMax}) r
    order by r.plant_id, r.from_at desc`;
  return Map.groupBy(rows, ({ plantId }) => plantId);
}

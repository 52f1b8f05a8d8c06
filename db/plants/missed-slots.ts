import { sql } from 'kysely';

import { type Db, instant } from '../database.ts';

/** Slots of a span of time: how many were due, and of those how many nobody answered. */
export interface SlotCount {
  due: number;
  missed: number;
}

/**
 * Counts the slots of all plants in [`fromMs`, `toMs`). A slot is due when it lies on the grid of an ACTIVE period; it is
 * missed when it has no row, or one that says so. Computed when read: a stopped worker writes no rows.
 */
export async function countMissedSlots(db: Db, fromMs: number, toMs: number): Promise<SlotCount> {
  const result = await sql<SlotCount>`
    with periods as materialized (
      select plant_id, from_at, coalesce(to_at, 'infinity'::timestamptz) as to_at,
        interval_s * 1000::bigint as interval_ms, phase_ms,
        greatest(${fromMs}::bigint, ceil(extract(epoch from from_at) * 1000)::bigint) as first_ms,
        least(${toMs}::bigint, ceil(extract(epoch from to_at) * 1000)::bigint) as end_ms
      from plant_periods
      where reason = 'ACTIVE' and from_at < ${instant(toMs)} and (to_at is null or to_at > ${instant(fromMs)})),
    due as (
      select coalesce(sum(greatest(0, (end_ms - 1 - phase_ms) / interval_ms - (first_ms - 1 - phase_ms) / interval_ms)), 0)::int as slots
      from periods),
    answered as (
      select count(*)::int as slots
      from poll_logs l join periods p on p.plant_id = l.plant_id
        and l.scheduled_for >= p.from_at and l.scheduled_for < p.to_at
        and mod(round(extract(epoch from l.scheduled_for) * 1000)::bigint - p.phase_ms, p.interval_ms) = 0
      where l.job_type = 'POLL' and l.outcome <> 'MISSED'
        and l.scheduled_for >= ${instant(fromMs)} and l.scheduled_for < ${instant(toMs)})
    select due.slots as due, greatest(0, due.slots - answered.slots) as missed from due, answered`.execute(
    db,
  );
  const row = result.rows[0];
  if (row === undefined) throw new Error('an aggregate gives a row');
  return row;
}

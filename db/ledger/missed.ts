import { sql } from 'kysely';

import { type Db, instant, queryRow, timestamp, query } from '../database.ts';
import { isOfSlot, type Ledger, namesOf } from './ledger.ts';

/** Missed slots: a loop writes their rows when it runs again; until then they are counted without rows. */

/** Slots of a span of time: how many were due, and how many of those were missed. */
export interface SlotCount {
  due: number;
  missed: number;
}

/**
 * Counts the slots of all subjects in [`fromMs`, `toMs`). A slot is due when it lies on the grid of an ACTIVE period; it is
 * missed when it has no row, or one that says so. Needs no MISSED rows, because a stopped worker writes none.
 */
export async function countMissedSlots(
  db: Db,
  ledger: Ledger,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<SlotCount> {
  const { periods, subject, rows, slot } = namesOf(ledger);
  const from = timestamp(fromMs);
  const to = timestamp(toMs);
  return queryRow(db)<SlotCount>`
    with active as materialized (
      select ${subject} as subject, greatest(from_at, ${from}) as from_at, least(to_at, ${to}) as to_at, interval_s, phase_ms
      from ${periods} where reason = 'ACTIVE' and from_at < ${to} and (to_at is null or to_at > ${from})),
    due as (
      select coalesce(sum(slots_between(from_at, to_at, interval_s, phase_ms)), 0)::int as slots from active),
    answered as (
      select count(*)::int as slots
      from ${rows} l join active p on p.subject = l.${subject} and l.${slot} >= p.from_at and l.${slot} < p.to_at
        and is_slot(l.${slot}, p.interval_s, p.phase_ms)
      where ${isOfSlot(ledger)} and l.outcome <> 'MISSED' and l.${slot} >= ${from} and l.${slot} < ${to})
    select due.slots as due, greatest(0, due.slots - answered.slots) as missed from due, answered`;
}

/**
 * Writes the slots `fromMs`, `fromMs + intervalMs` … `toMs` as MISSED, one row per slot or per UTC day as the ledger says.
 * Existing rows stay.
 *
 * @param columns what else each row holds, by column.
 */
export async function insertMissed(
  db: Db,
  ledger: Ledger,
  gap: {
    subjectId: string;
    fromMs: number;
    toMs: number;
    intervalMs: number;
    columns: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const { subject, rows, slot } = namesOf(ledger);
  const { job } = ledger;
  const others = Object.entries({
    ...(job !== null && { [job.column]: job.value }),
    ...gap.columns,
  });
  const group =
    ledger.gap === 'ROW_PER_SLOT' ? sql`at` : sql`date_trunc('day', at at time zone 'UTC')`;
  await query(db)`
    insert into ${rows} (${sql.join([
      subject,
      slot,
      ...others.map(([column]) => sql.ref(column)),
    ])}, "trigger", outcome, slots_missed)
    select ${sql.join([
      sql`${gap.subjectId}::text`,
      sql`min(at)`,
      ...others.map(([, value]) => sql`${value}::text`),
    ])}, 'SCHEDULE', 'MISSED', count(*)
    from generate_series(${instant(gap.fromMs)}::timestamptz, ${instant(gap.toMs)}::timestamptz,
      make_interval(secs => ${gap.intervalMs / 1_000})) as at
    group by ${group}
    on conflict do nothing`;
}

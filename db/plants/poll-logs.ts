import { type Insertable, type Selectable, sql } from 'kysely';

import { roundedKwh, roundedW } from '../../domain/rounding.ts';
import type { LocalDate } from '../../domain/zone.ts';
import { type Db, instant, msOf, query } from '../database.ts';
import { insertMissed as insertMissedSlots } from '../ledger/missed.ts';
import { plantLedger } from './ledger.ts';
import type { PlantTables } from './tables.ts';

export type PollLogRow = Selectable<PlantTables['poll_logs']>;

/** Writes the slot's row, once: a second call for the same slot changes nothing. @returns whether it was written now. */
export async function insertPollLog(
  db: Db,
  row: Insertable<PlantTables['poll_logs']>,
): Promise<boolean> {
  const result = await db
    .insertInto('poll_logs')
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(['plant_id', 'job_type', 'scheduled_for']).doNothing(),
    )
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/**
 * One MISSED row for each slot `fromMs`, `fromMs + intervalMs` … `toMs`, and one row at `overflow.slotMs` that stands for
 * `overflow.slots` older ones.
 */
export async function insertMissed(
  db: Db,
  missed: {
    plantId: string;
    workflowId: string;
    runId: string;
    intervalMs: number;
    rows: { fromMs: number; toMs: number } | null;
    overflow: { slotMs: number; slots: number } | null;
  },
): Promise<void> {
  const { plantId, overflow, rows, intervalMs } = missed;
  const writer = { workflow_id: missed.workflowId, run_id: missed.runId };
  if (overflow !== null)
    await insertPollLog(db, {
      plant_id: plantId,
      job_type: 'POLL',
      scheduled_for: instant(overflow.slotMs),
      trigger: 'SCHEDULE',
      outcome: 'MISSED',
      slots_missed: overflow.slots,
      ...writer,
    });
  if (rows !== null)
    await insertMissedSlots(db, plantLedger, {
      subjectId: plantId,
      ...rows,
      intervalMs,
      columns: writer,
    });
}

/** The newest slot with a row, ms; null for a plant without one. */
export async function findLastSlot(db: Db, plantId: string): Promise<number | null> {
  const [row] = await query(db)<{ slot: Date }>`
    select scheduled_for as slot from poll_logs where plant_id = ${plantId} and job_type = 'POLL'
    order by scheduled_for desc limit 1`;
  return row?.slot.getTime() ?? null;
}

/** Whether the closing that was due at `atMs` has its row. */
export async function hasDailyLog(db: Db, plantId: string, atMs: number): Promise<boolean> {
  const rows = await query(db)`
    select from poll_logs
    where plant_id = ${plantId} and job_type = 'DAILY' and scheduled_for = ${instant(atMs)}`;
  return rows.length > 0;
}

/** The booked totals of a local date, oldest first: from them the closing makes the day's totals by local time. */
export async function findBookedTotals(
  db: Db,
  plantId: string,
  date: LocalDate,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<{ atMs: number; totalKwh: number }[]> {
  return query(db)<{ atMs: number; totalKwh: number }>`
    select ${msOf(sql`coalesce(source_time, scheduled_for)`)} as "atMs", today_energy_kwh as "totalKwh" from poll_logs
    where plant_id = ${plantId} and job_type = 'POLL' and booked_date = ${date} and today_energy_kwh is not null
      and scheduled_for >= ${instant(fromMs)} and scheduled_for < ${instant(toMs)}
    order by scheduled_for`;
}

/** The newest rows of a plant, newest first; of both kinds unless one is asked for, of all times unless before an instant. */
export async function listPollLogs(
  db: Db,
  plantId: string,
  limit: number,
  {
    jobType,
    beforeMs = null,
  }: { jobType?: PollLogRow['job_type'] | undefined; beforeMs?: number | null } = {},
): Promise<PollLogRow[]> {
  let logs = db
    .selectFrom('poll_logs')
    .selectAll()
    .where('plant_id', '=', plantId)
    .orderBy('scheduled_for', 'desc')
    .orderBy('job_type')
    .limit(limit);
  if (beforeMs !== null) logs = logs.where('scheduled_for', '<', instant(beforeMs));
  if (jobType !== undefined) logs = logs.where('job_type', '=', jobType);
  return (await logs.execute()).map((row) => ({
    ...row,
    power_w: roundedW(row.power_w),
    today_energy_kwh: roundedKwh(row.today_energy_kwh),
    lifetime_energy_kwh: roundedKwh(row.lifetime_energy_kwh),
  }));
}

/** A plant's power at an instant; null where the poll gave none, so that a chart shows a gap. */
export interface PowerPoint {
  atMs: number;
  powerW: number | null;
}

/** No chart shows more: one point a minute. */
const minuteOf = sql`date_bin(interval '1 minute', l.scheduled_for, 'epoch'::timestamptz)`;

/** The power of a plant from the ledger, oldest first: the newest poll of each minute. */
export async function readPower(
  db: Db,
  plantId: string,
  fromMs: number,
  toMs: number,
): Promise<PowerPoint[]> {
  const points = await query(db)<PowerPoint>`
    select distinct on (${minuteOf}) ${msOf(sql`l.scheduled_for`)} as "atMs", l.power_w as "powerW"
    from poll_logs l
    where l.plant_id = ${plantId} and l.job_type = 'POLL'
      and l.scheduled_for >= ${instant(fromMs)} and l.scheduled_for < ${instant(toMs)}
      and l.outcome not in ('SKIPPED_LOCKED', 'SKIPPED_INACTIVE')
    order by ${minuteOf}, l.scheduled_for desc`;
  return points.map(({ atMs, powerW }) => ({ atMs, powerW: roundedW(powerW) }));
}

import { setTimeout as delay } from 'node:timers/promises';

import { type Kysely, sql } from 'kysely';

import type { Database } from '../../db/tables.ts';
import { nextSlotAfter } from '../../domain/slots.ts';
import { type ChaosPlant, gridOf } from './draw-fleet.ts';
import type { Slot } from './lateness.ts';

/** What a chaos run reads from the record. */

/** A pool finds out at the next statement that its server was away. */
const readTries = 60;
const readPauseMs = 500;

/** Reads again while a service comes back. */
export async function patiently<Result>(read: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await read();
    } catch (error) {
      if (tries === readTries) throw error;
      await delay(readPauseMs);
    }
  }
}

/** Every due slot of these plants with `fromMs` ≤ instant < `toMs`, in order, with what the ledger says of it. */
export async function readSlots(
  db: Kysely<Database>,
  plants: readonly ChaosPlant[],
  fromMs: number,
  toMs: number,
): Promise<Slot[]> {
  const rows = await patiently(() =>
    db
      .selectFrom('poll_logs')
      .select(['plant_id', 'scheduled_for', 'late_ms', 'status'])
      .where('job_type', '=', 'POLL')
      .where('scheduled_for', '>=', new Date(fromMs))
      .where('scheduled_for', '<', new Date(toMs))
      .execute(),
  );
  const lateMs = new Map(
    rows.map((row) => [
      `${row.plant_id} ${row.scheduled_for.getTime()}`,
      row.status === null ? Infinity : (row.late_ms ?? Infinity),
    ]),
  );
  const slots: Slot[] = [];
  for (const plant of plants) {
    const grid = gridOf(plant);
    for (let atMs = nextSlotAfter(grid, fromMs - 1); atMs < toMs; atMs += grid.intervalMs)
      slots.push({ atMs, lateMs: lateMs.get(`${plant.id} ${atMs}`) ?? Infinity });
  }
  return slots.sort((a, b) => a.atMs - b.atMs);
}

/** A row of the ledger as far as faults are judged by it. */
export interface LedgerRow {
  plantId: string;
  slotMs: number;
  trigger: string;
  outcome: string;
  errorType: string | null;
  startedAtMs: number | null;
  /** When the oldest request came that the poll served; null: it served none. */
  requestedAtMs: number | null;
}

/** The polls of some plants (all where none are named) since an instant, in order. */
export async function readRows(
  db: Kysely<Database>,
  sinceMs: number,
  plantIds?: readonly string[],
): Promise<LedgerRow[]> {
  const rows = await patiently(() =>
    db
      .selectFrom('poll_logs')
      .select([
        'plant_id',
        'scheduled_for',
        'trigger',
        'outcome',
        'adapter_error_type',
        'started_at',
        'requested_at',
      ])
      .where('job_type', '=', 'POLL')
      .where('scheduled_for', '>=', new Date(sinceMs))
      .$if(plantIds !== undefined, (query) =>
        query.where('plant_id', 'in', [...(plantIds as string[])]),
      )
      .orderBy('scheduled_for')
      .orderBy('plant_id')
      .execute(),
  );
  return rows.map((row) => ({
    plantId: row.plant_id,
    slotMs: row.scheduled_for.getTime(),
    trigger: row.trigger,
    outcome: row.outcome,
    errorType: row.adapter_error_type,
    startedAtMs: row.started_at?.getTime() ?? null,
    requestedAtMs: row.requested_at?.getTime() ?? null,
  }));
}

/** The key of a poll's row in `readRowTexts`. */
export function rowKey(plantId: string, slotMs: number): string {
  return `${plantId} POLL ${slotMs}`;
}

/** Every row of the ledger as text, by `rowKey`: what is there once never changes and never goes. */
export async function readRowTexts(db: Kysely<Database>): Promise<Map<string, string>> {
  const { rows } = await patiently(() =>
    sql<{ key: string; row: string }>`
      select plant_id || ' ' || job_type || ' ' || (extract(epoch from scheduled_for) * 1000)::bigint as key, l::text as row from poll_logs l`.execute(
      db,
    ),
  );
  return new Map(rows.map(({ key, row }) => [key, row]));
}

/** How many of the rows are gone or changed since. */
export async function countChanged(
  db: Kysely<Database>,
  before: ReadonlyMap<string, string>,
): Promise<number> {
  const now = await readRowTexts(db);
  return [...before].filter(([key, row]) => now.get(key) !== row).length;
}

/** Plants that are ACTIVE and have no row of `atMs` or later: what was due to them before that may not be settled. */
export async function countUnsettled(db: Kysely<Database>, atMs: number): Promise<number> {
  const { rows } = await patiently(() =>
    sql<{ plants: number }>`
      select count(*) as plants from plants p where integration_status = 'ACTIVE' and not exists (
        select from poll_logs l where l.plant_id = p.id and l.job_type = 'POLL'
          and l.scheduled_for >= ${new Date(atMs)})`.execute(db),
  );
  return rows[0]?.plants ?? 0;
}

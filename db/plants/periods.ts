import type { IntegrationStatus } from '../../domain/plants/plant.ts';
import { type Db, instant } from '../database.ts';

/** Since when, and how, a plant is due or why it is not. */
export interface Period {
  fromMs: number;
  intervalMs: number;
  phaseMs: number;
  reason: IntegrationStatus;
}

/** The open period of a plant; undefined before its loop first looked. */
export async function findOpenPeriod(db: Db, plantId: string): Promise<Period | undefined> {
  const row = await db
    .selectFrom('plant_periods')
    .selectAll()
    .where('plant_id', '=', plantId)
    .where('to_at', 'is', null)
    .executeTakeFirst();
  return row === undefined
    ? undefined
    : {
        fromMs: row.from_at.getTime(),
        intervalMs: row.interval_s * 1000,
        phaseMs: row.phase_ms,
        reason: row.reason,
      };
}

/**
 * Closes the open period at `closeAtMs` and opens `period`, which begins there or later. A period that never began (the
 * plan changed again before its first slot) leaves no row behind.
 */
export async function replacePeriod(
  db: Db,
  plantId: string,
  closeAtMs: number,
  period: Period,
): Promise<void> {
  const closeAt = instant(closeAtMs);
  await db
    .deleteFrom('plant_periods')
    .where('plant_id', '=', plantId)
    .where('to_at', 'is', null)
    .where('from_at', '>=', closeAt)
    .execute();
  await db
    .updateTable('plant_periods')
    .set({ to_at: closeAt })
    .where('plant_id', '=', plantId)
    .where('to_at', 'is', null)
    .execute();
  await db
    .insertInto('plant_periods')
    .values({
      plant_id: plantId,
      from_at: instant(period.fromMs),
      to_at: null,
      interval_s: period.intervalMs / 1000,
      phase_ms: period.phaseMs,
      reason: period.reason,
    })
    .execute();
}

/** Whether the plant was active at some time between the two instants. */
export async function wasActiveBetween(
  db: Db,
  plantId: string,
  fromMs: number,
  toMs: number,
): Promise<boolean> {
  const row = await db
    .selectFrom('plant_periods')
    .select('plant_id')
    .where('plant_id', '=', plantId)
    .where('reason', '=', 'ACTIVE')
    .where('from_at', '<', instant(toMs))
    .where((eb) => eb.or([eb('to_at', 'is', null), eb('to_at', '>', instant(fromMs))]))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

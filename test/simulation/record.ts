import type { Kysely } from 'kysely';

import type { PollLogRow } from '../../db/plants/poll-logs.ts';
import type { Database } from '../../db/tables.ts';
import { lastSlotAtOrBefore, phaseMs } from '../../domain/slots.ts';
import { type DayPlant, intervalMs, slotMsOf, slotsOfDay, startMs } from './fleet.ts';

/** What the database holds of a simulated day, in words that a test can quote. */

/** The rows of the day's polls, the START first. */
export function findPolls(db: Kysely<Database>, plant: DayPlant): Promise<PollLogRow[]> {
  const endMs = slotMsOf(plant, plant.slots ?? slotsOfDay);
  return db
    .selectFrom('poll_logs')
    .selectAll()
    .where('plant_id', '=', plant.id)
    .where('job_type', '=', 'POLL')
    .where('scheduled_for', '<', new Date(endMs))
    .orderBy('scheduled_for')
    .execute();
}

/**
 * The plant's alerts in the order in which they were raised, with what happened to them ("NEW→RESOLVED RED Sat 12:02") and
 * what was announced and not dropped ("RECOVERED Sun 07:00").
 */
export async function findAlerts(db: Kysely<Database>, plant: DayPlant) {
  const alerts = await db
    .selectFrom('alerts')
    .selectAll()
    .where('plant_id', '=', plant.id)
    .orderBy('id')
    .execute();
  const events = await db.selectFrom('alert_events').selectAll().orderBy('id').execute();
  const told = await db
    .selectFrom('notifications')
    .selectAll()
    .where('subject_id', '=', plant.id)
    .where('dropped_at', 'is', null)
    .orderBy('id')
    .execute();
  return alerts.map((alert) => ({
    ...alert,
    events: events
      .filter((event) => event.alert_id === alert.id)
      .map(
        (event) =>
          `${event.from_state}→${event.to_state} ${event.severity} ${slotText(plant, event.at)}`,
      ),
    announced: told
      .filter((row) => row.alert_id === alert.id)
      .map((row) => `${row.kind} ${toldText(plant, row)}`),
  }));
}

export function gridOf(plant: DayPlant): { intervalMs: number; phaseMs: number } {
  return { intervalMs, phaseMs: phaseMs(plant.id, intervalMs) };
}

/** The slot in whose poll something happened; of the first poll, the day's beginning. */
export function slotOf(plant: DayPlant, atMs: number): number {
  return Math.max(startMs, lastSlotAtOrBefore(gridOf(plant), atMs));
}

/** "Sat 21:44": the slot, by the plant's clock; polls begin a moment later, how much is the machine's affair. */
export function slotText(plant: DayPlant, at: Date): string {
  return clockText(plant, slotOf(plant, at.getTime()));
}

/** Of an announcement: its slot, or the hour to which it was put off. */
function toldText(plant: DayPlant, row: { created_at: Date; not_before: Date }): string {
  if (row.not_before > row.created_at) return clockText(plant, row.not_before.getTime());
  return slotText(plant, row.not_before);
}

function clockText(plant: DayPlant, atMs: number): string {
  const clock = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    timeZone: plant.timezone,
  });
  return clock.format(atMs).replace(',', '');
}

/** The vendor's time of the measurement; where it states none, the poll's. */
export function measuredAtMs(
  row: Pick<PollLogRow, 'source_time' | 'started_at' | 'scheduled_for'>,
): number {
  return (row.source_time ?? row.started_at ?? row.scheduled_for).getTime();
}

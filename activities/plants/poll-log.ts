import type { Insertable } from 'kysely';

import type { CallContext } from '../deps.ts';
import { type Db, instant } from '../../db/database.ts';
import { findPlant } from '../../db/plants/plants.ts';
import { insertMissed, insertPollLog } from '../../db/plants/poll-logs.ts';
import { findClaims } from '../../db/plants/snapshots.ts';
import type { PlantTables } from '../../db/plants/tables.ts';
import { outcomeOf } from '../../domain/plants/alerts.ts';
import type { BookedPoll } from '../../domain/plants/changes.ts';
import type { PollLogArgs } from './contract.ts';

/** Builds the rows of `poll_logs`, and writes those of slots that were not polled in time. */

/** The run that writes a row. */
type Writer = Pick<CallContext, 'workflowId' | 'runId'>;

/** The row of a poll or closing. */
export function pollLogRow(
  args: PollLogArgs,
  writer: Writer,
): Insertable<PlantTables['poll_logs']> {
  const { booked } = args;
  return {
    plant_id: args.plantId,
    job_type: args.jobType,
    scheduled_for: instant(args.slotMs),
    trigger: args.trigger,
    status: statusOf(args.outcome),
    outcome: args.outcome,
    started_at: instant(args.startedAtMs),
    requested_at: instant(args.requestedAtMs),
    request_id: args.requestId ?? null,
    duration_ms: args.durationMs,
    late_ms: args.startedAtMs === null ? null : Math.max(0, args.startedAtMs - args.slotMs),
    attempts: args.attempts,
    slots_missed: null,
    adapter_error_type: args.errorType,
    adapter_error_scope: args.errorScope ?? null,
    error: args.error,
    power_w: booked?.powerW ?? null,
    today_energy_kwh: booked?.todayEnergyKwh ?? null,
    lifetime_energy_kwh: booked?.lifetimeEnergyKwh ?? null,
    booked_date: booked?.bookedDate ?? null,
    source_time: instant(booked?.sourceTimeMs ?? null),
    workflow_id: writer.workflowId,
    run_id: writer.runId,
  };
}

function statusOf(outcome: PollLogArgs['outcome']): 'SUCCESS' | 'ERROR' | null {
  if (outcome === 'OK' || outcome === 'PARTIAL') return 'SUCCESS';
  return outcome === 'FAILED' ? 'ERROR' : null;
}

/**
 * Writes the rows of slots that no worker polled in time. If a worker booked a poll and died before it wrote the row, the slot
 * was not missed: its row says what was booked.
 */
export async function writeOff(db: Db, missed: Parameters<typeof insertMissed>[1]): Promise<void> {
  const { plantId, rows } = missed;
  if (rows !== null) {
    for (const { slotMs, poll } of await findBooked(db, plantId, rows)) {
      const key = { plantId, slotMs, jobType: 'POLL', trigger: 'SCHEDULE' } as const;
      await insertPollLog(db, pollLogRow({ ...key, ...poll, requestedAtMs: null }, missed));
    }
  }
  await insertMissed(db, missed);
}

/** The booked polls of a span of slots. A poll is booked on its plant, or only on its day if the worker died in between. */
async function findBooked(
  db: Db,
  plantId: string,
  span: { fromMs: number; toMs: number },
): Promise<{ slotMs: number; poll: BookedPoll }[]> {
  const plant = await findPlant(db, plantId);
  const lastSlotMs = plant?.last_slot?.getTime() ?? -Infinity;
  const found: { slotMs: number; poll: BookedPoll }[] = (await findClaims(db, plantId, span))
    .filter(({ slotMs }) => slotMs > lastSlotMs)
    .map(({ slotMs, claim: { reading, booked, nowMs } }) => ({
      slotMs,
      // The claim keeps the time of the attempt, and no durations.
      poll: {
        ...outcomeOf({ kind: 'READING', reading }),
        booked,
        startedAtMs: nowMs,
        durationMs: 0,
        attempts: 1,
      },
    }));
  if (plant?.last_poll && lastSlotMs >= span.fromMs && lastSlotMs <= span.toMs) {
    found.push({ slotMs: lastSlotMs, poll: plant.last_poll });
  }
  return found;
}

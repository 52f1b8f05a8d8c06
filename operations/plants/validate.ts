import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import { type QueueView, readQueues } from '../queues.ts';
import { listWatchedPlants, type WatchedPlant } from '../../db/plants/operations.ts';
import type { Database } from '../../db/tables.ts';
import { nextSlotAfter, staleAfterMs } from '../../domain/slots.ts';
import { fleetQueue } from '../../workflows/messages.ts';
import { pollQueue, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { type AuditedLoops, auditedLoops, inBatches, type Polling } from './check-loops.ts';
import { counted } from '../../domain/wording.ts';

/** Whether every ACTIVE plant is watched now: it has its loop, and none of its slots is overdue. */

export type FindingKind = 'LOOP_MISSING' | 'NOT_PLANNED' | 'SLOT_OVERDUE' | 'QUEUE_WITHOUT_WORKER';

export interface Finding {
  kind: FindingKind;
  /** null: of a queue. */
  plant_id: string | null;
  /** The overdue slot, ISO. */
  at: string | null;
  sentence: string;
}

export interface Validation {
  checked_at: string;
  plants: number;
  active: number;
  with_loop: number;
  on_time: number;
  findings: Finding[];
}

/** A new plant's loop is started, and its period opened, within a minute. */
const settledWithinMs = 60_000;

/** @throws what the services throw when they are away. */
export async function validate(options: {
  db: Kysely<Database>;
  client: Client;
}): Promise<Validation> {
  const { db, client } = options;
  const queues = await readQueues(client, Date.now());
  return validateWith({ db, loops: auditedLoops(client), queues });
}

/** The same through ports. */
export async function validateWith(options: {
  db: Kysely<Database>;
  loops: Pick<AuditedLoops, 'listRunning' | 'isRunning' | 'findPolling'>;
  queues: readonly QueueView[];
}): Promise<Validation> {
  const { db, loops, queues } = options;
  const listed = await loops.listRunning();
  const { nowMs, plants, watched } = await listWatchedPlants(db);
  const unlisted = watched.filter((plant) => !listed.has(pollWorkflowId(plant.id)));
  const missing = new Set(
    await inBatches(unlisted, async (batch) => {
      const runs = await Promise.all(
        batch.map((plant) => loops.isRunning(pollWorkflowId(plant.id))),
      );
      return batch.filter((_, index) => runs[index] !== true).map((plant) => plant.id);
    }),
  );
  const unserved = new Set(
    queues.filter((queue) => queue.workers.length === 0).map((queue) => queue.queue),
  );
  const judged = watched.map((plant) => ({ plant, overdueMs: overdueSlot(plant, nowMs) }));
  const overdue = judged.filter(({ overdueMs }) => overdueMs !== null);
  // Only where nothing else explains it is the loop itself asked.
  const asked = overdue.filter(
    ({ plant }) => !missing.has(plant.id) && !unserved.has(pollQueue(plant.brand)),
  );
  const polling = new Map(
    await inBatches(asked, (batch) =>
      Promise.all(
        batch.map(async ({ plant }) => [plant.id, await loops.findPolling(plant.id)] as const),
      ),
    ),
  );
  const findings: Finding[] = [
    ...queueFindings(watched, unserved),
    ...watched
      .filter((plant) => missing.has(plant.id) && isSettled(plant.created_at, nowMs))
      .map((plant) => loopMissing(plant.id)),
    ...watched
      .filter(
        (plant) =>
          plant.period_from === null &&
          !missing.has(plant.id) &&
          isSettled(plant.activated_at, nowMs),
      )
      .map((plant) => notPlanned(plant.id)),
    ...overdue.map(({ plant, overdueMs }) =>
      slotOverdue(plant, overdueMs ?? 0, nowMs, {
        loopMissing: missing.has(plant.id),
        unserved: unserved.has(pollQueue(plant.brand)),
        polling: polling.get(plant.id) ?? null,
      }),
    ),
  ];
  return {
    checked_at: new Date(nowMs).toISOString(),
    plants,
    active: watched.length,
    with_loop: watched.length - missing.size,
    on_time: watched.length - overdue.length,
    findings,
  };
}

function isSettled(since: Date, nowMs: number): boolean {
  return since.getTime() < nowMs - settledWithinMs;
}

/** The oldest slot without a row, ms, where the row before it is stale or would be; null where all is well. */
export function overdueSlot(plant: WatchedPlant, nowMs: number): number | null {
  const {
    period_from: from,
    interval_s: intervalS,
    phase_ms: phaseMs,
    newest_slot: newest,
  } = plant;
  if (from === null || intervalS === null || phaseMs === null) return null;
  const grid = { intervalMs: intervalS * 1_000, phaseMs };
  const dueMs = nextSlotAfter(grid, Math.max(newest?.getTime() ?? 0, from.getTime() - 1));
  return nowMs - (dueMs - grid.intervalMs) > staleAfterMs(grid.intervalMs) ? dueMs : null;
}

function queueFindings(watched: readonly WatchedPlant[], unserved: ReadonlySet<string>): Finding[] {
  const plantsOf = Map.groupBy(watched, (plant) => pollQueue(plant.brand));
  return [...unserved]
    .map((queue): [string, number] => [queue, plantsOf.get(queue)?.length ?? 0])
    .filter(([queue, plants]) => plants > 0 || queue === fleetQueue)
    .map(([queue, plants]) => ({
      kind: 'QUEUE_WITHOUT_WORKER',
      plant_id: null,
      at: null,
      sentence:
        plants > 0
          ? `No worker serves ${queue}, which carries ${counted(plants, 'ACTIVE plant')}.`
          : `No worker serves ${queue}: nobody starts missing loops or ends pauses.`,
    }));
}

function loopMissing(plantId: string): Finding {
  return {
    kind: 'LOOP_MISSING',
    plant_id: plantId,
    at: null,
    sentence: `No workflow ${pollWorkflowId(plantId)} runs.`,
  };
}

function notPlanned(plantId: string): Finding {
  return {
    kind: 'NOT_PLANNED',
    plant_id: plantId,
    at: null,
    sentence: 'Its loop runs, and has not opened the period in which it is due.',
  };
}

function slotOverdue(
  plant: WatchedPlant,
  slotMs: number,
  nowMs: number,
  why: { loopMissing: boolean; unserved: boolean; polling: Polling },
): Finding {
  const reason = why.loopMissing
    ? 'its loop is missing'
    : why.unserved
      ? `no worker serves ${pollQueue(plant.brand)}`
      : why.polling === 'NO_ANSWER'
        ? 'its loop does not answer'
        : why.polling === null
          ? 'its loop answers, and is not at it'
          : `its loop is at the poll of ${new Date(why.polling).toISOString()}`;
  return {
    kind: 'SLOT_OVERDUE',
    plant_id: plant.id,
    at: new Date(slotMs).toISOString(),
    sentence: `The slot is due for ${Math.round((nowMs - slotMs) / 1_000)} s and has no row: ${reason}.`,
  };
}

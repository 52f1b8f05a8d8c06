import type { WorkflowHandle } from '@temporalio/client';

import { type LoopOptions, startLoop } from '../../operations/plants/loops.ts';
import { listPollLogs, type PollLogRow } from '../../db/plants/poll-logs.ts';
import { nextSlotAfter, phaseMs } from '../../domain/slots.ts';
import {
  plantStateQuery,
  type PlantState,
  pollWorkflowId,
} from '../../workflows/plants/messages.ts';
import { addPlant, eventually, type TestFleet, type TestPlant } from './fleet.ts';

/** What tests do with the loops of a fleet. */
export interface TestLoops {
  /** Adds a plant and starts its loop. @returns its id. */
  add(plant: TestPlant, options?: LoopOptions): Promise<string>;
  handle(plantId: string): WorkflowHandle;
  state(plantId: string): Promise<PlantState>;
  /** The ledger's rows of polls, oldest first. */
  polls(plantId: string): Promise<PollLogRow[]>;
  /** Waits for so many rows of polls. */
  untilPolled(plantId: string, count?: number, limitMs?: number): Promise<PollLogRow[]>;
  /** The run that is the newest now. */
  runId(plantId: string): Promise<string>;
  /** Takes the plant away; its loop ends at the next look. */
  remove(plantId: string): Promise<void>;
}

export function testLoops(fleet: TestFleet): TestLoops {
  const handle = (plantId: string) => fleet.client.workflow.getHandle(pollWorkflowId(plantId));
  const polls = async (plantId: string) => {
    const rows = await listPollLogs(fleet.db, plantId, 20_000);
    return rows.filter((row) => row.job_type === 'POLL').reverse();
  };
  return {
    handle,
    polls,
    async add(plant, options = {}) {
      const plantId = await addPlant(fleet.db, fleet.config, plant);
      await startLoop(
        fleet.client,
        { id: plantId, name: plantId, brand: plant.brand ?? 'SOLIS' },
        options,
      );
      return plantId;
    },
    state: (plantId) => handle(plantId).query(plantStateQuery),
    async untilPolled(plantId, count = 1, limitMs = 60_000) {
      return eventually(
        `${count} polls of ${plantId}`,
        async () => {
          const rows = await polls(plantId);
          return rows.length >= count && rows;
        },
        limitMs,
      );
    },
    async runId(plantId) {
      return (await handle(plantId).describe()).runId;
    },
    async remove(plantId) {
      await fleet.db.deleteFrom('plants').where('id', '=', plantId).execute();
    },
  };
}

/** Waits until a slot of the plant has just passed, so that most of an interval lies ahead. */
export async function untilJustAfterSlot(plantId: string, intervalMs: number): Promise<void> {
  const slotMs = nextSlotAfter({ intervalMs, phaseMs: phaseMs(plantId, intervalMs) }, Date.now());
  await new Promise((resolve) => setTimeout(resolve, slotMs + 20 - Date.now()));
}

/** Slots between the first and the last that are without a row, or not on the grid; of rows that are neither START nor MANUAL. */
export function ledgerFlaws(
  rows: readonly PollLogRow[],
  plantId: string,
  intervalMs: number,
): string[] {
  const slots = rows
    .filter((row) => row.trigger !== 'START' && row.trigger !== 'MANUAL')
    .map((row) => row.scheduled_for.getTime());
  const phase = phaseMs(plantId, intervalMs);
  const flaws = slots
    .filter((slot) => slot % intervalMs !== phase)
    .map((slot) => `${slot} is off the grid`);
  for (const [index, slot] of slots.entries()) {
    const before = slots[index - 1];
    if (before !== undefined && slot - before !== intervalMs)
      flaws.push(`between ${before} and ${slot} lie ${slot - before} ms`);
  }
  return flaws;
}

/** Pairs of polls that ran at the same time; a plant is never polled twice at once. */
export function overlaps(rows: readonly PollLogRow[]): string[] {
  const polled = rows
    .filter((row) => row.started_at !== null)
    .toSorted((a, b) => (a.started_at as Date).getTime() - (b.started_at as Date).getTime());
  return polled.flatMap((row, index) => {
    const next = polled[index + 1];
    const endsAt = (row.started_at as Date).getTime() + (row.duration_ms ?? 0);
    return next !== undefined && endsAt > (next.started_at as Date).getTime()
      ? [`${row.scheduled_for.toISOString()} and ${next.scheduled_for.toISOString()}`]
      : [];
  });
}

import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import type { Checkpoint } from '../../activities/deps.ts';
import { startLoop } from '../../operations/plants/loops.ts';
import type { RunningWorker } from '../../worker/worker.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';
import {
  CheckpointRecorder,
  chaosBrand,
  chaosRounds,
  type ChaosWorker,
  expectCleanAudit,
  onFleet,
  plantIdsDueAt,
  pollRows,
  startChaosWorker,
  withLocks,
} from '../support/chaos.ts';
import type { StepPath } from '../support/chaos-plan.ts';
import { addPlant, eventually, ordinarySolis, type TestFleet } from '../support/fleet.ts';
import { claimed, nextAttemptMsMax } from '../support/promises.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

/** The usual interval: the lock's time to live is twice as long, and a recovery stays far within a slot. */
const intervalS = 600;
/** Plants that a worker takes with it when it dies. */
const plantsPerDeath = 3;
/** From the plants' start to the slot at which their worker dies: time for their first poll. */
const leadMs = 10_000;
/** From the death of a worker to the slot of loops that it knew: time for the next worker to start. */
const asleepMs = 6_000;
const tickerIntervalS = 1;
/** A cold worker on a busy machine; without the takeover it is 10 s. */
const onTheSlotMs = 3_000;
const points = [
  'before vendor call',
  'after vendor answer',
  'after snapshot commit',
  'after alerts commit',
  'after ledger commit',
] as const satisfies Checkpoint[];

describe('a worker is killed', () => {
  for (const path of ['LOCAL', 'REGULAR'] as const) {
    for (const at of points) {
      test.concurrent(
        `${at}, on the ${path.toLowerCase()} path: no slot is lost or doubled, and its lock stops nobody`,
        { timeout: chaosRounds * 300_000 },
        async () => {
          for (let round = 0; round < chaosRounds; round += 1) {
            await onFleet((fleet) => killOnce(fleet, at, path));
          }
        },
      );
    }
  }

  test.concurrent(
    'while its loops sleep: the next worker on its machine is at once on their slots',
    { timeout: chaosRounds * 300_000 },
    async () => {
      for (let round = 0; round < chaosRounds; round += 1) {
        await onFleet(killAsleep);
      }
    },
  );

  test.concurrent(
    'in a poll off the grid: the poll keeps its identity, and the vendor is not asked again',
    { timeout: chaosRounds * 300_000 },
    async () => {
      for (let round = 0; round < chaosRounds; round += 1) {
        await onFleet(killAtStart);
      }
    },
  );
});

/** Temporal itself would notice after 10 s that the dead worker does not ask for its loops' tasks any more. */
async function killAsleep(fleet: TestFleet): Promise<void> {
  const fault = { kind: 'DIE', at: 'before vendor call', path: 'LOCAL', plants: 1 } as const;
  const victim = await startChaosWorker(fleet, fault);
  let worker: RunningWorker | null = null;
  const rowsOf = async (plantIds: readonly string[]) =>
    (await pollRows(fleet.db)).filter((row) => plantIds.includes(row.plant_id));
  try {
    await warmUp(fleet);
    // Temporal knows that the victim has just asked for tasks.
    await startPlants(fleet, ['ticker'], tickerIntervalS);
    const slotMs = Date.now() + leadMs + asleepMs;
    const plantIds = plantIdsDueAt(slotMs, intervalS * 1_000, plantsPerDeath);
    await startPlants(fleet, plantIds);
    await eventually('the first poll of every plant', async () => {
      return (await rowsOf(plantIds)).length === plantIds.length;
    });
    await delay(slotMs - asleepMs - Date.now());
    await victim.end();
    worker = await startTestWorker(fleet, { reconcile: false });
    const polled = await eventually('the slot of every plant', async () => {
      const rows = (await rowsOf(plantIds)).filter(({ trigger }) => trigger !== 'START');
      return rows.length === plantIds.length && rows;
    });
    for (const row of polled) expect(row.late_ms).toBeLessThan(onTheSlotMs);
    await expectCleanAudit(fleet);
  } finally {
    await victim.end();
    if (worker !== null) await stopWorker(worker);
  }
}

async function killAtStart(fleet: TestFleet): Promise<void> {
  const fault = { kind: 'DIE', at: 'after alerts commit', path: 'LOCAL', plants: 1 } as const;
  const victim = await startChaosWorker(fleet, fault);
  try {
    await warmUp(fleet);
    await victim.arm();
    const [id = ''] = plantIdsDueAt(Date.now() + (intervalS * 1_000) / 2, intervalS * 1_000, 1);
    await startPlants(fleet, [id]);
    expect((await victim.ended).signal).toBe('SIGKILL');
    const claim = await fleet.db
      .selectFrom('plants')
      .select('last_slot')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    const recorder = new CheckpointRecorder();
    const worker = await startTestWorker(fleet, {
      reconcile: false,
      checkpoint: recorder.checkpoint,
    });
    try {
      await eventually('its row', async () => (await pollRows(fleet.db)).length === 2);
    } finally {
      await stopWorker(worker);
    }
    const rows = (await pollRows(fleet.db)).filter((row) => row.plant_id === id);
    expect(rows).toMatchObject([
      { trigger: 'START', outcome: 'OK', scheduled_for: claim.last_slot },
    ]);
    expect(recorder.count(pollWorkflowId(id), 'before vendor call')).toBe(0);
    await expectCleanAudit(fleet);
  } finally {
    await victim.end();
  }
}

async function killOnce(fleet: TestFleet, at: Checkpoint, path: StepPath): Promise<void> {
  const victim = await startChaosWorker(fleet, { kind: 'DIE', at, path, plants: plantsPerDeath });
  try {
    await warmUp(fleet);
    const slotMs = Date.now() + leadMs;
    const plantIds = plantIdsDueAt(slotMs, intervalS * 1_000, plantsPerDeath);
    await startPlants(fleet, plantIds);
    await eventually('the first poll of every plant', async () => {
      return (await pollRows(fleet.db)).length === 1 + plantIds.length;
    });
    await victim.arm();
    expect(Date.now()).toBeLessThan(slotMs);
    await survive(fleet, victim, { at, path, plantIds, slotMs });
  } finally {
    await victim.end();
  }
}

async function survive(
  fleet: TestFleet,
  victim: ChaosWorker,
  killed: { at: Checkpoint; path: StepPath; plantIds: string[]; slotMs: number },
): Promise<void> {
  const { at, path, plantIds, slotMs } = killed;
  const { signal, atMs: diedAtMs } = await victim.ended;
  expect(signal).toBe('SIGKILL');
  const { workflowIds, paths } = await victim.next('DIES');
  expect(workflowIds.toSorted()).toEqual(plantIds.map(pollWorkflowId).toSorted());
  expect(paths).toEqual(plantIds.map(() => path));

  const recorder = new CheckpointRecorder();
  const worker = await startTestWorker(fleet, {
    reconcile: false,
    checkpoint: recorder.checkpoint,
  });
  try {
    await eventually(
      'the poll of every plant, and its way back to sleep',
      async () =>
        (await pollRows(fleet.db)).length === 1 + 2 * plantIds.length &&
        (await heldLocks(fleet)) === 0,
      60_000,
    );
  } finally {
    await stopWorker(worker);
  }
  for (const workflowId of workflowIds) {
    const waitedMs = (recorder.firstAt(workflowId) ?? Infinity) - diedAtMs;
    expect(waitedMs).toBeLessThan(nextAttemptMsMax[path]);
    if (chaosRounds > 1) console.info(`${path} ${at}: ${Math.round(waitedMs)} ms`);
    expect(recorder.count(workflowId, 'before vendor call')).toBe(claimed.has(at) ? 0 : 1);
  }
  for (const row of (await pollRows(fleet.db)).filter((one) => one.trigger !== 'START')) {
    expect(row).toMatchObject({ trigger: 'SCHEDULE', outcome: 'OK', attempts: 1 });
    expect(row.scheduled_for.getTime() - slotMs).toBeLessThan(1_000);
  }
  await expectCleanAudit(fleet);
}

/** The first poll of a worker takes longest: that of a plant which is due much later. */
async function warmUp(fleet: TestFleet): Promise<void> {
  const laterMs = Date.now() + (intervalS * 1_000) / 2;
  await startPlants(fleet, plantIdsDueAt(laterMs, intervalS * 1_000, 1));
  await eventually('a first poll', async () => (await pollRows(fleet.db)).length === 1);
}

let plantsMade = 0;

async function startPlants(
  fleet: TestFleet,
  plantIds: readonly string[],
  everyS = intervalS,
): Promise<void> {
  await Promise.all(
    plantIds.map(async (id) => {
      plantsMade += 1;
      const vendorPlantId = ordinarySolis(plantsMade);
      const plant = { id, brand: chaosBrand, vendorPlantId, intervalS: everyS } as const;
      await addPlant(fleet.db, fleet.config, plant);
      await startLoop(fleet.client, { id, name: id, brand: chaosBrand });
    }),
  );
}

async function heldLocks(fleet: TestFleet): Promise<number> {
  return withLocks(fleet, async (locks) => (await locks.list()).length);
}

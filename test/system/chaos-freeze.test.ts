import { execFileSync } from 'node:child_process';

import { describe, expect, test } from 'vitest';

import type { PollLogRow } from '../../db/plants/poll-logs.ts';
import { startLoop } from '../../operations/plants/loops.ts';
import {
  chaosBrand,
  chaosRounds,
  type ChaosWorker,
  expectCleanAudit,
  onFleet,
  pollRows,
  startChaosWorker,
} from '../support/chaos.ts';
import type { WrittenStep } from '../support/chaos-plan.ts';
import { addPlant, eventually, type TestFleet } from '../support/fleet.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

/** The lock lives for 4 s: the frozen worker's is long gone when it wakes. */
const intervalS = 2;
/**
 * Temporal hands an attempt of a regular step to each open poll of the frozen process, until those end after a minute; it
 * notices after the 10 s of a heartbeat, and waits up to 16 s before the next attempt.
 */
const takenOverMsMax = 150_000;

describe('a worker is frozen for longer than its lock lives', () => {
  for (const step of ['whole', 'snapshot', 'alerts', 'ledger'] as const satisfies WrittenStep[]) {
    test.concurrent(
      `before ${step === 'whole' ? "a whole poll's" : `its ${step} step's`} write: what it writes when it wakes changes nothing`,
      { timeout: chaosRounds * 300_000 },
      async () => {
        for (let round = 0; round < chaosRounds; round += 1) {
          await onFleet((fleet) => freezeOnce(fleet, step));
        }
      },
    );
  }
});

async function freezeOnce(fleet: TestFleet, step: WrittenStep): Promise<void> {
  const frozen = await startChaosWorker(fleet, { kind: 'STOP', before: step });
  try {
    const plantId = await addPlant(fleet.db, fleet.config, {
      vendorPlantId: '1300000000000000001',
      intervalS,
    });
    await startLoop(
      fleet.client,
      { id: plantId, name: plantId, brand: chaosBrand },
      { course: step === 'whole' ? 'WHOLE' : 'STEPS', pollsPerRun: 1_000 },
    );
    await eventually('polls', async () => (await polled(fleet)).length >= 2, 60_000);
    await frozen.arm();
    await frozen.next('STOPS');
    await eventually('the worker stands still', async () => stateOf(frozen) === 'T');
    const frozenAt = new Date();
    const claimed = await newestClaim(fleet);
    const worker = await startTestWorker(fleet, { reconcile: false });
    try {
      await eventually(
        'polls by the other worker',
        async () => {
          return (await polled(fleet)).filter((row) => row.scheduled_for > frozenAt).length >= 2;
        },
        takenOverMsMax,
      );
      await wakeAndCompare(fleet, frozen);
    } finally {
      await frozen.end();
      await stopWorker(worker);
    }
    // What was booked before is told as it was, though another worker has written its row.
    const told = (await pollRows(fleet.db)).filter((row) => +row.scheduled_for === +claimed);
    expect(told).toMatchObject([{ outcome: 'OK' }]);
  } finally {
    await frozen.end();
  }
}

async function polled({ db }: TestFleet): Promise<PollLogRow[]> {
  return (await pollRows(db)).filter((row) => row.outcome === 'OK');
}

async function wakeAndCompare(fleet: TestFleet, frozen: ChaosWorker): Promise<void> {
  const before = await pollRows(fleet.db);
  frozen.child.kill('SIGCONT');
  expect((await frozen.next('WROTE_LATE')).rowCount).toBe(0);
  await eventually('polls after the awakening', async () => {
    return (await pollRows(fleet.db)).length >= before.length + 2;
  });
  expect((await pollRows(fleet.db)).slice(0, before.length)).toEqual(before);
  await expectCleanAudit(fleet);
}

/** The newest slot that a step has claimed, be it in the day or in the plant. */
async function newestClaim({ db }: TestFleet): Promise<Date> {
  const plant = await db.selectFrom('plants').select('last_slot').executeTakeFirstOrThrow();
  const day = await db
    .selectFrom('metric_snapshots')
    .select('slot')
    .where('slot', 'is not', null)
    .orderBy('slot', 'desc')
    .executeTakeFirstOrThrow();
  return new Date(Math.max(Number(plant.last_slot), Number(day.slot)));
}

/** The state of the process as the kernel tells it: T is stopped. */
function stateOf({ child }: ChaosWorker): string {
  return execFileSync('ps', ['-o', 'state=', '-p', String(child.pid)])
    .toString()
    .trim()
    .slice(0, 1);
}

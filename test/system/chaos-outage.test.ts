import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { openLockClient } from '../../db/lock.ts';
import type { PollLogRow } from '../../db/plants/poll-logs.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { startLoop } from '../../operations/plants/loops.ts';
import type { RunningWorker } from '../../worker/worker.ts';
import { chaosRounds, expectCleanAudit, plantIdsDueAt, pollRows } from '../support/chaos.ts';
import { bringUpChaosStack, type ChaosStack } from '../support/chaos-stack.ts';
import { addPlant, eventually } from '../support/fleet.ts';
import { lockMsMax, timerMs } from '../support/promises.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

/** A short outage for `npm test`, half a minute for the full proof. */
const awayMs = chaosRounds > 1 ? 30_000 : 10_000;
/** Plants that are polled all the time, one for each brand. */
const vendorPlantIds: Readonly<Record<Brand, string>> = {
  SOLIS: '1300000000000000001',
  HUAWEI: 'NE=90000001',
  GOODWE: '00000000-0000-4000-8000-000000000001',
  DELE: '90000001',
};
const intervalS = 2;

// They kill servers: what takes too long to come back on a busy machine is tried once more, and the run says so.
describe('servers that go away and come back', { retry: 1 }, () => {
  let stack: ChaosStack;
  let worker: RunningWorker;

  beforeAll(async () => {
    stack = await bringUpChaosStack();
    worker = await startTestWorker(stack, { reconcile: false });
    for (const [brand, vendorPlantId] of Object.entries(vendorPlantIds)) {
      await addAndStart({ id: `often-${brand}`, brand: brand as Brand, vendorPlantId, intervalS });
    }
    await pollsGoOn();
  });

  // A test that failed in the midst of an outage leaves none to those after it.
  afterEach(() =>
    Promise.all([stack.postgres, stack.redis, stack.temporal].map((one) => one.start())),
  );
  afterAll(async () => {
    await stopWorker(worker);
    await stack.close();
  });

  async function addAndStart(plant: {
    id: string;
    brand: Brand;
    vendorPlantId: string;
    intervalS: number;
  }): Promise<void> {
    await addPlant(stack.db, stack.config, plant);
    await startLoop(stack.client, { ...plant, name: plant.id });
  }

  /** Every plant that is polled often has polled two slots that were not due before now. */
  async function pollsGoOn(): Promise<void> {
    const fromMs = Date.now();
    await eventually(
      'polls of every brand',
      async () => {
        const rows = (await pollRows(stack.db)).filter(
          (row) => row.outcome === 'OK' && row.scheduled_for.getTime() > fromMs,
        );
        return Object.keys(vendorPlantIds).every((brand) => {
          return rows.filter((row) => row.plant_id === `often-${brand}`).length >= 2;
        });
      },
      90_000,
    );
  }

  /** A plant of the usual interval whose slot falls into an outage that begins in a moment. */
  async function addPlantDueIn(ms: number, vendorPlantId: string): Promise<() => Promise<void>> {
    const slotMs = Date.now() + ms;
    const [id = ''] = plantIdsDueAt(slotMs, 600_000, 1);
    await addAndStart({ id, brand: 'SOLIS', vendorPlantId, intervalS: 600 });
    await eventually('its first poll', async () => (await rowsOf(id)).length === 1);
    expect(Date.now()).toBeLessThan(slotMs);
    return async () => {
      const [, late] = await eventually('its slot', async () => {
        const rows = await rowsOf(id);
        return rows.length === 2 && rows;
      });
      expect(late).toMatchObject({ trigger: 'SCHEDULE', outcome: 'OK' });
    };
  }

  async function rowsOf(plantId: string): Promise<PollLogRow[]> {
    return (await pollRows(stack.db)).filter((row) => row.plant_id === plantId);
  }

  /** Breaks something, and asserts what every outage must leave. */
  async function through(fault: () => Promise<void>): Promise<void> {
    for (let round = 0; round < chaosRounds; round += 1) {
      const before = await pollRows(stack.db);
      await fault();
      await pollsGoOn();
      const after = new Map((await pollRows(stack.db)).map((row) => [keyOf(row), row]));
      expect(before.map((row) => after.get(keyOf(row)))).toEqual(before);
      await expectCleanAudit(stack);
    }
  }

  describe('Temporal', () => {
    test('killed and started again on its file: the loops go on, on the grid', async () => {
      await through(async () => {
        await stack.temporal.stop('SIGKILL');
        await stack.temporal.start();
      });
    });
  });

  describe('PostgreSQL', () => {
    test('restarted: no row that was there is lost', async () => {
      await through(async () => {
        await stack.postgres.stop();
        await stack.postgres.start();
      });
    });

    test('killed: no row that was there is lost', async () => {
      await through(async () => {
        await stack.postgres.stop('SIGKILL');
        await stack.postgres.start();
      });
    });

    test('ends every connection at once: the polls go on', async () => {
      await through(async () => {
        const ended = await sql<{ ended: boolean }>`
          select pg_terminate_backend(pid) as ended from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`.execute(stack.db);
        expect(ended.rows.length).toBeGreaterThan(0);
      });
    });

    test(`away for ${awayMs / 1_000} s: a slot that falls into it is written late, not lost, and the step that waits is seen with its error`, async () => {
      let plants = 0;
      await through(async () => {
        plants += 1;
        const wasWrittenLate = await addPlantDueIn(10_000, `1300000000000090${100 + plants}`);
        await stack.postgres.stop('SIGKILL');
        const endsAtMs = Date.now() + awayMs;
        const loop = stack.client.workflow.getHandle(pollWorkflowId('often-SOLIS'));
        const waiting = await eventually('a step that says what is away', async () => {
          const { raw } = await loop.describe();
          return raw.pendingActivities?.find((activity) => activity.lastFailure != null);
        });
        expect(waiting.lastFailure?.message).toContain('a service is away');
        await delay(endsAtMs - Date.now());
        await stack.postgres.start();
        await wasWrittenLate();
        expect((await pollRows(stack.db)).filter((row) => row.outcome === 'FAILED')).toEqual([]);
      });
    });
  });

  describe('Redis', () => {
    /** Polls go on while the fault lasts, and a lock's answer takes no longer than it may. */
    async function throughRedis(
      breakIt: () => Promise<void>,
      mend: () => Promise<void>,
    ): Promise<void> {
      await through(async () => {
        const locks = openLockClient({
          kind: 'plant',
          url: stack.redisUrl,
          onUnavailable: () => {},
        });
        try {
          await eventually('a lock', async () => (await locks.acquire('x', 'test', 1)) === 'FREE');
          await breakIt();
          const tookMs: number[] = [];
          for (let n = 0; n < 10; n += 1) {
            const beganAt = performance.now();
            await locks.acquire('x', 'test', 1);
            tookMs.push(performance.now() - beganAt);
          }
          expect(median(tookMs)).toBeLessThan(lockMsMax + timerMs);
          await pollsGoOn();
        } finally {
          locks.close();
          await mend();
        }
      });
    }

    async function command(...words: [string, ...string[]]): Promise<void> {
      const redis = new Redis(stack.redisUrl);
      try {
        await redis.call(...words);
      } finally {
        redis.disconnect();
      }
    }

    test('killed: polls are unaffected', async () => {
      await throughRedis(
        () => stack.redis.stop('SIGKILL'),
        () => stack.redis.start(),
      );
    });

    test('emptied by FLUSHALL: polls are unaffected', async () => {
      await throughRedis(
        () => command('FLUSHALL'),
        async () => {},
      );
    });

    test('pausing for 5 s: polls are unaffected', async () => {
      await throughRedis(
        () => command('CLIENT', 'PAUSE', '5000', 'ALL'),
        async () => {},
      );
    });

    test('read-only: polls are unaffected', async () => {
      await throughRedis(
        // A replica of nobody, which takes no writes.
        () => command('REPLICAOF', '127.0.0.1', '1'),
        () => command('REPLICAOF', 'NO', 'ONE'),
      );
    });
  });
});

function keyOf({ plant_id, scheduled_for }: PollLogRow): string {
  return `${plant_id} ${scheduled_for.toISOString()}`;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

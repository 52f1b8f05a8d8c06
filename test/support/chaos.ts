import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Context } from '@temporalio/activity';
import type { Kysely } from 'kysely';
import { expect } from 'vitest';

import type { Checkpoint } from '../../activities/deps.ts';
import { audit } from '../../operations/plants/check.ts';
import { openLockClient, type Locks } from '../../db/lock.ts';
import type { PollLogRow } from '../../db/plants/poll-logs.ts';
import type { Database } from '../../db/tables.ts';
import { phaseMs } from '../../domain/slots.ts';
import { pollQueue } from '../../workflows/plants/messages.ts';
import type { ChaosFault, ChaosPlan, ChaosReport } from './chaos-plan.ts';
import { createTestFleet, type TestFleet } from './fleet.ts';
import { testBundle } from './workers.ts';

/** How often each fault is made: once in `npm test`, ten times for the full proof. */
export const chaosRounds = Number(process.env['HELIOGRAPH_CHAOS_ROUNDS'] ?? 1);

const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
const reportLimitMs = 60_000;

export interface ChaosWorker {
  readonly child: ChildProcess;
  /** The next report of a kind, also one that came already; each is given once. */
  next<Kind extends ChaosReport['kind']>(kind: Kind): Promise<Extract<ChaosReport, { kind: Kind }>>;
  /** From now on the fault happens. Resolves when the worker knows. */
  arm(): Promise<void>;
  /** How the process ended, and when, by `performance.now()`. */
  ended: Promise<{ signal: NodeJS.Signals | null; atMs: number }>;
  /** Ends it where it has not ended. */
  end(): Promise<void>;
}

/** Starts a worker that will meet `fault` once armed; resolves when it polls its queues. */
export async function startChaosWorker(fleet: TestFleet, fault: ChaosFault): Promise<ChaosWorker> {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-chaos-'));
  const bundleFile = join(folder, 'bundle.js');
  writeFileSync(bundleFile, (await testBundle()).code);
  const plan: ChaosPlan = { bundleFile, fault };
  const child = spawn(
    join(packageRoot, 'node_modules/.bin/node'),
    [join(packageRoot, 'test/support/chaos-worker.ts')],
    {
      env: { ...fleet.env, HELIOGRAPH_CHAOS: JSON.stringify(plan) },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    },
  );
  const reports: ChaosReport[] = [];
  child.on('message', (message) => void reports.push(message as ChaosReport));
  const ended = once(child, 'exit').then(([, signal]) => {
    rmSync(folder, { recursive: true, force: true });
    return { signal: signal as NodeJS.Signals | null, atMs: performance.now() };
  });
  const worker: ChaosWorker = {
    child,
    ended,
    async next(kind) {
      const endsAt = performance.now() + reportLimitMs;
      for (;;) {
        const index = reports.findIndex((one) => one.kind === kind);
        if (index >= 0) {
          return reports.splice(index, 1)[0] as Extract<ChaosReport, { kind: typeof kind }>;
        }
        if (performance.now() > endsAt) {
          throw new Error(`a chaos worker did not report ${kind} in ${reportLimitMs / 1000} s`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async arm() {
      child.send('arm');
      await worker.next('ARMED');
    },
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
  try {
    await worker.next('STARTED');
  } catch (error) {
    await worker.end();
    throw error;
  }
  return worker;
}

/** Ids of plants whose slots fall on `atMs`, or at most `spreadMs` after it: a slot's place in its interval comes from the id. */
export function plantIdsDueAt(
  atMs: number,
  intervalMs: number,
  count: number,
  spreadMs = 200,
): string[] {
  const ids: string[] = [];
  for (let n = 0; ids.length < count; n += 1) {
    const id = `due-${atMs.toString(36)}-${n}`;
    const afterMs = (((phaseMs(id, intervalMs) - atMs) % intervalMs) + intervalMs) % intervalMs;
    if (afterMs <= spreadMs) ids.push(id);
  }
  return ids;
}

/** What the steps of a worker in the test's own process went through, by the loop that asked. */
export class CheckpointRecorder {
  readonly #passes: { name: Checkpoint; workflowId: string; atMs: number }[] = [];

  /** To be given to `startTestWorker`. */
  readonly checkpoint = async (name: Checkpoint): Promise<void> => {
    const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
    this.#passes.push({ name, workflowId, atMs: performance.now() });
  };

  /** When the loop's first step came to any point, by `performance.now()`; undefined before. */
  firstAt(workflowId: string): number | undefined {
    return this.#passes.find((pass) => pass.workflowId === workflowId)?.atMs;
  }

  count(workflowId: string, name: Checkpoint): number {
    return this.#passes.filter((pass) => pass.workflowId === workflowId && pass.name === name)
      .length;
  }
}

/** The brand of the plants whose workers die: a worker of one queue starts in a fifth of the time. */
export const chaosBrand = 'SOLIS';

/** Runs with a fleet of its own, whose workers serve the queue of `chaosBrand` alone. */
export async function onFleet(run: (fleet: TestFleet) => Promise<void>): Promise<void> {
  const fleet = await createTestFleet();
  const queue = pollQueue(chaosBrand);
  try {
    await run({
      ...fleet,
      config: { ...fleet.config, WORKER_QUEUES: [queue] },
      env: { ...fleet.env, WORKER_QUEUES: queue },
    });
  } finally {
    await fleet.close();
  }
}

/** Every poll's row, in order of slot and plant. */
export async function pollRows(db: Kysely<Database>): Promise<PollLogRow[]> {
  return db
    .selectFrom('poll_logs')
    .selectAll()
    .where('job_type', '=', 'POLL')
    .orderBy('scheduled_for')
    .orderBy('plant_id')
    .execute();
}

type Judged = Pick<TestFleet, 'db' | 'client' | 'config'>;

/** Runs with the lock client of a fleet. */
export async function withLocks<Result>(
  { config }: Pick<Judged, 'config'>,
  run: (locks: Locks) => Promise<Result>,
): Promise<Result> {
  if (config.REDIS_URL === undefined) throw new Error('a test fleet has a Redis');
  const locks = openLockClient({
    kind: 'plant',
    url: config.REDIS_URL,
    keyPrefix: config.REDIS_KEY_PREFIX,
    onUnavailable: () => {},
  });
  try {
    return await run(locks);
  } finally {
    locks.close();
  }
}

/** Asserts what every fault must leave: the invariant checker finds nothing. */
export async function expectCleanAudit(fleet: Judged): Promise<void> {
  const { db, client } = fleet;
  const { violations } = await withLocks(fleet, (locks) => audit({ db, client, locks }));
  expect(violations).toEqual([]);
}

import { setTimeout as delay } from 'node:timers/promises';

import type { VendorTemper } from './latency.ts';
import type { BenchRedis } from './redis.ts';
import { type Engine, engines } from './supervisor.ts';
import type { Supervisor } from './supervisor.ts';

/** The rows of the comparison: the load and the fault of each. */

export interface Row {
  name: string;
  title: string;
  /** Number of plants; depends on the engine in rows at full load. */
  plants(engine: Engine, sustained: Sustained): number;
  intervalS: number;
  temper: VendorTemper;
  /** Length of the run, ms, from the moment when every plant was polled once. */
  watchMs: number;
  /** Time from then to the fault, ms. */
  faultAfterMs: number;
  fault: ((subject: Subject) => Promise<unknown>) | null;
  /** Whether BullMQ's Redis keeps an append-only file; Heliograph's never does. */
  isRedisDurable: boolean;
  engines: readonly Engine[];
  /** Runs all engines at the same time: for a long row with a tiny load. */
  isTogether?: true;
  /** Number of cycles over which drift is judged. */
  cycles?: number;
}

export interface Subject {
  supervisor: Supervisor;
  redis: BenchRedis;
}

/** Polls a second that each engine sustained in the first row of this run. */
export type Sustained = ReadonlyMap<Engine, number>;

const plain: readonly Engine[] = ['heliograph', 'bullmq'];
/** 16.7 polls/s: what 10,000 plants at ten minutes need. */
const usual = { plants: () => 250, intervalS: 15, temper: { kind: 'ORDINARY' } } as const;
const faulty = { ...usual, faultAfterMs: 8_000, isRedisDurable: true, engines: plain } as const;
const calm = { faultAfterMs: 0, fault: null, isRedisDurable: true, engines: plain } as const;

/** More plants every second than either engine can poll. */
const saturating: Record<Engine, number> = {
  heliograph: 300,
  bullmq: 1_500,
  'bullmq-hardened': 1_500,
};
const overload = 3;
const driftCycles = 500;
/** Time for which Redis is away, ms. */
const awayMs = 1_000;

/** In the order in which they run: the overload is measured against what was sustained before. */
export const rows: readonly Row[] = [
  {
    ...calm,
    name: 'sustained',
    title: 'sustained, more plants than can be polled',
    plants: (engine) => saturating[engine],
    intervalS: 1,
    temper: { kind: 'ORDINARY' },
    watchMs: 15_000,
  },
  { ...calm, ...usual, name: 'baseline', title: 'baseline, 16.7 polls/s', watchMs: 35_000 },
  {
    ...faulty,
    name: 'kill',
    title: 'worker SIGKILL',
    watchMs: 45_000,
    fault: ({ supervisor }) => supervisor.kill(),
  },
  {
    ...faulty,
    name: 'deploy',
    title: 'deploy in the middle',
    watchMs: 35_000,
    fault: ({ supervisor }) => supervisor.deploy(),
  },
  {
    ...faulty,
    name: 'redis-aof',
    title: 'Redis SIGKILL, append-only file kept',
    watchMs: 30_000,
    fault: restartRedis,
    // Heliograph's Redis keeps none: for it this is the next row.
    engines: ['bullmq'],
  },
  {
    ...faulty,
    name: 'redis-memory',
    title: 'Redis restart without persistence',
    watchMs: 30_000,
    fault: restartRedis,
    isRedisDurable: false,
    engines,
  },
  {
    ...faulty,
    name: 'flushall',
    title: 'Redis FLUSHALL',
    watchMs: 30_000,
    fault: ({ redis }) => redis.flushAll(),
    engines,
  },
  {
    ...calm,
    name: 'slow',
    title: 'poll longer than the interval (3 s, every 2 s)',
    plants: () => 40,
    intervalS: 2,
    temper: { kind: 'STEADY', ms: 3_000 },
    watchMs: 20_000,
    engines,
  },
  {
    ...calm,
    name: 'overload',
    title: `${overload}× overload`,
    plants: (engine, sustained) =>
      Math.round(overload * (sustained.get(engine) ?? saturating[engine] / overload)),
    intervalS: 1,
    temper: { kind: 'ORDINARY' },
    watchMs: 15_000,
  },
  {
    ...calm,
    name: 'drift',
    title: `drift after ${driftCycles} cycles of 1 s`,
    plants: () => 5,
    intervalS: 1,
    temper: { kind: 'CALM' },
    watchMs: (driftCycles + 5) * 1_000,
    isTogether: true,
    cycles: driftCycles,
  },
];

async function restartRedis({ redis }: Subject): Promise<void> {
  await redis.kill();
  await delay(awayMs);
  await redis.start();
}

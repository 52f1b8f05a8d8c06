import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { nextSlotAfter, phaseMs } from '../domain/slots.ts';
import type { BenchFleet } from './fleet.ts';
import { cpuMsPerPoll, type Lateness, read, readLateness, rounded } from './readings.ts';
import { type BenchWorker, startBenchWorker } from './worker.ts';

/** Replaces a worker by one that knows no loop, and measures the time until slots are polled in time again and the cost of each poll. */

const samplePauseMs = 2_000;
/** A fleet is back when all slots of a span of this length were polled in time. */
const windowMs = 10_000;
/** Twice the ordinary lateness, but at least the target for an ordinary day. */
const lateFactorMax = 2;
const lateFloorMs = 100;

/** One sample after the restart. */
interface Sample {
  /** Time since the old worker was told to end. */
  after_s: number;
  /** Slots due since then without a row. */
  backlog: number;
  /** Lateness of the slots of the last 10 s. */
  late_p99_ms: number | null;
}

export interface Restart {
  /** The signal that ended the old worker. */
  signal: 'SIGKILL' | 'SIGTERM';
  /** Time until it was gone, and until the new one polled its queues, s. */
  gone_after_s: number;
  started_after_s: number;
  /** A slot is in time below this lateness. */
  late_limit_ms: number;
  backlog_max: number;
  backlog_at_end: number;
  /** Polls of the new worker in the run: the first poll of each loop, if the run is shorter than the interval. */
  polls: number;
  cpu_ms_per_poll: ReturnType<typeof cpuMsPerPoll>;
  lateness: Lateness | null;
  samples: Sample[];
}

/** The end of a restart, according to its samples. */
export interface Return {
  /** Time until slots were polled in time again for ten seconds; null: not within the run. */
  backAfterS: number | null;
  /** Later samples with a p99 above the limit, and the worst of them. */
  lateAgain: number;
  looks: number;
  worstMs: number;
}

export function returnOf({
  samples,
  late_limit_ms: limitMs,
}: Pick<Restart, 'samples' | 'late_limit_ms'>): Return {
  const isLate = ({ late_p99_ms: late }: Sample) => late === null || late > limitMs;
  const first = samples.findIndex(
    ({ after_s: fromS }, n) =>
      samples.slice(n).some(({ after_s: toS }) => toS >= fromS + windowMs / 1_000) &&
      !samples
        .slice(n)
        .some((sample) => sample.after_s <= fromS + windowMs / 1_000 && isLate(sample)),
  );
  const later = first === -1 ? [] : samples.slice(first);
  const again = later.filter(isLate);
  return {
    backAfterS: later[0]?.after_s ?? null,
    lateAgain: again.length,
    looks: later.length,
    worstMs: Math.max(0, ...again.map(({ late_p99_ms: late }) => late ?? Infinity)),
  };
}

/** Ends the worker, starts another and watches it for `watchS`. */
export async function measureRestart(
  running: { fleet: BenchFleet; worker: BenchWorker; signal: AbortSignal },
  how: { signal: Restart['signal']; watchS: number; baselineP99Ms: number },
): Promise<{ restart: Restart; worker: BenchWorker }> {
  const { fleet, signal } = running;
  const beganMs = Date.now();
  const since = (atMs: number) => rounded((atMs - beganMs) / 1_000);
  await running.worker.stop(how.signal);
  const goneMs = Date.now();
  const worker = await startBenchWorker(fleet.env, signal);
  const startedMs = Date.now();
  const before = await read(fleet, worker);
  const lateLimitMs = Math.max(lateFloorMs, lateFactorMax * how.baselineP99Ms);
  const samples: Sample[] = [];
  while (Date.now() < startedMs + how.watchS * 1_000) {
    await Promise.race([delay(samplePauseMs, undefined, { signal }), worker.ended]);
    const nowMs = Date.now();
    const lateness = await readSlotLateness(fleet, Math.max(beganMs, nowMs - windowMs), nowMs);
    samples.push({
      after_s: since(nowMs),
      backlog: await countBacklog(fleet, beganMs, nowMs),
      late_p99_ms: lateness,
    });
  }
  const after = await read(fleet, worker);
  return {
    worker,
    restart: {
      signal: how.signal,
      gone_after_s: since(goneMs),
      started_after_s: since(startedMs),
      late_limit_ms: lateLimitMs,
      backlog_max: Math.max(...samples.map(({ backlog }) => backlog)),
      backlog_at_end: samples.at(-1)?.backlog ?? 0,
      polls: after.polls - before.polls,
      cpu_ms_per_poll: cpuMsPerPoll(before, after),
      lateness: await readLateness(fleet.db, startedMs, after.atMs),
      samples,
    },
  };
}

/**
 * p99 of the slots (not of the polls) of a span: a slot without a row counts with its present lateness, so that missing
 * polls are not overlooked.
 */
async function readSlotLateness(
  { db, plantIds, intervalMs }: BenchFleet,
  fromMs: number,
  toMs: number,
): Promise<number | null> {
  const { rows } = await sql<{ plant_id: string; slot: Date; late_ms: number | null }>`
    select plant_id, scheduled_for as slot, late_ms from poll_logs
    where job_type = 'POLL' and "trigger" in ('SCHEDULE', 'CATCH_UP')
      and scheduled_for >= ${new Date(fromMs)} and scheduled_for < ${new Date(toMs)}`.execute(db);
  const lateOf = new Map(rows.map((row) => [`${row.plant_id} ${row.slot.getTime()}`, row.late_ms]));
  const lates: number[] = [];
  for (const id of plantIds) {
    const grid = { intervalMs, phaseMs: phaseMs(id, intervalMs) };
    for (
      let slotMs = nextSlotAfter(grid, fromMs - 1);
      slotMs < toMs;
      slotMs = nextSlotAfter(grid, slotMs)
    )
      lates.push(lateOf.get(`${id} ${slotMs}`) ?? toMs - slotMs);
  }
  lates.sort((a, b) => a - b);
  return lates[Math.min(lates.length - 1, Math.floor(lates.length * 0.99))] ?? null;
}

async function countBacklog(
  { db, plantIds, intervalMs }: BenchFleet,
  sinceMs: number,
  nowMs: number,
): Promise<number> {
  const due = plantIds.reduce((sum, id) => {
    const firstMs = nextSlotAfter({ intervalMs, phaseMs: phaseMs(id, intervalMs) }, sinceMs);
    return firstMs > nowMs ? sum : sum + 1 + Math.floor((nowMs - firstMs) / intervalMs);
  }, 0);
  const { rows } = await db
    .selectFrom('poll_logs')
    .select(({ fn }) => fn.countAll<number>().as('rows'))
    .where('job_type', '=', 'POLL')
    .where('trigger', 'in', ['SCHEDULE', 'CATCH_UP'])
    .where('scheduled_for', '>', new Date(sinceMs))
    .where('scheduled_for', '<=', new Date(nowMs))
    .executeTakeFirstOrThrow();
  return due - rows;
}

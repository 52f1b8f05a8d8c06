import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';

import { audit } from '../operations/plants/check.ts';
import { openLocks } from '../environment/locks.ts';
import { alignedText, runBench, say, wholeNumber } from './command.ts';
import { type BenchFleet, startFleet } from './fleet.ts';
import { rssMbOf } from './processes.ts';
import {
  countProgress,
  countSettled,
  cpuMsPerPoll,
  read,
  readLateness,
  readShares,
  readVersions,
  rounded,
  weighHistories,
} from './readings.ts';
import { type BenchWorker, startBenchWorker } from './worker.ts';

/**
 * `npm run bench -- --plants N --polls M --interval S [--cold] [--json FILE]`: N generated ordinary plants on a stack of its
 * own, polled by the production worker until N × M polls were made. With --cold the bench then kills the worker and
 * measures the first poll of each plant by a worker that knows no loop.
 *
 * More plants than can be polled in their interval (300 every second) show the throughput and how evenly the plants share
 * it: MISSED slots are counted and are not lost. Fewer (1,000 every minute) show the lateness.
 */

interface Arguments {
  plants: number;
  polls: number;
  intervalS: number;
  cold: boolean;
  jsonFile: string | null;
}

/** Two runs of a loop, so that the average has the right share of continue-as-new. */
const pollsDefault = 16;
/** Number of plants whose histories are measured, before and after. */
const weighedPlants = 20;
const progressPauseMs = 2_000;
/** A phase fails when it takes this many times its expected time. */
const patience = 20;
/** Minimum time limit, because a cold start compiles and fills days. */
const phaseLimitMsMin = 300_000;

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      plants: { type: 'string', default: '300' },
      polls: { type: 'string', default: String(pollsDefault) },
      interval: { type: 'string', default: '1' },
      cold: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const whole = (name: 'plants' | 'polls' | 'interval', max: number) =>
    wholeNumber(name, values[name], max);
  return {
    plants: whole('plants', 100_000),
    polls: whole('polls', 1_000_000),
    intervalS: whole('interval', 86_400),
    cold: values.cold,
    jsonFile: values.json ?? null,
  };
}

interface Running {
  fleet: BenchFleet;
  worker: BenchWorker;
  signal: AbortSignal;
}

/** Waits for a number of polls, or of polled plants, since `sinceMs`, and reports progress. */
async function untilPolled(
  { fleet, worker, signal }: Running,
  what: string,
  sinceMs: number,
  wanted: { polls: number } | { plants: number },
): Promise<void> {
  const { intervalMs, plantIds } = fleet;
  const [unit, count] =
    'polls' in wanted ? (['polls', wanted.polls] as const) : (['plants', wanted.plants] as const);
  const limitMs = Math.max(phaseLimitMsMin, (patience * intervalMs * count) / plantIds.length);
  const endsAt = performance.now() + limitMs;
  for (;;) {
    const done = (await countProgress(fleet, sinceMs))[unit];
    if (done >= count) return;
    if (performance.now() > endsAt) {
      throw new Error(`${what}: ${done} of ${count} ${unit} after ${limitMs / 1_000} s`);
    }
    say(`  ${what}: ${done} of ${count} ${unit}`);
    await Promise.race([delay(progressPauseMs, undefined, { signal }), worker.ended]);
  }
}

/** Measures cost and lateness over M polls of each plant. */
async function measure(running: Running, pollsPerPlant: number) {
  const { fleet, worker } = running;
  const { db, plantIds } = fleet;
  const step = Math.max(1, Math.floor(plantIds.length / weighedPlants));
  const weighed = plantIds.filter((_, n) => n % step === 0);
  const rssMbBefore = rssMbOf(worker.pid);
  const lighter = await weighHistories(fleet, weighed);
  const before = await read(fleet, worker);
  await untilPolled(running, 'measuring', before.atMs, { polls: pollsPerPlant * plantIds.length });
  const after = await read(fleet, worker);
  const heavier = await weighHistories(fleet, weighed);
  const polls = after.polls - before.polls;
  const seconds = (after.atMs - before.atMs) / 1_000;
  const perPoll = (name: 'events' | 'transitions') =>
    rounded((heavier[name] - lighter[name]) / (heavier.polls - lighter.polls));
  return {
    polls,
    seconds: rounded(seconds),
    polls_per_s: rounded(polls / seconds),
    polls_per_plant: await readShares(db, before.atMs, after.atMs),
    lateness: await readLateness(db, before.atMs, after.atMs),
    events_per_poll: perPoll('events'),
    transitions_per_poll: perPoll('transitions'),
    database_waits_per_poll: rounded((after.waits - before.waits) / polls),
    cpu_ms_per_poll: cpuMsPerPoll(before, after),
    worker_rss_mb: { before: rssMbBefore, after: rssMbOf(worker.pid) },
  };
}

/** Measures how a worker without cached loops brings every plant back on its slots. */
async function measureCold(running: Running) {
  const { fleet, worker } = running;
  const { db, intervalMs } = fleet;
  const before = await read(fleet, worker);
  await untilPolled(running, 'a cold worker', before.atMs, { plants: fleet.plantIds.length });
  const after = await read(fleet, worker);
  const backMs = after.atMs - before.atMs;
  say('  watching the interval after that');
  await Promise.race([delay(intervalMs, undefined, { signal: running.signal }), worker.ended]);
  return {
    polls: after.polls - before.polls,
    seconds_until_all_polled: rounded(backMs / 1_000),
    intervals_until_all_polled: rounded(backMs / intervalMs),
    cpu_ms_per_poll: cpuMsPerPoll(before, after),
    lateness_after_that: await readLateness(db, after.atMs, after.atMs + intervalMs),
  };
}

/**
 * Audits the slots due until now. Late loops write their MISSED rows at their next poll, so this waits until each loop has
 * polled; slots without a row are then really lost.
 */
async function auditFleet({ fleet, worker, signal }: Running) {
  const { db, client, config, plantIds } = fleet;
  const toMs = Date.now();
  const endsAt = performance.now() + phaseLimitMsMin + fleet.intervalMs;
  say('waiting until every plant has polled once more');
  while (performance.now() < endsAt && (await countSettled(db, toMs)) < plantIds.length) {
    await Promise.race([delay(progressPauseMs, undefined, { signal }), worker.ended]);
  }
  say('checking the invariants');
  const locks = openLocks(config, () => {});
  try {
    return await audit({ db, client, locks, toMs });
  } finally {
    locks.close();
  }
}

async function bench(args: Arguments, signal: AbortSignal) {
  say('bringing up a stack of its own');
  const fleet = await startFleet({ ...args, say, signal });
  let worker: BenchWorker | null = null;
  try {
    worker = await startBenchWorker(fleet.env, signal);
    say(`polling ${args.plants} plants every ${args.intervalS} s`);
    // The first poll of a plant (its first alarms, gaps of three days) is not measured.
    // Then each plant polls once more on its slot, so that the backlog of the first polls is over too.
    for (const sinceMs of [() => 0, () => Date.now()])
      await untilPolled({ fleet, worker, signal }, 'warming up', sinceMs(), {
        plants: args.plants,
      });
    const measured = await measure({ fleet, worker, signal }, args.polls);
    let cold: Awaited<ReturnType<typeof measureCold>> | null = null;
    if (args.cold) {
      say('killing the worker');
      await worker.stop('SIGKILL');
      worker = await startBenchWorker(fleet.env, signal);
      cold = await measureCold({ fleet, worker, signal });
    }
    const { counts, violations } = await auditFleet({ fleet, worker, signal });
    return {
      plants: args.plants,
      interval_s: args.intervalS,
      ...measured,
      cold,
      slots: counts,
      violations: violations.length,
      first_violations: violations.slice(0, 5),
      versions: await readVersions(fleet),
    };
  } finally {
    await worker?.stop();
    await fleet.stop();
  }
}

type Result = Awaited<ReturnType<typeof bench>>;

function resultText({ lateness, slots, cold, versions, ...result }: Result): string {
  const { worker_rss_mb: rss, polls_per_plant: shares } = result;
  const lines: [string, string][] = [
    [
      'polls',
      `${result.polls} in ${result.seconds} s: ${result.polls_per_s} polls/s, ${shares.min} to ${shares.max} a plant`,
    ],
    ['lateness', latenessText(lateness)],
    [
      'slots',
      `${slots.slots_due} due, ${slots.polled} polled, ${slots.skipped} skipped, ${slots.missed} missed, ${slots.pending} pending, ${slots.lost} lost, ${slots.doubled} doubled, ${slots.overlapping} overlapping`,
    ],
    ['violations', String(result.violations)],
    [
      'a poll costs',
      `${result.events_per_poll} events, ${result.transitions_per_poll} state transitions, ${result.database_waits_per_poll} waits for PostgreSQL`,
    ],
    ['CPU ms a poll', cpuText(result.cpu_ms_per_poll)],
    ['worker', `${rss.before} MB resident at first, ${rss.after} MB in the end`],
    ...coldLines(cold),
    [
      'on',
      `Node ${versions.node}, Temporal ${versions.temporal_server} (SDK ${versions.temporal_sdk}), PostgreSQL ${versions.postgresql}, Redis ${versions.redis ?? 'none'}, ${versions.cores} × ${versions.cpu}`,
    ],
  ];
  return alignedText(lines);
}

function coldLines(cold: Result['cold']): [string, string][] {
  if (cold === null) return [];
  return [
    [
      'killed, cold',
      `every plant polled after ${cold.seconds_until_all_polled} s (${cold.intervals_until_all_polled} intervals), then ${latenessText(cold.lateness_after_that)}`,
    ],
    ['CPU ms a poll', cpuText(cold.cpu_ms_per_poll)],
  ];
}

function latenessText(lateness: Result['lateness']): string {
  if (lateness === null) return 'no poll of a slot';
  return `p50 ${lateness.p50_ms} ms, p99 ${lateness.p99_ms} ms, max ${lateness.max_ms} ms`;
}

function cpuText(cpu: Result['cpu_ms_per_poll']): string {
  const of = (ms: number | null) => (ms === null ? 'not ours' : String(ms));
  return `worker ${of(cpu.worker)}, Temporal ${of(cpu.temporal)}, PostgreSQL ${of(cpu.postgresql)}, Redis ${of(cpu.redis)}; the whole machine ${of(cpu.machine)}`;
}

await runBench(
  'bench',
  async (signal) => {
    const args = readArguments();
    return { result: await bench(args, signal), jsonFile: args.jsonFile };
  },
  resultText,
  (result) => result.violations === 0,
);

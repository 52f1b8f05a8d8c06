import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { sql } from 'kysely';

import { nextSlotAfter, phaseMs } from '../domain/slots.ts';
import { runBench, say, UsageError } from './command.ts';
import { type BenchFleet, startFleet } from './fleet.ts';
import { rssMbOf } from './processes.ts';
import {
  cpuMsPerPoll,
  read,
  readLateness,
  readVersions,
  rounded,
  weighHistories,
} from './readings.ts';
import { countPlanned, countWaitingTasks, giveAPast, startLoops } from './scale-fleet.ts';
import { measureRestart, type Restart, returnOf } from './scale-restart.ts';
import { measureStorage } from './scale-storage.ts';
import { type BenchWorker, startBenchWorker } from './worker.ts';

/**
 * `npm run bench:scale -- [--plants 1000,5000,20000] [--polls-per-s 16.667] [--seconds 120] [--restart SIGKILL,SIGTERM]
 * [--watch 60] [--cached N] [--first-start] [--storage] [--json FILE]`: measures how cost grows with the fleet, on a stack of its own
 * for each size. The interval keeps the polls a second equal, so that the sizes differ only by their own cost.
 *
 * The figures of a size and interval replace those of the same in FILE and leave the others, so that sizes can be measured one at a
 * time. `bench/scale-report.ts` makes the tables of docs/scale.md from that file.
 *
 * --restart ends the worker with that signal and measures how a cold one brings the fleet back. --cached runs the worker with that
 * MAX_CACHED_WORKFLOWS. --first-start starts the loops as production does, which takes the longest part of the bench. --storage measures the size of rows and the duration of whole-fleet reads and a prune, without loops.
 */

interface Arguments {
  sizes: number[];
  pollsPerS: number;
  seconds: number;
  restarts: Restart['signal'][];
  watchS: number;
  cached: number | null;
  firstStart: boolean;
  storage: boolean;
  jsonFile: string | null;
}

/** Number of histories measured before and after. */
const weighedPlants = 30;
const progressPauseMs = 5_000;
/** Time limit: the loops of 20,000 plants need some minutes to look at their plants. */
const startLimitMs = 900_000;
/** Wait after the last loop has looked, so that only polls run. */
const settleMs = 20_000;

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      plants: { type: 'string', default: '' },
      'polls-per-s': { type: 'string', default: '16.667' },
      seconds: { type: 'string', default: '120' },
      restart: { type: 'string', default: '' },
      watch: { type: 'string', default: '60' },
      cached: { type: 'string' },
      'first-start': { type: 'boolean', default: false },
      storage: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const number = (name: 'polls-per-s' | 'seconds' | 'watch' | 'cached', text: string) => {
    const value = Number(text);
    if (text !== '' && value > 0 && value < 1e6) return value;
    throw new UsageError(`--${name} must be a number above 0, not ${text}`);
  };
  const listOf = (text: string) => text.split(',').filter((part) => part !== '');
  const storage = values.storage;
  const plants = values.plants === '' && !storage ? '1000,5000,20000' : values.plants;
  return {
    sizes: listOf(plants).map((text) => {
      if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
      throw new UsageError(
        `--plants must be whole numbers with commas between them, not ${plants}`,
      );
    }),
    pollsPerS: number('polls-per-s', values['polls-per-s']),
    seconds: number('seconds', values.seconds),
    restarts: listOf(values.restart).map((text) => {
      if (text === 'SIGKILL' || text === 'SIGTERM') return text;
      throw new UsageError(`--restart must be SIGKILL, SIGTERM or both, not ${text}`);
    }),
    watchS: number('watch', values.watch),
    cached: values.cached === undefined ? null : number('cached', values.cached),
    firstStart: values['first-start'],
    storage,
    jsonFile: values.json ?? null,
  };
}

/** A loop that is waking or has just polled would be measured with a part of a poll. */
const weighedBeforeMs = 5_000;

/** Plants whose slots come soon, but not at once: their whole next poll falls into the measurement. */
function soonPolled({ plantIds, intervalMs }: BenchFleet, nowMs: number): string[] {
  const slotOf = (id: string) =>
    nextSlotAfter({ intervalMs, phaseMs: phaseMs(id, intervalMs) }, nowMs + weighedBeforeMs);
  return plantIds.toSorted((a, b) => slotOf(a) - slotOf(b)).slice(0, weighedPlants);
}

function fileBytes(folder: string, name: string): number {
  const path = join(folder, name);
  return existsSync(path) ? statSync(path).size : 0;
}

/** Durations of the reconciliations that ended since `sinceMs`, s; oldest first. */
async function readReconciliations({ client }: BenchFleet, sinceMs: number): Promise<number[]> {
  const took: number[] = [];
  const query = `WorkflowType = 'reconcileFleet' AND CloseTime > '${new Date(sinceMs).toISOString()}'`;
  for await (const { startTime, closeTime } of client.workflow.list({ query }))
    if (closeTime !== undefined)
      took.unshift(rounded((closeTime.getTime() - startTime.getTime()) / 1_000));
  return took;
}

/** At any moment of ordinary polling fewer workflow tasks than this wait. */
const waitingTasksMin = 5;

interface Running {
  fleet: BenchFleet;
  worker: BenchWorker;
  signal: AbortSignal;
}

async function untilBegun(
  { fleet, worker, signal }: Running,
  how: 'FIRST' | 'RUNNING',
): Promise<void> {
  const endsAt = performance.now() + startLimitMs;
  for (;;) {
    const waiting =
      how === 'FIRST'
        ? fleet.plantIds.length - (await countPlanned(fleet.db))
        : await countWaitingTasks(fleet);
    // A few are polls.
    if (waiting <= (how === 'FIRST' ? 0 : waitingTasksMin)) return;
    if (performance.now() > endsAt) throw new Error(`${waiting} loops have not begun in time`);
    say(`  ${waiting} of ${fleet.plantIds.length} loops have not begun`);
    await Promise.race([delay(progressPauseMs, undefined, { signal }), worker.ended]);
  }
}

/** Returns its figures as soon as they exist, and again after each restart. */
async function* measureSize(args: Arguments, plants: number, signal: AbortSignal) {
  const intervalS = Math.max(1, Math.round(plants / args.pollsPerS));
  say(`${plants} plants every ${intervalS} s: bringing up a stack of its own`);
  const fleet = await startFleet({ plants, intervalS, say, signal });
  let worker: BenchWorker | null = null;
  try {
    const { stack } = fleet;
    if (args.cached !== null) fleet.env['MAX_CACHED_WORKFLOWS'] = String(args.cached);
    await giveAPast(fleet.db);
    const databaseBytes = await readDatabaseBytes(fleet);
    const how = args.firstStart ? 'FIRST' : 'RUNNING';
    const { startedS: loopsStartedS, slotsFromMs } = await startLoops(fleet, how);
    say(`loops started in ${loopsStartedS.toFixed(0)} s`);
    const beganAt = performance.now();
    worker = await startBenchWorker(fleet.env, signal);
    const rssMbEmpty = rssMbOf(worker.pid);
    await untilBegun({ fleet, worker, signal }, how);
    const begunS = (performance.now() - beganAt) / 1_000;
    const restMs = Math.max(0, slotsFromMs - Date.now()) + settleMs;
    say(`  slots come in ${Math.round((restMs - settleMs) / 1_000)} s`);
    await Promise.race([delay(restMs, undefined, { signal }), worker.ended]);

    const measured = {
      plants,
      interval_s: intervalS,
      cached_per_queue: args.cached,
      measured_at: new Date().toISOString(),
      loops_started_s: rounded(loopsStartedS),
      loops_begun_as: how,
      loops_begun_s: rounded(begunS),
      ...(await measurePolls({ fleet, worker, signal }, args.seconds)),
      worker_rss_mb: { empty: rssMbEmpty, after: rssMbOf(worker.pid) },
      temporal_rss_mb: stack.temporal === null ? null : rssMbOf(stack.temporal.pid),
      temporal_db_bytes:
        fileBytes(fleet.config.dataDir, 'temporal.db') +
        fileBytes(fleet.config.dataDir, 'temporal.db-wal'),
      database_bytes: databaseBytes,
    };
    const restarts: Restart[] = [];
    const versions = await readVersions(fleet);
    const sizeNow = async () => ({
      ...measured,
      restarts,
      ledger: await readLosses(fleet),
      versions,
    });
    yield await sizeNow();
    for (const how of args.restarts) {
      say(`${how}: a cold worker for ${args.watchS} s`);
      const result = await measureRestart(
        { fleet, worker, signal },
        { signal: how, watchS: args.watchS, baselineP99Ms: measured.lateness?.p99_ms ?? 0 },
      );
      worker = result.worker;
      restarts.push(result.restart);
      yield await sizeNow();
    }
  } finally {
    await worker?.stop();
    await fleet.stop();
  }
}

/** Polls for `seconds`: their lateness, their cost and what they add to histories. */
async function measurePolls({ fleet, worker, signal }: Running, seconds: number) {
  say(`measuring for ${seconds} s`);
  const weighed = soonPolled(fleet, Date.now());
  const lighter = await weighHistories(fleet, weighed);
  const before = await read(fleet, worker);
  await Promise.race([delay(seconds * 1_000, undefined, { signal }), worker.ended]);
  const after = await read(fleet, worker);
  const heavier = await weighHistories(fleet, weighed);
  const polls = after.polls - before.polls;
  const perPoll = (name: 'events' | 'transitions' | 'bytes') =>
    rounded((heavier[name] - lighter[name]) / (heavier.polls - lighter.polls));
  return {
    polls,
    polls_per_s: rounded((polls * 1_000) / (after.atMs - before.atMs)),
    lateness: await readLateness(fleet.db, before.atMs, after.atMs),
    cpu_ms_per_poll: cpuMsPerPoll(before, after),
    database_waits_per_poll: rounded((after.waits - before.waits) / polls),
    history_per_poll: {
      events: perPoll('events'),
      transitions: perPoll('transitions'),
      bytes: perPoll('bytes'),
    },
    history_at_start: {
      events: rounded(lighter.events / weighed.length),
      bytes: rounded(lighter.bytes / weighed.length),
    },
    reconciliations_s: await readReconciliations(fleet, before.atMs),
  };
}

async function readDatabaseBytes({ db }: BenchFleet): Promise<number> {
  const { rows } = await sql<{
    bytes: number;
  }>`select pg_database_size(current_database()) as bytes`.execute(db);
  return rows[0]?.bytes ?? 0;
}

/** Slots without a poll and failed polls, from the ledger. */
async function readLosses({ db }: BenchFleet) {
  const { rows } = await sql<{ missed: number; failed: number; late: number }>`
    select coalesce(sum(slots_missed), 0)::bigint as missed, count(*) filter (where outcome = 'FAILED') as failed,
      count(*) filter (where "trigger" = 'CATCH_UP') as late
    from poll_logs where job_type = 'POLL'`.execute(db);
  return rows[0] ?? { missed: 0, failed: 0, late: 0 };
}

type Size = ReturnType<typeof measureSize> extends AsyncGenerator<infer Figures> ? Figures : never;
type Storage = Awaited<ReturnType<typeof measureStorage>>;

/** The content of the file of `--json`, over several runs. */
export interface ScaleFigures {
  sizes: Size[];
  storage: Storage | null;
}

export function readFigures(file: string): ScaleFigures {
  return existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as ScaleFigures)
    : { sizes: [], storage: null };
}

/** Writes each figure at once, so that an interrupted bench loses none. */
function keep(file: string | null, fresh: { size?: Size; storage?: Storage }): void {
  if (file === null) return;
  const kept = readFigures(file);
  const { size, storage } = fresh;
  if (size !== undefined) {
    const isSame = (other: Size) =>
      other.plants === size.plants &&
      other.interval_s === size.interval_s &&
      other.cached_per_queue === size.cached_per_queue;
    kept.sizes = [...kept.sizes.filter((other) => !isSame(other)), size].sort(
      (a, b) =>
        a.plants - b.plants ||
        b.interval_s - a.interval_s ||
        (a.cached_per_queue ?? 0) - (b.cached_per_queue ?? 0),
    );
  }
  if (storage !== undefined) kept.storage = storage;
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`);
}

async function bench(args: Arguments, signal: AbortSignal): Promise<ScaleFigures> {
  const figures: ScaleFigures = { sizes: [], storage: null };
  for (const plants of args.sizes) {
    let latest: Size | null = null;
    for await (const size of measureSize(args, plants, signal)) {
      latest = size;
      keep(args.jsonFile, { size });
    }
    if (latest !== null) figures.sizes.push(latest);
  }
  if (args.storage) {
    figures.storage = await measureStorage(signal);
    keep(args.jsonFile, { storage: figures.storage });
  }
  return figures;
}

function resultText({ sizes, storage }: ScaleFigures): string {
  const lines = sizes.flatMap((size) => {
    const { lateness, cpu_ms_per_poll: cpu, worker_rss_mb: rss } = size;
    return [
      `${size.plants} plants every ${size.interval_s} s: ${size.polls_per_s} polls/s, late p50 ${lateness?.p50_ms ?? '–'} ms, p99 ${lateness?.p99_ms ?? '–'} ms`,
      `  CPU ms a poll: worker ${cpu.worker}, Temporal ${cpu.temporal}, PostgreSQL ${cpu.postgresql}, Redis ${cpu.redis}; worker ${rss.after} MB, Temporal ${size.temporal_rss_mb} MB`,
      ...size.restarts.map(
        (restart) =>
          `  after ${restart.signal}: back on its slots after ${returnOf(restart).backAfterS ?? 'more than it was watched,'} s, backlog at most ${restart.backlog_max}, ${restart.cpu_ms_per_poll.worker} ms of worker CPU a first poll`,
      ),
    ];
  });
  if (storage !== null) {
    lines.push(
      `storage: ${storage.year.bytes_per_row} bytes a row of the ledger, ${storage.snapshot_bytes} a day`,
      ...storage.reads.map(({ what, ms, note }) => `  ${what}: ${ms ?? 'failed'} ms ${note}`),
      `  prune: ${storage.prune.rows} rows in ${storage.prune.pruned_s} s, polls meanwhile ${storage.prune.insert_max_ms} ms at most`,
    );
  }
  return `${lines.join('\n')}\n`;
}

if (import.meta.main)
  await runBench(
    'bench:scale',
    async (signal) => {
      const args = readArguments();
      // The file is written size by size.
      return { result: await bench(args, signal), jsonFile: null };
    },
    resultText,
    ({ sizes }) => sizes.every(({ ledger }) => ledger.failed === 0),
  );

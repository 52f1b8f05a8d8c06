import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';

import { Client, Connection } from '@temporalio/client';
import { type Kysely, sql } from 'kysely';

import { audit } from '../cli/audit.ts';
import { loadConfig, requireMasterKeys } from '../cli/config.ts';
import { generatedPlant } from '../cli/demo.ts';
import { openLocks } from '../cli/locks.ts';
import { insertDemo } from '../cli/seed.ts';
import { openDatabase } from '../db/database.ts';
import { migrateToLatest } from '../db/migrate.ts';
import type { Database } from '../db/tables.ts';
import { bringUpStack, type Stack } from '../stack/up.ts';
import { pollWorkflowId } from '../workflows/messages.ts';
import { cpuModel, cpuMsOf, rssMbOf } from './processes.ts';

/**
 * `npm run bench -- --plants N --polls M --interval S [--json FILE]`: N generated plants on a stack of its own, polled by the
 * production worker until M polls a plant were made. MISSED slots of an overload are reported; they are not lost.
 */

const root = fileURLToPath(new URL('../', import.meta.url));
/** Plants whose histories are weighed, all runs of them, before and after: continue-as-new is included. */
const weighedPlants = 20;
/** The first poll of each plant (cold code, first alarms, gaps of three days) is no part of what is measured. */
const warmUpLimitMs = 300_000;

interface Arguments {
  plants: number;
  polls: number;
  intervalS: number;
  jsonFile: string | null;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      plants: { type: 'string', default: '300' },
      polls: { type: 'string', default: '6' },
      interval: { type: 'string', default: '1' },
      json: { type: 'string' },
    },
  });
  const whole = (name: 'plants' | 'polls' | 'interval') => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < 1) {
      console.error(`--${name} must be a whole number from 1 on, not ${values[name]}`);
      process.exit(2);
    }
    return value;
  };
  return { plants: whole('plants'), polls: whole('polls'), intervalS: whole('interval'), jsonFile: values.json ?? null };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A reading of everything that is counted, at one instant. */
interface Reading {
  atMs: number;
  polls: number;
  waits: number;
  cpuMs: { worker: number; temporal: number; postgresql: number; redis: number };
}

interface Bench {
  stack: Stack;
  db: Kysely<Database>;
  worker: ChildProcess;
}

async function read({ stack, db, worker }: Bench): Promise<Reading> {
  const polls = await countPolls(db);
  worker.send('count queries');
  const [{ waits }] = (await once(worker, 'message')) as [{ waits: number }];
  const cpu = (pid: number | undefined) => (pid === undefined ? 0 : cpuMsOf(pid));
  return {
    atMs: Date.now(),
    polls,
    waits,
    cpuMs: {
      worker: cpu(worker.pid),
      temporal: cpu(stack.temporal?.pid),
      postgresql: cpu(stack.postgres?.pid),
      redis: cpu(stack.redis?.pid),
    },
  };
}

async function countPolls(db: Kysely<Database>): Promise<number> {
  const row = await db.selectFrom('poll_logs').select(({ fn }) => fn.countAll<number>().as('polls'))
    .where('job_type', '=', 'POLL').where('status', 'is not', null).executeTakeFirstOrThrow();
  return row.polls;
}

/** Waits until so many polls are in the ledger. */
async function untilPolls(db: Kysely<Database>, wanted: number, what: string, limitMs: number): Promise<void> {
  const endsAt = performance.now() + limitMs;
  let toldAt = performance.now();
  for (;;) {
    const polls = await countPolls(db);
    if (polls >= wanted) return;
    if (performance.now() > endsAt) throw new Error(`${what}: only ${polls} of ${wanted} polls after ${limitMs / 1_000} s`);
    if (performance.now() - toldAt > 2_000) {
      say(`  ${what}: ${polls} of ${wanted} polls`);
      toldAt = performance.now();
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

interface Lateness {
  p50_ms: number;
  p99_ms: number;
  max_ms: number;
}

/** Of the polls on slots that began in the window, against the slot. */
async function readLateness(db: Kysely<Database>, fromMs: number, toMs: number): Promise<Lateness | null> {
  const result = await sql<Lateness>`
    select percentile_disc(0.5) within group (order by late_ms) as p50_ms,
      percentile_disc(0.99) within group (order by late_ms) as p99_ms, max(late_ms) as max_ms
    from poll_logs
    where job_type = 'POLL' and "trigger" in ('SCHEDULE', 'CATCH_UP') and status is not null
      and started_at >= ${new Date(fromMs)} and started_at < ${new Date(toMs)}`.execute(db);
  const row = result.rows[0];
  return row === undefined || row.p50_ms === null ? null : row;
}

interface Weight {
  events: number;
  transitions: number;
  polls: number;
}

/** Events and state transitions of all runs of some plants so far, beside their polls. */
async function weighHistories(client: Client, db: Kysely<Database>, plantIds: readonly string[]): Promise<Weight> {
  const weight: Weight = { events: 0, transitions: 0, polls: 0 };
  for (const plantId of plantIds) {
    const workflowId = pollWorkflowId(plantId);
    const row = await db.selectFrom('poll_logs').select(({ fn }) => fn.countAll<number>().as('polls'))
      .where('plant_id', '=', plantId).where('status', 'is not', null).executeTakeFirstOrThrow();
    weight.polls += row.polls;
    for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
      const description = await client.workflow.getHandle(workflowId, runId).describe();
      weight.events += description.historyLength;
      weight.transitions += Number(description.raw.workflowExecutionInfo?.stateTransitionCount ?? 0);
    }
  }
  return weight;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function perPoll(before: Reading, after: Reading, polls: number) {
  const of = (name: keyof Reading['cpuMs']) => round((after.cpuMs[name] - before.cpuMs[name]) / polls);
  const [worker, temporal, postgresql, redis] = [of('worker'), of('temporal'), of('postgresql'), of('redis')];
  return { worker, temporal, postgresql, redis, together: round(worker + temporal + postgresql + redis) };
}

function versions() {
  const dependencies = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  return { node: process.version, temporal_sdk: dependencies.dependencies['@temporalio/worker'], cpu: cpuModel(), cores: cpus().length };
}

async function run(args: Arguments, stopping: AbortSignal) {
  const dataDir = mkdtempSync(join(tmpdir(), 'heliograph-bench-'));
  let stack: Stack | null = null;
  let db: Kysely<Database> | null = null;
  let worker: ChildProcess | null = null;
  let connection: Connection | null = null;
  try {
    say('bringing up a stack of its own');
    stack = await bringUpStack({ dataDir, log: say, env: { PATH: process.env['PATH'], HOME: process.env['HOME'] }, temporalUi: false, signal: stopping });
    db = openDatabase({ url: stack.databaseUrl, poolSize: 2 });
    await migrateToLatest(db);
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      DATABASE_URL: stack.databaseUrl,
      ...(stack.redisUrl === null ? {} : { REDIS_URL: stack.redisUrl, REDIS_KEY_PREFIX: stack.redisKeyPrefix }),
      TEMPORAL_ADDRESS: stack.temporalAddress,
      TEMPORAL_NAMESPACE: stack.temporalNamespace,
      INTEGRATION_MOCK_MODE: 'true',
      MASTER_KEY_CURRENT: randomBytes(32).toString('base64'),
      LOG_LEVEL: 'warn',
    };
    const config = loadConfig(env);
    const plants = Array.from({ length: args.plants }, (_, n) => generatedPlant(n));
    await insertDemo({ db, masterKeys: requireMasterKeys(config) }, plants, { intervalS: args.intervalS, activatedAtMs: Date.now() });
    worker = spawn(process.execPath, ['--import', join(root, 'bench/count-queries.ts'), join(root, 'cli/main.ts'), 'worker'], {
      env,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    // The worker says that it has started.
    await once(worker, 'message', { signal: stopping });
    const bench: Bench = { stack, db, worker };
    say(`polling ${args.plants} plants every ${args.intervalS} s`);
    await untilPolls(db, args.plants, 'warming up', warmUpLimitMs);
    connection = await Connection.connect({ address: stack.temporalAddress });
    const client = new Client({ connection, namespace: stack.temporalNamespace });
    const step = Math.max(1, Math.floor(args.plants / weighedPlants));
    const weighedIds = plants.filter((_, n) => n % step === 0).map((plant) => plant.id);
    const lighter = await weighHistories(client, db, weighedIds);
    const before = await read(bench);
    const slotsMs = args.polls * args.intervalS * 1_000;
    await untilPolls(db, before.polls + args.plants * args.polls, 'measuring', Math.max(300_000, slotsMs * 20));
    const after = await read(bench);
    const rssMb = worker.pid === undefined ? 0 : Math.round(rssMbOf(worker.pid));
    const polls = after.polls - before.polls;
    const seconds = (after.atMs - before.atMs) / 1_000;
    const lateness = await readLateness(db, before.atMs, after.atMs);
    const heavier = await weighHistories(client, db, weighedIds);
    const weighedPolls = heavier.polls - lighter.polls;
    say('checking the invariants');
    const locks = openLocks(config, () => {});
    const report = await audit({ db, client, locks });
    locks.close();
    return {
      plants: args.plants,
      interval_s: args.intervalS,
      polls,
      seconds: round(seconds),
      polls_per_s: round(polls / seconds),
      lateness,
      slots: report.counts,
      violations: report.violations.length,
      events_per_poll: round((heavier.events - lighter.events) / weighedPolls),
      transitions_per_poll: round((heavier.transitions - lighter.transitions) / weighedPolls),
      database_waits_per_poll: round((after.waits - before.waits) / polls),
      cpu_ms_per_poll: perPoll(before, after, polls),
      worker_rss_mb: rssMb,
      ...versions(),
      first_violations: report.violations.slice(0, 5),
    };
  } finally {
    await stopWorker(worker);
    await connection?.close();
    await db?.destroy();
    await stack?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function stopWorker(worker: ChildProcess | null): Promise<void> {
  if (worker === null || worker.exitCode !== null) return;
  worker.kill('SIGTERM');
  const force = setTimeout(() => worker.kill('SIGKILL'), 10_000);
  await once(worker, 'exit');
  clearTimeout(force);
}

function print(result: Awaited<ReturnType<typeof run>>): void {
  const { lateness, slots, cpu_ms_per_poll: cpu } = result;
  const lines: [string, string][] = [
    ['polls', `${result.polls} in ${result.seconds} s: ${result.polls_per_s} polls/s`],
    ['lateness', lateness === null ? '–' : `p50 ${lateness.p50_ms} ms, p99 ${lateness.p99_ms} ms, max ${lateness.max_ms} ms`],
    ['slots', Object.entries(slots).map(([name, value]) => `${name} ${String(value)}`).join(', ')],
    ['violations', String(result.violations)],
    ['a poll costs', `${result.events_per_poll} events, ${result.transitions_per_poll} state transitions, ${result.database_waits_per_poll} waits for PostgreSQL`],
    ['CPU ms a poll', `worker ${cpu.worker}, Temporal ${cpu.temporal}, PostgreSQL ${cpu.postgresql}, Redis ${cpu.redis}: ${cpu.together}`],
    ['worker', `${result.worker_rss_mb} MB resident`],
    ['on', `Node ${result.node}, Temporal SDK ${result.temporal_sdk ?? ''}, ${result.cores} × ${result.cpu}`],
  ];
  process.stdout.write(lines.map(([name, text]) => `${name.padEnd(14)} ${text}\n`).join(''));
}

const args = readArguments();
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort(new Error(`ended by ${signal}`)));
const result = await run(args, stopping.signal);
print(result);
if (args.jsonFile !== null) writeFileSync(args.jsonFile, `${JSON.stringify(result, null, 2)}\n`);
process.exitCode = result.violations === 0 ? 0 : 1;

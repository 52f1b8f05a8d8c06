import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

import { Redis } from 'ioredis';
import { type Kysely, sql } from 'kysely';

import type { Database } from '../db/tables.ts';
import { pollWorkflowId } from '../workflows/plants/messages.ts';
import type { BenchFleet } from './fleet.ts';
import { cpuMsOf, machineBusyMs } from './processes.ts';
import type { BenchWorker } from './worker.ts';

/** Reads the bench's figures from the ledger, the histories and /proc, never from the loop's own counters. */

type Cpu = Record<'worker' | 'temporal' | 'postgresql' | 'redis' | 'machine', number | null>;

/** All growing counters at one instant. */
export interface Reading {
  atMs: number;
  /** Rows of polls with a vendor request. */
  polls: number;
  waits: number;
  /** null: not a process of this stack. */
  cpuMs: Cpu;
}

export async function read(fleet: BenchFleet, worker: BenchWorker): Promise<Reading> {
  const { stack, db, ownBackendPid } = fleet;
  const polls = await countPolls(db);
  const waits = await worker.countWaits();
  return {
    atMs: Date.now(),
    polls,
    waits,
    cpuMs: {
      worker: cpuMsOf(worker.pid),
      temporal: stack.temporal === null ? null : cpuMsOf(stack.temporal.pid),
      postgresql: stack.postgres === null ? null : cpuMsOf(stack.postgres.pid, [ownBackendPid]),
      redis: stack.redis === null ? null : cpuMsOf(stack.redis.pid),
      machine: machineBusyMs(),
    },
  };
}

/** CPU time between two readings for each poll, ms. */
export function cpuMsPerPoll(before: Reading, after: Reading): Cpu {
  const polls = after.polls - before.polls;
  const of = (name: keyof Cpu) => {
    const [earlier, later] = [before.cpuMs[name], after.cpuMs[name]];
    return earlier === null || later === null ? null : rounded((later - earlier) / polls);
  };
  return {
    worker: of('worker'),
    temporal: of('temporal'),
    postgresql: of('postgresql'),
    redis: of('redis'),
    machine: of('machine'),
  };
}

export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

async function countPolls(db: Kysely<Database>): Promise<number> {
  const { polls } = await db
    .selectFrom('poll_logs')
    .select(({ fn }) => fn.countAll<number>().as('polls'))
    .where('job_type', '=', 'POLL')
    .where('status', 'is not', null)
    .executeTakeFirstOrThrow();
  return polls;
}

/** Polls that began since `sinceMs`, and of how many plants. */
export async function countProgress(
  { db, intervalMs }: Pick<BenchFleet, 'db' | 'intervalMs'>,
  sinceMs: number,
): Promise<{ plants: number; polls: number }> {
  // A slot is polled at most one interval late; the bound lets the index on the slot find the newest rows.
  const slotsSince = new Date(sinceMs - 2 * intervalMs);
  const result = await sql<{ plants: number; polls: number }>`
    select count(*) as polls, count(distinct plant_id) as plants from poll_logs
    where job_type = 'POLL' and status is not null and scheduled_for >= ${slotsSince}
      and started_at >= ${new Date(sinceMs)}`.execute(db);
  return result.rows[0] ?? { plants: 0, polls: 0 };
}

/** Number of plants with a row at `atMs` or later; all their earlier slots are settled. */
export async function countSettled(db: Kysely<Database>, atMs: number): Promise<number> {
  const { plants } = await db
    .selectFrom('poll_logs')
    .select(({ fn }) => fn.count<number>('plant_id').distinct().as('plants'))
    .where('job_type', '=', 'POLL')
    .where('scheduled_for', '>=', new Date(atMs))
    .executeTakeFirstOrThrow();
  return plants;
}

/** How evenly plants share an overload: the polls of the least polled, the median and the most polled plant. */
export interface Shares {
  min: number;
  p50: number;
  max: number;
}

export async function readShares(
  db: Kysely<Database>,
  fromMs: number,
  toMs: number,
): Promise<Shares> {
  const result = await sql<Shares>`
    select min(polls) as min, percentile_disc(0.5) within group (order by polls) as p50, max(polls) as max
    from (
      select p.id, count(l.plant_id) as polls
      from plants p left join poll_logs l on l.plant_id = p.id and l.job_type = 'POLL' and l.status is not null
        and l.started_at >= ${new Date(fromMs)} and l.started_at < ${new Date(toMs)}
      group by p.id) each_plant`.execute(db);
  return result.rows[0] ?? { min: 0, p50: 0, max: 0 };
}

export interface Lateness {
  polls: number;
  p50_ms: number;
  p99_ms: number;
  max_ms: number;
}

/** Lateness (slot to start) of the polls of slots in the window; null without any. */
export async function readLateness(
  db: Kysely<Database>,
  fromMs: number,
  toMs: number,
): Promise<Lateness | null> {
  return readLatenessOf(db, [{ fromMs, toMs }]);
}

/** Lateness of the polls of slots in several windows together; null without any. */
export async function readLatenessOf(
  db: Kysely<Database>,
  windows: readonly { fromMs: number; toMs: number }[],
): Promise<Lateness | null> {
  const within = windows.map(
    ({ fromMs, toMs }) =>
      sql`(started_at >= ${new Date(fromMs)} and started_at < ${new Date(toMs)})`,
  );
  const result = await sql<Lateness>`
    select count(*) as polls, percentile_disc(0.5) within group (order by late_ms) as p50_ms,
      percentile_disc(0.99) within group (order by late_ms) as p99_ms, max(late_ms) as max_ms
    from poll_logs
    where job_type = 'POLL' and "trigger" in ('SCHEDULE', 'CATCH_UP') and status is not null
      and (${sql.join(within, sql` or `)})`.execute(db);
  const [row] = result.rows;
  return row === undefined || row.polls === 0 ? null : row;
}

/** The size of some plants' histories so far, over all their runs, and their number of polls. */
export interface Histories {
  events: number;
  transitions: number;
  bytes: number;
  polls: number;
}

export async function weighHistories(
  { client, db }: Pick<BenchFleet, 'client' | 'db'>,
  plantIds: readonly string[],
): Promise<Histories> {
  const histories: Histories = { events: 0, transitions: 0, bytes: 0, polls: 0 };
  for (const plantId of plantIds) {
    const workflowId = pollWorkflowId(plantId);
    const runs = client.workflow.list({ query: `WorkflowId = '${workflowId}'` });
    for await (const { runId } of runs) {
      const { historyLength, historySize, raw } = await client.workflow
        .getHandle(workflowId, runId)
        .describe();
      histories.events += historyLength;
      histories.bytes += historySize ?? 0;
      histories.transitions += Number(raw.workflowExecutionInfo?.stateTransitionCount ?? 0);
    }
    const { polls } = await db
      .selectFrom('poll_logs')
      .select(({ fn }) => fn.countAll<number>().as('polls'))
      .where('plant_id', '=', plantId)
      .where('status', 'is not', null)
      .executeTakeFirstOrThrow();
    histories.polls += polls;
  }
  return histories;
}

/** The versions behind the figures. */
export async function readVersions({ client, db, stack }: BenchFleet) {
  const { rows } = await sql<{ server_version: string }>`show server_version`.execute(db);
  const { serverVersion } = await client.workflowService.getClusterInfo({});
  const manifest = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { dependencies: Record<string, string> };
  return {
    node: process.versions.node,
    temporal_sdk: manifest.dependencies['@temporalio/worker'] ?? 'unknown',
    temporal_server: serverVersion,
    postgresql: rows[0]?.server_version ?? 'unknown',
    redis: stack.redisUrl === null ? null : await readRedisVersion(stack.redisUrl),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
  };
}

async function readRedisVersion(url: string): Promise<string> {
  const redis = new Redis(url);
  try {
    return /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? 'unknown';
  } finally {
    redis.disconnect();
  }
}

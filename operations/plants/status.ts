import { readFileSync } from 'node:fs';

import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import { type QueueView, readQueues } from '../queues.ts';
import {
  type BrandPolling,
  type MissedSlots,
  type PollingError,
  readBrandPolling,
  readDatabaseVersions,
  readMissedSlots,
  readPollingErrors,
} from '../../db/plants/operations.ts';
import { listFleet } from '../../db/plants/fleet.ts';
import { readLateness } from '../../db/plants/polling.ts';
import type { Database } from '../../db/tables.ts';
import { brands } from '../../domain/plants/plant.ts';
import { pollQueue } from '../../workflows/plants/messages.ts';
import { fleetQueue, fleetScheduleId } from '../../workflows/messages.ts';
import { counted } from '../../domain/wording.ts';

/** How the system does, for those who run it: Temporal's own view of workers and loops, and the ledger's of polls. */

export interface SystemStatus {
  taken_at: string;
  /** Sentences; empty when nothing is wrong. */
  problems: string[];
  queues: QueueView[];
  loops: { running: number; plants: number; active: number };
  /** The Schedule of the reconciliation: when it last ran; null where there is none, or it never did. */
  reconciliation: { scheduled: boolean; paused: boolean; last_run_at: string | null };
  /** Of scheduled polls of the last hour, ms; null where none was. */
  lateness: { p50: number; p99: number } | null;
  polling: BrandPolling[];
  missed_24h: MissedSlots;
  errors: PollingError[];
  versions: {
    heliograph: string;
    node: string;
    temporal: string;
    postgres: string;
    migration: string | null;
  };
}

/** Tasks that wait longer than this wait for somebody. */
const backlogAgeSMax = 30;
/** The reconciliation runs every 30 s. */
const reconciledWithinMs = 3 * 60_000;

/** @throws what the services throw when they are away. */
export async function readSystemStatus(options: {
  db: Kysely<Database>;
  client: Client;
}): Promise<SystemStatus> {
  const { db, client } = options;
  const nowMs = Date.now();
  const [
    queues,
    running,
    reconciliation,
    temporal,
    plants,
    lateness,
    polling,
    missed,
    errors,
    database,
  ] = await Promise.all([
    readQueues(client, nowMs),
    countLoops(client),
    readReconciliation(client),
    client.workflowService.getClusterInfo({}),
    listFleet(db),
    readLateness(db, nowMs - 3_600_000),
    readBrandPolling(db),
    readMissedSlots(db),
    readPollingErrors(db),
    readDatabaseVersions(db),
  ]);
  const loops = {
    running,
    plants: plants.length,
    active: polling.reduce((sum, brand) => sum + brand.active_plants, 0),
  };
  return {
    taken_at: new Date(nowMs).toISOString(),
    problems: findProblems({ queues, loops, reconciliation, polling, nowMs }),
    queues,
    loops,
    reconciliation,
    lateness,
    polling,
    missed_24h: missed,
    errors,
    versions: {
      heliograph: ownVersion(),
      node: process.versions.node,
      temporal: temporal.serverVersion ?? 'unknown',
      ...database,
    },
  };
}

async function countLoops(client: Client): Promise<number> {
  const { count } = await client.workflow.count(
    `WorkflowType = 'monitorPlant' AND ExecutionStatus = 'Running'`,
  );
  return count;
}

/** gRPC's code for what does not exist. */
const grpcNotFound = 5;

async function readReconciliation(client: Client): Promise<SystemStatus['reconciliation']> {
  try {
    const { schedule, info } = await client.workflowService.describeSchedule({
      namespace: client.options.namespace,
      scheduleId: fleetScheduleId,
    });
    const last = info?.recentActions?.at(-1)?.actualTime?.seconds;
    return {
      scheduled: true,
      paused: schedule?.state?.paused === true,
      last_run_at: last == null ? null : new Date(Number(last) * 1_000).toISOString(),
    };
  } catch (error) {
    if ((error as { code?: unknown }).code !== grpcNotFound) throw error;
    return { scheduled: false, paused: false, last_run_at: null };
  }
}

/** What is wrong now, as sentences for people. */
export function findProblems(
  seen: Pick<SystemStatus, 'queues' | 'loops' | 'reconciliation' | 'polling'> & { nowMs: number },
): string[] {
  const { queues, loops, reconciliation, polling, nowMs } = seen;
  const problems: string[] = [];
  const activeOn = new Map(
    brands.map((brand) => [
      pollQueue(brand),
      polling.find((each) => each.brand === brand)?.active_plants ?? 0,
    ]),
  );
  for (const { queue, workers, backlog, backlog_age_s: ageS } of queues) {
    const plants = activeOn.get(queue) ?? 0;
    if (workers.length === 0 && (plants > 0 || queue === fleetQueue))
      problems.push(
        `No worker serves ${queue}${plants > 0 ? `, and ${counted(plants, 'plant waits', 'plants wait')}` : ''}.`,
      );
    if (backlog > 0 && ageS > backlogAgeSMax)
      problems.push(
        `${counted(backlog, 'task waits', 'tasks wait')} in ${queue}, the oldest for ${ageS} s.`,
      );
  }
  if (loops.running !== loops.plants)
    problems.push(
      `${counted(loops.running, 'loop runs', 'loops run')} for ${counted(loops.plants, 'plant')}.`,
    );
  for (const { brand, not_polled: notPolled, active_plants: active } of polling) {
    if (notPolled > 0)
      problems.push(
        `${notPolled} of ${active} ACTIVE plants of ${brand} were not polled for 2 intervals and a minute.`,
      );
  }
  if (!reconciliation.scheduled)
    problems.push(
      `The Schedule ${fleetScheduleId} is missing: a worker of ${fleetQueue} makes it.`,
    );
  else if (reconciliation.paused) problems.push(`The Schedule ${fleetScheduleId} is paused.`);
  else if (
    reconciliation.last_run_at !== null &&
    Date.parse(reconciliation.last_run_at) < nowMs - reconciledWithinMs
  )
    problems.push(`The fleet was last reconciled at ${reconciliation.last_run_at}.`);
  return problems;
}

/** What package.json says. */
export function ownVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

import type { WorkerRow } from '../db/gateways/leases.ts';
import type { Halt } from '../db/halts.ts';
import { type CheckRun, readNewestChecks } from '../db/polling-checks.ts';
import type { GatewayStatus } from '../domain/gateways/gateway.ts';
import { hasStopped } from '../domain/stopped.ts';
import { type Fact, valueOf } from './diagnosis.ts';
import {
  gatewayPulse,
  gatewayWorkers,
  shardJson,
  type ShardView,
  shardViews,
} from './gateways/shards.ts';
import { openHalt } from './halt.ts';
import { pulse } from './plants/figures.ts';
import type { ResultStatus } from './results.ts';

/** Whether polling goes on, in a few figures: what `polling status` and `/api/polling/health` say. */

export const newestChecks: Fact<CheckRun[]> = ({ db }) => readNewestChecks(db);

/** A run of an automatic check as JSON. */
export function checkJson(run: CheckRun) {
  const { kind, startedAt, endedAt, state, findings, kinds, sentences } = run;
  return {
    kind,
    started_at: startedAt.toISOString(),
    ended_at: endedAt.toISOString(),
    state,
    findings,
    kinds,
    sentences,
  };
}

/** What is due, and what of it is not polled in time. */
export interface PollingCounts {
  total: number;
  due: number;
  notPolled: number;
}

/**
 * How polling is. error: it has stopped: a halt is open, or a tenth of what is due was not polled in time. warning: something
 * is not polled.
 */
export function judgePolling(
  isHalted: boolean,
  plants: PollingCounts,
  gateways: PollingCounts,
): { status: ResultStatus; message: string } {
  if (isHalted) return { status: 'error', message: 'All polling is stopped by people.' };
  const stopped = [
    ...(hasStopped(plants.notPolled, plants.due) ? ['plants'] : []),
    ...(hasStopped(gateways.notPolled, gateways.due) ? ['gateways'] : []),
  ];
  if (stopped.length > 0)
    return { status: 'error', message: `Polling of ${stopped.join(' and ')} has stopped.` };
  const missing = plants.notPolled + gateways.notPolled;
  return missing > 0
    ? { status: 'warning', message: `${missing} of those that are due are not polled in time.` }
    : { status: 'healthy', message: 'Everything that is due is polled in time.' };
}

export interface PollingSummary {
  takenAtMs: number;
  halt: Halt | null;
  plants: PollingCounts;
  gateways: PollingCounts & { byStatus: Partial<Record<GatewayStatus, number>> };
  shards: ShardView[];
  workers: WorkerRow[];
}

/** @throws what the services throw when they are away. */
export const pollingSummary: Fact<PollingSummary> = async ({ clock }, look) => {
  const halt = valueOf(await look(openHalt));
  const plants = valueOf(await look(pulse));
  const gateways = valueOf(await look(gatewayPulse));
  return {
    takenAtMs: clock(),
    halt,
    plants: { total: plants.plants, due: plants.active, notPolled: plants.unpolled },
    gateways: {
      total: gateways.gateways,
      due: gateways.active,
      notPolled: gateways.unpolled,
      byStatus: gateways.byStatus,
    },
    shards: valueOf(await look(shardViews)),
    workers: valueOf(await look(gatewayWorkers)),
  };
};

/** The summary as JSON, for people with the right to see who polls. */
export function summaryJson(summary: PollingSummary) {
  const { takenAtMs, halt, plants, gateways, shards, workers } = summary;
  return {
    ...judgePolling(halt !== null, plants, gateways),
    taken_at: new Date(takenAtMs).toISOString(),
    halted:
      halt === null ? null : { since: halt.fromAt.toISOString(), by: halt.by, reason: halt.reason },
    plants: { total: plants.total, active: plants.due, not_polled: plants.notPolled },
    gateways: {
      total: gateways.total,
      due: gateways.due,
      not_polled: gateways.notPolled,
      by_status: gateways.byStatus,
    },
    shards: shards.map(shardJson),
    workers: workers.map(({ host, pid, startedAt, seenAt }) => ({
      identity: `${pid}@${host}`,
      started_at: startedAt.toISOString(),
      seen_at: seenAt.toISOString(),
    })),
  };
}

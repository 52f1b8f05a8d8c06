import type { Client } from '@temporalio/client';

import { allQueues } from '../workflows/queues.ts';

/** The task queues as Temporal sees them: who takes work from them, and what waits. */

export interface QueueView {
  queue: string;
  /** Processes that take workflow tasks, by their identity (`pid@host`). */
  workers: { identity: string; last_seen_at: string }[];
  /** Tasks that wait, and for how long the oldest has, seconds. Sticky queues, which live for seconds, are not in it. */
  backlog: number;
  backlog_age_s: number;
}

/** A worker's long poll ends after a minute at the latest: who was not heard for longer is gone. Temporal forgets after 5 min. */
const workerHeardWithinMs = 75_000;

/** `temporal.api.enums.v1.TaskQueueType`. */
const queueTypes = { workflow: 1, activity: 2 } as const;

/** @throws ServiceError when Temporal is away. */
export async function readQueues(client: Client, nowMs: number): Promise<QueueView[]> {
  return Promise.all(allQueues.map((queue) => readQueue(client, queue, nowMs)));
}

async function readQueue(client: Client, queue: string, nowMs: number): Promise<QueueView> {
  const describe = (taskQueueType: number) =>
    client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: queue },
      taskQueueType,
      reportStats: true,
    });
  const [workflows, activities] = await Promise.all([
    describe(queueTypes.workflow),
    describe(queueTypes.activity),
  ]);
  const workers = (workflows.pollers ?? [])
    .map((poller) => ({
      identity: poller.identity ?? '',
      seenMs: Number(poller.lastAccessTime?.seconds ?? 0) * 1_000,
    }))
    .filter(({ seenMs }) => nowMs - seenMs <= workerHeardWithinMs)
    .map(({ identity, seenMs }) => ({ identity, last_seen_at: new Date(seenMs).toISOString() }))
    .toSorted((a, b) => a.identity.localeCompare(b.identity));
  const stats = [workflows.stats, activities.stats];
  return {
    queue,
    workers,
    backlog: stats.reduce((sum, each) => sum + Number(each?.approximateBacklogCount ?? 0), 0),
    backlog_age_s: Math.max(
      0,
      ...stats.map((each) => Number(each?.approximateBacklogAge?.seconds ?? 0)),
    ),
  };
}

import type { Client } from '@temporalio/client';

import { type Component, type Fact, valueOf } from './diagnosis.ts';
import { counted } from '../domain/wording.ts';
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

/** All queues, in their order. */
export const queueViews: Fact<QueueView[]> = ({ temporal }) =>
  Promise.all(allQueues.map((queue) => readQueue(temporal, queue, Date.now())));

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

/** Tasks that wait longer than this, seconds, wait for a worker. */
const backlogAgeSMax = 30;

interface Served {
  view: QueueView;
  /** Who waits for a worker where there is none: '3 plants wait'. */
  waiting: string | null;
  isNeeded: boolean;
}

/**
 * Whether a worker serves a queue and keeps up with it.
 *
 * @param whoWaits who needs the queue, '3 plants wait', or null for nobody; absent: the system always needs it.
 */
export function servedQueue(queue: string, whoWaits?: Fact<string | null>): Component<Served> {
  return {
    name: `workers ${queue}`,
    async fact(_, look) {
      const view = valueOf(await look(queueViews)).find((each) => each.queue === queue);
      if (view === undefined) throw new Error(`${queue} is not among all queues`);
      if (whoWaits === undefined) return { view, waiting: null, isNeeded: true };
      const waiting = await look(whoWaits);
      if (waiting.isAway) return { view, waiting: null, isNeeded: true };
      return { view, waiting: waiting.value, isNeeded: waiting.value !== null };
    },
    judge({ view: { workers, backlog, backlog_age_s: ageS }, waiting, isNeeded }) {
      const tasks =
        backlog === 0
          ? ''
          : ` ${counted(backlog, 'task waits', 'tasks wait')}, the oldest for ${ageS} s.`;
      if (workers.length === 0 && isNeeded)
        return {
          state: 'degraded',
          kind: 'QUEUE_WITHOUT_WORKER',
          sentence: `No worker serves ${queue}${waiting === null ? '' : `, and ${waiting}`}.${tasks}`,
          advice:
            'Start `heliograph worker`, with this queue in WORKER_QUEUES where that is set. A worker that was killed is still listed for a minute.',
        };
      const sentence =
        workers.length === 0
          ? `No worker serves ${queue}, and none is needed.${tasks}`
          : `${counted(workers.length, 'worker serves', 'workers serve')} ${queue}.${tasks}`;
      return backlog > 0 && ageS > backlogAgeSMax
        ? {
            state: 'degraded',
            sentence,
            advice: 'Start another worker for it, or see the log of the one that runs.',
          }
        : { state: 'ok', sentence };
    },
    away: {
      state: 'degraded',
      sentence: `Who serves ${queue} is not known while Temporal is away.`,
    },
  };
}

import type { Client } from '@temporalio/client';

import { type Component, type Fact, valueOf } from './diagnosis.ts';
import { counted } from '../domain/wording.ts';
import { watchedQueues } from '../workflows/queues.ts';

/** The task queues in Temporal: which workers serve them, and how many tasks wait. */

export interface QueueView {
  queue: string;
  /** Processes that poll for tasks, by their identity (`pid@host`). */
  workers: { identity: string; last_seen_at: string }[];
  /** Number of waiting tasks, without those of sticky queues, which live for seconds. */
  backlog: number;
  /** How long the oldest task waits, seconds. */
  backlog_age_s: number;
}

/** A worker polls at least once a minute, so one that has not polled for longer is gone. Temporal lists it for 5 min. */
const workerHeardWithinMs = 75_000;

/** `temporal.api.enums.v1.TaskQueueType`. */
const queueTypes = { workflow: 1, activity: 2 } as const;

/** All queues, in their order. */
export const queueViews: Fact<QueueView[]> = ({ temporal }) =>
  Promise.all(watchedQueues.map((queue) => readQueue(temporal, queue, Date.now())));

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
  const polling = [...(workflows.pollers ?? []), ...(activities.pollers ?? [])].map((poller) => ({
    identity: poller.identity ?? '',
    seenMs: Number(poller.lastAccessTime?.seconds ?? 0) * 1_000,
  }));
  // A worker polls for both kinds of tasks, or for activities alone.
  const newest = new Map<string, number>();
  for (const { identity, seenMs } of polling)
    newest.set(identity, Math.max(seenMs, newest.get(identity) ?? 0));
  const workers = [...newest]
    .filter(([, seenMs]) => nowMs - seenMs <= workerHeardWithinMs)
    .map(([identity, seenMs]) => ({ identity, last_seen_at: new Date(seenMs).toISOString() }))
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

/** A task that waits longer, seconds, waits for a worker. */
const backlogAgeSMax = 30;

/**
 * Whether a worker serves a queue and keeps up with it.
 *
 * @param whoWaits who needs the queue: '3 plants wait'; null: nobody; '': the system itself, always.
 */
export function servedQueue(
  queue: string,
  whoWaits: Fact<string | null> = async () => '',
): Component<{ view: QueueView; waiting: string | null }> {
  return {
    name: `workers ${queue}`,
    part: 'workers',
    async fact(_, look) {
      const view = valueOf(await look(queueViews)).find((each) => each.queue === queue);
      if (view === undefined) throw new Error(`${queue} is not among all queues`);
      const waiting = await look(whoWaits);
      return { view, waiting: waiting.isAway ? '' : waiting.value };
    },
    judge({ view: { workers, backlog, backlog_age_s: ageS }, waiting }) {
      const tasks =
        backlog === 0
          ? ''
          : ` ${counted(backlog, 'task waits', 'tasks wait')}, the oldest for ${ageS} s.`;
      if (workers.length === 0 && waiting !== null)
        return {
          state: 'degraded',
          kind: 'QUEUE_WITHOUT_WORKER',
          sentence: `No worker serves ${queue}${waiting === '' ? '' : `, and ${waiting}`}.${tasks}`,
          advice:
            'Start `heliograph worker`; if WORKER_QUEUES is set, name this queue there. A killed worker is still listed for a minute.',
        };
      const sentence =
        workers.length === 0
          ? `No worker serves ${queue}, and none is needed.${tasks}`
          : `${counted(workers.length, 'worker serves', 'workers serve')} ${queue}.${tasks}`;
      return { state: 'ok', sentence };
    },
    away: {
      state: 'degraded',
      sentence: `Who serves ${queue} is not known while Temporal is away.`,
    },
  };
}

/** Whether the workers keep up with every queue. */
export const queues: Component<QueueView[]> = {
  name: 'queues',
  fact: queueViews,
  judge(views) {
    const waiting = views.filter(({ backlog }) => backlog > 0);
    const late = waiting.filter(({ backlog_age_s: ageS }) => ageS > backlogAgeSMax);
    const textOf = ({ queue, backlog, backlog_age_s: ageS }: QueueView) =>
      `${counted(backlog, 'task waits', 'tasks wait')} in ${queue}, the oldest for ${ageS} s`;
    const details = { queues: views };
    if (late.length > 0)
      return {
        state: 'degraded',
        kind: 'QUEUE_BEHIND',
        sentence: `${late.map(textOf).join('; ')}.`,
        advice: 'Start another worker, or see the log of the running one.',
        details,
      };
    const sentence =
      waiting.length === 0
        ? `No task waits in ${counted(views.length, 'queue')}.`
        : `${waiting.map(textOf).join('; ')}.`;
    return { state: 'ok', sentence, details };
  },
  away: {
    state: 'degraded',
    sentence: 'What waits in the queues is not known while Temporal is away.',
  },
};

import { hostname } from 'node:os';

import type { Client } from '@temporalio/client';

/**
 * Temporal offers a loop's next task to the worker that knows the loop, on a queue of that worker alone (a sticky queue). It
 * notices only after ten seconds that nobody asks there any more, and until then every slot that comes waits for ten seconds.
 * A worker that was stopped gives its queues back; for one that died, the next worker on the same machine does it here.
 */

/** So many loops of each queue are looked at; each names the worker that knows it. */
const loopsPerQueue = 20;
/** Among its newest events stands a loop's newest task. */
const newestEvents = 12;
/** The SDK's own names: the identity of the process, and something unique. */
const stickyName = /^(\d+)@(.+)-[0-9a-f]{32}$/;

/**
 * Gives the queues of dead workers back, as they would have done themselves.
 *
 * @param queues whose loops may have been theirs.
 * @param hadWorkers whether this process has had workers. If not, a worker with its number was another's: in a container the
 *   next process often has the number of the one before it.
 * @returns the sticky queues that were given back.
 * @throws ServiceError when Temporal is away.
 */
export async function releaseDeadWorkers(
  client: Client,
  queues: readonly string[],
  { hadWorkers }: { hadWorkers: boolean },
): Promise<string[]> {
  const names = await Promise.all(queues.map((queue) => newestQueues(client, queue)));
  const dead = [...new Set(names.flat())].filter((name) => isOfDeadProcess(name, hadWorkers));
  const { namespace } = client.options;
  await Promise.all(
    dead.map((stickyTaskQueue) =>
      client.workflowService.shutdownWorker({
        namespace,
        stickyTaskQueue,
        identity: stickyTaskQueue.replace(/-[0-9a-f]{32}$/, ''),
        reason: 'its process is gone',
      }),
    ),
  );
  return dead;
}

/** The queues that the newest tasks of some loops went to: sticky ones, or the common one. */
async function newestQueues(client: Client, queue: string): Promise<string[]> {
  const { namespace } = client.options;
  const { executions } = await client.workflowService.listWorkflowExecutions({
    namespace,
    query: `TaskQueue = '${queue}' AND ExecutionStatus = 'Running'`,
    pageSize: loopsPerQueue,
  });
  return Promise.all(
    executions.map(async ({ execution }) => {
      const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({
        namespace,
        execution: execution ?? null,
        maximumPageSize: newestEvents,
      });
      const task = history?.events?.find((event) => event.workflowTaskScheduledEventAttributes);
      return task?.workflowTaskScheduledEventAttributes?.taskQueue?.name ?? '';
    }),
  );
}

/** Of this machine, and gone. */
function isOfDeadProcess(queue: string, hadWorkers: boolean): boolean {
  const [, pid, host] = stickyName.exec(queue) ?? [];
  if (pid === undefined || host !== hostname()) return false;
  return Number(pid) === process.pid ? !hadWorkers : !isAlive(Number(pid));
}

/** Whether a process of this machine runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's, which we may not signal.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

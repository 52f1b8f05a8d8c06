import { hostname } from 'node:os';

import type { Client } from '@temporalio/client';

/**
 * Temporal offers a loop's next task to the worker that knows the loop, on a queue of that worker alone (a sticky queue). It
 * notices only after ten seconds that no worker polls that queue, so until then every slot waits for ten seconds. A stopped
 * worker gives its queues back; for one that died, the next worker on the same machine does it here.
 */

/** Number of loops of each queue to look at; each names the worker that knows it. */
const loopsPerQueue = 20;
/** Number of newest events among which a loop's newest task is. */
const newestEvents = 12;
/** The SDK's names of sticky queues: the identity of the process and a unique part. */
const stickyName = /^(\d+)@(.+)-[0-9a-f]{32}$/;

/**
 * Gives back the sticky queues of dead workers.
 *
 * @param queues task queues whose loops the dead workers may have run.
 * @param hadWorkers whether this process has had workers. If not, a worker with this process number was an earlier process:
 *   in a container the next process often has the same number.
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

/** The queues to which the newest tasks of some loops went: sticky ones, or the common one. */
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

/** Whether it is of this machine and gone. */
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
    // Another user's process, which this one may not signal.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

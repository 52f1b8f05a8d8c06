import { type Client, WorkflowNotFoundError } from '@temporalio/client';

import { plantStateQuery, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { listRunning } from '../loops.ts';
import { monitorPlantType } from './loops.ts';

/** The slot of the poll that a loop is at, ms; null: none. NO_ANSWER: no worker answers for it. */
export type Polling = number | null | 'NO_ANSWER';

/** What the audit asks of Temporal. Tests answer themselves. */
export interface AuditedLoops {
  /** The workflow ids of all running loops, as the visibility store has them: a moment old. */
  listRunning(): Promise<Set<string>>;
  /** Whether a workflow of this id runs now. */
  isRunning(workflowId: string): Promise<boolean>;
  findPolling(plantId: string): Promise<Polling>;
  /** What the owner of every lock of ours begins with: `{cluster id}/{namespace}`. */
  lockDomain(): Promise<string>;
}

/** A worker that runs answers a query within milliseconds, a busy one within a workflow task. */
const queryTimeoutMs = 5_000;

/** Questions to Temporal that are open at once. */
const askedAtOnce = 20;

/** Runs `ask` over `items`, one batch after the other. */
export async function inBatches<T, R>(
  items: readonly T[],
  ask: (batch: readonly T[]) => Promise<R[]>,
): Promise<R[]> {
  const answers: R[] = [];
  for (let begin = 0; begin < items.length; begin += askedAtOnce)
    answers.push(...(await ask(items.slice(begin, begin + askedAtOnce))));
  return answers;
}

export function auditedLoops(client: Client): AuditedLoops {
  const { namespace } = client.options;
  return {
    listRunning: () => listRunning(client, monitorPlantType),

    async isRunning(workflowId) {
      try {
        const { status } = await client.workflow.getHandle(workflowId).describe();
        return status.name === 'RUNNING';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },

    async findPolling(plantId) {
      const handle = client.workflow.getHandle(pollWorkflowId(plantId));
      try {
        const state = await client.withDeadline(Date.now() + queryTimeoutMs, () =>
          handle.query(plantStateQuery),
        );
        return state.polling === null ? null : Date.parse(state.polling);
      } catch (error) {
        // Without a loop nothing polls, which the audit tells by itself.
        return error instanceof WorkflowNotFoundError ? null : 'NO_ANSWER';
      }
    },

    async lockDomain() {
      const { clusterId } = await client.workflowService.getClusterInfo({});
      return `${clusterId}/${namespace}`;
    },
  };
}

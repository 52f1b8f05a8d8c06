import { type Client, WorkflowNotFoundError, type WorkflowOptions } from '@temporalio/client';
import type { SignalDefinition } from '@temporalio/common';

/**
 * The loops in Temporal: one long-lived workflow for each subject, such as a plant or a gateway. A context describes its loops
 * by a `LoopKind`.
 */

/** A worker that dies fails a task once or twice; code that does not fit the history fails every attempt. */
const stuckAttempts = 4;

/** What tells one kind of loop from another. */
export interface LoopKind<Subject extends { id: string }> {
  workflowType: string;
  workflowIdOf(subjectId: string): string;
  /** The inverse; null for any other workflow id, such as that of a workflow that was started by hand. */
  subjectOf(workflowId: string): string | null;
  /** Queue and input of a subject's loop, and its texts for the Web UI. */
  startOf(subject: Subject): Omit<WorkflowOptions, 'workflowId'> & { args: [input: object] };
  /** Tells a loop to read its subject's row again. */
  changedSignal: SignalDefinition;
}

/**
 * The loops of one kind.
 *
 * @example await createLoops(client, gatewayLoops).start({ id: 'school', host: '10.0.0.7' });
 */
export function createLoops<Subject extends { id: string }>(
  client: Client,
  kind: LoopKind<Subject>,
) {
  const { workflowType, workflowIdOf } = kind;
  return {
    async count(): Promise<number> {
      return (await client.workflow.count(runningQuery(workflowType))).count;
    },

    async list(): Promise<Set<string>> {
      const ids = [...(await listRunning(client, workflowType))].map(kind.subjectOf);
      return new Set(ids.filter((id) => id !== null));
    },

    start,

    /** Tells the subject's loop to look, and starts it if none runs. */
    async wake(subject: Subject): Promise<void> {
      await client.workflow.signalWithStart<(input: object) => Promise<void>>(workflowType, {
        ...kind.startOf(subject),
        workflowId: workflowIdOf(subject.id),
        signal: kind.changedSignal,
      });
    },

    /** Replaces a stuck loop, and starts one if none runs. @returns false if the loop works: then it does nothing. */
    async restartStuck(subject: Subject): Promise<boolean> {
      const handle = client.workflow.getHandle(workflowIdOf(subject.id));
      try {
        const { raw, status } = await handle.describe();
        if (status.name === 'RUNNING') {
          if ((raw.pendingWorkflowTask?.attempt ?? 0) < stuckAttempts) return false;
          await handle.terminate('its workflow task failed again and again: another loop goes on');
        }
      } catch (error) {
        // There is no loop, or it has ended meanwhile.
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
      await start(subject);
      return true;
    },

    /** @returns false if no loop runs. */
    async signalChanged(subjectId: string): Promise<boolean> {
      try {
        await client.workflow.getHandle(workflowIdOf(subjectId)).signal(kind.changedSignal);
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
  };

  /** Starts the subject's loop if none runs. */
  async function start(subject: Subject): Promise<void> {
    await client.workflow.start<(input: object) => Promise<void>>(workflowType, {
      ...kind.startOf(subject),
      workflowId: workflowIdOf(subject.id),
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
  }
}

function runningQuery(workflowType: string): string {
  return `WorkflowType = '${workflowType}' AND ExecutionStatus = 'Running'`;
}

/** The workflow ids of all running workflows of a type, including any that are no loop; from the visibility store, a moment old. */
export async function listRunning(client: Client, workflowType: string): Promise<Set<string>> {
  const workflowIds = new Set<string>();
  for await (const { workflowId } of client.workflow.list({ query: runningQuery(workflowType) }))
    workflowIds.add(workflowId);
  return workflowIds;
}

/** `{cluster id}/{namespace}`: the first part of the owner of every lock that a loop holds. */
export async function lockDomain(client: Client): Promise<string> {
  const { clusterId } = await client.workflowService.getClusterInfo({});
  return `${clusterId}/${client.options.namespace}`;
}

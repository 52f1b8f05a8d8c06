import { type Client, WorkflowNotFoundError, type WorkflowOptions } from '@temporalio/client';
import type { SignalDefinition } from '@temporalio/common';

/**
 * The loops as Temporal runs them, whatever they watch: one long-lived workflow for each subject (a plant, a gateway) that
 * wants one. A context says by a `LoopKind` what its loops are.
 */

/** A worker that dies fails a task once or twice; code that does not fit its history fails each attempt. */
const stuckAttempts = 4;

/** What tells one kind of loop from another. */
export interface LoopKind<Subject extends { id: string }> {
  workflowType: string;
  workflowIdOf(subjectId: string): string;
  /** The other way round; null for a workflow that has another name, such as one that was started by hand. */
  subjectOf(workflowId: string): string | null;
  /** The queue and the input of a subject's loop, and what people see of it in the Web UI. */
  startOf(subject: Subject): Omit<WorkflowOptions, 'workflowId'> & { args: [input: object] };
  /** Tells a loop to look at its subject again. */
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

    /** Starts one where none runs, too. @returns false where the loop is well: then nothing was done. */
    async restartStuck(subject: Subject): Promise<boolean> {
      const handle = client.workflow.getHandle(workflowIdOf(subject.id));
      try {
        const { raw, status } = await handle.describe();
        if (status.name === 'RUNNING') {
          if ((raw.pendingWorkflowTask?.attempt ?? 0) < stuckAttempts) return false;
          await handle.terminate('its workflow task failed again and again: another loop goes on');
        }
      } catch (error) {
        // There is none, or it has ended meanwhile.
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
      await start(subject);
      return true;
    },

    /** @returns false where no loop runs. */
    async signalChanged(subjectId: string): Promise<boolean> {
      return signalLoop(client, workflowIdOf(subjectId), kind.changedSignal);
    },
  };

  /** Starts the subject's loop; does nothing where one runs. */
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

/** The workflow ids of all running loops of a type, those of another name included; from the visibility store, a moment old. */
export async function listRunning(client: Client, workflowType: string): Promise<Set<string>> {
  const workflowIds = new Set<string>();
  for await (const { workflowId } of client.workflow.list({ query: runningQuery(workflowType) }))
    workflowIds.add(workflowId);
  return workflowIds;
}

/** Signals a loop. @returns false where it does not run. */
export async function signalLoop(
  client: Client,
  workflowId: string,
  signal: SignalDefinition,
): Promise<boolean> {
  try {
    await client.workflow.getHandle(workflowId).signal(signal);
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

import { randomUUID } from 'node:crypto';

import {
  type Client,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';

import {
  type PollAnswer,
  notedPollNowUpdate,
  pollWorkflowId,
} from '../../workflows/plants/messages.ts';

/** What asking a plant's loop to poll came to. */
export type PollNow =
  | { kind: 'ANSWER'; answer: PollAnswer }
  /** The loop says why it does not poll: the plant is paused, or gone. */
  | { kind: 'REFUSED'; reason: string }
  | { kind: 'NO_LOOP' }
  /** The loop runs, and nobody answered in time. */
  | { kind: 'NO_ANSWER'; timeoutMs: number };

/**
 * Has a plant polled now and waits for that poll's answer.
 *
 * @param requestId under which the poll is found in the logs and in its row of the ledger.
 * @throws ServiceError when Temporal is away.
 */
export async function pollNow(
  client: Client,
  plantId: string,
  timeoutMs: number,
  requestId: string = randomUUID(),
): Promise<PollNow> {
  const loop = client.workflow.getHandle(pollWorkflowId(plantId));
  try {
    const answer = await client.withDeadline(Date.now() + timeoutMs, () =>
      loop.executeUpdate(notedPollNowUpdate, { args: [{ request_id: requestId }] }),
    );
    return { kind: 'ANSWER', answer };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { kind: 'NO_LOOP' };
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
      return { kind: 'NO_ANSWER', timeoutMs };
    if (error instanceof WorkflowUpdateFailedError) {
      // Refusals are written to be read; another failure of an update is that its loop ended.
      const isRefusal = error.cause instanceof ApplicationFailure;
      return {
        kind: 'REFUSED',
        reason: isRefusal
          ? error.cause.message
          : `the loop of plant ${plantId} ended before it polled`,
      };
    }
    throw error;
  }
}

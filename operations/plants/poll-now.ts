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

/** What the poll came to, good or bad. */
export interface PollAnswered {
  answer: PollAnswer;
}

/** Why a plant's loop gave no answer. */
export type PollRefusal =
  /** The loop says why it does not poll: the plant is paused, or gone. */
  | { refusal: 'REFUSED'; plantId: string; reason: string }
  | { refusal: 'NO_LOOP'; plantId: string }
  /** The loop runs, and nobody answered in time: the poll goes on. */
  | { refusal: 'NO_ANSWER'; plantId: string; timeoutMs: number };

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
): Promise<PollAnswered | PollRefusal> {
  const loop = client.workflow.getHandle(pollWorkflowId(plantId));
  try {
    const answer = await client.withDeadline(Date.now() + timeoutMs, () =>
      loop.executeUpdate(notedPollNowUpdate, { args: [{ request_id: requestId }] }),
    );
    return { answer };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { refusal: 'NO_LOOP', plantId };
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
      return { refusal: 'NO_ANSWER', plantId, timeoutMs };
    if (error instanceof WorkflowUpdateFailedError) {
      // Refusals are written to be read; another failure of an update is that its loop ended.
      const isRefusal = error.cause instanceof ApplicationFailure;
      return {
        refusal: 'REFUSED',
        plantId,
        reason: isRefusal
          ? error.cause.message
          : `the loop of plant ${plantId} ended before it polled`,
      };
    }
    throw error;
  }
}

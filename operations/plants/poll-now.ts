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

/** The poll ended, well or badly. */
export interface PollAnswered {
  answer: PollAnswer;
}

/** Why a plant's loop gave no answer. */
export type PollRefusal =
  /** The loop refuses to poll and says why: the plant is paused, or gone. */
  | { refusal: 'REFUSED'; plantId: string; reason: string }
  | { refusal: 'NO_LOOP'; plantId: string }
  /** The loop runs and did not answer in time; the poll continues. */
  | { refusal: 'NO_ANSWER'; plantId: string; timeoutMs: number };

/**
 * Requests a poll of a plant now, and waits for its answer.
 *
 * @param requestId identifies the poll in the logs and in its ledger row.
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
      // A refusal has a message for people. Any other failure of an update means that its loop ended.
      const reason =
        error.cause instanceof ApplicationFailure
          ? error.cause.message
          : `the loop of plant ${plantId} ended before it polled`;
      return { refusal: 'REFUSED', plantId, reason };
    }
    throw error;
  }
}

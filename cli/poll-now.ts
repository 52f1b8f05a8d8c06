import {
  type Client,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';

import type { Outcome } from '../domain/plant.ts';
import { type PollAnswer, pollNowUpdate, pollWorkflowId } from '../workflows/messages.ts';

/** A poll that came to anything else has failed. */
export const goodOutcomes: ReadonlySet<Outcome> = new Set(['OK', 'PARTIAL']);

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
 * @throws ServiceError when Temporal is away.
 */
export async function pollNow(
  client: Client,
  plantId: string,
  timeoutMs: number,
): Promise<PollNow> {
  const loop = client.workflow.getHandle(pollWorkflowId(plantId));
  try {
    const answer = await client.withDeadline(Date.now() + timeoutMs, () =>
      loop.executeUpdate(pollNowUpdate),
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

/** Why there is no answer, and what to do. */
export function pollNowSentence(
  result: Exclude<PollNow, { kind: 'ANSWER' }>,
  plantId: string,
): string {
  switch (result.kind) {
    case 'REFUSED':
      return result.reason;
    case 'NO_LOOP':
      return `plant ${plantId} was not polled: its loop is not running. Is a worker up?`;
    case 'NO_ANSWER':
      return `no answer within ${result.timeoutMs / 1000} s: is a worker up, or the vendor slow? \`heliograph plants show ${plantId}\` tells what became of it.`;
  }
}

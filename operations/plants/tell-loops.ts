import { type Client, ServiceError } from '@temporalio/client';

import {
  plantChangedSignal,
  pollNowSignal,
  pollWorkflowId,
} from '../../workflows/plants/messages.ts';
import { signalLoop } from '../loops.ts';

/** Signals under way at once. */
const signalsAtOnce = 20;
/** A request that takes longer will not arrive. */
const requestMsMax = 10_000;

/** Tells a plant's loop to look again. @returns false where none runs: the reconciliation starts it. */
export async function signalChanged(client: Client, plantId: string): Promise<boolean> {
  return signalLoop(client, pollWorkflowId(plantId), plantChangedSignal);
}

/** What became of telling loops that the rows of their plants changed. */
export interface Told {
  /** How many loops were told. */
  told: number;
  /** How many plants have no running loop. */
  withoutLoop: number;
  isTemporalAway: boolean;
}

/**
 * Tells the loops of these plants to look again, and with `pollNow` to poll. What was written stays written whatever comes of
 * it: the loops look at the rows by themselves within a minute, so that Temporal being away is a result and no error.
 */
export async function tellLoops(
  client: Client,
  plantIds: readonly string[],
  options: { pollNow?: boolean } = {},
): Promise<Told> {
  const waiting = [...plantIds];
  let told = 0;
  const tellNext = async () => {
    for (let plantId = waiting.shift(); plantId !== undefined; plantId = waiting.shift())
      if (await tell(client, plantId, options.pollNow === true)) told += 1;
  };
  try {
    await Promise.all(Array.from({ length: signalsAtOnce }, tellNext));
    return { told, withoutLoop: plantIds.length - told, isTemporalAway: false };
  } catch (error) {
    if (error instanceof ServiceError) return { told, withoutLoop: 0, isTemporalAway: true };
    throw error;
  }
}

async function tell(client: Client, plantId: string, pollNow: boolean): Promise<boolean> {
  return client.withDeadline(Date.now() + requestMsMax, async () => {
    const isRunning = await signalChanged(client, plantId);
    if (isRunning && pollNow)
      await client.workflow.getHandle(pollWorkflowId(plantId)).signal(pollNowSignal);
    return isRunning;
  });
}

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

/**
 * Tells the loops of these plants to look again, and with `pollNow` to poll.
 *
 * @returns how many were told; the others have no running loop.
 * @throws ServiceError while Temporal is away.
 */
export async function signalLoops(
  client: Client,
  plantIds: readonly string[],
  options: { pollNow?: boolean } = {},
): Promise<number> {
  const waiting = [...plantIds];
  let told = 0;
  const tellNext = async () => {
    for (let plantId = waiting.shift(); plantId !== undefined; plantId = waiting.shift())
      if (await tell(client, plantId, options.pollNow === true)) told += 1;
  };
  await Promise.all(Array.from({ length: signalsAtOnce }, tellNext));
  return told;
}

async function tell(client: Client, plantId: string, pollNow: boolean): Promise<boolean> {
  return client.withDeadline(Date.now() + requestMsMax, async () => {
    const isRunning = await signalChanged(client, plantId);
    if (isRunning && pollNow)
      await client.workflow.getHandle(pollWorkflowId(plantId)).signal(pollNowSignal);
    return isRunning;
  });
}

/** The same, where Temporal being away is a result: the loops look at the rows by themselves within a minute. @returns null then. */
export async function signalLoopsIfThere(
  client: Client,
  plantIds: readonly string[],
  options: { pollNow?: boolean } = {},
): Promise<number | null> {
  try {
    return await signalLoops(client, plantIds, options);
  } catch (error) {
    if (error instanceof ServiceError) return null;
    throw error;
  }
}

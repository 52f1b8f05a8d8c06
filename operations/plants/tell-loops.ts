import { type Client, ServiceError } from '@temporalio/client';

import { pollNowSignal, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { askEach } from '../ask-each.ts';
import { createPlantLoops } from './loops.ts';

/** Tells the loops of plants that people changed their rows. */

/** A request that takes longer has failed. */
const requestMsMax = 10_000;

export interface Told {
  /** Number of loops that were told. */
  told: number;
  /** Number of plants without a running loop. The reconciliation starts it. */
  withoutLoop: number;
  isTemporalAway: boolean;
}

/**
 * Tells the loops of these plants to look again, and with `pollNow` to poll. Temporal being away is a result and no error: the
 * change is already written, and the loops read the rows by themselves within a minute.
 */
export async function tellLoops(
  client: Client,
  plantIds: readonly string[],
  options: { pollNow?: boolean } = {},
): Promise<Told> {
  const loops = createPlantLoops(client);
  let told = 0;
  const tell = (plantId: string) =>
    client.withDeadline(Date.now() + requestMsMax, async () => {
      if (!(await loops.signalChanged(plantId))) return;
      if (options.pollNow === true)
        await client.workflow.getHandle(pollWorkflowId(plantId)).signal(pollNowSignal);
      told += 1;
    });
  try {
    await askEach(plantIds, tell);
    return { told, withoutLoop: plantIds.length - told, isTemporalAway: false };
  } catch (error) {
    if (error instanceof ServiceError) return { told, withoutLoop: 0, isTemporalAway: true };
    throw error;
  }
}

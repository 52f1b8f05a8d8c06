import { type Client, ServiceError } from '@temporalio/client';

import { signalLoops } from '../../../operations/plants/tell-loops.ts';
import { CommandError, type Config, exitCodes } from '../../../environment/config.ts';
import { triggerReconciliation } from '../../../operations/fleet-schedule.ts';
import { counted } from '../../../domain/wording.ts';
import { connectTemporal } from '../../../environment/temporal.ts';

/**
 * Tells Temporal that rows changed. What was written stays written whatever comes of it: the loops look at the rows by
 * themselves within a minute, so that Temporal being away is a result and not an error.
 */

/** What became of telling loops that the rows of their plants changed. */
export interface Told {
  /** Loops that were told. */
  told: number;
  /** Plants without a running loop. */
  withoutLoop: number;
  isTemporalAway: boolean;
}

/** A request that takes longer will not arrive. */
const requestMsMax = 10_000;

/** Tells the loops of these plants to look again, and with `pollNow` to poll. */
export async function tellLoops(
  config: Config,
  plantIds: readonly string[],
  options: { pollNow?: boolean } = {},
): Promise<Told> {
  let told = 0;
  const isReached =
    plantIds.length === 0 ||
    (await withTemporal(config, async (client) => {
      told = await signalLoops(client, plantIds, options);
    }));
  const withoutLoop = isReached ? plantIds.length - told : 0;
  return { told, withoutLoop, isTemporalAway: !isReached };
}

/** Has the loops of new plants started now. @returns false where Temporal is away. */
export async function startLoopsNow(config: Config): Promise<boolean> {
  return withTemporal(config, (client) =>
    client.withDeadline(Date.now() + requestMsMax, () => triggerReconciliation(client)),
  );
}

/** @returns false where Temporal is not set, or away. */
async function withTemporal(
  config: Config,
  run: (client: Client) => Promise<void>,
): Promise<boolean> {
  if (config.TEMPORAL_ADDRESS === undefined) return false;
  let client: Client;
  try {
    client = await connectTemporal(config);
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === exitCodes.serviceAway) return false;
    throw error;
  }
  try {
    await run(client);
    return true;
  } catch (error) {
    if (error instanceof ServiceError) return false;
    throw error;
  } finally {
    await client.connection.close();
  }
}

export const temporalAwayNote =
  'Temporal cannot be reached: the change is written, and will be seen within a minute of its return\n';

/** What the person is to know beyond "done"; empty where every loop was told. */
export function toldNote({ withoutLoop, isTemporalAway }: Told): string {
  if (isTemporalAway) return temporalAwayNote;
  if (withoutLoop === 0) return '';
  return `${counted(withoutLoop, 'plant has', 'plants have')} no running loop: a worker starts it within a minute\n`;
}

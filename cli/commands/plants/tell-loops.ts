import { type Client, ServiceError } from '@temporalio/client';

import { type Told, tellLoops } from '../../../operations/plants/tell-loops.ts';
import { CommandError, type Config, exitCodes } from '../../../environment/config.ts';
import { triggerReconciliation } from '../../../operations/fleet-schedule.ts';
import { counted } from '../../../domain/wording.ts';
import { connectTemporal } from '../../../environment/temporal.ts';

/** Tells Temporal from a command that rows changed. If Temporal is away, that is a result and not an error. */

/** Time limit of a request, ms. */
const requestMsMax = 10_000;
const away: Told = { told: 0, withoutLoop: 0, isTemporalAway: true };

/** Connects to Temporal if there are plants, and tells their loops (`tellLoops`). */
export async function tellLoopsOf(
  config: Config,
  plantIds: readonly string[],
  options: { pollNow?: boolean } = {},
): Promise<Told> {
  if (plantIds.length === 0) return { told: 0, withoutLoop: 0, isTemporalAway: false };
  return (await ifThere(config, (client) => tellLoops(client, plantIds, options))) ?? away;
}

/** Starts the loops of new plants now. @returns false if Temporal is away. */
export async function startLoopsNow(config: Config): Promise<boolean> {
  const started = await ifThere(config, async (client) => {
    await client.withDeadline(Date.now() + requestMsMax, () => triggerReconciliation(client));
    return true;
  });
  return started ?? false;
}

/** @returns null if Temporal is not set, or away. */
async function ifThere<Result>(
  config: Config,
  run: (client: Client) => Promise<Result>,
): Promise<Result | null> {
  if (config.TEMPORAL_ADDRESS === undefined) return null;
  let client: Client;
  try {
    client = await connectTemporal(config);
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === exitCodes.serviceAway) return null;
    throw error;
  }
  try {
    return await run(client);
  } catch (error) {
    if (error instanceof ServiceError) return null;
    throw error;
  } finally {
    await client.connection.close();
  }
}

export const temporalAwayNote =
  'Temporal cannot be reached: the change is written and takes effect within a minute of its return\n';

/** A note for the person if a loop was not told; else empty. */
export function toldNote({ withoutLoop, isTemporalAway }: Told): string {
  if (isTemporalAway) return temporalAwayNote;
  if (withoutLoop === 0) return '';
  return `${counted(withoutLoop, 'plant has', 'plants have')} no running loop: a worker starts it within a minute\n`;
}

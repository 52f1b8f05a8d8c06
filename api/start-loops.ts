import { ScheduleOverlapPolicy } from '@temporalio/client';

import { fleetScheduleId } from '../workflows/messages.ts';
import type { ApiDeps } from './deps.ts';

/** Starts loops right after something was added. */

/** The longest time for a request to Temporal, ms. */
const requestMsMax = 5_000;

/** Makes the reconcile step start the loops of what was added now, instead of at its next run within 30 s. */
export async function startLoops({
  temporal,
  log,
}: Pick<ApiDeps, 'temporal' | 'log'>): Promise<void> {
  try {
    await temporal.withDeadline(Date.now() + requestMsMax, () =>
      temporal.schedule.getHandle(fleetScheduleId).trigger(ScheduleOverlapPolicy.SKIP),
    );
  } catch (error) {
    log.warn({ error: (error as Error).name }, 'the reconcile step was not told of an addition');
  }
}

import { isCancellation, log } from '@temporalio/workflow';

import type {
  PlantActivities,
  WholePollArgs,
  WholePollResult,
} from '../../activities/plants/contract.ts';
import { type StepPath, stepsOf } from '../steps.ts';

/** The steps of plants. The vendor's calls have budgets of their own. */

/** The fetch's local budget: most vendors answer well within it. With the other steps' it stays below the 8 s after which a workflow task must be extended. */
const localFetchBudgetMs = 2_000;
/** Reading before, 2 s for the vendor, writing after; then 8 s, after which a workflow task must be extended, are not over. */
const localPollBudgetMs = 7_000;

/**
 * A poll in one step is woken at most so long before its slot: enough for a busy server and worker to bring it to its vendor
 * call in time, which then begins on the slot itself.
 */
export const wokenEarlyMsMax = 500;

const { regular, local, step: plantStep } = stepsOf<PlantActivities>();
const localFetch = local(localFetchBudgetMs);
const localPoll = local(localPollBudgetMs);

/** One step other than the vendor's calls, which are below. */
export const step: <
  Name extends Exclude<keyof PlantActivities, 'pollWhole' | 'fetchReadings' | 'refreshDays'>,
>(
  ...args: Parameters<typeof plantStep<Name>>
) => ReturnType<typeof plantStep<Name>> = plantStep;

/** The whole poll in one local step; null where it did not finish: nothing is known then, and the single steps find out. */
export async function wholePollStep(args: WholePollArgs): Promise<WholePollResult | null> {
  try {
    return await localPoll.pollWhole(args);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.debug('a poll in one step did not finish, it goes on in single ones', {
      plantId: args.plantId,
    });
    return null;
  }
}

/** The fetch, local first. `REGULAR` for a second attempt, which is regular from the start. */
export async function fetchStep(
  args: Parameters<PlantActivities['fetchReadings']>[0],
  path: StepPath,
): ReturnType<PlantActivities['fetchReadings']> {
  if (path === 'LOCAL_FIRST') {
    try {
      return await localFetch.fetchReadings(args);
    } catch (error) {
      if (isCancellation(error)) throw error;
    }
  }
  return regular.fetchReadings({ ...args, nowMs: Date.now() });
}

/** The closing's vendor call: regular from the start, it is no poll and may take its time. */
export const refreshDaysStep = regular.refreshDays;

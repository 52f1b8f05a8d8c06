import { isCancellation, log, sleep } from '@temporalio/workflow';

import type {
  FetchArgs,
  FetchResult,
  PlantActivities,
  WholePollArgs,
  WholePollResult,
} from '../../activities/plants/contract.ts';
import { localBudget, type StepPath, stepsOf } from '../steps.ts';
import type { PollEffects } from './poll.ts';

/** The activities of plants as the workflows call them. The calls to vendors have budgets of their own. */

/** Local budget of a fetch. Most vendors answer within it; with the other steps' 5 s it stays below the 8 s of a workflow task. */
const localFetchBudgetMs = 2_000;
/** Local budget of a whole poll: a read, 2 s for the vendor, a write. It stays below the 8 s of a workflow task. */
const localPollBudgetMs = 7_000;

const { regular, local, step: plantStep } = stepsOf<PlantActivities>();
const localFetch = local(localFetchBudgetMs);
const localPoll = local(localPollBudgetMs);

/** One step, other than the calls to vendors below. */
export const step: <
  Name extends Exclude<keyof PlantActivities, 'pollWhole' | 'fetchReadings' | 'refreshDays'>,
>(
  ...args: Parameters<typeof plantStep<Name>>
) => ReturnType<typeof plantStep<Name>> = plantStep;

/** A poll's steps in Temporal. */
export const pollEffects: PollEffects = {
  nowMs: () => Date.now(),
  sleep: (ms) => sleep(ms),
  pollWhole,
  fetchReadings,
  steps(path) {
    const budget = localBudget(path);
    return {
      writeMissed: (args) => step('writeMissed', args, budget),
      upsertSnapshot: (args) => step('upsertSnapshot', args, budget),
      backfillDays: (args) => step('backfillDays', args, budget),
      reconcileAlerts: (args) => step('reconcileAlerts', args, budget),
      writePollLog: (args) => step('writePollLog', args, budget),
    };
  },
  endsPoll: isCancellation,
  log,
};

async function pollWhole(args: WholePollArgs): Promise<WholePollResult | null> {
  try {
    return await localPoll.pollWhole(args);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.debug('a poll in one step did not finish; it continues in single steps', {
      plantId: args.plantId,
    });
    return null;
  }
}

/** The fetch, local first; a second attempt is regular. */
async function fetchReadings(args: FetchArgs, path: StepPath): Promise<FetchResult> {
  if (path === 'LOCAL_FIRST') {
    try {
      return await localFetch.fetchReadings(args);
    } catch (error) {
      if (isCancellation(error)) throw error;
    }
  }
  return regular.fetchReadings({ ...args, nowMs: Date.now() });
}

/** The closing's call to the vendor. It is regular from the start, because nothing waits for a closing. */
export const refreshDaysStep = regular.refreshDays;

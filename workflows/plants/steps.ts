import {
  ApplicationFailure,
  isCancellation,
  log,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { LocalActivityOptions } from '@temporalio/workflow';

import type {
  PlantActivities,
  WholePollArgs,
  WholePollResult,
} from '../../activities/plants/contract.ts';

/**
 * Local first, regular else. A step that finishes within its budget costs one marker in the history; one that does not is
 * repeated as a regular activity on the same queue, where it holds no workflow task, shows in the Web UI with its error, and
 * is retried until our own services are back.
 */

/** The fetch's local budget: most vendors answer well within it. */
const localFetchBudgetMs = 2_000;
/** What all other steps of a poll may take together while they are local: with the fetch below the 8 s after which a workflow task must be extended. */
const localStepsBudgetMs = 5_000;
/** Less than this is not worth a local attempt. */
const localStepMsMin = 50;

/**
 * A poll in one step is woken at most so long before its slot: enough for a busy server and worker to bring it to its vendor
 * call in time, which then begins on the slot itself.
 */
export const wokenEarlyMsMax = 500;
/** Reading before, 2 s for the vendor, writing after; then 8 s, after which a workflow task must be extended, are not over. */
const localPollBudgetMs = 7_000;

/** Serve our own services only; an error that is not theirs comes as non-retryable. */
const serviceRetry = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '30s',
} as const;

/** Vendor calls end themselves after 55 s; a dead worker is noticed by the missing heartbeat. */
const regular = proxyActivities<PlantActivities>({
  startToCloseTimeout: '60s',
  heartbeatTimeout: '10s',
  retry: serviceRetry,
});

function local(budgetMs: number): PlantActivities {
  const options: LocalActivityOptions = {
    startToCloseTimeout: budgetMs,
    scheduleToCloseTimeout: budgetMs,
    retry: { maximumAttempts: 1 },
  };
  return proxyLocalActivities<PlantActivities>(options);
}

const localFetch = local(localFetchBudgetMs);
const localPoll = local(localPollBudgetMs);

/** The end of a poll's local budget, in workflow time. */
export interface LocalBudget {
  endsAtMs: number;
}

/** How a poll's steps begin: REGULAR where a local attempt would stand in the way of messages. */
export type StepPath = 'LOCAL_FIRST' | 'REGULAR';

export function localBudget(path: StepPath = 'LOCAL_FIRST'): LocalBudget {
  return { endsAtMs: path === 'LOCAL_FIRST' ? Date.now() + localStepsBudgetMs : 0 };
}

type Step = Exclude<keyof PlantActivities, 'pollWhole' | 'fetchReadings' | 'refreshDays'>;

/**
 * One step other than the fetch.
 *
 * @throws ActivityFailure when the activity met an error that is not one of our services' (a bug, a constraint).
 */
export async function step<Name extends Step>(
  name: Name,
  args: Parameters<PlantActivities[Name]>[0],
  budget: LocalBudget = localBudget(),
): Promise<Awaited<ReturnType<PlantActivities[Name]>>> {
  type Run = (args: unknown) => Promise<Awaited<ReturnType<PlantActivities[Name]>>>;
  const leftMs = budget.endsAtMs - Date.now();
  if (leftMs >= localStepMsMin) {
    try {
      // The budget shrinks within a poll; proxies are cheap objects.
      return await (local(leftMs)[name] as Run)(args);
    } catch (error) {
      if (isCancellation(error)) throw error;
      log.debug('a local step did not finish, it goes on as a regular one', { step: name });
    }
  }
  return (regular[name] as Run)(args);
}

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

/** The fetch, local first. `regular` for a second attempt, which is regular from the start. */
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

/** One sentence of an error, for the ledger: the innermost message, which the activities have redacted. */
export function sentenceOf(error: unknown): string {
  let innermost = error;
  while (innermost instanceof Error && innermost.cause instanceof Error)
    innermost = innermost.cause;
  if (innermost instanceof ApplicationFailure || innermost instanceof Error)
    return innermost.message;
  return 'unknown error';
}

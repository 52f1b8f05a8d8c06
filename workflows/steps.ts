import {
  type ActivityInterfaceFor,
  isCancellation,
  log,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';

/**
 * Local first, regular else. A step that finishes within its budget costs one marker in the history; one that does not is
 * repeated as a regular activity on the same queue, where it holds no workflow task, shows in the Web UI with its error, and
 * is retried until our own services are back.
 */

/** What all steps of a piece of work may take together while they are local; a slow call before them has a budget of its own. */
const localStepsBudgetMs = 5_000;
/** Less than this is not worth a local attempt. */
const localStepMsMin = 50;

/** Serve our own services only; an error that is not theirs comes as non-retryable. */
const serviceRetry = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '30s',
} as const;

/** The end of a local budget, in workflow time. */
export interface LocalBudget {
  endsAtMs: number;
}

/** How steps begin: REGULAR where a local attempt would stand in the way of messages. */
export type StepPath = 'LOCAL_FIRST' | 'REGULAR';

export function localBudget(path: StepPath = 'LOCAL_FIRST'): LocalBudget {
  return { endsAtMs: path === 'LOCAL_FIRST' ? Date.now() + localStepsBudgetMs : 0 };
}

/** Each activity of a contract takes one object. */
type Contract<Activities> = { [Name in keyof Activities]: (args: never) => Promise<unknown> };

export interface Steps<Activities extends Contract<Activities>> {
  /** As regular activities. A call to the outside ends itself after 55 s; a dead worker is noticed by the missing heartbeat. */
  regular: ActivityInterfaceFor<Activities>;
  /** As local activities with one attempt. */
  local(budgetMs: number): ActivityInterfaceFor<Activities>;
  /**
   * Local within the budget, regular where that does not finish.
   *
   * @throws ActivityFailure when the activity met an error that is not one of our services' (a bug, a constraint).
   */
  step<Name extends keyof Activities>(
    name: Name,
    args: Parameters<Activities[Name]>[0],
    budget?: LocalBudget,
  ): Promise<Awaited<ReturnType<Activities[Name]>>>;
}

/**
 * The steps of one context's workflows.
 *
 * @example const { step } = stepsOf<PlantActivities>();
 * await step('writePollLog', row);
 */
export function stepsOf<Activities extends Contract<Activities>>(): Steps<Activities> {
  const regular = proxyActivities<Activities>({
    startToCloseTimeout: '60s',
    heartbeatTimeout: '10s',
    retry: serviceRetry,
  });
  const local = (budgetMs: number) =>
    proxyLocalActivities<Activities>({
      startToCloseTimeout: budgetMs,
      scheduleToCloseTimeout: budgetMs,
      retry: { maximumAttempts: 1 },
    });
  async function step<Name extends keyof Activities>(
    name: Name,
    args: Parameters<Activities[Name]>[0],
    budget: LocalBudget = localBudget(),
  ): Promise<Awaited<ReturnType<Activities[Name]>>> {
    type Run = (args: unknown) => Promise<Awaited<ReturnType<Activities[Name]>>>;
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
  return { regular, local, step };
}

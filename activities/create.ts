import { Context } from '@temporalio/activity';

import type { IncidentLimits } from '../domain/plants/incidents.ts';
import type { PlantActivities } from './plants/contract.ts';
import type { FleetActivities } from './contract.ts';
import { createDays } from './plants/days.ts';
import type { ActivityDeps, CallContext } from './plants/deps.ts';
import { guarded } from './failure.ts';
import { createFetch } from './plants/fetch.ts';
import { createFleet, type Loops } from './plants/fleet.ts';
import { createPlan } from './plants/plan.ts';
import { createRecord } from './plants/record.ts';
import { createWholePoll } from './plants/whole-poll.ts';

/** A dead worker is noticed by the heartbeats that are missing for 10 s; a busy one must not be taken for it. */
const heartbeatMs = 3_000;

/** The caller as the running activity's context says. */
function activityContext(): CallContext {
  const { info, cancellationSignal, heartbeat } = Context.current();
  return {
    workflowId: info.workflowExecution?.workflowId ?? '',
    runId: info.workflowExecution?.runId ?? '',
    isLocal: info.isLocal,
    signal: cancellationSignal,
    heartbeat: () => heartbeat.call(Context.current()),
  };
}

/**
 * The activities of a brand's queue, with errors translated by `failure.ts`.
 *
 * @param context where a call comes from; given where activities are played without a worker.
 */
export function createPlantActivities(
  deps: ActivityDeps,
  context: () => CallContext = activityContext,
): PlantActivities {
  const fetchReadings = createFetch(deps, context);
  const pollWhole = createWholePoll(deps, context);
  const record = createRecord(deps, context);
  const days = createDays(deps, context);
  const plan = createPlan(deps, context);
  const onError = (error: unknown, attempting: string) =>
    deps.log.error({ attempting, ...errorFields(error) }, 'an activity met an error of ours');
  const activity = <Args, Result>(
    attempting: string,
    run: (args: Args) => Promise<Result>,
    options: { neverGiveUp?: boolean } = {},
  ) => guarded(attempting, beating(context, run), { onError, ...options });
  return {
    pollWhole: activity('polling', pollWhole),
    fetchReadings: activity('asking the vendor', fetchReadings),
    upsertSnapshot: activity('writing the snapshot', record.upsertSnapshot),
    backfillDays: activity('filling days', days.backfillDays),
    reconcileAlerts: activity('judging alerts', record.reconcileAlerts),
    evaluatePlant: activity('evaluating the plant', record.evaluatePlant),
    writePollLog: activity('writing the poll log', record.writePollLog, { neverGiveUp: true }),
    writeMissed: activity('writing missed slots', record.writeMissed, { neverGiveUp: true }),
    planPlant: activity('planning the plant', plan.planPlant),
    setIntegration: activity('pausing or resuming the plant', plan.setIntegration),
    refreshDays: activity('refreshing days', days.refreshDays),
    closeDay: activity('closing the day', days.closeDay),
  };
}

/** The activity, heard every few seconds while it runs; a local one lives within its workflow task and is not. */
function beating<Args, Result>(
  context: () => CallContext,
  run: (args: Args) => Promise<Result>,
): (args: Args) => Promise<Result> {
  return async (args) => {
    const { isLocal, heartbeat } = context();
    if (isLocal) return run(args);
    const beat = setInterval(heartbeat, heartbeatMs);
    try {
      return await run(args);
    } finally {
      clearInterval(beat);
    }
  };
}

/** The activities of `queue:fleet`. */
export function createFleetActivities(
  deps: ActivityDeps,
  loops: Loops,
  limits: IncidentLimits,
): FleetActivities {
  const fleet = createFleet(deps, loops, () => Context.current().heartbeat(), limits);
  return { reconcileFleet: guarded('reconciling the fleet', fleet.reconcileFleet) };
}

/** What a log may say of an error: never its text, which may quote a row or a header. */
function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { errorName: typeof error };
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  const at = error.stack
    ?.split('\n')
    .filter((line) => line.trimStart().startsWith('at '))
    .slice(0, 6)
    .map((line) => line.trim());
  return {
    errorName: error.name,
    ...(code === undefined ? {} : { code }),
    ...(constraint === undefined ? {} : { constraint }),
    at,
  };
}

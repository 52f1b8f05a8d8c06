import { Context } from '@temporalio/activity';

import type { FleetActivities, PlantActivities } from './contract.ts';
import { createDays } from './days.ts';
import type { ActivityDeps, CallContext } from './deps.ts';
import { guarded } from './failure.ts';
import { createFetch } from './fetch.ts';
import { createFleet, type Loops } from './fleet.ts';
import { createPlan } from './plan.ts';
import { createRecord } from './record.ts';

/** The caller as the running activity's context says. */
function activityContext(): CallContext {
  const { info, cancellationSignal, heartbeat } = Context.current();
  return {
    workflowId: info.workflowExecution?.workflowId ?? '',
    runId: info.workflowExecution?.runId ?? '',
    isLocal: info.isLocal,
    signal: cancellationSignal,
    heartbeat: () => {
      // A local activity has no heartbeat.
      if (!info.isLocal) heartbeat.call(Context.current());
    },
  };
}

/**
 * The activities of a brand's queue, with errors translated by `failure.ts`.
 *
 * @param context where a call comes from; given where activities are played without a worker.
 */
export function createPlantActivities(deps: ActivityDeps, context: () => CallContext = activityContext): PlantActivities {
  const fetchReadings = createFetch(deps, context);
  const record = createRecord(deps, context);
  const days = createDays(deps, context);
  const plan = createPlan(deps, context);
  const onError = (error: unknown, attempting: string) => deps.log.error({ attempting, ...errorFields(error) }, 'an activity met an error of ours');
  return {
    fetchReadings: guarded('asking the vendor', fetchReadings, { onError }),
    upsertSnapshot: guarded('writing the snapshot', record.upsertSnapshot, { onError }),
    backfillDays: guarded('filling days', days.backfillDays, { onError }),
    reconcileAlerts: guarded('judging alerts', record.reconcileAlerts, { onError }),
    evaluatePlant: guarded('evaluating the plant', record.evaluatePlant, { onError }),
    writePollLog: guarded('writing the poll log', record.writePollLog, { onError, neverGiveUp: true }),
    writeMissed: guarded('writing missed slots', record.writeMissed, { onError, neverGiveUp: true }),
    planPlant: guarded('planning the plant', plan.planPlant, { onError }),
    setIntegration: guarded('pausing or resuming the plant', plan.setIntegration, { onError }),
    refreshDays: guarded('refreshing days', days.refreshDays, { onError }),
    closeDay: guarded('closing the day', days.closeDay, { onError }),
  };
}

/** The activities of `queue:fleet`. */
export function createFleetActivities(deps: ActivityDeps, loops: Loops): FleetActivities {
  const fleet = createFleet(deps, loops, () => Context.current().heartbeat());
  return { reconcileFleet: guarded('reconciling the fleet', fleet.reconcileFleet) };
}

/** What a log may say of an error: never its text, which may quote a row or a header. */
function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { errorName: typeof error };
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  const at = error.stack?.split('\n').filter((line) => line.trimStart().startsWith('at ')).slice(0, 6).map((line) => line.trim());
  return { errorName: error.name, ...(code === undefined ? {} : { code }), ...(constraint === undefined ? {} : { constraint }), at };
}

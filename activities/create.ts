import { activityContext, activityMaker } from './activity.ts';
import { createCheck } from './checks.ts';
import type { FleetActivities } from './contract.ts';
import type { CallContext } from './deps.ts';
import { createFleet } from './fleet.ts';
import { createCompose } from './notifications/compose.ts';
import type { NotificationActivities } from './notifications/contract.ts';
import { createDeliver, createFindDue } from './notifications/deliver.ts';
import type { NotificationDeps } from './notifications/deps.ts';
import type { PlantActivities } from './plants/contract.ts';
import { createDays } from './plants/days.ts';
import type { ActivityDeps } from './plants/deps.ts';
import { createFetch } from './plants/fetch.ts';
import { createPlan } from './plants/plan.ts';
import { createRecord } from './plants/record.ts';
import { createWholePoll } from './plants/whole-poll.ts';
import { type AllLoops, createReconcilers, type FleetOptions } from './reconcilers.ts';

/** Makes the activities of all queues, under the names that workflows know. */

/**
 * The activities of a brand's queue, with errors translated by `failure.ts`.
 *
 * @param context the caller of an activity; given where activities run without a worker.
 */
export function createPlantActivities(
  deps: ActivityDeps,
  context: () => CallContext = activityContext,
): PlantActivities {
  const activity = activityMaker(deps.log, context);
  const record = createRecord(deps, context);
  const days = createDays(deps, context);
  const plan = createPlan(deps, context);
  return {
    pollWhole: activity('polling', createWholePoll(deps, context)),
    fetchReadings: activity('asking the vendor', createFetch(deps, context)),
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

/** The activities of `queue:fleet`. */
export function createFleetActivities(
  deps: ActivityDeps,
  loops: AllLoops,
  options: FleetOptions,
): FleetActivities {
  const activity = activityMaker(deps.log, activityContext);
  const reconcileFleet = createFleet(createReconcilers(deps, loops, options), deps);
  return {
    reconcileFleet: activity('reconciling the fleet', reconcileFleet),
    checkPolling: activity('checking polling', createCheck(deps, options.checks)),
  };
}

/** The activities of `queue:notifications`. */
export function createNotificationActivities(
  deps: NotificationDeps,
  context: () => CallContext = activityContext,
): NotificationActivities {
  const activity = activityMaker(deps.log, context);
  return {
    composeMessages: activity('composing messages', createCompose(deps)),
    findDue: activity('looking for due deliveries', createFindDue(deps)),
    deliverMessages: activity('delivering messages', createDeliver(deps, context)),
  };
}

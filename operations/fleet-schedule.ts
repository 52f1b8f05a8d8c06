import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';

import { fleetQueue, fleetScheduleId } from '../workflows/messages.ts';

/** How often the fleet is reconciled. */
const reconcileEverySeconds = 30;

/** Creates the Schedule of the reconciliation if it is missing, and triggers it. */
export async function triggerReconciliation(client: Client): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId: fleetScheduleId,
      spec: { intervals: [{ every: `${reconcileEverySeconds}s` }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1m' },
      action: {
        type: 'startWorkflow',
        workflowType: 'reconcileFleet',
        taskQueue: fleetQueue,
        workflowId: fleetScheduleId,
        args: [],
      },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
  await client.schedule.getHandle(fleetScheduleId).trigger(ScheduleOverlapPolicy.SKIP);
}

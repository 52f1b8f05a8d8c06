import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';

import {
  type CheckInput,
  checkScheduleIds,
  fleetQueue,
  fleetScheduleId,
} from '../workflows/messages.ts';

/** The Schedules of the system: the reconciliation and the automatic checks. */

interface ScheduleKind {
  id: string;
  everyS: number;
  workflowType: string;
  args: object[];
}

const checkOf = (kind: CheckInput['kind'], everyS: number): ScheduleKind => {
  const input: CheckInput = { v: 1, kind };
  return { id: checkScheduleIds[kind], everyS, workflowType: 'checkPolling', args: [input] };
};

const reconcileFleet: ScheduleKind = {
  id: fleetScheduleId,
  everyS: 30,
  workflowType: 'reconcileFleet',
  args: [],
};

export const schedules: readonly ScheduleKind[] = [
  reconcileFleet,
  checkOf('VALIDATE', 300),
  checkOf('AUDIT', 600),
];

/** Creates a Schedule if it is missing. @returns whether it was. */
export async function createSchedule(client: Client, kind: ScheduleKind): Promise<boolean> {
  try {
    await client.schedule.create({
      scheduleId: kind.id,
      spec: { intervals: [{ every: `${kind.everyS}s` }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1m' },
      action: {
        type: 'startWorkflow',
        workflowType: kind.workflowType,
        taskQueue: fleetQueue,
        workflowId: kind.id,
        args: kind.args,
      },
    });
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}

/** Creates the Schedule of the reconciliation if it is missing, and triggers it. */
export async function triggerReconciliation(client: Client): Promise<void> {
  await createSchedule(client, reconcileFleet);
  await client.schedule.getHandle(fleetScheduleId).trigger(ScheduleOverlapPolicy.SKIP);
}

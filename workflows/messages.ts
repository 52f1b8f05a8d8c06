/** Ids and queues of what serves every context. Names are part of running histories: they never change. */

/** The queue of the fleet's reconciliation. */
export const fleetQueue = 'queue:fleet';

/** The Schedule and the workflow of the reconciliation. */
export const fleetScheduleId = 'fleet:reconcile';

/** The Schedules of the automatic checks. */
export const checkScheduleIds = { VALIDATE: 'polling:validate', AUDIT: 'polling:audit' } as const;

/** Input of the workflow `checkPolling`. */
export interface CheckInput {
  v: 1;
  kind: keyof typeof checkScheduleIds;
}

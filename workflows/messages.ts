/** Ids and queues of what serves every context. Names are part of running histories: they never change. */

/** The queue of the fleet's reconciliation. */
export const fleetQueue = 'queue:fleet';

/** The Schedule and the workflow of the reconciliation. */
export const fleetScheduleId = 'fleet:reconcile';

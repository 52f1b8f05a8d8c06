import { proxyActivities } from '@temporalio/workflow';

import type { FleetActivities, FleetReport } from '../activities/contract.ts';

const { reconcileFleet: reconcile } = proxyActivities<FleetActivities>({
  // A first start of 10,000 loops at 100 a second takes its time; a dead worker is noticed by the heartbeat.
  startToCloseTimeout: '10m',
  heartbeatTimeout: '10s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
});

/** Makes what runs in Temporal what PostgreSQL says: one loop for each row that wants one, each told of what changed. */
export async function reconcileFleet(): Promise<FleetReport> {
  return reconcile({ nowMs: Date.now() });
}

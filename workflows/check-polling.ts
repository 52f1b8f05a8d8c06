import { proxyActivities } from '@temporalio/workflow';

import type { CheckReport, FleetActivities } from '../activities/contract.ts';
import type { CheckInput } from './messages.ts';

const { checkPolling: check } = proxyActivities<FleetActivities>({
  // An audit of a large fleet reads millions of rows; a dead worker is noticed by the heartbeat.
  startToCloseTimeout: '10m',
  heartbeatTimeout: '10s',
  // The Schedule starts the next one: this one need not outlive it.
  scheduleToCloseTimeout: '15m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
});

/** Checks polling as `heliograph validate` or `heliograph audit` does, and keeps what it found. */
export async function checkPolling({ kind }: CheckInput): Promise<CheckReport> {
  return check({ kind, nowMs: Date.now() });
}

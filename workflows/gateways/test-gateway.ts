import { proxyActivities } from '@temporalio/workflow';

import type { GatewayActivities, TestGatewayResult } from '../../activities/gateways/contract.ts';
import { modbusQueue, type TestGatewayInput } from './messages.ts';

const activities = proxyActivities<GatewayActivities>({
  taskQueue: modbusQueue,
  // Some units, each with some dozens of reads of at most a second.
  startToCloseTimeout: '5m',
  scheduleToStartTimeout: '15s',
  heartbeatTimeout: '10s',
  // A person waits, and asks again.
  retry: { maximumAttempts: 1 },
});

/** Tries an address or a gateway from the process that would poll it: reads points once, or looks what is there. */
export async function testGateway(input: TestGatewayInput): Promise<TestGatewayResult> {
  return activities.testGateway(input);
}

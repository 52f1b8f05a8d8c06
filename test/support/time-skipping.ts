import { randomUUID } from 'node:crypto';

import type { Client } from '@temporalio/client';
import { msToTs, requiredTsToMs } from '@temporalio/common/lib/time.js';

/**
 * Temporal's own time skipping, by workflow: while one is idle, the server moves its clock to its next timer. The SDK has no
 * methods for it yet, so this speaks gRPC. The server must run with `timeSkipping`, and a simulated workflow must not continue
 * as new: the next run would start with the skipped time added twice (server 1.32).
 */

/** The server's default of 200 ends within two days of ten-minute polls. */
const skipsMax = 50_000;

/** `FastForwardPollingResult` of the API: the request's long poll ran out, or the target was reached. */
const pollTimedOut = 1;
const fastForwardCompleted = 2;

/** The workflow's clock, ms: the real one plus what was skipped. */
export async function virtualNowMs(client: Client, workflowId: string): Promise<number> {
  const { workflowExtendedInfo } = await client.workflowService.describeWorkflowExecution({
    namespace: client.options.namespace,
    execution: { workflowId },
  });
  const currentTime = workflowExtendedInfo?.timeSkippingInfo?.currentTime;
  return currentTime ? requiredTsToMs(currentTime, 'currentTime') : Date.now();
}

/**
 * Lets the workflow live until its clock shows `untilMs`, everything in its order, without waiting for timers; then its clock
 * goes on at the usual pace. One at a time for each workflow: a second one, sent before the first has arrived, would jump over
 * the timers in between.
 *
 * @throws when the server gives up, or after `limitMs` of real time: an activity that stays pending keeps the clock from moving.
 */
export async function fastForward(
  client: Client,
  workflowId: string,
  untilMs: number,
  limitMs = 150_000,
): Promise<void> {
  const { namespace } = client.options;
  const workflowExecution = { workflowId };
  const fastForwardId = randomUUID();
  const endsAt = performance.now() + limitMs;
  const duration = msToTs(untilMs - (await virtualNowMs(client, workflowId)));
  await client.workflowService.updateWorkflowExecutionOptions({
    namespace,
    workflowExecution,
    workflowExecutionOptions: {
      timeSkippingConfig: {
        enabled: true,
        maxSessionSkipCount: skipsMax,
        fastForwardConfig: { id: fastForwardId, duration },
      },
    },
    updateMask: { paths: ['time_skipping_config'] },
  });
  for (;;) {
    const answer = await client.workflowService.pollWorkflowExecutionTimeSkipping({
      namespace,
      workflowExecution,
      fastForwardId,
    });
    const result: number = answer.fastForwardPollingResult;
    if (result === fastForwardCompleted) return;
    if (result !== pollTimedOut) {
      throw new Error(`the clock of ${workflowId} missed its target: ${answer.failedReason}`);
    }
    if (performance.now() > endsAt) {
      const reached = new Date(await virtualNowMs(client, workflowId)).toISOString();
      throw new Error(`after ${limitMs / 1000} s the clock of ${workflowId} stands at ${reached}`);
    }
  }
}

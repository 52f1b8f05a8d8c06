import {
  ActivityCancellationType,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  makeContinueAsNewFunc,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

import type { GatewayActivities, WalkShardResult } from '../../activities/gateways/contract.ts';
import {
  modbusQueue,
  pollGatewayUpdate,
  shardChangedSignal,
  type WalkShardInput,
} from './messages.ts';

/** Says who walks a shard of the gateways: the polls themselves are a loop within one long activity. */

/** Polls that people ask for are all that grows a history; a run with more events than this continues as new. */
const eventsMax = 2_000;

const { walkShard } = proxyActivities<GatewayActivities>({
  taskQueue: modbusQueue,
  startToCloseTimeout: '30d',
  // A worker that dies is noticed after this; its heartbeat comes every second.
  heartbeatTimeout: '4s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  // The next attempt goes on at once, for ever.
  retry: { initialInterval: '100ms', backoffCoefficient: 1 },
});

const { requestGatewayPoll } = proxyActivities<GatewayActivities>({
  taskQueue: modbusQueue,
  startToCloseTimeout: '15s',
  scheduleToCloseTimeout: '30s',
  retry: { maximumAttempts: 2 },
});

/** Keeps one worker walking the shard, until it has no gateway or the number of shards changes. */
export async function walkGatewayShard(input: WalkShardInput): Promise<WalkShardResult> {
  const { shard, shards } = input;
  setCurrentDetails(
    `Shard ${shard} of ${shards}. Who walks it, and how, is in the heartbeat of its activity walkShard.`,
  );
  setHandler(shardChangedSignal, () => {});
  setHandler(
    pollGatewayUpdate,
    ({ gateway_id: gatewayId }) => requestGatewayPoll({ gatewayId, requestedBy: 'Temporal' }),
    { validator: checkPollNow },
  );
  let result: WalkShardResult | null = null;
  const walking = new CancellationScope();
  const walk = walking.run(async () => {
    result = await walkShard({ shard, shards });
  });
  await Promise.race([walk, condition(isLong)]);
  if (result !== null) return result;
  // The walker gives the shard up, and the next run's takes it at once.
  walking.cancel();
  try {
    await walk;
  } catch (error) {
    if (!isCancellation(error)) throw error;
    // A person cancelled the workflow.
    if (CancellationScope.current().consideredCancelled) throw error;
  }
  return makeContinueAsNewFunc<typeof walkGatewayShard>({})(input);
}

function isLong(): boolean {
  const info = workflowInfo();
  const isTime =
    info.continueAsNewSuggested ||
    info.historyLength > eventsMax ||
    info.targetWorkerDeploymentVersionChanged;
  return isTime === true && allHandlersFinished();
}

function checkPollNow(request: unknown): void {
  const { gateway_id: id } = (request ?? {}) as { gateway_id?: unknown };
  if (typeof id !== 'string' || id === '')
    throw ApplicationFailure.nonRetryable('give the gateway: {"gateway_id": "…"}', 'BAD_REQUEST');
}

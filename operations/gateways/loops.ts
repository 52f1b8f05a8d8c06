import { hostname } from 'node:os';

import type { Client } from '@temporalio/client';

import {
  shardUnwantedSignal,
  shardOfWorkflowId,
  shardWorkflowId,
  type WalkShardInput,
} from '../../workflows/gateways/messages.ts';
import { fleetQueue } from '../../workflows/messages.ts';
import { createLoops, type LoopKind } from '../loops.ts';

/** The loops of gateways: one `walkGatewayShard` for each shard. */

export const walkShardType = 'walkGatewayShard';

/** @param shards how many there are. */
export function createGatewayLoops(client: Client, shards: number) {
  const kind: LoopKind<{ id: string }> = {
    workflowType: walkShardType,
    workflowIdOf: shardWorkflowId,
    subjectOf: shardOfWorkflowId,
    changedSignal: shardUnwantedSignal,
    startOf({ id }) {
      const input: WalkShardInput = { v: 1, shard: Number(id), shards };
      return {
        taskQueue: fleetQueue,
        args: [input],
        staticSummary: `walks shard ${id} of ${shards} of the gateways`,
      };
    },
  };
  return createLoops(client, kind);
}

/** `temporal.api.enums.v1.PendingActivityState`. */
const startedState = 2;
/** gRPC's code for something that does not exist. */
const grpcNotFound = 5;

/**
 * Ends the attempt that a process of this host left behind, so that the next one begins at once and not after the heartbeat's
 * time-out. Does nothing if the shard's attempt is somebody else's.
 *
 * @throws ServiceError when Temporal is away.
 */
export async function failDeadAttempt(client: Client, shard: number, pid: number): Promise<void> {
  const { namespace } = client.options;
  const workflowId = shardWorkflowId(String(shard));
  const execution = { workflowId };
  try {
    const { pendingActivities } = await client.workflowService.describeWorkflowExecution({
      namespace,
      execution,
    });
    for (const pending of pendingActivities ?? []) {
      const isOfDead = pending.lastWorkerIdentity === `${pid}@${hostname()}`;
      if (Number(pending.state) !== startedState || !isOfDead) continue;
      await client.workflowService.respondActivityTaskFailedById({
        namespace,
        workflowId,
        activityId: pending.activityId ?? '',
        failure: {
          message: 'the process of its worker has ended',
          applicationFailureInfo: { type: 'WORKER_DIED' },
        },
        identity: `${process.pid}@${hostname()}`,
      });
    }
  } catch (error) {
    // The loop, or the attempt, has ended meanwhile.
    if ((error as { code?: unknown }).code !== grpcNotFound) throw error;
  }
}

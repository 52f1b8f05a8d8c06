import type { Client } from '@temporalio/client';

import { fleetQueue } from '../../workflows/messages.ts';

/** The workflows of shards: `gateways:shard:{n}`, which decide who walks a shard. */

const shardWorkflowType = 'gatewayShard';

export function createShardLoops(client: Client) {
  const workflowIdOf = (shard: string) => `gateways:shard:${shard}`;
  return {
    workflowIdOf,
    /** Starts the workflow of a shard if none runs. */
    async start({ id }: { id: string }): Promise<void> {
      await client.workflow.start<(input: object) => Promise<void>>(shardWorkflowType, {
        workflowId: workflowIdOf(id),
        taskQueue: fleetQueue,
        args: [{ v: 1, shard: Number(id) }],
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: `walks shard ${id} of gateways`,
      });
    },
  };
}

import { WorkflowNotFoundError } from '@temporalio/client';

import { listStaleRefusals } from '../../db/gateways/diagnosis.ts';
import { releaseLease } from '../../db/gateways/leases.ts';
import { resetLearned } from '../../db/gateways/learned.ts';
import { counted } from '../../domain/wording.ts';
import { createLook, type Services, valueOf } from '../diagnosis.ts';
import type { Fixer } from '../fixer.ts';
import { orphanedLocks } from './locks.ts';
import { createGatewayLoops } from './loops.ts';
import { gatewayPulse, shardCount, type ShardView, shardViews } from './shards.ts';
import { shardWorkflowId } from '../../workflows/gateways/messages.ts';

/**
 * Repairs of gateways' polling: shards that nobody walks or that are stuck, leases of dead processes, locks that nobody gives
 * back, and what was learned of devices and is out of date. Never a lock or a lease that a living process holds and uses.
 */

export type GatewayRepair =
  | { kind: 'START_SHARD'; shard: number; sentence: string }
  | {
      kind: 'RESTART_SHARD' | 'FREE_LEASE';
      shard: number;
      epoch: number;
      owner: string;
      sentence: string;
    }
  | { kind: 'FREE_LOCK'; gateway_id: string; owner: string; sentence: string }
  | { kind: 'RESET_LEARNED'; host: string; port: number; sentence: string };

/** Time limit of each question, ms. */
const answerMsMax = 60_000;

export const gatewayFixer: Fixer<GatewayRepair> = {
  async plan(services) {
    const look = createLook(services, answerMsMax);
    const { gateways } = valueOf(await look(gatewayPulse));
    const views = valueOf(await look(shardViews));
    const locks = valueOf(await look(orphanedLocks));
    const refusals = await listStaleRefusals(services.db, services.clock());
    return [
      ...(gateways === 0 ? [] : await planShards(services, views)),
      ...locks.map(({ key, gatewayId, owner, sentence }): GatewayRepair => ({
        kind: 'FREE_LOCK',
        gateway_id: gatewayId,
        owner,
        sentence: `delete ${key}: ${sentence}`,
      })),
      ...refusals.map(({ host, port, ranges, isUnknown }): GatewayRepair => {
        const why = isUnknown
          ? 'no gateway has this address'
          : 'they were to be asked again a day ago';
        const sentence = `forget ${counted(ranges, 'refused range')} of ${host}:${port}: ${why}`;
        return { kind: 'RESET_LEARNED', host, port, sentence };
      }),
    ];
  },

  async make(repair, services) {
    const { db, temporal, locks } = services;
    const loops = createGatewayLoops(temporal, shardCount(services));
    switch (repair.kind) {
      case 'START_SHARD':
        await loops.start({ id: String(repair.shard) });
        return true;
      case 'RESTART_SHARD':
        // The lease first: whatever the stuck walker still writes is refused.
        await releaseLease(db, repair);
        await endShard(temporal, shardWorkflowId(String(repair.shard)));
        await loops.start({ id: String(repair.shard) });
        return true;
      case 'FREE_LEASE':
        await releaseLease(db, repair);
        return true;
      case 'FREE_LOCK':
        return locks.gateway.remove(repair.gateway_id, repair.owner);
      case 'RESET_LEARNED':
        return (await resetLearned(db, repair, null)).refusals > 0;
    }
  },
};

async function planShards(
  { temporal }: Pick<Services, 'temporal'>,
  views: readonly ShardView[],
): Promise<GatewayRepair[]> {
  const repairs: GatewayRepair[] = [];
  for (const { shard, state, lease } of views) {
    const held = { shard, epoch: lease?.epoch ?? 0, owner: lease?.owner ?? '' };
    const who = lease?.worker ?? held.owner;
    if (state === 'DEAD_OWNER')
      repairs.push({
        kind: 'FREE_LEASE',
        ...held,
        sentence: `free the lease of shard ${shard}: the process of ${who} has ended`,
      });
    const isRunning = await runs(temporal, shardWorkflowId(String(shard)));
    if (!isRunning)
      repairs.push({ kind: 'START_SHARD', shard, sentence: `start the walk of shard ${shard}` });
    else if (state === 'STUCK')
      repairs.push({
        kind: 'RESTART_SHARD',
        ...held,
        sentence: `take shard ${shard} from ${who}, which does not get on, and start its walk anew`,
      });
  }
  return repairs;
}

async function runs(temporal: Services['temporal'], workflowId: string): Promise<boolean> {
  try {
    return (await temporal.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function endShard(temporal: Services['temporal'], workflowId: string): Promise<void> {
  try {
    await temporal.workflow
      .getHandle(workflowId)
      .terminate('its walker did not get on: another one walks the shard');
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

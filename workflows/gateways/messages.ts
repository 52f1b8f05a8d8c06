import { defineSignal, defineUpdate } from '@temporalio/workflow';

import type { RequestPollResult } from '../../activities/gateways/contract.ts';

/** Ids, queue and messages of the workflows of gateways. Names are part of running histories: they never change. */

/** A queue of activities alone: polls and tests of gateways. */
export const modbusQueue = 'queue:poll:modbus';

const shardPrefix = 'gateways:shard:';

/** @example shardWorkflowId('3') is 'gateways:shard:3' */
export function shardWorkflowId(shard: string): string {
  return `${shardPrefix}${shard}`;
}

/** The shard of a loop's workflow id; null for another workflow's. */
export function shardOfWorkflowId(workflowId: string): string | null {
  const shard = workflowId.startsWith(shardPrefix) ? workflowId.slice(shardPrefix.length) : '';
  return /^\d{1,2}$/.test(shard) ? shard : null;
}

export interface WalkShardInput {
  v: 1;
  shard: number;
  /** How many there are. */
  shards: number;
}

/** Nothing to do for a walker: it looks at the tables itself. The reconciliation sends it to shards that nobody needs. */
export const shardChangedSignal = defineSignal('changed');

/** Polls a gateway now, and answers with its values. */
export const pollGatewayUpdate = defineUpdate<RequestPollResult, [{ gateway_id: string }]>(
  'pollNow',
);

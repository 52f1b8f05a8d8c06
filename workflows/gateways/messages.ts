import { defineSignal, defineUpdate } from '@temporalio/workflow';

import type { RequestPollResult, TestGatewayArgs } from '../../activities/gateways/contract.ts';

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

/** Nobody needs the shard any more. Changes of gateways are not told here: walkers look at the tables themselves. */
export const shardUnwantedSignal = defineSignal('unwanted');

/** Polls a gateway now, and answers with its values. */
export const pollGatewayUpdate = defineUpdate<RequestPollResult, [{ gateway_id: string }]>(
  'pollNow',
);

/** @param id anything that is unique: of the gateway, or of the request. */
export function testGatewayWorkflowId(id: string): string {
  return `gateways:test:${id}`;
}

export type TestGatewayInput = TestGatewayArgs & { v: 1 };

export type {
  PointTested,
  TestGatewayArgs,
  TestGatewayResult,
  UnitShown,
  UnitTested,
} from '../../activities/gateways/contract.ts';

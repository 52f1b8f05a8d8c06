/** The activities of `queue:poll:modbus`: types only. */

export interface WalkShardArgs {
  shard: number;
  /** How many there are. */
  shards: number;
}

/** Why a shard needs no walker any more; in all other cases the attempt fails and the next one goes on. */
export interface WalkShardResult {
  ended:
    | 'EMPTY'
    /** The workers are configured for another number of shards. */
    | 'SHARDS_CHANGED';
}

export interface RequestPollArgs {
  gatewayId: string;
  requestedBy: string;
}

/** The answer to a poll that a person asked for, as `gateway_requests` stores it. */
export type RequestPollResult = Readonly<Record<string, unknown>>;

export interface GatewayActivities {
  walkShard(args: WalkShardArgs): Promise<WalkShardResult>;
  requestGatewayPoll(args: RequestPollArgs): Promise<RequestPollResult>;
}

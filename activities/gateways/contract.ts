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

/** A try of a host and port, from the process that would poll it. Nothing is saved. */
export interface TestGatewayArgs {
  /** TEST reads the points of a preset once and shows them; DISCOVER looks what is there. */
  kind: 'TEST' | 'DISCOVER';
  host: string;
  port: number;
  unitIds: readonly number[];
  /** For TEST; null: the one that fits what the unit shows best. */
  preset: string | null;
}

export interface TestGatewayResult {
  /** By unit: of TEST the preset and the answer to the poll, of DISCOVER what was found; plain JSON. */
  units: readonly Readonly<Record<string, unknown>>[];
}

export interface GatewayActivities {
  walkShard(args: WalkShardArgs): Promise<WalkShardResult>;
  requestGatewayPoll(args: RequestPollArgs): Promise<RequestPollResult>;
  testGateway(args: TestGatewayArgs): Promise<TestGatewayResult>;
}

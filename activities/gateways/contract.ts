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

/** A try from the process that would poll. Nothing is saved. */
export type TestGatewayArgs =
  | {
      /** TEST reads the points of a preset once; DISCOVER looks what is there. */
      kind: 'TEST' | 'DISCOVER';
      host: string;
      port: number;
      unitIds: readonly number[];
      /** For TEST; null: the one that fits what the unit shows best. */
      preset: string | null;
    }
  /** Reads the points of all units of a gateway that exists, also of a paused one. */
  | { kind: 'GATEWAY'; gatewayId: string };

export interface TestGatewayResult {
  host: string;
  port: number;
  units: UnitTested[];
}

/** What was read of one unit; plain JSON. */
export interface UnitTested {
  unit_id: number;
  /** The preset whose points were read; null: points of the gateway's own, or none. */
  preset: string | null;
  /** OK, PARTIAL or FAILED; null: no points were read, because nothing was to be read or no preset fits. */
  outcome: string | null;
  /** One word; null when the outcome is OK. */
  reason: string | null;
  message: string | null;
  points: PointTested[];
  /** What is there; null: nobody looked. */
  found: UnitShown | null;
}

export interface PointTested {
  unit_id: number;
  key: string;
  value: number | string | null;
  unit: string | null;
  /** GOOD, BAD(RANGE), MISSING(SENTINEL) … */
  quality: string;
  /** The bytes of the device in hexadecimal, two for each register; null where it sent none. */
  raw: string | null;
}

/** What a unit shows to somebody who knows nothing of it. */
export interface UnitShown {
  answers: boolean;
  functions: { function: number; is_supported: boolean | null; said: string }[];
  sunspec: {
    base: number;
    models: { id: number; address: number; length: number }[];
    problems: string[];
  } | null;
  /** Why there is no SunSpec device; empty if there is one. */
  no_sunspec: string[];
  /** Manufacturer, model, firmware and serial, as far as the unit names them. */
  identity: Record<string, string>;
  word_order: { order: string; reason: string } | null;
  /** Presets whose values are in their ranges, the best first. */
  presets: { name: string; fits: number; of: number }[];
  /** Why the unit does not answer; null: it does. */
  failure: { reason: string; message: string } | null;
}

export interface GatewayActivities {
  walkShard(args: WalkShardArgs): Promise<WalkShardResult>;
  requestGatewayPoll(args: RequestPollArgs): Promise<RequestPollResult>;
  testGateway(args: TestGatewayArgs): Promise<TestGatewayResult>;
}

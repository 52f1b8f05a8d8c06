import type {
  SitePoll,
  SitePollResult,
  SiteRead,
  SiteReadResult,
} from '../../../adapters/modbus/site.ts';
import type { GatewayFacts } from '../../../domain/gateways/facts.ts';
import type { Priority, Quirks } from '../../../domain/gateways/gateway.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import type { Learned } from '../../../domain/gateways/read-plan.ts';
import type { GatewayOutcome, GatewayTrigger } from '../../../domain/gateways/reading.ts';
import type { SunSpecLayout } from '../../../domain/gateways/sunspec.ts';
import type { ActivityLog } from '../../deps.ts';

/**
 * What a walk of a shard is given. A worker hands in sockets, PostgreSQL and Redis; a simulation hands in a virtual clock and
 * scripted sites. Instants are integer ms since the epoch.
 */
export interface WalkPorts {
  clock: WalkClock;
  sites: WalkSites;
  store: WalkStore;
  locks: WalkLocks;
  judge: JudgeGateways;
  log: ActivityLog;
  meter: WalkMeter;
}

export interface WalkClock {
  /** The wall clock: slots follow it. */
  now(): number;
  /** Never jumps, and goes on while the process is stopped; ms from any start. */
  elapsed(): number;
  /** Calls `run` once, `ms` from now or a little later; at once, but never before this call returns, for 0. */
  after(ms: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** The sockets, as `adapters/modbus` makes them. */
export interface WalkSites {
  of(host: string, port: number): WalkSite;
}

export interface WalkSite {
  poll(request: SitePoll): Promise<SitePollResult>;
  read(request: SiteRead): Promise<SiteReadResult>;
  /** Closes the socket; what is in flight fails with CLOSED. */
  close(): void;
}

/** One gateway as the tables describe it. */
export interface LoadedGateway {
  id: string;
  /** Changes whenever something of this object but `facts` changes. */
  mark: string;
  host: string;
  port: number;
  priority: Priority;
  /** The gateway's quirks, and those of its units over them. */
  quirksOf: ReadonlyMap<number, Quirks>;
  mapId: number;
  /** The points of the map, in its order; the same array for all gateways of a map. */
  points: readonly UnitPoint[];
  /** Its periods that end after the newest slot with a row, oldest first; the last one is open. */
  periods: readonly GatewayPeriod[];
  learned: Learned;
  /** By unit. */
  layouts: ReadonlyMap<number, SunSpecLayout>;
  /** What is known of it; null: nothing yet. Read only when a walk begins: from then on the walk knows more. */
  facts: GatewayFacts | null;
}

/** When a gateway is due, and when not and why. */
export interface GatewayPeriod {
  fromMs: number;
  /** null: open. */
  toMs: number | null;
  intervalMs: number;
  phaseMs: number;
  reason: PeriodReason;
}

export type PeriodReason = 'ACTIVE' | 'PAUSED' | 'DISABLED' | 'HALTED' | 'REMOVED';

/** A row of the ledger that waits to be written. */
export interface WalkRow {
  gatewayId: string;
  readAtMs: number;
  trigger: GatewayTrigger;
  outcome: GatewayOutcome;
  reason: string | null;
  slotsMissed: number;
  measuredAtMs: number | null;
  lateMs: number | null;
  durationMs: number | null;
  requests: number | null;
  mapId: number | null;
  values: readonly (number | null)[] | null;
  quality: readonly number[] | null;
  /** What the gateway is after it; null: it changes nothing. */
  facts: GatewayFacts | null;
  /** Texts that the device gave of itself and that are new. */
  texts: readonly DeviceText[];
}

export interface DeviceText {
  unitId: number;
  key: string;
  value: string;
}

/** What a walk writes and reads. Calls reject while PostgreSQL is away, and the walk goes on. */
export interface WalkStore {
  /**
   * Writes rows, facts and texts in one statement that also renews the lease.
   *
   * @returns false if the lease is lost: then nothing was written.
   */
  writeBatch(rows: readonly WalkRow[]): Promise<{ isHeld: boolean }>;
  /** Renews the lease and reads what else must be in force within a second. */
  renew(figures: WalkFigures): Promise<LeaseAnswer>;
  /** The marks of the shard's gateways, by id: of all that are not removed. */
  readMarks(): Promise<ReadonlyMap<string, string>>;
  /** @param ids null: all of the shard. Those that are gone are missing in the answer. */
  loadGateways(ids: readonly string[] | null): Promise<LoadedGateway[]>;
  saveLearned(host: string, port: number, learned: Learned): Promise<void>;
  saveLayout(
    place: { host: string; port: number; unitId: number },
    layout: SunSpecLayout,
  ): Promise<void>;
  /** Requests of people without an answer, the oldest first. */
  listRequests(): Promise<GatewayRequest[]>;
  answerRequest(id: number, answer: object): Promise<void>;
}

export interface LeaseAnswer {
  isHeld: boolean;
  /** Another attempt waits for the shard: the walk must give it up. */
  isWanted: boolean;
  /** An emergency stop is open: nothing may be sent. */
  isHalted: boolean;
}

export type GatewayRequest =
  | { id: number; gatewayId: string; kind: 'POLL' }
  | {
      id: number;
      gatewayId: string;
      kind: 'READ';
      unitId: number;
      function: 1 | 2 | 3 | 4;
      address: number;
      count: number;
    };

/** What a walk says of itself: in the heartbeat's details and in `gateway_shards`. */
export interface WalkFigures {
  gateways: number;
  polls_per_s: number;
  late_p99_ms: number;
  /** How old the oldest due slot without a row is, s. */
  oldest_slot_s: number;
  rows_buffered: number;
}

/** The second guard, in Redis. Never waited for. */
export interface WalkLocks {
  /** Asks for the locks of slots that are due soon; the answers come when they come. */
  ask(wanted: readonly { gatewayId: string; ttlMs: number }[]): void;
  /** Whether somebody else holds the lock, as far as known. */
  isTaken(gatewayId: string): boolean;
  release(gatewayId: string): void;
}

/** Status, alerts and auto-disable; the walk says what happened. */
export interface JudgeGateways {
  /**
   * Judges gateways whose standing may have changed, and at times those that time alone changes. Runs beside the polls.
   *
   * @returns facts that it changed, by gateway.
   */
  evaluate(
    gateways: readonly JudgedGateway[],
    nowMs: number,
  ): Promise<ReadonlyMap<string, GatewayFacts>>;
}

export interface JudgedGateway {
  gateway: LoadedGateway;
  facts: GatewayFacts;
}

/** Counts for the metrics. */
export interface WalkMeter {
  polled(poll: {
    gatewayId: string;
    trigger: GatewayTrigger;
    outcome: GatewayOutcome;
    reason: string | null;
    lateMs: number | null;
    durationMs: number | null;
    badPoints: number;
  }): void;
  missed(slots: number, reason: string): void;
}

import type {
  SitePoll,
  SitePollResult,
  SiteRead,
  SiteReadResult,
} from '../../../adapters/modbus/site.ts';
import type { Lease, Renewed } from '../../../db/gateways/leases.ts';
import type { PastPeriod } from '../../../db/gateways/past-periods.ts';
import type { Answer, GatewayRequest } from '../../../db/gateways/requests.ts';
import type { KnownShard, ShardNews, ShardPlace } from '../../../db/gateways/walk.ts';
import type { BatchRow } from '../../../db/gateways/write-batch.ts';
import type { DisableLimits } from '../../../domain/gateways/disable.ts';
import type { Learned } from '../../../domain/gateways/read-plan.ts';
import type { GatewayOutcome, GatewayTrigger } from '../../../domain/gateways/reading.ts';
import type { SunSpecLayout } from '../../../domain/gateways/sunspec.ts';
import type { ActivityLog } from '../../deps.ts';

/**
 * What the walker of a process is given. A worker hands in sockets, PostgreSQL and Redis; a simulation hands in a virtual
 * clock and scripted sites. Instants are integer ms since the epoch.
 */
export interface WalkPorts {
  clock: WalkClock;
  sites: WalkSites;
  store: WalkStore;
  locks: WalkLocks;
  log: ActivityLog;
  meter: WalkMeter;
  limits: DisableLimits;
}

export interface WalkClock {
  /** The wall clock: slots follow it. */
  now(): number;
  /** Never jumps, and goes on while the process is stopped; ms from any start. */
  elapsed(): number;
  /** Calls `run` once, `ms` from now or a little later; for 0 as soon as other events had their turn. */
  after(ms: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** The sockets, as `adapters/modbus` makes them. */
export interface WalkSites {
  of(host: string, port: number): WalkSite;
  /** Closes a site that no gateway uses any more. */
  forget(host: string, port: number): void;
}

export interface WalkSite {
  poll(request: SitePoll): Promise<SitePollResult>;
  read(request: SiteRead): Promise<SiteReadResult>;
}

/** What was learned of the units behind an address. */
export interface SiteKnowledge {
  learned: Learned;
  /** By unit; null: the unit is no SunSpec device. */
  layouts: ReadonlyMap<number, SunSpecLayout | null>;
}

export interface Address {
  host: string;
  port: number;
}

/** What is new in a shard, and the ended periods of the changed gateways that may have slots without a row. */
export interface WalkNews extends ShardNews {
  past: readonly PastPeriod[];
}

/** What a walker writes and reads. Calls reject while PostgreSQL is away, and the walker goes on. */
export interface WalkStore {
  /**
   * Writes rows in one statement that also renews the leases.
   *
   * @returns the leases that are still held. Of the other shards nothing was written.
   */
  writeBatch(leases: readonly Lease[], rows: readonly BatchRow[]): Promise<readonly Renewed[]>;
  /** Whether `writeBatch` rejected because of a row, so that a part of the batch may pass. */
  isRowRefused(error: unknown): boolean;
  /** Renews leases, and reads what must be in force within a second. */
  renew(
    leases: readonly (Lease & { figures: WalkFigures })[],
  ): Promise<{ held: readonly Renewed[]; isHalted: boolean }>;
  loadShard(place: ShardPlace, known: KnownShard, ids?: readonly string[]): Promise<WalkNews>;
  /** By `siteKey`. */
  loadSites(addresses: readonly Address[]): Promise<ReadonlyMap<string, SiteKnowledge>>;
  saveLearned(address: Address, learned: Learned): Promise<void>;
  /** @param layout null: the unit is no SunSpec device. */
  saveLayout(
    address: Address & { unitId: number },
    layout: SunSpecLayout | null,
    foundAtMs: number,
  ): Promise<void>;
  listRequests(place: ShardPlace): Promise<readonly GatewayRequest[]>;
  answerRequest(id: number, answer: Answer): Promise<unknown>;
  /** Judges alerts, and whether gateways are switched off or come back. What changes comes back by `loadShard`. */
  evaluate(lease: Lease, gatewayIds: readonly string[], nowMs: number): Promise<void>;
}

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
  /** Whether somebody else holds the lock, as far as is known. */
  isTaken(gatewayId: string): boolean;
  release(gatewayId: string): void;
}

/** Counts for the metrics. */
export interface WalkMeter {
  polled(poll: {
    trigger: GatewayTrigger;
    outcome: GatewayOutcome;
    reason: string | null;
    lateMs: number | null;
    durationMs: number | null;
    requests: number | null;
    quality: readonly number[] | null;
  }): void;
  missed(slots: number, reason: string): void;
}

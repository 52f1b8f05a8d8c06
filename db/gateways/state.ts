import { type RawBuilder, sql } from 'kysely';

import type { BadPoint } from '../../domain/gateways/facts.ts';
import type { GatewayStatus } from '../../domain/gateways/gateway.ts';
import { msOf } from '../database.ts';
import type { LastReading } from './tables.ts';

/** What is known of a gateway now, as its walker keeps it in memory and stores it with every batch. */
export interface StoredState {
  status: GatewayStatus;
  /** One word; null while ONLINE. */
  statusReason: string | null;
  statusMessage: string | null;
  statusSinceMs: number;
  /** The newest slot that has a row, also one that was missed. */
  lastSlotMs: number | null;
  lastPolledAtMs: number | null;
  /** The newest poll that brought a value. */
  lastSeenAtMs: number | null;
  consecutiveFailures: number;
  failingSinceMs: number | null;
  /** Outcomes of the last 20 polls, the newest last: O OK, P PARTIAL, F FAILED. */
  recent: string;
  /** The points that are BAD, by `unit/key`. */
  badPoints: Readonly<Record<string, BadPoint>>;
  /** Polls in a row for which a unit was silent, by its id. */
  silentUnits: Readonly<Record<string, number>>;
  /** As domain/gateways/counters.ts keeps them. */
  counters: unknown;
  lastReading: LastReading | null;
  nextProbeAtMs: number | null;
  probes: number;
  goodProbes: number;
}

/** The state with what is decided elsewhere, under a lock: since when the gateway is DISABLED. */
export interface LoadedState extends StoredState {
  disabledAtMs: number | null;
}

/** The row `s` of gateway_state as JSON of a `LoadedState`. */
export const stateJson: RawBuilder<LoadedState> = sql<LoadedState>`json_build_object(
  'status', s.status, 'statusReason', s.status_reason, 'statusMessage', s.status_message,
  'statusSinceMs', ${msOf(sql`s.status_since`)}, 'lastSlotMs', ${msOf(sql`s.last_slot`)},
  'lastPolledAtMs', ${msOf(sql`s.last_polled_at`)}, 'lastSeenAtMs', ${msOf(sql`s.last_seen_at`)},
  'consecutiveFailures', s.consecutive_failures, 'failingSinceMs', ${msOf(sql`s.failing_since`)}, 'recent', s.recent,
  'badPoints', s.bad_points, 'silentUnits', s.silent_units, 'counters', s.counters, 'lastReading', s.last_reading,
  'nextProbeAtMs', ${msOf(sql`s.next_probe_at`)}, 'probes', s.probes, 'goodProbes', s.good_probes,
  'disabledAtMs', ${msOf(sql`s.disabled_at`)})`;

import type { CounterStates } from './counters.ts';

/** What a walker knows of a gateway: it keeps this in memory and writes it beside each row. */

export interface GatewayFacts {
  /** The newest slot that has a row; null: none yet. */
  lastSlotMs: number | null;
  lastPolledAtMs: number | null;
  /** The newest poll that brought a value. A failure never moves it. */
  lastSeenAtMs: number | null;
  consecutiveFailures: number;
  failingSinceMs: number | null;
  /** The last 20 polls, the newest last: O OK, P PARTIAL, F FAILED. */
  recent: string;
  /** Consecutive polls for which each point was BAD, and each unit silent, where it is more than 0. */
  badPoints: Readonly<Record<string, number>>;
  silentUnits: Readonly<Record<string, number>>;
  counters: CounterStates;
  lastReading: {
    mapId: number;
    values: readonly (number | null)[];
    quality: readonly number[] | null;
  } | null;
}

export const noFacts: GatewayFacts = {
  lastSlotMs: null,
  lastPolledAtMs: null,
  lastSeenAtMs: null,
  consecutiveFailures: 0,
  failingSinceMs: null,
  recent: '',
  badPoints: {},
  silentUnits: {},
  counters: {},
  lastReading: null,
};

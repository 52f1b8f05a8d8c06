/** The sockets to gateways: one for each host and port, with one request in flight. */

import type { Quirks } from '../../domain/gateways/gateway.ts';
import type { Cidr } from '../../domain/gateways/network.ts';
import type {
  Learned,
  QuirksOf,
  ReadRange,
  ResolvedPoint,
} from '../../domain/gateways/read-plan.ts';
import type { PollFailure, RawPoll } from '../../domain/gateways/reading.ts';

/** One host and port: its socket, its queue, its back-off. It belongs to the process. */
export interface ModbusSite {
  /**
   * Polls the points of one gateway. Polls and reads of one site wait for each other.
   *
   * Never rejects for what the device or the network does.
   */
  poll(request: SitePoll): Promise<SitePollResult>;
  /** One read, outside of any plan. Never rejects for what the device or the network does. */
  read(request: SiteRead): Promise<SiteReadResult>;
  /** Closes the socket at once; polls and reads in flight fail with CLOSED. The site can be used again. */
  close(): void;
}

export interface SitePoll {
  /** Keep the same array while the points stay the same: the plan is then made once. */
  points: readonly ResolvedPoint[];
  /** Keep the same objects while they stay the same, as with `points`. */
  quirksOf: QuirksOf;
  learned: Learned;
  /** For everything, waiting for the site included; ms from now. */
  deadlineMs: number;
  /** Polls although the socket waits after failures: for a person who asked. */
  ignoresBackOff?: boolean;
  /** Ends the poll at once, with CLOSED. */
  signal?: AbortSignal;
}

export interface SitePollResult extends RawPoll {
  /** What is known now; null: nothing new. */
  learned: Learned | null;
  /** What people should know although the poll went well: IDLE_CLOSE or ANOTHER_MASTER. */
  notice: PollFailure | null;
}

export interface SiteRead extends ReadRange {
  quirks: Quirks;
  /** For everything, waiting for the site included; ms from now. */
  deadlineMs: number;
  signal?: AbortSignal;
}

export type SiteReadResult =
  | {
      kind: 'ANSWER';
      /** Registers: two bytes each, as sent. Coils: eight to a byte, the first in the lowest bit. */
      bytes: Uint8Array;
    }
  | { kind: 'EXCEPTION'; code: number }
  | { kind: 'FAILED'; failure: PollFailure };

export interface Sites {
  /** The site of a host and port; gateways of one host and port get the same. */
  of(host: string, port: number): ModbusSite;
  /** Closes all sockets. */
  close(): void;
}

export interface SitesOptions {
  /** Loopback and private addresses that may be dialled. */
  networks: readonly Cidr[];
  /** The addresses of a name; the machine's resolver unless given. */
  lookup?: (host: string) => Promise<readonly string[]>;
  /** Ms since the epoch. */
  clock?: () => number;
  /** A clock that never jumps, ms from any start: for back-off and pauses. */
  elapsed?: () => number;
  /** Of one request, ms. */
  requestTimeoutMs?: number;
  connectTimeoutMs?: number;
}

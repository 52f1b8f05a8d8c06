import { fnv1a32 } from '../slots.ts';
import type { DataPoint } from './point.ts';

/** A gateway: a Modbus TCP server on a site, with one or more devices (units) behind it. */

export const priorities = ['HIGH', 'NORMAL', 'LOW'] as const;
/** Who is polled first when a walker is behind. */
export type Priority = (typeof priorities)[number];

/** Default interval of each priority, s. */
export const defaultIntervalS: Readonly<Record<Priority, number>> = {
  HIGH: 10,
  NORMAL: 60,
  LOW: 300,
};
/** The usual intervals of each priority, s: outside of them people get a warning. */
export const usualIntervalS: Readonly<Record<Priority, { min: number; max: number }>> = {
  HIGH: { min: 10, max: 30 },
  NORMAL: { min: 31, max: 299 },
  LOW: { min: 300, max: 86_400 },
};
/** What people may set, s. The database allows 1 s, for tests and benches. */
export const intervalS = { min: 10, max: 86_400 } as const;

export const defaultPort = 502;

/**
 * What a device needs that the protocol does not ask for. All are off by default, and none follows from a vendor's name. A
 * unit's quirk goes before its gateway's.
 */
export interface Quirks {
  /** Wait this long after connecting, ms. */
  pauseAfterConnectMs: number;
  /** Wait this long between two requests, ms. */
  pauseBetweenRequestsMs: number;
  closeAfterPoll: boolean;
  /** Most registers of one request, 1 … 125. */
  maxRegisters: number;
  /** Most unused registers that a request may bridge, 0 … 124. */
  maxHole: number;
  /** Addresses that no request may read across, as sent. */
  barriers: readonly number[];
  oneRequestPerPoint: boolean;
  /** An answer may carry any transaction id. */
  anyTransactionId: boolean;
  /** An answer's length field may be wrong in exactly this way; null: not at all. */
  lengthFault: LengthFault | null;
}

/** The length field counts the six bytes of the header too, or leaves out the unit's byte. */
export const lengthFaults = ['COUNTS_HEADER', 'LEAVES_OUT_UNIT'] as const;
export type LengthFault = (typeof lengthFaults)[number];

export const noQuirks: Quirks = {
  pauseAfterConnectMs: 0,
  pauseBetweenRequestsMs: 0,
  closeAfterPoll: false,
  maxRegisters: 125,
  maxHole: 30,
  barriers: [],
  oneRequestPerPoint: false,
  anyTransactionId: false,
  lengthFault: null,
};

/** One device behind a gateway. */
export interface GatewayUnit {
  /** 0 … 255, sent as given. */
  unitId: number;
  /** The name of its preset; null: its points are given one by one. */
  preset: string | null;
  /** Of the unit; what is missing here is the gateway's. */
  quirks: Partial<Quirks>;
  /** Rated power, kW: limits what a counter may rise; null: unknown. */
  capacityKw: number | null;
  /** Points beside those of the preset; one of the same key replaces the preset's. */
  points: readonly DataPoint[];
}

/** A gateway as people define it: in FILE.json, in the API, on the page. */
export interface GatewayDraft {
  /** Lower case letters, digits and hyphens. */
  id: string;
  name: string;
  host: string;
  port: number;
  /** The plant on whose site it stands; null: none. */
  plantId: string | null;
  customerId: string | null;
  pollIntervalS: number;
  priority: Priority;
  quirks: Partial<Quirks>;
  units: readonly GatewayUnit[];
}

/** A gateway's colour in words; in the order in which the rules ask. */
export const gatewayStatuses = [
  'PAUSED',
  'DISABLED',
  'WAITING',
  'OFFLINE',
  'DEGRADED',
  'ONLINE',
] as const;
export type GatewayStatus = (typeof gatewayStatuses)[number];

/** A host as it is written where two gateways may share a socket: in lower case, without the dot at the end. */
export function canonicalHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

/** Host and port where two gateways may share a socket. */
export function canonicalAddress(host: string, port: number): string {
  const plain = canonicalHost(host);
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** Which shard walks a gateway: all gateways of one socket are in one shard. */
export function shardOf(host: string, port: number, shards: number): number {
  return addressHash(host, port) % shards;
}

/** Of a gateway's socket: its remainder by the number of shards is the shard. */
export function addressHash(host: string, port: number): number {
  return fnv1a32(canonicalAddress(host, port));
}

import { cpus } from 'node:os';

import { type Kysely, sql } from 'kysely';

import { query, queryRow } from '../../db/database.ts';
import { gatewayLedger } from '../../db/gateways/ledger.ts';
import { countSlots, hasLedgerKey, onOneSnapshot } from '../../db/ledger/check.ts';
import type { Database } from '../../db/tables.ts';
import { cpuMsOf, machineBusyMs, rssMbOf } from '../processes.ts';
import { rounded } from '../readings.ts';
import type { GatewayArena } from './arena.ts';
import { requestsPerPoll } from './points.ts';
import type { BenchProcess } from './walker.ts';

/** Reads the bench's figures from the database, the farm and /proc, never from the walker's own counters. */

/** Slots with `fromMs` ≤ slot < `toMs`. */
export interface Window {
  fromMs: number;
  toMs: number;
}

const costs = ['walker', 'postgresql', 'temporal', 'redis', 'fleet', 'farm', 'machine'] as const;
type Cpu = Record<(typeof costs)[number], number>;

/** All growing counters at one instant. */
export interface GatewayReading {
  atMs: number;
  cpuMs: Cpu;
  requests: number;
}

export interface BenchProcesses {
  fleet: BenchProcess;
  walkers: readonly BenchProcess[];
}

export async function readCounters(
  arena: GatewayArena,
  { fleet, walkers }: BenchProcesses,
): Promise<GatewayReading> {
  const { stack, ownBackendPid, farmPid } = arena;
  const figures = await arena.farmFigures();
  return {
    atMs: Date.now(),
    requests: figures.reduce((sum, one) => sum + one.requests, 0),
    cpuMs: {
      walker: walkers.reduce((sum, { pid }) => sum + cpuMsOf(pid), 0),
      postgresql: stack.postgres === null ? 0 : cpuMsOf(stack.postgres.pid, [ownBackendPid]),
      temporal: stack.temporal === null ? 0 : cpuMsOf(stack.temporal.pid),
      redis: stack.redis === null ? 0 : cpuMsOf(stack.redis.pid),
      fleet: cpuMsOf(fleet.pid),
      farm: cpuMsOf(farmPid),
      machine: machineBusyMs(),
    },
  };
}

/** CPU time between two readings for each poll, ms. */
export function cpuPerPoll(before: GatewayReading, after: GatewayReading, polls: number): Cpu {
  const each = costs.map((name) => [
    name,
    thousandths((after.cpuMs[name] - before.cpuMs[name]) / Math.max(1, polls)),
  ]);
  return Object.fromEntries(each) as Cpu;
}

function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

export interface Late {
  p50_ms: number | null;
  p99_ms: number | null;
  max_ms: number | null;
}

/** How late the polls of slots of the window began, without those of `except`. */
export async function readLate(
  db: Kysely<Database>,
  { fromMs, toMs }: Window,
  except: readonly string[] = [],
): Promise<Late & { polls: number }> {
  return queryRow(db)<Late & { polls: number }>`
    select count(*) as polls, percentile_disc(0.5) within group (order by late_ms) as p50_ms,
      percentile_disc(0.99) within group (order by late_ms) as p99_ms, max(late_ms) as max_ms
    from gateway_readings
    where read_at >= ${new Date(fromMs)} and read_at < ${new Date(toMs)} and outcome in ('OK', 'PARTIAL', 'FAILED')
      and "trigger" in ('SCHEDULE', 'CATCH_UP', 'START') and gateway_id <> all(${[...except]}::text[])`;
}

export interface SlotVerdict {
  due: number;
  polled: number;
  skipped: number;
  missed: number;
  /** Due, and without a row. */
  lost: number;
  doubled: number;
  /** Rows of slots that were not due. */
  strays: number;
  /** Polls of one gateway that ran at once. */
  overlapping: number;
}

/** `measured_at` and `late_ms` are whole ms. */
const roundingMs = 2;

export async function readSlots(
  db: Kysely<Database>,
  { fromMs, toMs }: Window,
): Promise<SlotVerdict> {
  const {
    unscheduled: _,
    without,
    ...slots
  } = await onOneSnapshot(db, async (trx) => {
    const isKeyed = await hasLedgerKey(trx, gatewayLedger);
    return countSlots(trx, gatewayLedger, { fromMs, toMs, isKeyed });
  });
  const { overlapping } = await queryRow(db)<{ overlapping: number }>`
    with polls as (
      select gateway_id, read_at + late_ms * interval '1 millisecond' as began_at,
        max(read_at + (late_ms + duration_ms) * interval '1 millisecond') over (
          partition by gateway_id order by read_at rows between unbounded preceding and 1 preceding) as busy_until
      from gateway_readings
      where late_ms is not null and duration_ms is not null
        and read_at >= ${new Date(fromMs)} and read_at < ${new Date(toMs)})
    select count(*) as overlapping from polls where busy_until > began_at + ${roundingMs} * interval '1 millisecond'`;
  return { ...slots, lost: without, overlapping };
}

/** What the devices saw of it. */
export interface DeviceVerdict {
  requests_per_poll: number;
  /** Gateways that had two connections at one moment. */
  two_masters: number;
  /** Requests that came before the one before them was answered. */
  overlapping: number;
}

/** @param except gateways whose own misbehaviour makes more requests. */
export async function readDevices(
  arena: GatewayArena,
  requests: number,
  polls: number,
  except: readonly string[] = [],
): Promise<DeviceVerdict> {
  const figures = (await arena.farmFigures()).filter(({ id }) => !except.includes(id));
  return {
    requests_per_poll: rounded(requests / Math.max(1, polls)),
    two_masters: figures.filter((one) => one.connections_max > 1).length,
    overlapping: figures.reduce((sum, one) => sum + one.overlapping, 0),
  };
}

/** Requests of the first and the last polls of a window fall on either side of its edges. */
const edgeShare = 0.02;

/** Whether each poll made exactly its requests, one after the other, by one master. */
export function isOncePerSlot(devices: DeviceVerdict): boolean {
  const { requests_per_poll: each, two_masters: masters, overlapping } = devices;
  return Math.abs(each / requestsPerPoll - 1) < edgeShare && masters === 0 && overlapping === 0;
}

export interface RowBytes {
  rows: number;
  heap: number;
  index: number;
}

/** The size of a reading. */
export async function readRowBytes(db: Kysely<Database>): Promise<RowBytes> {
  const { rows, heap, index } = await queryRow(db)<RowBytes>`
    select (select count(*) from gateway_readings) as rows,
      sum(pg_table_size(inhrelid))::bigint as heap, sum(pg_indexes_size(inhrelid))::bigint as index
    from pg_inherits where inhparent = 'gateway_readings'::regclass`;
  return {
    rows,
    heap: Math.round(heap / Math.max(1, rows)),
    index: Math.round(index / Math.max(1, rows)),
  };
}

/** Gateways with a row at `atMs` or later: what was due to them before is settled. */
export async function countSettled(db: Kysely<Database>, atMs: number): Promise<number> {
  const { gateways } = await queryRow(db)<{ gateways: number }>`
    select count(distinct gateway_id) as gateways from gateway_readings where read_at >= ${new Date(atMs)}`;
  return gateways;
}

/** Into how many shards the workers of a bench divide the gateways: the product's default. */
const shards = 4;

/** The gateways of the shards that a process walks. */
export async function gatewaysWalkedBy(db: Kysely<Database>, pid: number): Promise<string[]> {
  const rows = await query(db)<{ id: string }>`
    select g.id from gateways g join gateway_shards s on s.shard = g.address_hash % ${shards}
    where s.worker like ${`${pid}@%`}`;
  return rows.map(({ id }) => id);
}

/** When the first poll of these gateways after an instant began, ms since then; null: none yet. */
export async function firstPollAfterMs(
  db: Kysely<Database>,
  atMs: number,
  ids: readonly string[],
): Promise<number | null> {
  const { ms } = await queryRow(db)<{ ms: number | null }>`
    select (extract(epoch from min(read_at + late_ms * interval '1 millisecond') - ${new Date(atMs)}) * 1000)::float8 as ms
    from gateway_readings
    where gateway_id = any(${[...ids]}::text[]) and read_at >= ${new Date(atMs - 60_000)}
      and read_at + late_ms * interval '1 millisecond' > ${new Date(atMs)}`;
  return ms === null ? null : Math.round(ms);
}

export function memoryOf({ walkers }: BenchProcesses): number {
  return walkers.reduce((sum, { pid }) => sum + rssMbOf(pid), 0);
}

/** The versions behind the figures. */
export async function readBenchVersions(db: Kysely<Database>) {
  const { rows } = await sql<{ server_version: string }>`show server_version`.execute(db);
  return {
    node: process.versions.node,
    postgresql: rows[0]?.server_version ?? 'unknown',
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
  };
}

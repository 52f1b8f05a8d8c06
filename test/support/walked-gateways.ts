import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { type Kysely, sql } from 'kysely';

import { query } from '../../db/database.ts';
import { type GatewayEntry, insertGateways } from '../../db/gateways/gateways.ts';
import { listShards, type ShardRow } from '../../db/gateways/leases.ts';
import type { Database } from '../../db/tables.ts';
import type { Priority, Quirks } from '../../domain/gateways/gateway.ts';
import type { UnitPoint } from '../../domain/gateways/point.ts';
import { createGatewayLoops } from '../../operations/gateways/loops.ts';
import { eventually, type TestFleet } from './fleet.ts';
import { registerPoints } from './modbus/sites.ts';

/** Gateways of a test, and workers that walk them in processes of their own. */

const mainPath = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface TestGateway {
  id: string;
  port: number;
  intervalS?: number;
  priority?: Priority;
  points?: readonly UnitPoint[];
  quirks?: Partial<Quirks>;
}

/** Three registers of unit 1 from address 0. */
export function threePoints(): UnitPoint[] {
  return registerPoints([0, 1, 2]);
}

/** Adds gateways on 127.0.0.1. */
export async function addGateways(
  db: Kysely<Database>,
  gateways: readonly TestGateway[],
  atMs: number = Date.now(),
): Promise<void> {
  const entries = gateways.map((gateway): GatewayEntry => {
    const {
      id,
      port,
      intervalS = 1,
      priority = 'NORMAL',
      points = threePoints(),
      quirks = {},
    } = gateway;
    const unitIds = [...new Set(points.map(({ unitId }) => unitId))];
    const units = unitIds.map((unitId) => ({
      unitId,
      preset: null,
      quirks: {},
      capacityKw: null,
      points: [],
    }));
    return {
      draft: {
        id,
        name: id,
        host: '127.0.0.1',
        port,
        plantId: null,
        customerId: null,
        pollIntervalS: intervalS,
        priority,
        quirks,
        units,
      },
      points,
    };
  });
  await db.transaction().execute((trx) => insertGateways(trx, entries, atMs));
}

/** Starts the loops of all shards. */
export async function startShards(fleet: TestFleet, shards: number): Promise<void> {
  const loops = createGatewayLoops(fleet.client, shards);
  for (let shard = 0; shard < shards; shard += 1) await loops.start({ id: String(shard) });
}

/** A worker of gateways in a process of its own. */
export interface GatewaysProcess {
  pid: number;
  child: ChildProcess;
  /** What it wrote to its log. */
  log: string[];
  kill(signal: NodeJS.Signals): void;
  ended: Promise<void>;
}

/** Starts it, and waits until it serves. */
export async function startGatewaysProcess(
  env: NodeJS.ProcessEnv,
  { awaitStart = true } = {},
): Promise<GatewaysProcess> {
  const child = spawn(process.execPath, [mainPath, 'worker:gateways'], {
    env: { GATEWAY_NETWORKS: '127.0.0.0/8', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (text: Buffer) => log.push(text.toString()));
  const ended = endOf(child);
  if (awaitStart) {
    const started = once(child, 'message');
    await Promise.race([
      started,
      ended.then(() => {
        throw new Error(`the worker of gateways ended: ${log.join('')}`);
      }),
    ]);
  }
  return { pid: child.pid ?? 0, child, log, kill: (signal) => void child.kill(signal), ended };
}

async function endOf(child: ChildProcess): Promise<void> {
  await once(child, 'exit');
}

export interface LedgerRow {
  gateway_id: string;
  read_at: number;
  trigger: string;
  outcome: string;
  reason: string | null;
  slots_missed: number;
  late_ms: number | null;
  values: (number | null)[] | null;
}

/** The rows of a gateway, oldest first. */
export async function rowsOf(db: Kysely<Database>, id: string): Promise<LedgerRow[]> {
  return query(db)<LedgerRow>`
    select gateway_id, round(extract(epoch from read_at) * 1000)::bigint as read_at, "trigger", outcome, reason, slots_missed,
      late_ms, "values" from gateway_readings where gateway_id = ${id} order by read_at`;
}

/** Rows of slots that ended in a poll. */
export function polledSlots(rows: readonly LedgerRow[]): LedgerRow[] {
  return rows.filter(({ trigger, outcome }) => isOfSlot(trigger) && outcome !== 'MISSED');
}

function isOfSlot(trigger: string): boolean {
  return trigger === 'SCHEDULE' || trigger === 'CATCH_UP';
}

/** Slots between the first and the last that no row stands for, or that two stand for. */
export function slotFlaws(rows: readonly LedgerRow[], intervalMs: number): string[] {
  const flaws: string[] = [];
  let nextMs: number | null = null;
  for (const { read_at: atMs, trigger, slots_missed: missed } of rows) {
    if (!isOfSlot(trigger)) continue;
    if (nextMs !== null && atMs !== nextMs)
      flaws.push(
        `${new Date(atMs).toISOString()} comes in place of ${new Date(nextMs).toISOString()}`,
      );
    nextMs = atMs + Math.max(1, missed) * intervalMs;
  }
  return flaws;
}

/** Waits until this many slots of a gateway were polled after an instant. */
export async function untilSlots(
  db: Kysely<Database>,
  id: string,
  count: number,
  { afterMs = 0, limitMs = 30_000 } = {},
): Promise<LedgerRow[]> {
  return eventually(
    `${count} polled slots of ${id}`,
    async () => {
      const rows = polledSlots(await rowsOf(db, id)).filter((row) => row.read_at > afterMs);
      return rows.length >= count && rows;
    },
    limitMs,
  );
}

/** Waits until the leases are as the test wants them. */
export async function untilShards(
  db: Kysely<Database>,
  what: string,
  check: (shards: ShardRow[]) => boolean,
  limitMs = 30_000,
): Promise<ShardRow[]> {
  return eventually(
    what,
    async () => {
      const shards = await listShards(db);
      return check(shards) && shards;
    },
    limitMs,
  );
}

/** The epoch of a shard's lease. */
export async function epochOf(db: Kysely<Database>, shard: number): Promise<number> {
  const { rows } = await sql<{ epoch: number }>`
    select epoch from gateway_shards where shard = ${shard}`.execute(db);
  return rows[0]?.epoch ?? 0;
}

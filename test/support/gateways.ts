import { sql, type Kysely } from 'kysely';

import { type GatewayEntry, insertGateways } from '../../db/gateways/gateways.ts';
import type { StoredState } from '../../db/gateways/state.ts';
import type { BatchRow, ReadingRow } from '../../db/gateways/write-batch.ts';
import type { Database } from '../../db/tables.ts';
import type { GatewayDraft } from '../../domain/gateways/gateway.ts';
import type { DataPoint, PointKind } from '../../domain/gateways/point.ts';

/** Gateways, rows and states for tests. */

/** A point of a 32-bit number at an address; its kind follows from its key. */
export function testPoint(key: string, point: Partial<DataPoint> = {}): DataPoint {
  const kind: PointKind = key.startsWith('total') ? 'COUNTER' : 'GAUGE';
  return {
    key,
    name: key,
    function: 3,
    address: 0,
    documented: null,
    sunspec: null,
    type: 'float32',
    order: 'ABCD',
    registers: 2,
    bit: null,
    scale: 1,
    offset: 0,
    unit: kind === 'COUNTER' ? 'kWh' : 'W',
    kind,
    range: { min: null, max: null },
    sentinels: [{ bits: 0x7fc00000n, mask: null }],
    maxRatePerHour: null,
    ...point,
  };
}

/** A gateway with one unit of these points: power and a counter unless given. */
export function testGateway(
  id: string,
  draft: Partial<GatewayDraft> = {},
  points: readonly DataPoint[] = [testPoint('power_w'), testPoint('total_kwh', { address: 2 })],
): GatewayEntry {
  const unit = { unitId: 1, preset: null, quirks: {}, capacityKw: null, points };
  return {
    draft: {
      id,
      name: `Gateway ${id}`,
      host: `${id}.example.org`,
      port: 502,
      plantId: null,
      customerId: null,
      pollIntervalS: 10,
      priority: 'HIGH',
      quirks: {},
      units: [unit],
      ...draft,
    },
    points: points.map((point) => ({ ...point, unitId: 1 })),
  };
}

/** Adds gateways at an instant. */
export async function addGateways(
  db: Kysely<Database>,
  entries: readonly GatewayEntry[],
  atMs: number,
): Promise<void> {
  await db.transaction().execute((trx) => insertGateways(trx, entries, atMs));
}

/** Removes all gateways with all that is known of them. */
export async function deleteGateways(db: Kysely<Database>): Promise<void> {
  await sql`
    truncate gateways, gateway_maps, gateway_readings, gateway_readings_kept, gateway_learned, gateway_layouts, gateway_shards,
      gateway_workers, polling_halts, gateway_rollups_15min, gateway_rollups_day, gateway_rollups_done,
      gateway_rollups_due, audit_log cascade`.execute(db);
}

/** An OK row at a slot, with these values. */
export function testReading(
  readAtMs: number,
  values: readonly (number | null)[] | null = [1_000, 20],
  reading: Partial<ReadingRow> = {},
): ReadingRow {
  return {
    readAtMs,
    trigger: 'SCHEDULE',
    outcome: 'OK',
    reason: null,
    slotsMissed: 0,
    measuredAtMs: readAtMs + 40,
    lateMs: 2,
    durationMs: 38,
    requests: 1,
    mapId: null,
    values,
    quality: null,
    ...reading,
  };
}

/** What a walker knows after a successful poll of a slot. */
export function testState(slotMs: number, state: Partial<StoredState> = {}): StoredState {
  return {
    status: 'ONLINE',
    statusReason: null,
    statusMessage: null,
    statusSinceMs: slotMs,
    lastSlotMs: slotMs,
    lastPolledAtMs: slotMs + 2,
    lastSeenAtMs: slotMs + 40,
    consecutiveFailures: 0,
    failingSinceMs: null,
    recent: 'O',
    badPoints: {},
    silentUnits: {},
    counters: { '1/total_kwh': { value: 20, changedAtMs: slotMs } },
    lastReading: { mapId: 1, values: [1_000, 20], quality: null },
    nextProbeAtMs: null,
    probes: 0,
    goodProbes: 0,
    ...state,
  };
}

/** A row of a batch of shard 0. */
export function testRow(gatewayId: string, row: Partial<BatchRow> = {}): BatchRow {
  return { shard: 0, gatewayId, reading: null, state: null, texts: [], ...row };
}

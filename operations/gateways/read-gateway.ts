import type { Db } from '../../db/database.ts';
import { loadLearned, siteKey } from '../../db/gateways/learned.ts';
import { gatewayLedger } from '../../db/gateways/ledger.ts';
import { loadMaps } from '../../db/gateways/points.ts';
import {
  findShard,
  type GatewayAlertRow,
  listFacts,
  listGatewayAlerts,
  listGatewayDecisions,
} from '../../db/gateways/views.ts';
import { findGateway, type GatewayView } from '../../db/gateways/gateways.ts';
import { pageReadings, type ReadingView } from '../../db/gateways/readings.ts';
import { findOpenPeriod } from '../../db/ledger/periods.ts';
import type { PlantScope } from '../../db/scope.ts';
import { shardOf } from '../../domain/gateways/gateway.ts';
import type { UnitPoint } from '../../domain/gateways/point.ts';
import type { Refusal } from '../../domain/gateways/read-plan.ts';
import { nextSlotAfter } from '../../domain/slots.ts';
import { type PointReading, pointReadings } from './gateway-view.ts';

/** Reads one gateway for a person: its page, its JSON and `gateways show` all show these values. */

const alertsShown = 30;
const decisionsShown = 10;
const pollsShown = 20;

export interface GatewayDetail {
  /** When it was read, ms. */
  nowMs: number;
  row: GatewayView;
  points: readonly UnitPoint[];
  /** The points of the newest reading. */
  readings: readonly PointReading[];
  /** null while no slot is due. */
  nextSlotAt: Date | null;
  /** Which shard it belongs to, and who walks it now; null: nobody. */
  shard: { number: number; of: number; worker: string | null };
  /** The newest rows of its ledger, newest first. */
  polls: readonly ReadingView[];
  alerts: readonly GatewayAlertRow[];
  facts: Awaited<ReturnType<typeof listFacts>>;
  /** What its site refuses. */
  refusals: readonly Refusal[];
  decisions: Awaited<ReturnType<typeof listGatewayDecisions>>;
}

/** @returns undefined for a gateway that is unknown or outside of the scope. */
export async function readGateway(
  db: Db,
  gatewayId: string,
  ask: { scope: PlantScope; nowMs: number; shards: number },
): Promise<GatewayDetail | undefined> {
  const { scope, nowMs, shards } = ask;
  const row = await findGateway(db, scope, gatewayId);
  if (row === undefined) return undefined;
  const number = shardOf(row.host, row.port, shards);
  const [maps, period, shard, polls, alerts, facts, learned, decisions] = await Promise.all([
    loadMaps(db, [row.map_id]),
    findOpenPeriod(db, gatewayLedger, gatewayId),
    findShard(db, number),
    pageReadings(db, gatewayId, {}, { after: null, limit: pollsShown }),
    listGatewayAlerts(db, gatewayId, alertsShown),
    listFacts(db, gatewayId),
    loadLearned(db, [row]),
    listGatewayDecisions(db, gatewayId, decisionsShown),
  ]);
  const points = maps.get(row.map_id) ?? [];
  // A reading of an older list of points says nothing about this one.
  const reading = row.last_reading?.mapId === row.map_id ? row.last_reading : null;
  const units = new Set(row.units.map(({ unit_id }) => unit_id));
  return {
    nowMs,
    row,
    points,
    readings: pointReadings(points, reading),
    nextSlotAt:
      period?.reason === 'ACTIVE'
        ? new Date(nextSlotAfter(period, Math.max(nowMs, period.fromMs - 1)))
        : null,
    shard: {
      number,
      of: shards,
      worker: shard !== undefined && shard.expires_at.getTime() > nowMs ? shard.worker : null,
    },
    polls: polls.rows,
    alerts,
    facts,
    refusals: (learned.get(siteKey(row)) ?? []).filter(({ unitId }) => units.has(unitId)),
    decisions,
  };
}

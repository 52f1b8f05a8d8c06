import type { ReadingView } from '../../db/gateways/readings.ts';
import { quirksJson } from '../../domain/gateways/definition.ts';
import type { UnitPoint } from '../../domain/gateways/point.ts';
import { pointReadings } from '../../operations/gateways/gateway-view.ts';
import type { GatewayDetail } from '../../operations/gateways/read-gateway.ts';
import { alertJson, gatewayJson, pointValueJson, readingJson } from './schemas.ts';

/** Documents that join what several tables know of a gateway. */

/** A gateway as a JSON document. @param answered the share of the polls of 24 h that were answered. */
export function gatewayDetailJson(detail: GatewayDetail, answered: number | undefined) {
  const { row, points, shard } = detail;
  return {
    ...gatewayJson(row, { points, answered }),
    quirks: quirksJson(row.quirks).quirks ?? {},
    next_slot: detail.nextSlotAt?.toISOString() ?? null,
    shard: { number: shard.number, of: shard.of, walked_by: shard.worker },
    points: detail.readings.map(pointValueJson),
    texts: detail.facts.map(({ unit_id, key, value, changed_at: at }) => ({
      unit_id,
      key,
      value,
      changed_at: at.toISOString(),
    })),
    refused: detail.refusals.map((one) => ({
      unit_id: one.unitId,
      function: one.function,
      address: one.address,
      count: one.count,
      exception: one.code,
      at: new Date(one.atMs).toISOString(),
    })),
    alerts: detail.alerts.map(alertJson),
    last_polls: detail.polls.map((poll) =>
      readingJson(poll, poll.map_id === row.map_id ? points : undefined),
    ),
  };
}

/**
 * Rows of the ledger as lines of a table, oldest first: a column for each point of the newest map, named by its key, with the
 * unit's id in front where keys repeat. A point that is not GOOD has an empty cell.
 */
export function readingCsvRows(
  rows: readonly ReadingView[],
  maps: ReadonlyMap<number, readonly UnitPoint[]>,
  mapId: number,
) {
  const own = maps.get(mapId) ?? [];
  const nameOf = ({ unitId, key }: UnitPoint): string =>
    own.some((other) => other.key === key && other.unitId !== unitId) ? `u${unitId}_${key}` : key;
  const names = own.filter(({ type }) => type !== 'string').map(nameOf);
  const columns = ['read_at', 'trigger', 'outcome', 'reason', 'slots_missed', 'late_ms', ...names];
  const lines = rows.toReversed().map((row) => {
    const line: Record<string, string | number | null> = {
      read_at: row.read_at.toISOString(),
      trigger: row.trigger,
      outcome: row.outcome,
      reason: row.reason,
      slots_missed: row.slots_missed,
      late_ms: row.late_ms,
    };
    if (row.map_id === null || row.values === null) return line;
    const reading = { mapId: row.map_id, values: row.values, quality: row.quality };
    for (const { point, value } of pointReadings(maps.get(row.map_id) ?? [], reading))
      line[nameOf(point)] = value;
    return line;
  });
  return { columns, lines };
}

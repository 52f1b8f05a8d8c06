import {
  type GatewayPosition,
  type GatewayView,
  pageGateways,
  totalGateways,
} from '../../../db/gateways/gateways.ts';
import { readSeries, type SeriesBucket } from '../../../db/gateways/readings.ts';
import { loadMaps } from '../../../db/gateways/points.ts';
import {
  listChoices,
  readAnsweredShares,
  readPolling,
  readQuarters,
  readStrips,
} from '../../../db/gateways/views.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import { dayMs, hourMs, type ReaderZone } from '../../../domain/zone.ts';
import { type GatewayDetail, readGateway } from '../../../operations/gateways/read-gateway.ts';
import { workflowLink } from '../../../operations/links.ts';
import { shardWorkflowId } from '../../../workflows/gateways/messages.ts';
import type { ApiDeps } from '../../deps.ts';
import { type Person, plantScope } from '../../env.ts';
import { viewerMay } from '../../pages/layout.ts';
import { Problem } from '../../problem.ts';
import { type ChartSpan, chartSpans, type GatewayPage } from './gateway.ts';
import {
  filterOf,
  type GatewaysPage,
  gatewaysPageSize,
  type GatewaysQuery,
  type ListedGateway,
} from './list.ts';
import { gatewayStripSlots } from './strip.ts';

/** Reads what the pages about gateways show. */

export async function readGatewaysPage(
  { db, clock }: Pick<ApiDeps, 'db' | 'clock'>,
  person: Person,
  zone: ReaderZone,
  query: GatewaysQuery,
): Promise<GatewaysPage> {
  const scope = plantScope(person);
  const limit = query.pages * gatewaysPageSize;
  const isStaff = viewerMay(person).act;
  const [page, matching, counts, choices, polling] = await Promise.all([
    pageGateways(db, scope, filterOf(query), { after: null, limit }),
    totalGateways(db, scope, filterOf(query)),
    totalGateways(db, scope, filterOf(query, false)),
    listChoices(db, scope),
    isStaff ? readPolling(db) : null,
  ]);
  const gateways = await listed(db, page.rows, clock());
  const shares = gateways.flatMap(({ answered }) => answered ?? []);
  return {
    query,
    matching,
    counts,
    gateways,
    ...choices,
    polling:
      polling === null || polling.shards === 0
        ? null
        : {
            ...polling,
            answered:
              shares.length === 0
                ? null
                : shares.reduce((sum, share) => sum + share, 0) / shares.length,
          },
    mayAdd: person.role === 'ADMIN',
    nowMs: clock(),
    zone,
  };
}

/** The gateways on the site of a plant, the worst first. */
export async function readGatewaysOfPlant(
  { db, clock }: Pick<ApiDeps, 'db' | 'clock'>,
  person: Person,
  plantId: string,
): Promise<ListedGateway[]> {
  const page = { after: null, limit: gatewaysPageSize };
  const { rows } = await pageGateways(db, plantScope(person), { plantId }, page);
  return listed(db, rows, clock());
}

/** Gateways with the values, the strip and the share of answers that lists show. */
export async function listed(
  db: ApiDeps['db'],
  rows: readonly GatewayView[],
  nowMs: number,
): Promise<ListedGateway[]> {
  const ids = rows.map(({ id }) => id);
  const [maps, strips, answered] = await Promise.all([
    loadMaps(db, [...new Set(rows.map(({ map_id }) => map_id))]),
    readStrips(db, ids, gatewayStripSlots),
    readAnsweredShares(db, ids, nowMs),
  ]);
  return rows.map((row) => ({
    row,
    points: maps.get(row.map_id) ?? [],
    strip: strips.get(row.id) ?? [],
    answered: answered.get(row.id),
  }));
}

/** The gateway at the API's time, for its page and its document. Throws Problem 404. */
export async function readDetail(
  deps: Pick<ApiDeps, 'db' | 'clock' | 'gatewayShards'>,
  person: Person,
  gatewayId: string,
): Promise<GatewayDetail> {
  const detail = await readGateway(deps.db, gatewayId, {
    scope: plantScope(person),
    nowMs: deps.clock(),
    shards: deps.gatewayShards,
  });
  if (detail === undefined) throw new Problem('not-found', 'There is no such gateway.');
  return detail;
}

/** The page of a gateway. @param ask the point of the chart, as `unit:key`, and its span. Throws Problem 404. */
export async function readGatewayPage(
  deps: ApiDeps,
  person: Person,
  gatewayId: string,
  ask: { point: string | undefined; unit: string | undefined; span: string | undefined },
): Promise<Omit<GatewayPage, 'zone' | 'told'>> {
  const detail = await readDetail(deps, person, gatewayId);
  const { row, points, nowMs, shard } = detail;
  const may = viewerMay(person);
  const isThere = row.removed_at === null;
  const [quarters, series] = await Promise.all([
    readQuarters(deps.db, { gatewayId, mapId: row.map_id, fromMs: nowMs - dayMs }),
    readChart(deps.db, detail, chosenPoint(points, ask), spanOf(ask.span)),
  ]);
  return {
    ...detail,
    quarters,
    series,
    quirks: row.quirks,
    mayAct: may.act && isThere,
    mayRemove: person.role === 'ADMIN' && isThere,
    workflowUrl: may.act
      ? workflowLink(
          deps.temporalUiUrl,
          deps.temporal.options.namespace,
          shardWorkflowId(String(shard.number)),
        )
      : null,
  };
}

function spanOf(word: string | undefined): ChartSpan {
  return (Object.keys(chartSpans) as ChartSpan[]).find((span) => span === word) ?? '24 h';
}

/** The point that the address asks for, as `key` and `unit` or as `unit:key`; else the first number with a unit. */
function chosenPoint(
  points: readonly UnitPoint[],
  { point = '', unit }: { point: string | undefined; unit: string | undefined },
): UnitPoint | undefined {
  const numbers = points.filter(({ type }) => type !== 'string');
  const [unitText, key] = point.includes(':') ? point.split(':', 2) : [unit, point];
  return (
    numbers.find(
      (one) => one.key === key && (unitText === undefined || String(one.unitId) === unitText),
    ) ??
    numbers.find((one) => one.unit === 'W' || one.unit === 'kW') ??
    numbers[0]
  );
}

async function readChart(
  db: ApiDeps['db'],
  { row, nowMs }: GatewayDetail,
  point: UnitPoint | undefined,
  span: ChartSpan,
): Promise<GatewayPage['series']> {
  if (point === undefined) return null;
  const fromMs = nowMs - chartSpans[span] * hourMs;
  const asked = { fromMs, toMs: nowMs, bucket: bucketsOfSpan[span], limit: chartPointsMax };
  const values = await readSeries(db, row.id, point, asked);
  return { point, span, values: withGaps(values, bucketMsOfSpan[span]) };
}

/** More than a chart ever has. */
const chartPointsMax = 5_000;
const bucketsOfSpan: Readonly<Record<ChartSpan, SeriesBucket>> = {
  '24 h': '1m',
  '7 d': '15m',
  '30 d': '1h',
};
const bucketMsOfSpan: Readonly<Record<ChartSpan, number>> = {
  '24 h': 60_000,
  '7 d': 15 * 60_000,
  '30 d': hourMs,
};

/** The means over time, with a gap where buckets are missing. */
function withGaps(
  values: readonly { at: Date; mean: number | null }[],
  bucketMs: number,
): [number, number | null][] {
  const all: [number, number | null][] = [];
  let lastMs: number | null = null;
  for (const { at, mean } of values) {
    const atMs = at.getTime();
    if (lastMs !== null && atMs - lastMs > gapBuckets * bucketMs)
      all.push([lastMs + bucketMs, null]);
    all.push([atMs, mean]);
    lastMs = atMs;
  }
  return all;
}

/** A gateway that is polled every five minutes has a value in every fifth minute: that is no gap. */
const gapBuckets = 11;

/** Where a page of the list ended, from its cursor. */
export function positionOf(
  parts: readonly (string | number | null)[] | null,
): GatewayPosition | null {
  if (parts === null) return null;
  const [rank, id] = parts;
  if (typeof rank === 'number' && typeof id === 'string' && parts.length === 2) return [rank, id];
  throw new Problem('invalid-request', 'cursor: not a cursor of this list');
}

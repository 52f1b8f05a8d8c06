import { createRoute, z } from '@hono/zod-openapi';

import { findGateway, pageGateways, totalGateways } from '../../db/gateways/gateways.ts';
import { loadMaps } from '../../db/gateways/points.ts';
import {
  pageReadings,
  readSeries,
  type SeriesBucket,
  seriesBuckets,
} from '../../db/gateways/readings.ts';
import { dayMs } from '../../domain/zone.ts';
import { pageQuery, readCursor, writeCursor } from '../cursor.ts';
import { csvAnswer, csvFlag, csvResponse, csvText, wantsCsv } from '../csv.ts';
import type { ApiDeps } from '../deps.ts';
import { jsonOf } from '../json.ts';
import { plantScope } from '../env.ts';
import { Problem, problems, reading } from '../problem.ts';
import { access, answers, instantSchema, newRoutes } from '../route.ts';
import { listed, positionOf, readDetail } from './pages/data.ts';
import { gatewayDetailJson, readingCsvRows } from './documents.ts';
import {
  gatewayDetailSchema,
  gatewayIdParam,
  gatewayJson,
  gatewayReadingSchema,
  gatewaySchema,
  gatewayStatusSchema,
  instantQuery,
  pointSchema,
  pointJson,
  prioritySchema,
  readingJson,
} from './schemas.ts';

/** The routes that read gateways. */

const tags = ['gateways'];
/** The largest number of readings in one CSV export. */
const exportRowsMax = 100_000;
/** The largest number of points of one series. */
const seriesPointsMax = 10_000;

const nullable = z.number().nullable();
const seriesValueSchema = z
  .object({
    at: instantSchema,
    min: nullable,
    mean: nullable,
    max: nullable,
    last: nullable,
    delta: nullable.openapi({ description: 'what a counter rose, in buckets of 15 min and more' }),
    readings: z.int(),
    good: z.int().openapi({ description: 'in how many of them the point was good' }),
  })
  .openapi('GatewayPointValue');
const seriesColumns = Object.keys(
  seriesValueSchema.shape,
) as (keyof typeof seriesValueSchema.shape)[];

const totalsSchema = z
  .object({
    gateways: z.int(),
    disabled: z.int(),
    offline: z.int(),
    degraded: z.int(),
    waiting: z.int(),
    online: z.int(),
    paused: z.int(),
    not_polled: z.int().openapi({ description: 'stale gateways, counted apart from the statuses' }),
  })
  .openapi('GatewayTotals');

const list = createRoute({
  method: 'get',
  path: '/gateways',
  tags,
  summary: 'Gateways, worst first',
  ...access('CUSTOMER'),
  request: {
    query: z.object({
      status: gatewayStatusSchema.optional(),
      priority: prioritySchema.optional(),
      plant: z.string().max(200).optional(),
      preset: z.string().max(100).optional(),
      customer: z.string().max(200).optional(),
      stale: z
        .enum(['true', 'false'])
        .transform((flag) => flag === 'true')
        .optional(),
      q: z.string().max(200).optional().openapi({ description: 'text in name, id or host:port' }),
      ...pageQuery,
    }),
  },
  responses: answers(
    z
      .object({
        totals: totalsSchema,
        gateways: z.array(gatewaySchema),
        next_cursor: z.string().nullable(),
      })
      .openapi('GatewayPage'),
    'one page, and the totals of the gateways that match the filters',
    reading,
  ),
});

const show = createRoute({
  method: 'get',
  path: '/gateways/{id}',
  tags,
  summary: 'A gateway with its points, alerts, polls and how it is read',
  ...access('CUSTOMER'),
  request: { params: gatewayIdParam },
  responses: answers(gatewayDetailSchema, 'the gateway', [...reading, 404]),
});

const points = createRoute({
  method: 'get',
  path: '/gateways/{id}/points',
  tags,
  summary: 'The points that are read from a gateway, in the order of its readings',
  ...access('CUSTOMER'),
  request: { params: gatewayIdParam },
  responses: answers(
    z
      .object({ gateway_id: z.string(), map_id: z.int(), points: z.array(pointSchema) })
      .openapi('GatewayPoints'),
    'all of them',
    [...reading, 404],
  ),
});

const readings = createRoute({
  method: 'get',
  path: '/gateways/{id}/readings',
  tags,
  summary: "A gateway's readings, newest first; with `point` the values of one point over time",
  description:
    'Without `point`: rows of the ledger before `to`, a page at a time. With `point`: its values by `bucket` in [from, to), oldest first; `mean` is null where no value was good.',
  ...access('CUSTOMER'),
  request: {
    params: gatewayIdParam,
    query: z.object({
      from: instantQuery.optional().openapi({ description: 'default: 24 h before `to`' }),
      to: instantQuery.optional().openapi({ description: 'default: now' }),
      point: z
        .string()
        .regex(/^(\d{1,3}:)?[a-z0-9_]{1,80}$/, 'is the key of a point, or unit:key')
        .optional(),
      bucket: z.enum(seriesBuckets).default('1m'),
      limit: pageQuery.limit,
      format: csvFlag,
    }),
  },
  responses: {
    200: csvAnswer(
      z
        .union([
          z.object({
            gateway_id: z.string(),
            readings: z.array(gatewayReadingSchema),
            next_cursor: instantSchema.nullable().openapi({ description: 'the next `to`' }),
          }),
          z.object({
            gateway_id: z.string(),
            point: z.string(),
            unit: z.string().nullable(),
            bucket: z.enum(seriesBuckets),
            values: z.array(seriesValueSchema),
          }),
        ])
        .openapi('GatewayReadings'),
      'one page, or the values of one point',
    ),
    ...problems(...reading, 404),
  },
});

export function gatewayRoutes(deps: ApiDeps) {
  const { db } = deps;

  return newRoutes()
    .openapi(list, async (c) => {
      const { cursor, limit, plant, customer, ...query } = c.req.valid('query');
      const scope = plantScope(c.get('person'));
      const filter = { ...query, plantId: plant, customerId: customer };
      const after = positionOf(readCursor('gateways', cursor));
      const [page, totals] = await Promise.all([
        pageGateways(db, scope, filter, { after, limit }),
        totalGateways(db, scope, filter),
      ]);
      const rows = await listed(db, page.rows, deps.clock());
      const last = page.nextAfter;
      const next = last === null ? null : writeCursor('gateways', [last.rank, last.id]);
      c.header('cache-control', 'no-store');
      return c.json(
        {
          totals,
          gateways: rows.map((one) => jsonOf(gatewaySchema, gatewayJson(one.row, one))),
          next_cursor: next,
        },
        200,
      );
    })
    .openapi(show, async (c) => {
      const detail = await readDetail(deps, c.get('person'), c.req.valid('param').id);
      const [one] = await listed(db, [detail.row], detail.nowMs);
      c.header('cache-control', 'no-store');
      c.header('etag', `"${detail.row.revision}"`);
      return c.json(jsonOf(gatewayDetailSchema, gatewayDetailJson(detail, one?.answered)), 200);
    })
    .openapi(points, async (c) => {
      const { row, points: all } = await readDetail(deps, c.get('person'), c.req.valid('param').id);
      return c.json({ gateway_id: row.id, map_id: row.map_id, points: all.map(pointJson) }, 200);
    })
    .openapi(readings, async (c) => {
      const { id } = c.req.valid('param');
      const { from, to, point, bucket, limit } = c.req.valid('query');
      const row = await findGateway(db, plantScope(c.get('person')), id);
      if (row === undefined) throw new Problem('not-found', 'There is no such gateway.');
      const toMs = to === undefined ? deps.clock() + 1 : Date.parse(to);
      const fromMs = from === undefined ? toMs - dayMs : Date.parse(from);
      if (fromMs > toMs) throw new Problem('invalid-request', 'from: lies after to');
      if (point !== undefined) {
        const series = await seriesOf({ row, point, fromMs, toMs, bucket });
        const values = series.values.map((value) => jsonOf(seriesValueSchema, value));
        if (wantsCsv(c))
          return csvResponse(c, `${id}-${series.point}.csv`, csvText(seriesColumns, values));
        return c.json({ ...series, values }, 200);
      }
      if (wantsCsv(c)) {
        const { rows } = await pageReadings(
          db,
          id,
          { fromMs, toMs },
          { after: null, limit: exportRowsMax + 1 },
        );
        if (rows.length > exportRowsMax)
          throw new Problem(
            'invalid-request',
            `from: an export has at most ${exportRowsMax} readings; choose a shorter span`,
          );
        const maps = await mapsOf(rows);
        const { columns, lines } = readingCsvRows(rows, maps, row.map_id);
        return csvResponse(c, `${id}-readings.csv`, csvText(columns, lines));
      }
      const filter = { toMs, ...(from !== undefined && { fromMs }) };
      const page = await pageReadings(db, id, filter, { after: null, limit });
      const maps = await mapsOf(page.rows);
      return c.json(
        {
          gateway_id: id,
          readings: page.rows.map((one) => readingJson(one, maps.get(one.map_id ?? 0))),
          next_cursor: page.nextAfter?.read_at.toISOString() ?? null,
        },
        200,
      );
    });

  async function mapsOf(rows: readonly { map_id: number | null }[]) {
    return loadMaps(db, [...new Set(rows.flatMap(({ map_id }) => map_id ?? []))]);
  }

  async function seriesOf(ask: {
    row: { id: string; map_id: number };
    point: string;
    fromMs: number;
    toMs: number;
    bucket: SeriesBucket;
  }) {
    const { row, point: name, fromMs, toMs, bucket } = ask;
    if ((bucket === 'raw' || bucket === '1m' || bucket === '5m') && toMs - fromMs > 7 * dayMs)
      throw new Problem('invalid-request', 'bucket: 15m, 1h or 1d for spans of more than 7 days');
    const [unit, key] = name.includes(':') ? name.split(':', 2) : [undefined, name];
    const all = (await loadMaps(db, [row.map_id])).get(row.map_id) ?? [];
    const found = all.find(
      (one) => one.key === key && (unit === undefined || String(one.unitId) === unit),
    );
    if (found === undefined || found.type === 'string')
      throw new Problem('invalid-request', `point: the gateway has no number called ${name}`);
    const limit = seriesPointsMax + 1;
    const values = await readSeries(db, row.id, found, { fromMs, toMs, bucket, limit });
    if (values.length > seriesPointsMax)
      throw new Problem(
        'invalid-request',
        `bucket: this span has more than ${seriesPointsMax} values: choose a longer bucket`,
      );
    return { gateway_id: row.id, point: found.key, unit: found.unit, bucket, values };
  }
}

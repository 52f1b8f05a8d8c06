import { createRoute, z } from '@hono/zod-openapi';

import { findGateway, pageGateways, totalGateways } from '../../db/gateways/gateways.ts';
import { loadMaps } from '../../db/gateways/points.ts';
import { listReadings, readSeries } from '../../db/gateways/views.ts';
import { readPage } from '../../db/page.ts';
import { dayMs, hourMs } from '../../domain/zone.ts';
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
    'Without `point`: rows of the ledger before `to`, a page at a time. With `point`: the means of buckets of `bucket` seconds in [from, to), oldest first; a bucket without a good value is null.',
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
      bucket: z.coerce.number().int().min(1).max(86_400).default(60),
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
            bucket_s: z.int(),
            values: z.array(z.tuple([instantSchema, z.number().nullable()])),
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
        const series = await seriesOf({ row, point, fromMs, toMs, bucketS: bucket });
        const texts = series.values.map(([at, value]): [string, number | null] => [
          new Date(at).toISOString(),
          value,
        ]);
        if (wantsCsv(c))
          return csvResponse(
            c,
            `${id}-${series.point}.csv`,
            csvText(
              ['at', 'value'],
              texts.map(([at, value]) => ({ at, value })),
            ),
          );
        return c.json({ ...series, values: texts }, 200);
      }
      if (wantsCsv(c)) {
        const rows = await listReadings(db, id, {
          beforeMs: toMs,
          fromMs,
          limit: exportRowsMax + 1,
        });
        if (rows.length > exportRowsMax)
          throw new Problem(
            'invalid-request',
            `from: an export has at most ${exportRowsMax} readings; choose a shorter span`,
          );
        const maps = await mapsOf(rows);
        const { columns, lines } = readingCsvRows(rows, maps, row.map_id);
        return csvResponse(c, `${id}-readings.csv`, csvText(columns, lines));
      }
      const page = await readPage(limit, (read) =>
        listReadings(db, id, {
          beforeMs: toMs,
          fromMs: from === undefined ? null : fromMs,
          limit: read,
        }),
      );
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
    bucketS: number;
  }) {
    const { row, point: name, fromMs, toMs, bucketS } = ask;
    if ((toMs - fromMs) / 1_000 / bucketS > seriesPointsMax)
      throw new Problem(
        'invalid-request',
        `bucket: ${Math.ceil((toMs - fromMs) / 1_000 / seriesPointsMax)} s or more for this span, which has at most ${seriesPointsMax} values`,
      );
    if (bucketS < 900 && toMs - fromMs > 7 * 24 * hourMs)
      throw new Problem('invalid-request', 'bucket: 900 s or more for spans of more than 7 days');
    const [unit, key] = name.includes(':') ? name.split(':', 2) : [undefined, name];
    const all = (await loadMaps(db, [row.map_id])).get(row.map_id) ?? [];
    const index = all.findIndex(
      (one) => one.key === key && (unit === undefined || String(one.unitId) === unit),
    );
    const found = all[index];
    if (found === undefined || found.type === 'string')
      throw new Problem('invalid-request', `point: the gateway has no number called ${name}`);
    const values = await readSeries(db, {
      gatewayId: row.id,
      mapId: row.map_id,
      index,
      fromMs,
      toMs,
      bucketS,
    });
    return { gateway_id: row.id, point: found.key, unit: found.unit, bucket_s: bucketS, values };
  }
}

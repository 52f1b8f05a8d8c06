import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { findGateway } from '../../db/gateways/gateways.ts';
import { loadMaps } from '../../db/gateways/points.ts';
import {
  pageReadings,
  readSeries,
  type SeriesBucket,
  seriesBuckets,
} from '../../db/gateways/readings.ts';
import type { Db } from '../../db/database.ts';
import { dayMs } from '../../domain/zone.ts';
import { pageQuery } from '../cursor.ts';
import { csvAnswer, csvFlag, csvResponse, csvText, wantsCsv } from '../csv.ts';
import type { ApiDeps } from '../deps.ts';
import { type ApiEnv, plantScope } from '../env.ts';
import { jsonOf } from '../json.ts';
import { Problem, problems, reading } from '../problem.ts';
import { access, instantSchema, newRoutes } from '../route.ts';
import { readingCsvRows } from './documents.ts';
import { gatewayIdParam, gatewayReadingSchema, instantQuery, readingJson } from './schemas.ts';

/** The route of a gateway's readings: rows of its ledger, one point over time, and files of both. */

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

interface Span {
  fromMs: number;
  toMs: number;
}

export function gatewayReadingRoutes({ db, clock }: Pick<ApiDeps, 'db' | 'clock'>) {
  return newRoutes().openapi(readings, async (c) => {
    const { id } = c.req.valid('param');
    const { from, to, point, bucket, limit } = c.req.valid('query');
    const row = await findGateway(db, plantScope(c.get('person')), id);
    if (row === undefined) throw new Problem('not-found', 'There is no such gateway.');
    const toMs = to === undefined ? clock() + 1 : Date.parse(to);
    const fromMs = from === undefined ? toMs - dayMs : Date.parse(from);
    if (fromMs > toMs) throw new Problem('invalid-request', 'from: lies after to');
    if (point !== undefined) {
      const series = await seriesOf(db, { row, point, fromMs, toMs, bucket });
      const values = series.values.map((value) => jsonOf(seriesValueSchema, value));
      if (wantsCsv(c))
        return csvResponse(c, `${id}-${series.point}.csv`, csvText(seriesColumns, values));
      return c.json({ ...series, values }, 200);
    }
    if (wantsCsv(c)) return exportCsv(c, db, row, { fromMs, toMs });
    const filter = { toMs, ...(from !== undefined && { fromMs }) };
    const page = await pageReadings(db, id, filter, { after: null, limit });
    const maps = await mapsOf(db, page.rows);
    return c.json(
      {
        gateway_id: id,
        readings: page.rows.map((one) => readingJson(one, maps.get(one.map_id ?? 0))),
        next_cursor: page.nextAfter?.read_at.toISOString() ?? null,
      },
      200,
    );
  });
}

/** All rows of a span as a file. Throws Problem 422 where they are too many. */
async function exportCsv(
  c: Context<ApiEnv>,
  db: Db,
  { id, map_id: mapId }: { id: string; map_id: number },
  span: Span,
): Promise<Response> {
  const { rows } = await pageReadings(db, id, span, { after: null, limit: exportRowsMax });
  if (rows.length === exportRowsMax)
    throw new Problem(
      'invalid-request',
      `from: an export has fewer than ${exportRowsMax} readings; choose a shorter span`,
    );
  const { columns, lines } = readingCsvRows(rows, await mapsOf(db, rows), mapId);
  return csvResponse(c, `${id}-readings.csv`, csvText(columns, lines));
}

async function mapsOf(db: Db, rows: readonly { map_id: number | null }[]) {
  return loadMaps(db, [...new Set(rows.flatMap(({ map_id }) => map_id ?? []))]);
}

async function seriesOf(
  db: Db,
  ask: Span & { row: { id: string; map_id: number }; point: string; bucket: SeriesBucket },
) {
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

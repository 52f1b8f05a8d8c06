import { createRoute, z } from '@hono/zod-openapi';

import { pageGateways, totalGateways } from '../../db/gateways/gateways.ts';
import { pageQuery, readCursor, writeCursor } from '../cursor.ts';
import type { ApiDeps } from '../deps.ts';
import { jsonOf } from '../json.ts';
import { plantScope } from '../env.ts';
import { reading } from '../problem.ts';
import { access, answers, newRoutes } from '../route.ts';
import { listed, positionOf, readDetail } from './pages/data.ts';
import { gatewayDetailJson } from './documents.ts';
import {
  gatewayDetailSchema,
  gatewayIdParam,
  gatewayJson,
  gatewaySchema,
  gatewayStatusSchema,
  pointSchema,
  pointJson,
  prioritySchema,
} from './schemas.ts';

/** The routes that read gateways. */

const tags = ['gateways'];

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
    });
}

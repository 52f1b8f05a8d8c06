import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';

import type { PlantSettings } from '../../db/plants/plants.ts';
import type { PlantScope } from '../../db/scope.ts';
import type { Actions } from './actions.ts';
import { readCursor, pageQuery, writeCursor } from '../cursor.ts';
import { csvAnswer, csvFlag, csvResponse, csvText, wantsCsv } from '../csv.ts';
import type { ApiDeps } from '../deps.ts';
import { actingOf, type ApiEnv, plantScope } from '../env.ts';
import { jsonOf } from '../json.ts';
import { problems, reading, writing } from '../problem.ts';
import { access, answers, instantSchema, jsonAnswer, jsonBody, newRoutes } from '../route.ts';
import { readDocument } from './detail.ts';
import { filterFleet, fleetPage, fleetSorts, fleetTotals, orderOf } from './fleet-query.ts';
import { type Fleet, type FleetView, scopedRows } from './fleet-view.ts';
import { newPlantSchema, plantChangeSchema } from './plant-body.ts';
import {
  brandSchema,
  fleetRowJson,
  fleetRowSchema,
  incidentQuery,
  plantDetailSchema,
  plantIdParam,
  statusSchema,
} from './schemas.ts';

/** The routes that list, show, add and change plants. */

const tags = ['plants'];

const totalsSchema = z
  .object({
    plants: z.int(),
    green: z.int(),
    yellow: z.int(),
    red: z.int(),
    grey: z.int(),
    not_polled: z.int().openapi({ description: 'stale plants, counted apart from the colours' }),
    active: z.int(),
    fresh: z.int().openapi({ description: 'number of plants whose power makes up power_now_w' }),
    power_now_w: z.number(),
    yesterday_energy_kwh: z.number(),
    today_energy_kwh: z.number(),
    newest_poll_at: instantSchema.nullable(),
    monitoring_stopped: z.boolean().openapi({ description: 'of all plants, whatever the filters' }),
  })
  .openapi('FleetTotals');

const sortNames = fleetSorts.flatMap((sort): [string, string] => [sort, `-${sort}`]);

const listQuery = z.object({
  status: statusSchema.optional(),
  brand: brandSchema.optional(),
  customer: z.string().max(200).optional(),
  q: z.string().max(200).optional().openapi({ description: 'text in name or id' }),
  stale: z
    .enum(['true', 'false'])
    .transform((flag) => flag === 'true')
    .optional(),
  incident: incidentQuery.openapi({ description: 'plants that fail in this open incident' }),
  sort: z
    .enum(sortNames as [string, ...string[]])
    .default('worst')
    .openapi({ description: 'a leading - sorts descending; plants without a value come last' }),
  ...pageQuery,
  format: csvFlag,
});
type ListQuery = z.output<typeof listQuery>;

const list = createRoute({
  method: 'get',
  path: '/plants',
  tags,
  summary: 'The fleet, worst first',
  description:
    'The state at `taken_at`, at most 2 s ago. As CSV it holds every plant that matches the filters.',
  ...access('CUSTOMER'),
  request: { query: listQuery },
  responses: {
    200: csvAnswer(
      z
        .object({
          taken_at: instantSchema,
          totals: totalsSchema,
          matching: z.int().openapi({ description: 'number of plants that match the filters' }),
          plants: z.array(fleetRowSchema),
          next_cursor: z.string().nullable(),
        })
        .openapi('FleetPage'),
      'one page, and the totals of the plants that match the filters',
    ),
    ...problems(...reading),
  },
});

const show = createRoute({
  method: 'get',
  path: '/plants/{id}',
  tags,
  summary: 'A plant with its devices, alerts, polls and days',
  ...access('CUSTOMER'),
  request: { params: plantIdParam },
  responses: answers(plantDetailSchema, 'the plant', [...reading, 404]),
});

const create = createRoute({
  method: 'post',
  path: '/plants',
  tags,
  summary: 'Add a plant, and its account if that is new',
  ...access('ADMIN'),
  request: { body: jsonBody(newPlantSchema) },
  responses: {
    201: jsonAnswer(plantDetailSchema, 'the plant; its loop starts within a minute'),
    ...problems(...writing, 409),
  },
});

const change = createRoute({
  method: 'patch',
  path: '/plants/{id}',
  tags,
  summary: 'Change the settings of a plant',
  ...access('ADMIN'),
  request: {
    params: plantIdParam,
    headers: z.object({
      'if-match': z
        .string()
        .regex(/^"\d{1,15}"$|^\d{1,15}$|^\*$/, 'must be the revision that you read')
        .optional(),
    }),
    body: jsonBody(plantChangeSchema),
  },
  responses: answers(plantDetailSchema, 'the plant as it is now', [...writing, 404, 409, 412]),
});

/** The largest number of pages that are kept of one reading of the fleet. */
const pagesKeptMax = 500;
const keptPages = new WeakMap<Fleet, Map<string, string>>();

/** The page as JSON. Requests for the same page of the same reading, which lasts a second or two, get the same text. */
function pageText(fleet: Fleet, scope: PlantScope, query: ListQuery): string {
  const kept = keptPages.get(fleet) ?? new Map<string, string>();
  keptPages.set(fleet, kept);
  const key = JSON.stringify([scope.customerId, query]);
  const known = kept.get(key);
  if (known !== undefined) return known;
  const rows = scopedRows(fleet, scope);
  const cursorOf = `plants ${query.sort}`;
  const matching = filterFleet(rows, query);
  const page = fleetPage(matching, orderOf(query.sort), {
    after: readCursor(cursorOf, query.cursor),
    limit: query.limit,
  });
  const text = JSON.stringify({
    taken_at: new Date(fleet.takenAtMs).toISOString(),
    totals: jsonOf(totalsSchema, {
      ...fleetTotals(matching),
      monitoring_stopped: fleetTotals(rows).monitoring_stopped,
    }),
    matching: matching.length,
    plants: page.rows.map((row) => fleetRowJson(row, fleet.takenAtMs)),
    next_cursor: writeCursor(cursorOf, page.next),
  });
  if (kept.size < pagesKeptMax) kept.set(key, text);
  return text;
}

const fleetColumns = Object.keys(fleetRowSchema.shape) as (keyof typeof fleetRowSchema.shape)[];

/** Every plant that the filters match, as CSV. */
function fleetCsv(fleet: Fleet, scope: PlantScope, query: ListQuery): string {
  const matching = filterFleet(scopedRows(fleet, scope), query);
  const all = { after: null, limit: matching.length };
  const { rows } = fleetPage(matching, orderOf(query.sort), all);
  return csvText(
    fleetColumns,
    rows.map((row) => fleetRowJson(row, fleet.takenAtMs)),
  );
}

export function plantRoutes(deps: ApiDeps, fleetView: FleetView, actions: Actions) {
  /** The plant's document, with its revision as the ETag. */
  async function detail(c: Context<ApiEnv>, id: string) {
    const plant = await readDocument(deps, plantScope(c.get('person')), id);
    c.header('etag', `"${plant.revision}"`);
    return plant;
  }

  return newRoutes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query');
      const scope = plantScope(c.get('person'));
      const fleet = await fleetView.read();
      if (wantsCsv(c)) return csvResponse(c, 'plants.csv', fleetCsv(fleet, scope, query));
      return c.body(pageText(fleet, scope, query), 200, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        vary: 'Accept',
      });
    })
    .openapi(show, async (c) => {
      c.header('cache-control', 'no-store');
      return c.json(await detail(c, c.req.valid('param').id), 200);
    })
    .openapi(create, async (c) => {
      const { credentials, ...body } = c.req.valid('json');
      const draft = {
        id: body.id,
        name: body.name,
        brand: body.brand,
        account: body.vendor_account_id,
        vendor_plant_id: body.vendor_plant_id,
        timezone: body.timezone,
        customer: body.customer_id,
        latitude: body.latitude,
        longitude: body.longitude,
        capacity_kw: body.installed_capacity_kw,
        interval: body.poll_interval_s,
        status: body.integration_status,
        status_profile: body.status_profile,
      };
      await actions.create(actingOf(c), draft, credentials);
      c.header('location', `/api/v1/plants/${body.id}`);
      return c.json(await detail(c, body.id), 201);
    })
    .openapi(change, async (c) => {
      const { id } = c.req.valid('param');
      const {
        integration_status: becomes,
        vendor_plant_id: vendorPlantId,
        ...settings
      } = c.req.valid('json');
      const match = /\d+/.exec(c.req.valid('header')['if-match'] ?? '');
      const ifRevision = match === null ? undefined : Number(match[0]);
      if (vendorPlantId !== undefined) {
        await actions.correctVendorPlant(actingOf(c), id, { vendorPlantId, ifRevision });
        return c.json(await detail(c, id), 200);
      }
      await actions.change(actingOf(c), id, {
        settings: settings as PlantSettings,
        activates: becomes !== undefined,
        ifRevision,
      });
      return c.json(await detail(c, id), 200);
    });
}

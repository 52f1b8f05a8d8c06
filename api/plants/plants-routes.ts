import { createRoute, z } from '@hono/zod-openapi';

import { readPage } from '../../db/page.ts';
import { findPlantIn, type PlantRow, type PlantSettings } from '../../db/plants/plants.ts';
import { listPollLogs, readPower } from '../../db/plants/poll-logs.ts';
import { readRecentDays } from '../../db/plants/recent-days.ts';
import type { PlantScope } from '../../db/scope.ts';
import { findDays } from '../../db/plants/snapshots.ts';
import { addDays, endOfDayMs, instantOf, localDateAt } from '../../domain/zone.ts';
import { dayJson } from '../../operations/plants/plant-view.ts';
import { type Actions } from './actions.ts';
import { readCursor, pageQuery, writeCursor } from '../cursor.ts';
import { csvResponse, csvText, wantsCsv } from '../csv.ts';
import type { ApiDeps } from '../deps.ts';
import { actingOf, plantScope } from '../env.ts';
import { filterFleet, fleetPage, fleetSorts, fleetTotals, orderOf } from './fleet-query.ts';
import { readDetail } from './detail.ts';
import { fleetRow } from './fleet-row.ts';
import { type Fleet, type FleetView, scopedRows } from './fleet-view.ts';
import { dateQuery, instantQuery, newPlantSchema, plantChangeSchema } from './plant-body.ts';
import { Problem, problems, reading, writing } from '../problem.ts';
import { access, answers, instantSchema, jsonAnswer, jsonBody, newRoutes } from '../route.ts';
import {
  alertJson,
  brandSchema,
  daySchema,
  fleetRowJson,
  fleetRowSchema,
  plantDetailSchema,
  plantIdParam,
  pollJson,
  pollSchema,
  statusSchema,
} from './schemas.ts';

/** Plants: read, made and changed. */

const tags = ['plants'];
const csv = { 'text/csv': { schema: z.string() } };
const csvFlag = z.enum(['json', 'csv']).optional();

const totalsSchema = z
  .object({
    plants: z.int(),
    green: z.int(),
    yellow: z.int(),
    red: z.int(),
    grey: z.int(),
    not_polled: z.int().openapi({ description: 'stale plants, counted apart from the colours' }),
    active: z.int(),
    fresh: z.int().openapi({ description: 'so many plants make up power_now_w' }),
    power_now_w: z.number(),
    yesterday_energy_kwh: z.number(),
    today_energy_kwh: z.number(),
    newest_poll_at: instantSchema.nullable(),
    monitoring_stopped: z.boolean(),
  })
  .openapi('FleetTotals');

const sortNames = fleetSorts.flatMap((sort): [string, string] => [sort, `-${sort}`]);

const listQuery = z.object({
  status: statusSchema.optional(),
  brand: brandSchema.optional(),
  customer: z.string().max(200).optional(),
  q: z.string().max(200).optional().openapi({ description: 'text in name or id' }),
  stale: z.enum(['true', 'false']).optional(),
  sort: z
    .enum(sortNames as [string, ...string[]])
    .default('worst')
    .openapi({ description: 'with - before it: descending; what has no value comes last' }),
  ...pageQuery,
  format: csvFlag,
});

const list = createRoute({
  method: 'get',
  path: '/plants',
  tags,
  summary: 'The fleet, worst first',
  description:
    'As it was at `taken_at`, at most 2 s ago. As CSV it holds every plant that the filters match.',
  ...access('CUSTOMER'),
  request: { query: listQuery },
  responses: {
    200: {
      description: 'one page, and the totals of the whole fleet',
      content: {
        'application/json': {
          schema: z
            .object({
              taken_at: instantSchema,
              totals: totalsSchema,
              matching: z.int().openapi({ description: 'so many plants match the filters' }),
              plants: z.array(fleetRowSchema),
              next_cursor: z.string().nullable(),
            })
            .openapi('FleetPage'),
        },
        ...csv,
      },
    },
    ...problems(...reading),
  },
});

const show = createRoute({
  method: 'get',
  path: '/plants/{id}',
  tags,
  summary: 'A plant with all that belongs to it',
  ...access('CUSTOMER'),
  request: { params: plantIdParam },
  responses: answers(plantDetailSchema, 'the plant', [...reading, 404]),
});

const create = createRoute({
  method: 'post',
  path: '/plants',
  tags,
  summary: 'A new plant, and its account where that is new',
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
  summary: 'Change what people own of a plant',
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

/** Ten years at once serve nobody. */
const daysMax = 400;

const snapshots = createRoute({
  method: 'get',
  path: '/plants/{id}/snapshots',
  tags,
  summary: "A plant's days, oldest first",
  ...access('CUSTOMER'),
  request: {
    params: plantIdParam,
    query: z.object({
      from: dateQuery.optional().openapi({ description: '30 days before `to` unless said' }),
      to: dateQuery.optional().openapi({ description: "the plant's today unless said" }),
      format: csvFlag,
    }),
  },
  responses: {
    200: {
      description: 'the days that have a row',
      content: {
        'application/json': {
          schema: z
            .object({ plant_id: z.string(), timezone: z.string(), snapshots: z.array(daySchema) })
            .openapi('Snapshots'),
        },
        ...csv,
      },
    },
    ...problems(...reading, 404),
  },
});

const polls = createRoute({
  method: 'get',
  path: '/plants/{id}/polls',
  tags,
  summary: "A plant's rows of the ledger, newest first",
  ...access('CUSTOMER'),
  request: {
    params: plantIdParam,
    query: z.object({
      before: instantQuery.optional().openapi({
        description: 'only what was scheduled before; `next_cursor` of the page before',
      }),
      job_type: z.enum(['POLL', 'DAILY']).default('POLL'),
      limit: pageQuery.limit,
    }),
  },
  responses: answers(
    z
      .object({
        polls: z.array(pollSchema),
        next_cursor: instantSchema.nullable().openapi({ description: 'the next `before`' }),
      })
      .openapi('Polls'),
    'one page',
    [...reading, 404],
  ),
});

const power = createRoute({
  method: 'get',
  path: '/plants/{id}/power',
  tags,
  summary: "A plant's power over one of its days, for charts",
  ...access('CUSTOMER'),
  request: {
    params: plantIdParam,
    query: z.object({
      date: dateQuery.optional().openapi({ description: "the plant's today unless said" }),
    }),
  },
  responses: answers(
    z
      .object({
        plant_id: z.string(),
        timezone: z.string(),
        date: z.string().openapi({ format: 'date' }),
        points: z
          .array(z.tuple([instantSchema, z.number().nullable()]))
          .openapi({ description: '[at, power_w], at most one a minute; null is a gap' }),
      })
      .openapi('Power'),
    'the points, oldest first',
    [...reading, 404],
  ),
});

/** Pages that were made of one reading of the fleet: whoever asks the same within its second gets the same text. */
const pagesKeptMax = 500;

export function plantRoutes(deps: ApiDeps, fleetView: FleetView, actions: Actions) {
  const pagesOf = new WeakMap<Fleet, Map<string, string>>();

  async function plantIn(scope: PlantScope, id: string): Promise<PlantRow> {
    const plant = await findPlantIn(deps.db, scope, id);
    if (plant === undefined) throw new Problem('not-found', 'There is no such plant.');
    return plant;
  }

  async function detail(
    scope: PlantScope,
    id: string,
  ): Promise<z.output<typeof plantDetailSchema>> {
    const [read, recent] = await Promise.all([
      readDetail(deps, scope, id),
      readRecentDays(deps.db, [id], deps.clock()),
    ]);
    const row = fleetRow(read.plant, recent.get(id), read.nowMs);
    return {
      ...fleetRowJson(row, read.nowMs),
      account: read.account,
      next_slot: read.nextSlotAt?.toISOString() ?? null,
      next_closing: read.nextClosingAt?.toISOString() ?? null,
      devices: read.devices.map((device) => ({
        sn: device.sn,
        state: device.state,
        power_w: device.powerW,
        today_energy_kwh: device.todayEnergyKwh,
        measured_at:
          device.measuredAtMs === null ? null : new Date(device.measuredAtMs).toISOString(),
        down_streak: device.downStreak,
      })),
      alerts: read.alerts.map(alertJson),
      last_polls: read.polls.map(pollJson),
      days: read.days.map(dayJson),
      workflow_id: read.workflowId,
      workflow_url: read.workflowUrl,
    };
  }

  type ListQuery = z.output<typeof listQuery>;

  function pageText(fleet: Fleet, scope: PlantScope, query: ListQuery): string {
    const kept = pagesOf.get(fleet) ?? new Map<string, string>();
    pagesOf.set(fleet, kept);
    const key = JSON.stringify([scope.customerId, query]);
    const known = kept.get(key);
    if (known !== undefined) return known;
    const rows = scopedRows(fleet, scope);
    const order = orderOf(query.sort);
    const cursorOf = `plants ${query.sort}`;
    const matching = filterFleet(rows, { ...query, stale: flagOf(query.stale) });
    const page = fleetPage(matching, order, {
      after: readCursor(cursorOf, query.cursor),
      limit: query.limit,
    });
    const totals = fleetTotals(rows);
    const text = JSON.stringify({
      taken_at: new Date(fleet.takenAtMs).toISOString(),
      totals: { ...totals, newest_poll_at: totals.newest_poll_at?.toISOString() ?? null },
      matching: matching.length,
      plants: page.rows.map((row) => fleetRowJson(row, fleet.takenAtMs)),
      next_cursor: writeCursor(cursorOf, page.next),
    });
    if (kept.size < pagesKeptMax) kept.set(key, text);
    return text;
  }

  return newRoutes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query');
      const scope = plantScope(c.get('person'));
      const fleet = await fleetView.read();
      if (wantsCsv(c)) {
        const matching = filterFleet(scopedRows(fleet, scope), {
          ...query,
          stale: flagOf(query.stale),
        });
        const { rows } = fleetPage(matching, orderOf(query.sort), {
          after: null,
          limit: matching.length,
        });
        const lines = rows.map((row) => fleetRowJson(row, fleet.takenAtMs));
        return csvResponse(c, 'plants.csv', csvText(fleetColumns, lines));
      }
      return c.body(pageText(fleet, scope, query), 200, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        vary: 'Accept',
      });
    })
    .openapi(show, async (c) => {
      const answer = await detail(plantScope(c.get('person')), c.req.valid('param').id);
      c.header('etag', `"${answer.revision}"`);
      c.header('cache-control', 'no-store');
      return c.json(answer, 200);
    })
    .openapi(create, async (c) => {
      const { credentials, ...body } = c.req.valid('json');
      const acting = actingOf(c);
      await actions.create(
        acting,
        {
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
        },
        credentials,
      );
      const answer = await detail(acting.scope, body.id);
      c.header('location', `/api/v1/plants/${body.id}`);
      c.header('etag', `"${answer.revision}"`);
      return c.json(answer, 201);
    })
    .openapi(change, async (c) => {
      const { id } = c.req.valid('param');
      const { integration_status: becomes, ...given } = c.req.valid('json');
      const match = /\d+/.exec(c.req.valid('header')['if-match'] ?? '');
      const settings = Object.fromEntries(
        Object.entries(given).filter(([, value]) => value !== undefined),
      ) as PlantSettings;
      const acting = actingOf(c);
      await actions.change(acting, id, {
        settings,
        activates: becomes !== undefined,
        ifRevision: match === null ? undefined : Number(match[0]),
      });
      const answer = await detail(acting.scope, id);
      c.header('etag', `"${answer.revision}"`);
      return c.json(answer, 200);
    })
    .openapi(snapshots, async (c) => {
      const { from, to } = c.req.valid('query');
      const plant = await plantIn(plantScope(c.get('person')), c.req.valid('param').id);
      const last = to ?? localDateAt(deps.clock(), plant.timezone);
      const first = from ?? addDays(last, -30);
      if (first > last) throw new Problem('invalid-request', 'from: lies after to');
      if (addDays(first, daysMax) < last)
        throw new Problem('invalid-request', `from: at most ${daysMax} days at once`);
      const days = (await findDays(deps.db, plant.id, first, last)).map(dayJson);
      if (wantsCsv(c))
        return csvResponse(c, `${plant.id}-snapshots.csv`, csvText(dayColumns, days));
      return c.json({ plant_id: plant.id, timezone: plant.timezone, snapshots: days }, 200);
    })
    .openapi(polls, async (c) => {
      const { before, limit, job_type: jobType } = c.req.valid('query');
      const plant = await plantIn(plantScope(c.get('person')), c.req.valid('param').id);
      const beforeMs = before === undefined ? null : Date.parse(before);
      const { rows, nextAfter } = await readPage(limit, (read) =>
        listPollLogs(deps.db, plant.id, read, { beforeMs, jobType }),
      );
      return c.json(
        { polls: rows.map(pollJson), next_cursor: nextAfter?.scheduled_for.toISOString() ?? null },
        200,
      );
    })
    .openapi(power, async (c) => {
      const { date: asked } = c.req.valid('query');
      const plant = await plantIn(plantScope(c.get('person')), c.req.valid('param').id);
      const date = asked ?? localDateAt(deps.clock(), plant.timezone);
      const fromMs = instantOf(date, '00:00', plant.timezone);
      const points = await readPower(deps.db, plant.id, fromMs, endOfDayMs(date, plant.timezone));
      return c.json(
        {
          plant_id: plant.id,
          timezone: plant.timezone,
          date,
          points: points.map(({ atMs, powerW }): [string, number | null] => [
            new Date(atMs).toISOString(),
            powerW,
          ]),
        },
        200,
      );
    });
}

const fleetColumns = Object.keys(fleetRowSchema.shape) as (keyof typeof fleetRowSchema.shape)[];
const dayColumns = Object.keys(daySchema.shape) as (keyof typeof daySchema.shape)[];

function flagOf(flag: 'true' | 'false' | undefined): boolean | undefined {
  return flag === undefined ? undefined : flag === 'true';
}

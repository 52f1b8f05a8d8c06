import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { readPage } from '../../db/page.ts';
import { listPollLogs, readPower } from '../../db/plants/poll-logs.ts';
import { findDays } from '../../db/plants/snapshots.ts';
import { addDays, endOfDayMs, instantOf, localDateAt } from '../../domain/zone.ts';
import { dayJson } from '../../operations/plants/plant-view.ts';
import { pageQuery } from '../cursor.ts';
import { csvAnswer, csvFlag, csvResponse, csvText, wantsCsv } from '../csv.ts';
import type { ApiDeps } from '../deps.ts';
import { type ApiEnv, plantScope } from '../env.ts';
import { Problem, problems, reading } from '../problem.ts';
import { access, answers, instantSchema, newRoutes } from '../route.ts';
import { dateQuery, instantQuery } from './plant-body.ts';
import { plantOr404 } from './refusals.ts';
import { daySchema, plantIdParam, pollJson, pollSchema } from './schemas.ts';

/** A plant over time: its days, its rows of the ledger and its power. */

const tags = ['plants'];
/** The largest number of days in one answer. */
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
      from: dateQuery.optional().openapi({ description: 'default: 30 days before `to`' }),
      to: dateQuery.optional().openapi({ description: "default: today in the plant's zone" }),
      format: csvFlag,
    }),
  },
  responses: {
    200: csvAnswer(
      z
        .object({ plant_id: z.string(), timezone: z.string(), snapshots: z.array(daySchema) })
        .openapi('Snapshots'),
      'the days that have a row',
    ),
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
        description: 'only polls scheduled before this; `next_cursor` of the previous page',
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
      date: dateQuery.optional().openapi({ description: "default: today in the plant's zone" }),
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

const dayColumns = Object.keys(daySchema.shape) as (keyof typeof daySchema.shape)[];

export function plantSeriesRoutes(deps: ApiDeps) {
  const plantOf = (c: Context<ApiEnv>, id: string) =>
    plantOr404(deps.db, plantScope(c.get('person')), id);

  return newRoutes()
    .openapi(snapshots, async (c) => {
      const { from, to } = c.req.valid('query');
      const { id, timezone } = await plantOf(c, c.req.valid('param').id);
      const last = to ?? localDateAt(deps.clock(), timezone);
      const first = from ?? addDays(last, -30);
      if (first > last) throw new Problem('invalid-request', 'from: lies after to');
      if (addDays(first, daysMax) < last)
        throw new Problem('invalid-request', `from: at most ${daysMax} days at once`);
      const days = (await findDays(deps.db, id, first, last)).map(dayJson);
      if (wantsCsv(c)) return csvResponse(c, `${id}-snapshots.csv`, csvText(dayColumns, days));
      return c.json({ plant_id: id, timezone, snapshots: days }, 200);
    })
    .openapi(polls, async (c) => {
      const { before, limit, job_type: jobType } = c.req.valid('query');
      const { id } = await plantOf(c, c.req.valid('param').id);
      const beforeMs = before === undefined ? null : Date.parse(before);
      const { rows, nextAfter } = await readPage(limit, (read) =>
        listPollLogs(deps.db, id, read, { beforeMs, jobType }),
      );
      const next = nextAfter?.scheduled_for.toISOString() ?? null;
      return c.json({ polls: rows.map(pollJson), next_cursor: next }, 200);
    })
    .openapi(power, async (c) => {
      const { id, timezone } = await plantOf(c, c.req.valid('param').id);
      const date = c.req.valid('query').date ?? localDateAt(deps.clock(), timezone);
      const fromMs = instantOf(date, '00:00', timezone);
      const read = await readPower(deps.db, id, fromMs, endOfDayMs(date, timezone));
      const points = read.map(({ atMs, powerW }): [string, number | null] => [
        new Date(atMs).toISOString(),
        powerW,
      ]);
      return c.json({ plant_id: id, timezone, date, points }, 200);
    });
}

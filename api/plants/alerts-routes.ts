import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { listAlertEvents } from '../../db/alerts.ts';
import {
  alertPositionParts,
  type AlertView,
  findAlert,
  listNotifications,
  pageAlerts,
} from '../../db/plants/alerts.ts';
import { listIncidents } from '../../db/plants/incidents.ts';
import { incidentJson } from '../../operations/plants/incidents.ts';
import type { AlertState } from '../../domain/plants/facts.ts';
import { plantIdPattern } from '../../domain/plants/plant-draft.ts';
import type { Actions } from './actions.ts';
import { pageQuery, readNumberCursor, writeCursor } from '../cursor.ts';
import type { ApiDeps } from '../deps.ts';
import { actingOf, type ApiEnv, plantScope } from '../env.ts';
import { untilSchema, wordsSchema } from './plant-body.ts';
import { jsonOf } from '../json.ts';
import { nobodyTold, type ReadTold } from '../told.ts';
import { Problem, reading, writing } from '../problem.ts';
import { access, answers, instantSchema, jsonBody, newRoutes } from '../route.ts';
import {
  alertJson,
  alertSchema,
  alertStateSchema,
  alertTypeSchema,
  brandSchema,
  incidentQuery,
  incidentSchema,
  severitySchema,
} from './schemas.ts';

/** The routes that list and acknowledge alerts, and the outbox of their notifications. */

const tags = ['alerts'];

const statesOf = {
  active: ['NEW', 'ACKED'],
  new: ['NEW'],
  acked: ['ACKED'],
  resolved: ['RESOLVED'],
  all: ['NEW', 'ACKED', 'RESOLVED'],
} as const satisfies Record<string, readonly AlertState[]>;

/** An id of the database; larger numbers are invalid. */
const idSchema = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const alertIdParam = z.object({
  id: idSchema.openapi({ param: { name: 'id', in: 'path' }, example: 12 }),
});

const list = createRoute({
  method: 'get',
  path: '/alerts',
  tags,
  summary:
    'Alerts: active first, RED before YELLOW, the oldest first; then resolved ones, the newest first',
  ...access('CUSTOMER'),
  request: {
    query: z.object({
      state: z.enum(['active', 'new', 'acked', 'resolved', 'all']).default('active'),
      severity: severitySchema.optional(),
      type: alertTypeSchema.optional(),
      plant: z.string().regex(plantIdPattern, 'cannot be the id of a plant').optional(),
      brand: brandSchema.optional(),
      incident: incidentQuery.openapi({ description: 'only alerts that this incident explains' }),
      ...pageQuery,
    }),
  },
  responses: answers(
    z
      .object({ alerts: z.array(alertSchema), next_cursor: z.string().nullable() })
      .openapi('AlertPage'),
    'one page',
    reading,
  ),
});

const incidents = createRoute({
  method: 'get',
  path: '/incidents',
  tags,
  summary:
    'Brands that do not answer: open incidents, the oldest first; closed ones, the newest first',
  ...access('CUSTOMER'),
  request: {
    query: z.object({
      state: z.enum(['open', 'closed']).default('open'),
      limit: pageQuery.limit,
    }),
  },
  responses: answers(
    z.object({ incidents: z.array(incidentSchema) }).openapi('Incidents'),
    'the incidents of plants that the person may see',
    reading,
  ),
});

const eventSchema = z.object({
  at: instantSchema,
  from_state: z.enum(['NEW', 'ACKED']).nullable(),
  to_state: alertStateSchema,
  severity: severitySchema,
  actor: z.string(),
  reason: z.string(),
});

const toldSchema = z.object({
  at: instantSchema,
  kind: z.string().openapi({ example: 'RAISED' }),
  severity: severitySchema,
  channel_name: z.string(),
  channel_kind: z.string().openapi({ example: 'EMAIL' }),
  recipient: z.string().openapi({ description: 'empty where the channel has one receiver' }),
  state: z.string().openapi({ description: 'SENT; DEAD: it could not be reached' }),
});

const events = createRoute({
  method: 'get',
  path: '/alerts/{id}/events',
  tags,
  summary: 'The changes of an alert, oldest first, and who was told of it',
  ...access('CUSTOMER'),
  request: { params: alertIdParam },
  responses: answers(
    z
      .object({
        alert: alertSchema,
        events: z.array(eventSchema),
        told: z.array(toldSchema).openapi({
          description: 'who was told, the oldest first; empty for a CUSTOMER',
        }),
        told_known_from: instantSchema.nullable().openapi({
          description: 'who was told before it was removed by a prune; null: all is known',
        }),
      })
      .openapi('AlertEvents'),
    'the alert and its events',
    [...reading, 404],
  ),
});

const notificationSchema = z.object({
  id: z.int(),
  kind: z.enum(['RAISED', 'ESCALATED', 'REMINDER', 'RECOVERED']),
  severity: severitySchema,
  alert_id: z.int(),
  plant_id: z.string(),
  created_at: instantSchema,
  not_before: instantSchema,
  dropped_at: instantSchema
    .nullable()
    .openapi({ description: 'the alert ended before not_before, so nothing is sent' }),
});

const notifications = createRoute({
  method: 'get',
  path: '/notifications',
  tags,
  summary: 'The outbox as a feed; reading it sends nothing',
  ...access('OPERATOR'),
  request: {
    query: z.object({
      after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
      limit: pageQuery.limit,
    }),
  },
  responses: answers(
    z
      .object({
        notifications: z.array(notificationSchema),
        next_after: z.int().openapi({ description: 'the next `after`, even when nothing is new' }),
      })
      .openapi('Notifications'),
    'the entries after `after`, oldest first',
    reading,
  ),
});

/** @param readTold gives who was told of alerts. */
export function alertRoutes(deps: ApiDeps, actions: Actions, readTold: ReadTold) {
  /** Whom else we tell is none of a customer's business. */
  const toldOf = async (c: Context<ApiEnv>, { id }: AlertView) =>
    c.get('person').role === 'CUSTOMER' ? nobodyTold : readTold([id]);

  const ack = createRoute({
    method: 'post',
    path: '/alerts/{id}/ack',
    tags,
    summary: 'Acknowledge an active alert, until it ends or until a time',
    ...access('OPERATOR'),
    request: {
      params: alertIdParam,
      body: jsonBody(
        z
          .strictObject({
            comment: wordsSchema,
            until: untilSchema(deps.clock).nullable().default(null),
          })
          .openapi('Ack'),
      ),
    },
    responses: answers(alertSchema, 'the alert as it is now', [...writing, 404, 409]),
  });

  /** The alert, if the person may see it. Throws Problem 404. */
  async function alertOf(c: Context<ApiEnv>, id: number): Promise<AlertView> {
    const alert = await findAlert(deps.db, id, plantScope(c.get('person')).customerId);
    if (alert === undefined) throw new Problem('not-found', 'There is no such alert.');
    return alert;
  }

  return newRoutes()
    .openapi(list, async (c) => {
      const { state, plant: plantId, incident: incidentId, ...query } = c.req.valid('query');
      const { cursor, limit, ...given } = query;
      const { customerId } = plantScope(c.get('person'));
      const cursorOf = `alerts ${state}`;
      const after = readNumberCursor(cursorOf, cursor, alertPositionParts);
      const filter = { ...given, states: statesOf[state], customerId, plantId, incidentId };
      const { alerts, next } = await pageAlerts(deps.db, filter, { after, limit });
      const nextCursor = writeCursor(cursorOf, next);
      return c.json({ alerts: alerts.map(alertJson), next_cursor: nextCursor }, 200);
    })
    .openapi(incidents, async (c) => {
      const { state, limit } = c.req.valid('query');
      const scope = plantScope(c.get('person'));
      const found = await listIncidents(deps.db, { state, limit }, scope);
      const nowMs = deps.clock();
      return c.json({ incidents: found.map((one) => incidentJson(one, nowMs)) }, 200);
    })
    .openapi(events, async (c) => {
      const alert = await alertOf(c, c.req.valid('param').id);
      const rows = await listAlertEvents(deps.db, alert.id);
      const answer = rows.map((row) => jsonOf(eventSchema, row));
      const { lines, knownFrom } = await toldOf(c, alert);
      const told = lines.map((line) => jsonOf(toldSchema, line));
      const from = knownFrom?.toISOString() ?? null;
      return c.json({ alert: alertJson(alert), events: answer, told, told_known_from: from }, 200);
    })
    .openapi(ack, async (c) => {
      const { id } = c.req.valid('param');
      await actions.ack(actingOf(c), id, c.req.valid('json'));
      return c.json(alertJson(await alertOf(c, id)), 200);
    })
    .openapi(notifications, async (c) => {
      const { after, limit } = c.req.valid('query');
      const scope = plantScope(c.get('person'));
      const rows = await listNotifications(deps.db, scope, { afterId: after, limit });
      const answer = rows.map((row) => jsonOf(notificationSchema, row));
      return c.json({ notifications: answer, next_after: rows.at(-1)?.id ?? after }, 200);
    });
}

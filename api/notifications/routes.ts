import { createRoute, z } from '@hono/zod-openapi';

import { type ChannelView, listChannels } from '../../db/notifications/channel-list.ts';
import {
  type DeliveryView,
  findDelivery,
  listDeliveries,
} from '../../db/notifications/delivery-list.ts';
import { listRoutes } from '../../db/notifications/route-list.ts';
import {
  type Act,
  addChannel,
  addRoute,
  changeChannel,
  changeRoute,
  removeChannel,
  removeRoute,
  retry,
  sendTest,
} from '../../operations/notifications/actions.ts';
import { titleDeliveries, titleDelivery } from '../../operations/notifications/titles.ts';
import { pageQuery, readNumberCursor, writeCursor } from '../cursor.ts';
import type { ApiDeps } from '../deps.ts';
import { deciderOf, type ApiEnv } from '../env.ts';
import { jsonOf } from '../json.ts';
import { problems, reading, writing } from '../problem.ts';
import { access, answers, jsonBody, newRoutes } from '../route.ts';
import { notThere, orProblem } from './refusals.ts';
import {
  channelChangeSchema,
  channelSchema,
  deliveryJson,
  deliverySchema,
  deliveryStateSchema,
  idParam,
  idQuery,
  idSchema,
  mailSchema,
  newChannelSchema,
  newRouteSchema,
  routeChangeSchema,
  routeJson,
  routeSchema,
  settingTexts,
} from './schemas.ts';
import type { Context } from 'hono';

/** The routes by which ADMINs manage who is told what, on which way, and see what became of it. */

const tags = ['notifications'];
const admin = access('ADMIN');
const removed = (what: string) => ({
  204: { description: what },
  ...problems(...reading, 404, 409, 413),
});

const channels = createRoute({
  method: 'get',
  path: '/notifications/channels',
  tags,
  summary: 'Channels: how each last succeeded and failed, without their settings',
  ...admin,
  responses: answers(
    z.object({ channels: z.array(channelSchema) }).openapi('Channels'),
    'all',
    [401, 403, 503],
  ),
});

const newChannel = createRoute({
  method: 'post',
  path: '/notifications/channels',
  tags,
  summary: 'Add a channel; its settings are sealed, and no answer contains them',
  ...admin,
  request: { body: jsonBody(newChannelSchema) },
  responses: answers(channelSchema, 'added', [...writing, 409]),
});

const changedChannel = createRoute({
  method: 'patch',
  path: '/notifications/channels/{id}',
  tags,
  summary: 'Rename a channel that people added, or replace its settings; it is tried at once',
  ...admin,
  request: { params: idParam, body: jsonBody(channelChangeSchema) },
  responses: answers(channelSchema, 'the channel as it is now', [...writing, 404, 409]),
});

const goneChannel = createRoute({
  method: 'delete',
  path: '/notifications/channels/{id}',
  tags,
  summary: 'Remove a channel that people added and no route leads to',
  ...admin,
  request: { params: idParam },
  responses: removed('removed; what waited for it is told to nobody'),
});

const routes = createRoute({
  method: 'get',
  path: '/notifications/routes',
  tags,
  summary: 'Routes: who is told what, when and how; subscriptions of people among them',
  ...admin,
  responses: answers(
    z.object({ routes: z.array(routeSchema) }).openapi('Routes'),
    'all',
    [401, 403, 503],
  ),
});

const newRoute = createRoute({
  method: 'post',
  path: '/notifications/routes',
  tags,
  summary: 'Add a route; it begins with what is open now',
  ...admin,
  request: { body: jsonBody(newRouteSchema) },
  responses: answers(routeSchema, 'added', [...writing, 404, 409]),
});

const changedRoute = createRoute({
  method: 'patch',
  path: '/notifications/routes/{id}',
  tags,
  summary: 'Change a route; members that are absent stay',
  ...admin,
  request: { params: idParam, body: jsonBody(routeChangeSchema) },
  responses: answers(routeSchema, 'the route as it is now', [...writing, 404, 409]),
});

const goneRoute = createRoute({
  method: 'delete',
  path: '/notifications/routes/{id}',
  tags,
  summary: 'Remove a route that no other route calls second',
  ...admin,
  request: { params: idParam },
  responses: removed('removed'),
});

const deliveries = createRoute({
  method: 'get',
  path: '/notifications/deliveries',
  tags,
  summary: 'Deliveries with their attempts, the newest first',
  ...admin,
  request: {
    query: z.object({
      state: deliveryStateSchema.optional(),
      since: z.iso
        .datetime({ offset: true })
        .regex(/^(19[7-9]\d|2\d{3})-/, 'must lie between 1970 and 2999')
        .optional()
        .openapi({ format: 'date-time' }),
      channel: idQuery.optional(),
      alert: idQuery.optional().openapi({ description: 'those that told of this alert' }),
      ...pageQuery,
    }),
  },
  responses: answers(
    z
      .object({ deliveries: z.array(deliverySchema), next_cursor: z.string().nullable() })
      .openapi('DeliveryPage'),
    'one page',
    reading,
  ),
});

const delivery = createRoute({
  method: 'get',
  path: '/notifications/deliveries/{id}',
  tags,
  summary: 'One delivery with its attempts',
  ...admin,
  request: { params: idParam },
  responses: answers(deliverySchema, 'the delivery', [...reading, 404]),
});

const retried = createRoute({
  method: 'post',
  path: '/notifications/deliveries/{id}/retry',
  tags,
  summary: 'Try a delivery again that failed or was given up, now',
  ...admin,
  request: { params: idParam },
  responses: answers(deliverySchema, 'it is PENDING', [...reading, 404, 409, 413]),
});

const test = createRoute({
  method: 'post',
  path: '/notifications/test',
  tags,
  summary: 'Send a test message, and wait for its delivery',
  description:
    'It goes through the outbox and the worker. Waits at most 30 s; after that the answer is the delivery as it is: PENDING where no worker sends.',
  ...admin,
  request: {
    body: jsonBody(
      z
        .strictObject({
          channel_id: idSchema,
          to: mailSchema
            .nullable()
            .default(null)
            .openapi({ description: 'e-mail address; null for other channels' }),
        })
        .openapi('TestMessage'),
    ),
  },
  responses: answers(deliverySchema, 'the delivery', [...writing, 404]),
});

export function notificationRoutes(deps: ApiDeps) {
  return newRoutes().route('/', settingRoutes(deps)).route('/', deliveryRoutes(deps));
}

function actsOf({ db, clock }: ApiDeps) {
  return (c: Context<ApiEnv>): Act => ({ db, by: deciderOf(c), at: new Date(clock()) });
}

/** Channels and routes. */
function settingRoutes(deps: ApiDeps) {
  const { readDb } = deps;
  const actOf = actsOf(deps);
  const channelJson = (channel: ChannelView) => jsonOf(channelSchema, channel);
  return newRoutes()
    .openapi(channels, async (c) =>
      c.json({ channels: (await listChannels(readDb)).map(channelJson) }, 200),
    )
    .openapi(newChannel, async (c) => {
      const { kind, name, settings } = c.req.valid('json');
      const channel = { kind, name, settings: settingTexts(settings) };
      const added = await addChannel(actOf(c), channel, deps.seal);
      return c.json(channelJson(orProblem(added)), 200);
    })
    .openapi(changedChannel, async (c) => {
      const { name, settings } = c.req.valid('json');
      const changes = { name, settings: settings && settingTexts(settings) };
      const { id } = c.req.valid('param');
      const changed = await changeChannel(actOf(c), id, changes, deps.seal);
      return c.json(channelJson(orProblem(changed)), 200);
    })
    .openapi(goneChannel, async (c) => {
      orProblem(await removeChannel(actOf(c), c.req.valid('param').id));
      return c.body(null, 204);
    })
    .openapi(routes, async (c) =>
      c.json({ routes: (await listRoutes(readDb)).map(routeJson) }, 200),
    )
    .openapi(newRoute, async (c) => {
      const added = await addRoute(actOf(c), c.req.valid('json'));
      return c.json(routeJson(orProblem(added)), 200);
    })
    .openapi(changedRoute, async (c) => {
      const changed = await changeRoute(actOf(c), c.req.valid('param').id, c.req.valid('json'));
      return c.json(routeJson(orProblem(changed)), 200);
    })
    .openapi(goneRoute, async (c) => {
      orProblem(await removeRoute(actOf(c), c.req.valid('param').id));
      return c.body(null, 204);
    });
}

/** Deliveries, and test messages. */
function deliveryRoutes(deps: ApiDeps) {
  const { readDb } = deps;
  const actOf = actsOf(deps);
  const titles = () => ({ db: readDb, readTitles: deps.readTitles, nowMs: deps.clock() });
  const titledJson = async (one: DeliveryView) => deliveryJson(await titleDelivery(titles(), one));
  return newRoutes()
    .openapi(deliveries, async (c) => {
      const { state, since, channel, alert, limit, cursor } = c.req.valid('query');
      const [beforeId = null] = readNumberCursor('deliveries', cursor, 1) ?? [];
      const filter = {
        state,
        channelId: channel,
        alertId: alert,
        since: since === undefined ? undefined : new Date(since),
      };
      const page = await listDeliveries(readDb, filter, { beforeId, limit });
      const next = page.nextBeforeId === null ? null : [page.nextBeforeId];
      const nextCursor = writeCursor('deliveries', next);
      const titled = await titleDeliveries(titles(), page.deliveries);
      return c.json({ deliveries: titled.map(deliveryJson), next_cursor: nextCursor }, 200);
    })
    .openapi(delivery, async (c) => {
      const found = await findDelivery(readDb, c.req.valid('param').id);
      if (found === undefined) throw notThere('delivery');
      return c.json(await titledJson(found), 200);
    })
    .openapi(retried, async (c) =>
      c.json(await titledJson(orProblem(await retry(actOf(c), c.req.valid('param').id))), 200),
    )
    .openapi(test, async (c) => {
      const { channel_id: channelId, to } = c.req.valid('json');
      const sent = await sendTest(actOf(c), { channelId, to }, deps.testMessageMs);
      return c.json(await titledJson(orProblem(sent)), 200);
    });
}

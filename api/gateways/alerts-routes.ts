import { createRoute, z } from '@hono/zod-openapi';

import { listAlertsOfGateways } from '../../db/gateways/views.ts';
import { acknowledgeAlert } from '../../operations/gateways/actions.ts';
import type { ApiDeps } from '../deps.ts';
import { actingOf, plantScope } from '../env.ts';
import { reading, writing } from '../problem.ts';
import { access, answers, jsonBody, newRoutes } from '../route.ts';
import { orProblem } from './refusals.ts';
import { alertJson, gatewayAlertSchema } from './schemas.ts';

/** The routes of alerts of gateways; those of plants are at /alerts. */

const tags = ['gateways'];
/** The largest number of alerts of one answer. */
const alertsMax = 1_000;

const listedAlertSchema = gatewayAlertSchema
  .extend({ gateway_id: z.string(), gateway_name: z.string() })
  .openapi('ListedGatewayAlert');

const list = createRoute({
  method: 'get',
  path: '/gateway-alerts',
  tags,
  summary: 'Alerts of gateways: RED before YELLOW, the oldest first',
  ...access('CUSTOMER'),
  request: {
    query: z.object({
      state: z.enum(['NEW', 'ACKED', 'RESOLVED']).optional().openapi({
        description: 'default: those that are not resolved',
      }),
    }),
  },
  responses: answers(
    z.object({ alerts: z.array(listedAlertSchema) }).openapi('GatewayAlerts'),
    `at most ${alertsMax}`,
    reading,
  ),
});

const ack = createRoute({
  method: 'post',
  path: '/gateway-alerts/{id}/ack',
  tags,
  summary: 'Record that a person has seen an active alert of a gateway',
  ...access('OPERATOR'),
  request: {
    params: z.object({
      id: z
        .string()
        .regex(/^\d{1,15}$/, 'must be a number')
        .openapi({ param: { name: 'id', in: 'path' } }),
    }),
    body: jsonBody(
      z
        .strictObject({ comment: z.string().trim().min(1).max(500).nullable().default(null) })
        .openapi('GatewayAlertAck'),
    ),
  },
  responses: answers(
    z
      .object({
        id: z.int(),
        gateway_id: z.string(),
        state: z.literal('ACKED'),
        acked_by: z.string(),
      })
      .openapi('AckedGatewayAlert'),
    'acknowledged',
    [...writing, 404, 409],
  ),
});

export function gatewayAlertRoutes(deps: ApiDeps) {
  return newRoutes()
    .openapi(list, async (c) => {
      const { state } = c.req.valid('query');
      const states = state === undefined ? (['NEW', 'ACKED'] as const) : [state];
      const scope = plantScope(c.get('person'));
      const alerts = await listAlertsOfGateways(deps.db, scope, { states, limit: alertsMax });
      return c.json(
        {
          alerts: alerts.map((alert) => ({
            ...alertJson(alert),
            gateway_id: alert.gateway_id,
            gateway_name: alert.gateway_name,
          })),
        },
        200,
      );
    })
    .openapi(ack, async (c) => {
      const { comment } = c.req.valid('json');
      const act = { ...actingOf(c), db: deps.db, at: new Date(deps.clock()) };
      const alertId = Number(c.req.valid('param').id);
      const done = orProblem(await acknowledgeAlert(act, alertId, { comment, until: null }));
      const { alert, gatewayId } = done;
      return c.json(
        { id: alert.id, gateway_id: gatewayId, state: alert.state, acked_by: alert.acked_by },
        200,
      );
    });
}

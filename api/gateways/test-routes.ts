import { createRoute, z } from '@hono/zod-openapi';

import {
  testAddress,
  testKnownGateway,
  testWaitMs,
} from '../../operations/gateways/test-address.ts';
import type { ApiDeps } from '../deps.ts';
import { plantScope } from '../env.ts';
import { jsonOf } from '../json.ts';
import { reading, writing } from '../problem.ts';
import { access, answers, jsonBody, newRoutes } from '../route.ts';
import { orProblem } from './refusals.ts';
import { gatewayIdParam } from './schemas.ts';

/** The routes that try an address or a gateway, and save nothing. */

const tags = ['gateways'];

const addressSchema = z
  .strictObject({
    host: z.string().min(1).max(253).openapi({ example: '10.4.3.21' }),
    port: z.int().min(1).max(65_535).default(502),
    unit_id: z.int().min(0).max(255),
    preset: z
      .string()
      .max(100)
      .nullable()
      .default(null)
      .openapi({ description: 'null: the one that fits what the unit shows best' }),
    discover: z
      .boolean()
      .default(false)
      .openapi({ description: 'look what is there, and read no points' }),
  })
  .openapi('GatewayAddress');

/** A point of a test, as of a poll now. */
export const testedPointSchema = z.object({
  unit_id: z.int(),
  key: z.string(),
  value: z.union([z.number(), z.string()]).nullable(),
  unit: z.string().nullable(),
  quality: z.string().openapi({ example: 'BAD(RANGE)' }),
  raw: z.string().nullable().openapi({ description: 'the bytes that the device sent, hex' }),
});

const shownSchema = z
  .object({
    answers: z.boolean(),
    functions: z.array(
      z.object({
        function: z.int(),
        is_supported: z.boolean().nullable().openapi({ description: 'null: it did not answer' }),
        said: z.string(),
      }),
    ),
    sunspec: z
      .object({
        base: z.int(),
        models: z.array(z.object({ id: z.int(), address: z.int(), length: z.int() })),
        problems: z.array(z.string()),
      })
      .nullable(),
    no_sunspec: z.array(z.string()).openapi({ description: 'why there is no SunSpec device' }),
    identity: z.record(z.string(), z.string()),
    word_order: z.object({ order: z.string(), reason: z.string() }).nullable(),
    presets: z
      .array(z.object({ name: z.string(), fits: z.int(), of: z.int() }))
      .openapi({ description: 'those whose values are in their ranges, the best first' }),
    failure: z.object({ reason: z.string(), message: z.string() }).nullable(),
  })
  .openapi('GatewayUnitFound');

const testSchema = z
  .object({
    host: z.string(),
    port: z.int(),
    units: z.array(
      z.object({
        unit_id: z.int(),
        preset: z.string().nullable().openapi({ description: 'the one whose points were read' }),
        outcome: z
          .string()
          .nullable()
          .openapi({ description: 'OK, PARTIAL or FAILED; null: no points were read' }),
        reason: z.string().nullable(),
        message: z.string().nullable(),
        points: z.array(testedPointSchema),
        found: shownSchema.nullable().openapi({ description: 'null: a preset was named' }),
      }),
    ),
  })
  .openapi('GatewayTest');

const waits = `Waits at most ${testWaitMs / 1_000} s. The worker that polls gateways dials, so that its GATEWAY_NETWORKS decide. Nothing is saved.`;

const testNew = createRoute({
  method: 'post',
  path: '/gateways/test',
  tags,
  summary: 'Connect to an address and read it once',
  description: waits,
  ...access('ADMIN'),
  request: { body: jsonBody(addressSchema) },
  responses: answers(testSchema, 'what the device said, also if it did not answer', [
    ...writing,
    409,
    504,
  ]),
});

const testKnown = createRoute({
  method: 'post',
  path: '/gateways/{id}/test',
  tags,
  summary: 'Read all points of a gateway once, also of a paused one',
  description: waits,
  ...access('OPERATOR'),
  request: { params: gatewayIdParam },
  responses: answers(testSchema, 'what the device said, also if it did not answer', [
    ...reading,
    404,
    409,
    413,
    504,
  ]),
});

export function gatewayTestRoutes(deps: ApiDeps) {
  const { db, temporal: client, gatewayPresets: presets } = deps;
  return newRoutes()
    .openapi(testNew, async (c) => {
      const { discover: isDiscovery, ...address } = c.req.valid('json');
      const result = await testAddress({ db, client }, address, { presets, isDiscovery });
      return c.json(jsonOf(testSchema, orProblem(result)), 200);
    })
    .openapi(testKnown, async (c) => {
      const scope = plantScope(c.get('person'));
      const result = await testKnownGateway({ db, client }, c.req.valid('param').id, { scope });
      return c.json(jsonOf(testSchema, orProblem(result)), 200);
    });
}

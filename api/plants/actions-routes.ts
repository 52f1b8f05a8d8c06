import { createRoute, z } from '@hono/zod-openapi';

import { adapterErrorTypes, statuses } from '../../domain/plants/plant.ts';
import type { Actions } from './actions.ts';
import type { ApiDeps } from '../deps.ts';
import { actingOf } from '../env.ts';
import { idempotently } from '../idempotency.ts';
import { credentialsSchema, untilSchema, wordsSchema } from './plant-body.ts';
import { jsonOf } from '../json.ts';
import { reading, writing } from '../problem.ts';
import { access, answers, instantSchema, jsonBody, newRoutes } from '../route.ts';
import { plantIdParam, pollSchema } from './schemas.ts';

/** The routes by which people act on a plant: poll, pause, resume, silence, and new credentials. */

const tags = ['plants'];

const pollAnswerSchema = z
  .object({
    plant_id: z.string(),
    scheduled_for: instantSchema,
    trigger: pollSchema.shape.trigger,
    outcome: pollSchema.shape.outcome,
    attempts: z.int(),
    duration_ms: z.number().nullable(),
    adapter_error_type: z.enum(adapterErrorTypes).nullable(),
    error: z.string().nullable(),
    power_w: z.number().nullable(),
    today_energy_kwh: z.number().nullable(),
    lifetime_energy_kwh: z.number().nullable(),
    booked_date: z.string().nullable(),
    source_time: instantSchema.nullable(),
    status: z.enum(statuses).nullable(),
    status_reason: z.string().nullable(),
  })
  .openapi('PollAnswer');

export const decidedSchema = z
  .object({
    loop_told: z.boolean().openapi({
      description: 'false: the decision stands, and the loop reads it within a minute',
    }),
  })
  .openapi('Decided');

const poll = createRoute({
  method: 'post',
  path: '/plants/{id}/poll',
  tags,
  summary: 'Poll a plant now, and wait for the outcome',
  description:
    'Waits at most 30 s; after that it answers 504 and the poll goes on. Every outcome is a 200: see `outcome`. At most 10 requests wait for one plant at the same time.',
  ...access('OPERATOR'),
  request: {
    params: plantIdParam,
    headers: z.object({
      'idempotency-key': z
        .string()
        .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible characters')
        .optional()
        .openapi({
          description:
            'a request with the same key gets the same answer for 24 h, without a second poll',
        }),
    }),
  },
  responses: answers(pollAnswerSchema, 'the outcome of the poll', [
    ...reading,
    404,
    409,
    413,
    429,
    504,
  ]),
});

const resume = createRoute({
  method: 'post',
  path: '/plants/{id}/resume',
  tags,
  summary: 'Poll a plant again, also after refused credentials; the first poll comes at once',
  ...access('OPERATOR'),
  request: { params: plantIdParam },
  responses: answers(decidedSchema, 'it is ACTIVE', [...reading, 404, 409, 413]),
});

const replace = createRoute({
  method: 'put',
  path: '/plants/{id}/credentials',
  tags,
  summary: "Replace the credentials of a plant's vendor account",
  description:
    'They apply to every plant of the account. Plants that were paused because the vendor refused the old ones are polled again at once. No answer contains credentials.',
  ...access('ADMIN'),
  request: {
    params: plantIdParam,
    body: jsonBody(z.strictObject({ credentials: credentialsSchema }).openapi('NewCredentials')),
  },
  responses: answers(
    z
      .object({
        account_id: z.string(),
        version: z.int(),
        resumed: z.array(z.string()),
        active: z.int(),
        loops_told: z.int(),
      })
      .openapi('CredentialsStored'),
    'stored, sealed',
    [...writing, 404, 409],
  ),
});

export function plantActionRoutes(deps: ApiDeps, actions: Actions) {
  const until = untilSchema(deps.clock);

  const pause = createRoute({
    method: 'post',
    path: '/plants/{id}/pause',
    tags,
    summary: 'Stop polling a plant, until it is resumed or until a time',
    ...access('OPERATOR'),
    request: {
      params: plantIdParam,
      body: jsonBody(
        z
          .strictObject({ until: until.nullable().default(null), reason: wordsSchema })
          .openapi('Pause'),
      ),
    },
    responses: answers(decidedSchema, 'it is DISABLED_BY_OPERATOR', [...writing, 404, 409]),
  });

  const silence = createRoute({
    method: 'post',
    path: '/plants/{id}/silence',
    tags,
    summary: 'Announce no alert of a plant until a time; `until` null ends the silence',
    ...access('OPERATOR'),
    request: {
      params: plantIdParam,
      body: jsonBody(
        z.strictObject({ until: until.nullable(), reason: wordsSchema }).openapi('Silence'),
      ),
    },
    responses: answers(decidedSchema, 'its alerts are kept and counted, but not announced', [
      ...writing,
      404,
      409,
    ]),
  });

  return newRoutes()
    .openapi(poll, async (c) => {
      const answer = await idempotently(c, deps, () =>
        actions.poll(actingOf(c), c.req.valid('param').id),
      );
      c.header('cache-control', 'no-store');
      return c.json(jsonOf(pollAnswerSchema, answer), 200);
    })
    .openapi(pause, async (c) => {
      const { id } = c.req.valid('param');
      return c.json(await actions.pause(actingOf(c), id, c.req.valid('json')), 200);
    })
    .openapi(resume, async (c) =>
      c.json(await actions.resume(actingOf(c), c.req.valid('param').id), 200),
    )
    .openapi(silence, async (c) => {
      const { id } = c.req.valid('param');
      return c.json(await actions.silence(actingOf(c), id, c.req.valid('json')), 200);
    })
    .openapi(replace, async (c) => {
      const { id } = c.req.valid('param');
      const { credentials } = c.req.valid('json');
      return c.json(await actions.replaceCredentials(actingOf(c), id, credentials), 200);
    });
}

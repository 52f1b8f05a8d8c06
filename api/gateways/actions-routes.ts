import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { loadDrafts } from '../../db/gateways/gateways.ts';
import { gatewayJson as draftJson, parseGateway } from '../../domain/gateways/definition.ts';
import type { GatewayDraft } from '../../domain/gateways/gateway.ts';
import {
  addGateways,
  changeGateway,
  type GatewayAct,
  type GatewaysDecided,
  pauseGateways,
  pollGateway,
  removeGateways,
  resumeGateways,
  silenceGateways,
} from '../../operations/gateways/actions.ts';
import type { ApiDeps } from '../deps.ts';
import { actingOf, type ApiEnv } from '../env.ts';
import { idempotently } from '../idempotency.ts';
import { jsonOf } from '../json.ts';
import { problems, reading, writing } from '../problem.ts';
import { access, answers, instantSchema, jsonAnswer, jsonBody, newRoutes } from '../route.ts';
import { startLoops } from '../start-loops.ts';
import { readDetail } from './pages/data.ts';
import { failureText } from './answers.ts';
import { gatewayDetailJson } from './documents.ts';
import { invalidDefinition, orProblem, problemOf } from './refusals.ts';
import { gatewayDetailSchema, gatewayIdParam } from './schemas.ts';
import { testedPointSchema } from './test-routes.ts';

/** The routes by which people add and change gateways and act on them. */

const tags = ['gateways'];
/** The longest time that a person waits for a poll, ms. */
export const gatewayPollWaitMs = 15_000;

/** A definition is checked by the domain, which names every problem with its path. */
const definitionSchema = z.record(z.string(), z.unknown()).openapi('GatewayDefinition', {
  description: 'FILE.json of one gateway, as fixtures/gateways/README.md describes it',
  example: {
    id: 'roof-inverter',
    name: 'Roof inverter',
    host: '10.4.3.21',
    poll_interval_s: 60,
    priority: 'NORMAL',
    units: [{ unit_id: 1, preset: 'sunspec-inverter' }],
  },
});

const ifMatch = z.object({
  'if-match': z
    .string()
    .regex(/^"\d{1,15}"$|^\d{1,15}$|^\*$/, 'must be the revision that you read')
    .optional(),
});

const create = createRoute({
  method: 'post',
  path: '/gateways',
  tags,
  summary: 'Add a gateway; its first poll comes at its first slot',
  ...access('ADMIN'),
  request: { body: jsonBody(definitionSchema) },
  responses: {
    201: jsonAnswer(gatewayDetailSchema, 'the gateway'),
    ...problems(...writing, 409),
  },
});

const change = createRoute({
  method: 'patch',
  path: '/gateways/{id}',
  tags,
  summary: 'Change a gateway; members that are absent stay, `units` are replaced as a whole',
  ...access('ADMIN'),
  request: { params: gatewayIdParam, headers: ifMatch, body: jsonBody(definitionSchema) },
  responses: answers(gatewayDetailSchema, 'the gateway as it is now', [...writing, 404, 409, 412]),
});

const gone = createRoute({
  method: 'delete',
  path: '/gateways/{id}',
  tags,
  summary: 'Remove a gateway; its readings stay until their time is over',
  ...access('ADMIN'),
  request: { params: gatewayIdParam },
  responses: { 204: { description: 'removed' }, ...problems(...reading, 404, 409, 413) },
});

const decision = (verb: 'pause' | 'resume' | 'silence', summary: string, body: z.ZodType | null) =>
  createRoute({
    method: 'post',
    path: `/gateways/{id}/${verb}`,
    tags,
    summary,
    ...access('OPERATOR'),
    request: { params: gatewayIdParam, ...(body !== null && { body: jsonBody(body) }) },
    responses: answers(gatewayDetailSchema, 'the gateway as it is now', [...writing, 404, 409]),
  });

const reasonSchema = z.string().trim().min(1).max(200).nullable().default(null);
const pauseBody = z.strictObject({ reason: reasonSchema }).openapi('GatewayPause');
const silenceBody = z
  .strictObject({
    until: z.iso
      .datetime({ offset: true })
      .regex(/^(19[7-9]\d|2\d{3})-/, 'must lie between 1970 and 2999')
      .nullable()
      .openapi({ format: 'date-time', description: 'null ends the silence' }),
    reason: reasonSchema,
  })
  .openapi('GatewaySilence');

const pollAnswerSchema = z
  .object({
    gateway_id: z.string(),
    outcome: z.string(),
    reason: z.string().nullable(),
    message: z.string().nullable(),
    read_at: instantSchema,
    points: z.array(testedPointSchema),
  })
  .openapi('GatewayPollAnswer');

const pollNow = createRoute({
  method: 'post',
  path: '/gateways/{id}/poll',
  tags,
  summary: 'Poll a gateway now through its own socket, and wait for the values',
  description: `Waits at most ${gatewayPollWaitMs / 1_000} s. Requests that wait at the same time are answered by the same poll.`,
  ...access('OPERATOR'),
  request: {
    params: gatewayIdParam,
    headers: z.object({
      'idempotency-key': z
        .string()
        .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible characters')
        .optional(),
    }),
  },
  responses: answers(pollAnswerSchema, 'the outcome of the poll', [...reading, 404, 409, 413, 504]),
});

export function gatewayActionRoutes(deps: ApiDeps) {
  const act = (c: Context<ApiEnv>): GatewayAct => ({
    ...actingOf(c),
    db: deps.db,
    at: new Date(deps.clock()),
  });
  const detail = async (c: Context<ApiEnv>, id: string) => {
    const read = await readDetail(deps, c.get('person'), id);
    c.header('etag', `"${read.row.revision}"`);
    return jsonOf(gatewayDetailSchema, gatewayDetailJson(read, undefined));
  };
  const orRefused = ({ refused }: GatewaysDecided): void => {
    if (refused[0] !== undefined) throw problemOf(refused[0]);
  };

  return newRoutes()
    .openapi(create, async (c) => {
      const draft = readDefinition(c.req.valid('json'));
      orProblem(await addGateways(act(c), [draft], { presets: deps.gatewayPresets }));
      await startLoops(deps);
      c.header('location', `/api/v1/gateways/${draft.id}`);
      return c.json(await detail(c, draft.id), 201);
    })
    .openapi(change, async (c) => {
      const { id } = c.req.valid('param');
      const members = c.req.valid('json');
      const match = /\d+/.exec(c.req.valid('header')['if-match'] ?? '');
      const [before] = await loadDrafts(deps.db, [id]);
      const { row } = await readDetail(deps, c.get('person'), id);
      // Who names no revision changes what was read just now.
      const ifRevision = match === null ? row.revision : Number(match[0]);
      const draft = readDefinition({ ...(before && draftJson(before)), ...members, id });
      const options = { presets: deps.gatewayPresets, ifRevision };
      orProblem(await changeGateway(act(c), id, draft, options));
      return c.json(await detail(c, id), 200);
    })
    .openapi(gone, async (c) => {
      orRefused(await removeGateways(act(c), [c.req.valid('param').id]));
      return c.body(null, 204);
    })
    .openapi(decision('pause', 'Pause a gateway: nothing is sent to it', pauseBody), async (c) => {
      const { id } = c.req.valid('param');
      const how = c.req.valid('json' as never) as z.output<typeof pauseBody>;
      orRefused(await pauseGateways(act(c), [id], how.reason));
      return c.json(await detail(c, id), 200);
    })
    .openapi(
      decision('resume', 'Poll a gateway again, also after failures disabled it', null),
      async (c) => {
        const { id } = c.req.valid('param');
        orRefused(await resumeGateways(act(c), [id]));
        return c.json(await detail(c, id), 200);
      },
    )
    .openapi(
      decision('silence', 'Keep the alerts of a gateway from being announced', silenceBody),
      async (c) => {
        const { id } = c.req.valid('param');
        const { until, reason } = c.req.valid('json' as never) as z.output<typeof silenceBody>;
        const at = until === null ? null : new Date(until);
        orRefused(await silenceGateways(act(c), [id], { until: at, reason }));
        return c.json(await detail(c, id), 200);
      },
    )
    .openapi(pollNow, async (c) => {
      const { id } = c.req.valid('param');
      return c.json(
        await idempotently(c, deps, async () => pollDocument(act(c), id, deps.gatewayPollMs)),
        200,
      );
    });
}

/** The outcome of a poll that a person asked for. */
async function pollDocument(act: GatewayAct, id: string, timeoutMs: number) {
  const { answer } = orProblem(await pollGateway(act, id, timeoutMs));
  if ('outcome' in answer) return { gateway_id: id, ...answer };
  const nothing = { outcome: 'FAILED', reason: null, read_at: act.at.toISOString(), points: [] };
  return { gateway_id: id, ...nothing, message: failureText(answer) };
}

/** Reads a definition. Throws Problem 422 that names every problem with its path. */
function readDefinition(json: unknown): GatewayDraft {
  const parsed = parseGateway(json);
  if ('problems' in parsed) throw invalidDefinition(parsed.problems);
  return parsed.gateway;
}

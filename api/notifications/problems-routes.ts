import { createRoute, z } from '@hono/zod-openapi';

import { listProblems } from '../../db/notifications/problems.ts';
import { acknowledgeProblem } from '../../operations/notifications/actions.ts';
import { pageQuery, readNumberCursor, writeCursor } from '../cursor.ts';
import type { ApiDeps } from '../deps.ts';
import { deciderOf } from '../env.ts';
import { jsonOf } from '../json.ts';
import { reading, writing } from '../problem.ts';
import { access, answers, jsonBody, newRoutes } from '../route.ts';
import { orProblem } from './refusals.ts';
import { idParam, needSchema } from './schemas.ts';

/** The routes of problems: what needs a person and is no alert of a plant or gateway. */

const tags = ['problems'];

const statesOf = {
  active: ['OPEN', 'ACKNOWLEDGED'],
  open: ['OPEN'],
  acknowledged: ['ACKNOWLEDGED'],
  closed: ['CLOSED'],
  all: ['OPEN', 'ACKNOWLEDGED', 'CLOSED'],
} as const;

const list = createRoute({
  method: 'get',
  path: '/problems',
  tags,
  summary: 'Problems of import jobs, runs and the system, the newest first',
  ...access('OPERATOR'),
  request: {
    query: z.object({
      state: z.enum(['active', 'open', 'acknowledged', 'closed', 'all']).default('active'),
      ...pageQuery,
    }),
  },
  responses: answers(
    z
      .object({ problems: z.array(needSchema), next_cursor: z.string().nullable() })
      .openapi('ProblemPage'),
    'one page',
    reading,
  ),
});

const ack = createRoute({
  method: 'post',
  path: '/problems/{id}/ack',
  tags,
  summary: 'Acknowledge a problem: nobody else is called',
  ...access('OPERATOR'),
  request: {
    params: idParam,
    body: jsonBody(
      z
        .strictObject({
          comment: z
            .string()
            .trim()
            .max(200)
            .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must be one line')
            .default('')
            .transform((words) => (words === '' ? null : words)),
        })
        .openapi('ProblemAck'),
    ),
  },
  responses: answers(needSchema, 'the problem as it is now', [...writing, 404, 409]),
});

export function problemRoutes(deps: ApiDeps) {
  return newRoutes()
    .openapi(list, async (c) => {
      const { state, limit, cursor } = c.req.valid('query');
      const [beforeId = null] = readNumberCursor(`problems ${state}`, cursor, 1) ?? [];
      const page = await listProblems(deps.readDb, statesOf[state], { beforeId, limit });
      const next = page.nextBeforeId === null ? null : [page.nextBeforeId];
      const answer = page.problems.map((problem) => jsonOf(needSchema, problem));
      return c.json({ problems: answer, next_cursor: writeCursor(`problems ${state}`, next) }, 200);
    })
    .openapi(ack, async (c) => {
      const act = { db: deps.db, by: deciderOf(c), at: new Date(deps.clock()) };
      const { comment } = c.req.valid('json');
      const acked = await acknowledgeProblem(act, c.req.valid('param').id, comment);
      return c.json(jsonOf(needSchema, orProblem(acked)), 200);
    });
}

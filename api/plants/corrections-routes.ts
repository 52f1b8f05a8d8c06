import { createRoute, z } from '@hono/zod-openapi';

import type { Actions } from './actions.ts';
import { decidedSchema } from './actions-routes.ts';
import { actingOf } from '../env.ts';
import { plantMoveSchema } from './plant-body.ts';
import { reading, writing } from '../problem.ts';
import { access, answers, jsonBody, newRoutes } from '../route.ts';
import { plantIdParam } from './schemas.ts';

/** The routes by which people correct a wrong plant: move it, remove it, delete what is kept of it. */

const tags = ['plants'];

const move = createRoute({
  method: 'post',
  path: '/plants/{id}/move',
  tags,
  summary: 'Move a plant to another account of its brand; it keeps its past',
  ...access('ADMIN'),
  request: { params: plantIdParam, body: jsonBody(plantMoveSchema) },
  responses: answers(decidedSchema, 'it logs in by the other account', [...writing, 404, 409]),
});

const remove = createRoute({
  method: 'delete',
  path: '/plants/{id}',
  tags,
  summary: 'Remove a plant: nothing polls it, and lists and totals leave it out',
  description:
    'Its ledger, days and alerts stay and answer by its id. `POST /plants/{id}/purge` deletes them.',
  ...access('ADMIN'),
  request: { params: plantIdParam },
  responses: answers(decidedSchema, 'it is removed', [...reading, 404, 409, 413]),
});

const purge = createRoute({
  method: 'post',
  path: '/plants/{id}/purge',
  tags,
  summary: 'Delete what is kept of a removed plant: 30 days later, or at once if it never answered',
  ...access('ADMIN'),
  request: { params: plantIdParam },
  responses: answers(z.object({ ledger_rows: z.int() }).openapi('Purged'), 'it is gone for good', [
    ...reading,
    404,
    409,
    413,
  ]),
});

export function plantCorrectionRoutes(actions: Actions) {
  return newRoutes()
    .openapi(move, async (c) => {
      const { vendor_account_id: accountId } = c.req.valid('json');
      return c.json(await actions.move(actingOf(c), c.req.valid('param').id, accountId), 200);
    })
    .openapi(remove, async (c) =>
      c.json(await actions.remove(actingOf(c), c.req.valid('param').id), 200),
    )
    .openapi(purge, async (c) =>
      c.json(await actions.purge(actingOf(c), c.req.valid('param').id), 200),
    );
}

import { Hono } from 'hono';
import { html } from 'hono/html';

import type { Db } from '../../../db/database.ts';
import { listPlants, type PlantView } from '../../../db/plants/plants.ts';
import type { Acting, Actions } from '../actions.ts';
import type { ApiDeps } from '../../deps.ts';
import { actingOf, type ApiEnv, type Person, plantScope } from '../../env.ts';
import { Problem } from '../../problem.ts';
import { answerPage, ownPath, staffOf } from '../../pages/answer.ts';
import { textField, untilField } from '../../pages/form.ts';
import { type AssetUrls, page } from '../../pages/layout.ts';
import { pollAnswer, pollAnswerText } from './plant.ts';

/** What people do on the pages: form posts, which lead back to their page. What they do is done by `Actions`. */

const commentLengthMax = 500;
const reasonLengthMax = 200;

export function actionRoutes(deps: ApiDeps, actions: Actions, assets: AssetUrls): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();

  routes.post('/alerts/:id/ack', async (c) => {
    const person = await staffOf(c);
    const body = await c.req.parseBody();
    const id = Number(c.req.param('id'));
    if (!Number.isSafeInteger(id)) throw new Problem('not-found', 'There is no such alert.');
    await actions.ack(actingOf(c, person), id, {
      comment: textField(body['comment'], 'The comment', commentLengthMax),
      until: untilField(body['for'], deps.clock()),
    });
    return c.redirect(ownPath(body['back'], '/alerts'), 303);
  });

  routes.post('/plants/:id/pause', async (c) => {
    const person = await staffOf(c);
    const body = await c.req.parseBody();
    await actions.pause(actingOf(c, person), c.req.param('id'), {
      until: untilField(body['for'], deps.clock()),
      reason: textField(body['reason'], 'The reason', reasonLengthMax),
    });
    return c.redirect(pathOf(c.req.param('id')), 303);
  });

  routes.post('/plants/:id/resume', async (c) => {
    const person = await staffOf(c);
    await actions.resume(actingOf(c, person), c.req.param('id'));
    return c.redirect(pathOf(c.req.param('id')), 303);
  });

  routes.post('/plants/:id/silence', async (c) => {
    const person = await staffOf(c);
    const body = await c.req.parseBody();
    const ends = body['for'] === '0';
    const until = ends ? null : untilField(body['for'], deps.clock());
    if (!ends && until === null)
      throw new Problem('invalid-request', 'Say for how long its alerts are silenced.');
    await actions.silence(actingOf(c, person), c.req.param('id'), { until, reason: null });
    return c.redirect(pathOf(c.req.param('id')), 303);
  });

  routes.post('/plants/:id/poll', async (c) => {
    const person = await staffOf(c);
    const plant = await findPlant(deps.db, person, c.req.param('id'));
    const words = await pollWords(actions, actingOf(c, person), plant);
    // What stands around the answer has changed with it.
    c.header('hx-trigger', 'renew');
    const content = html`${pollAnswer(words)}
      <p><a href="${pathOf(plant.id)}">Back to ${plant.name}</a></p>`;
    const frame = { title: plant.name, section: 'fleet', viewer: person, assets } as const;
    return answerPage(c, page({ ...frame, renderedAt: '', refreshS: null }, content));
  });

  return routes;
}

async function findPlant(db: Db, person: Person, id: string): Promise<PlantView> {
  const [plant] = await listPlants(db, { ids: [id] }, plantScope(person));
  if (plant === undefined) throw new Problem('not-found', 'There is no such plant.');
  return plant;
}

/** What the poll came to, or why there was none: both are the answer that was asked for. */
async function pollWords(actions: Actions, acting: Acting, plant: PlantView): Promise<string> {
  try {
    const answer = await actions.poll(acting, plant.id);
    return pollAnswerText({
      outcome: answer.outcome,
      durationMs: answer.duration_ms,
      powerW: answer.power_w,
      error: answer.error,
      statusBefore: plant.status,
      statusAfter: answer.status ?? plant.status,
    });
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}

function pathOf(id: string): string {
  return `/plants/${encodeURIComponent(id)}`;
}

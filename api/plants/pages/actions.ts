import { Hono } from 'hono';
import { html } from 'hono/html';

import type { PlantRow } from '../../../db/plants/plants.ts';
import type { Acting, Actions } from '../actions.ts';
import type { ApiDeps } from '../../deps.ts';
import { actingOf, type ApiEnv } from '../../env.ts';
import { Problem } from '../../problem.ts';
import { answerPage, ownPath, staffOf } from '../../pages/answer.ts';
import { textField, untilField } from '../../pages/form.ts';
import { type AssetUrls, page } from '../../pages/layout.ts';
import { readerZoneOf } from '../../pages/reader-zone.ts';
import { plantOr404 } from '../refusals.ts';
import { plantPath } from '../../pages/paths.ts';
import { pollAnswer, pollAnswerText } from './plant.ts';

/** The forms of the pages about plants: each calls an action and leads back to its page. */

const commentLengthMax = 500;
const reasonLengthMax = 200;

type Fields = Record<string, unknown>;

export function actionRoutes(deps: ApiDeps, actions: Actions, assets: AssetUrls): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  /** A form of the staff, or of administrators alone. `act` does what it asks for and gives the path of the page that follows. */
  const form = (
    path: string,
    act: (acting: Acting, id: string, fields: Fields) => Promise<string>,
    { isForAdmins = false } = {},
  ) =>
    routes.post(path, async (c) => {
      const person = await staffOf(c);
      if (isForAdmins && person.role !== 'ADMIN')
        throw new Problem('role-not-sufficient', 'Only administrators may do this.');
      const acting = actingOf(c, person);
      const next = await act(acting, c.req.param('id') ?? '', await c.req.parseBody());
      return c.redirect(next, 303);
    });
  const untilOf = (fields: Fields): Date | null => untilField(fields['for'], deps.clock());

  form('/alerts/:id/ack', async (acting, id, fields) => {
    if (!/^\d{1,15}$/.test(id)) throw new Problem('not-found', 'There is no such alert.');
    const comment = textField(fields['comment'], 'The comment', commentLengthMax);
    await actions.ack(acting, Number(id), { comment, until: untilOf(fields) });
    return ownPath(fields['back'], '/alerts');
  });

  form('/plants/:id/pause', async (acting, id, fields) => {
    const reason = textField(fields['reason'], 'The reason', reasonLengthMax);
    await actions.pause(acting, id, { until: untilOf(fields), reason });
    return plantPath(id);
  });

  form('/plants/:id/resume', async (acting, id) => {
    await actions.resume(acting, id);
    return plantPath(id);
  });

  const remove = async (acting: Acting, id: string) => {
    await actions.remove(acting, id);
    return plantPath(id);
  };
  form('/plants/:id/remove', remove, { isForAdmins: true });

  form('/plants/:id/silence', async (acting, id, fields) => {
    const ends = fields['for'] === '0';
    const until = ends ? null : untilOf(fields);
    if (!ends && until === null)
      throw new Problem('invalid-request', 'Say for how long its alerts are silenced.');
    const reason = textField(fields['reason'], 'The reason', reasonLengthMax);
    await actions.silence(acting, id, { until, reason });
    return plantPath(id);
  });

  routes.post('/plants/:id/poll', async (c) => {
    const person = await staffOf(c);
    const acting = actingOf(c, person);
    const plant = await plantOr404(deps.db, acting.scope, c.req.param('id'));
    const words = await pollWords(actions, acting, plant);
    // The rest of the page has changed with the answer.
    c.header('hx-trigger', 'renew');
    const content = html`${pollAnswer(words)}
      <p><a href="${plantPath(plant.id)}">Back to ${plant.name}</a></p>`;
    const reader = { viewer: person, zone: readerZoneOf(c), path: plantPath(plant.id) };
    const frame = { title: plant.name, section: 'fleet', ...reader, assets } as const;
    return answerPage(c, page({ ...frame, renderedAt: '', refreshS: null }, content));
  });

  return routes;
}

/** The outcome of the poll, or why it was refused, as a sentence for the page. */
async function pollWords(actions: Actions, acting: Acting, plant: PlantRow): Promise<string> {
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

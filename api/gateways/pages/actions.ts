import { type Context, Hono } from 'hono';
import { html } from 'hono/html';

import { findGateway } from '../../../db/gateways/gateways.ts';
import { parseGateway } from '../../../domain/gateways/definition.ts';
import {
  acknowledgeAlert,
  addGateways,
  type GatewayAct,
  type GatewaysDecided,
  pauseGateways,
  pollGateway,
  removeGateways,
  resumeGateways,
} from '../../../operations/gateways/actions.ts';
import {
  testAddress,
  testKnownGateway,
  type TestRefusal,
} from '../../../operations/gateways/test-address.ts';
import type { TestGatewayResult } from '../../../workflows/gateways/messages.ts';
import type { ApiDeps } from '../../deps.ts';
import { actingOf, type ApiEnv, type Person } from '../../env.ts';
import { answerPage, ownPath, staffOf } from '../../pages/answer.ts';
import type { Html } from '../../pages/components.ts';
import { textField } from '../../pages/form.ts';
import { type AssetUrls, page } from '../../pages/layout.ts';
import { readerZoneOf } from '../../pages/reader-zone.ts';
import { Problem } from '../../problem.ts';
import { startLoops } from '../../start-loops.ts';
import { failureText } from '../answers.ts';
import { gatewayPollWaitMs } from '../actions-routes.ts';
import { invalidDefinition, orProblem, problemOf } from '../refusals.ts';
import { gatewayAnswer } from './gateway.ts';
import { newGatewayContent } from './new.ts';
import { gatewayPath, testAddressPath } from './paths.ts';
import type { Show } from './routes.ts';
import { testAddressContent, testedPart } from './test.ts';

/** The forms of the pages about gateways: each calls an action and leads back to its page. */

const reasonLengthMax = 200;
const commentLengthMax = 500;
const fieldLengthMax = 253;

export function gatewayForms(deps: ApiDeps, assets: AssetUrls, show: Show): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  const actOf = (c: Parameters<typeof actingOf>[0], person: Person): GatewayAct => ({
    ...actingOf(c, person),
    db: deps.db,
    at: new Date(deps.clock()),
  });
  /** A form of the staff, or of administrators alone, that leads back to the gateway. */
  const form = (
    path: string,
    act: (act: GatewayAct, id: string, fields: Fields) => Promise<GatewaysDecided>,
    { isForAdmins = false } = {},
  ) =>
    routes.post(path, async (c) => {
      const person = await staffOf(c);
      if (isForAdmins) refuseOthers(person);
      const id = c.req.param('id') ?? '';
      const { refused } = await act(actOf(c, person), id, await c.req.parseBody());
      if (refused[0] !== undefined) throw problemOf(refused[0]);
      return c.redirect(gatewayPath(id), 303);
    });

  form('/gateways/:id/pause', async (act, id, fields) =>
    pauseGateways(act, [id], textField(fields['reason'], 'The reason', reasonLengthMax)),
  );
  form('/gateways/:id/resume', async (act, id) => resumeGateways(act, [id]));
  form('/gateways/:id/remove', async (act, id) => removeGateways(act, [id]), { isForAdmins: true });

  /** The page of an answer, of which a browser with a script shows the answer in place. */
  const answerWith = (
    c: Context<ApiEnv>,
    person: Person,
    words: Html | string,
    back: { path: string; name: string },
  ) => {
    const content = html`${gatewayAnswer(words)}
      <p><a href="${back.path}">Back to ${back.name}</a></p>`;
    const reader = { viewer: person, zone: readerZoneOf(c), path: back.path };
    const frame = { title: back.name, section: 'gateways', ...reader, assets } as const;
    return answerPage(c, page({ ...frame, renderedAt: '', refreshS: null }, content));
  };
  /** A form of the staff whose answer stands on the page of the gateway. */
  const asking = (path: string, ask: (act: GatewayAct, id: string) => Promise<Html>) =>
    routes.post(path, async (c) => {
      const person = await staffOf(c);
      const id = c.req.param('id') ?? '';
      const act = actOf(c, person);
      const row = await findGateway(deps.db, act.scope, id);
      if (row === undefined) throw new Problem('not-found', 'There is no such gateway.');
      const words = await ask(act, id);
      // The rest of the page has changed with the answer.
      c.header('hx-trigger', 'renew');
      return answerWith(c, person, words, { path: gatewayPath(id), name: row.name });
    });

  asking('/gateways/:id/poll', pollWords);
  const tests = { db: deps.db, client: deps.temporal };
  asking('/gateways/:id/test', ({ scope }, id) =>
    testWords(() => testKnownGateway(tests, id, { scope })),
  );

  const presets = deps.gatewayPresets;
  routes.get('/gateways/test', async (c) => {
    const person = await staffOf(c);
    refuseOthers(person);
    const frame = { title: 'Test an address', section: 'gateways', isForm: true } as const;
    return show(c, person, frame, testAddressContent([...presets.values()]));
  });
  routes.post('/gateways/test', async (c) => {
    const person = await staffOf(c);
    refuseOthers(person);
    const fields = await c.req.parseBody();
    const isDiscovery = fields['discover'] === 'true';
    const words = await testWords(() =>
      testAddress(tests, addressOf(fields), { presets, isDiscovery }),
    );
    return answerWith(c, person, words, { path: testAddressPath, name: 'Test an address' });
  });

  routes.post('/gateways/alerts/:alert/ack', async (c) => {
    const person = await staffOf(c);
    const alertId = c.req.param('alert');
    if (!/^\d{1,15}$/.test(alertId)) throw new Problem('not-found', 'There is no such alert.');
    const fields = await c.req.parseBody();
    const comment = textField(fields['comment'], 'The comment', commentLengthMax);
    orProblem(await acknowledgeAlert(actOf(c, person), Number(alertId), { comment, until: null }));
    return c.redirect(ownPath(fields['back'], '/alerts'), 303);
  });

  routes.get('/gateways/new', async (c) => {
    const person = await staffOf(c);
    refuseOthers(person);
    const frame = { title: 'New gateway', section: 'gateways', isForm: true } as const;
    return show(c, person, frame, newGatewayContent([...deps.gatewayPresets.values()]));
  });

  routes.post('/gateways', async (c) => {
    const person = await staffOf(c);
    refuseOthers(person);
    const parsed = parseGateway(definitionOf(await c.req.parseBody()));
    if ('problems' in parsed) throw invalidDefinition(parsed.problems);
    const { gateway } = parsed;
    orProblem(await addGateways(actOf(c, person), [gateway], { presets: deps.gatewayPresets }));
    await startLoops(deps);
    return c.redirect(gatewayPath(gateway.id), 303);
  });

  return routes;
}

function refuseOthers(person: Person): void {
  if (person.role !== 'ADMIN')
    throw new Problem('role-not-sufficient', 'Only administrators may do this.');
}

type Fields = Record<string, unknown>;

const readersOf = (fields: Fields) => {
  const text = (name: string) => textField(fields[name], name, fieldLengthMax) ?? undefined;
  const number = (name: string) => (text(name) === undefined ? undefined : Number(text(name)));
  return { text, number };
};

/** The address that the form describes; the domain says what is wrong with it. */
function addressOf(fields: Fields): unknown {
  const { text, number } = readersOf(fields);
  return JSON.parse(
    JSON.stringify({
      host: text('host'),
      port: number('port'),
      unit_id: number('unit_id'),
      preset: text('preset'),
    }),
  );
}

/** The definition that the form describes; the domain says what is wrong with it. */
function definitionOf(fields: Fields): unknown {
  const { text, number } = readersOf(fields);
  return JSON.parse(
    JSON.stringify({
      id: text('id'),
      name: text('name'),
      host: text('host'),
      port: number('port'),
      plant_id: text('plant_id'),
      poll_interval_s: number('poll_interval_s'),
      priority: text('priority'),
      units: [{ unit_id: number('unit_id'), preset: text('preset') }],
    }),
  );
}

/** The outcome of the poll, or why it was refused, for the page. */
async function pollWords(act: GatewayAct, id: string): Promise<Html> {
  try {
    const { answer } = orProblem(await pollGateway(act, id, gatewayPollWaitMs));
    if (!('outcome' in answer)) return html`<p><b>Poll now:</b> ${failureText(answer)}</p>`;
    const { outcome, message, points } = answer;
    const good = points.filter(({ value }) => value !== null).length;
    const parts = [
      outcome.toLowerCase(),
      `${good} of ${points.length} points`,
      ...(message === null ? [] : [message]),
    ];
    return html`<p><b>Poll now:</b> ${parts.join(', ')}</p>`;
  } catch (error) {
    if (error instanceof Problem) return html`<p><b>Poll now:</b> ${error.message}</p>`;
    throw error;
  }
}

/** What the device said, or why it was not asked, for the page. */
async function testWords(ask: () => Promise<TestGatewayResult | TestRefusal>): Promise<Html> {
  try {
    return testedPart(orProblem(await ask()));
  } catch (error) {
    if (error instanceof Problem) return html`<p><b>Test:</b> ${error.message}</p>`;
    throw error;
  }
}

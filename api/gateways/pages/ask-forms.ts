import { type Context, Hono } from 'hono';
import { html } from 'hono/html';

import { findGateway } from '../../../db/gateways/gateways.ts';
import { type GatewayAct, pollGateway } from '../../../operations/gateways/actions.ts';
import {
  testAddress,
  testKnownGateway,
  type TestRefusal,
} from '../../../operations/gateways/test-address.ts';
import type { TestGatewayResult } from '../../../workflows/gateways/messages.ts';
import type { ApiDeps } from '../../deps.ts';
import { actingOf, type ApiEnv, type Person } from '../../env.ts';
import { answerPage, staffOf } from '../../pages/answer.ts';
import type { Html } from '../../pages/components.ts';
import { textField } from '../../pages/form.ts';
import { type AssetUrls, page } from '../../pages/layout.ts';
import { readerZoneOf } from '../../pages/reader-zone.ts';
import { Problem } from '../../problem.ts';
import { failureText } from '../answers.ts';
import { orProblem } from '../refusals.ts';
import { gatewayAnswer } from './gateway.ts';
import { gatewayPath, testAddressPath } from './paths.ts';
import type { Show } from './routes.ts';
import { testAddressContent, testedPart } from './test.ts';

/** The forms that ask a device and show its answer in place: poll now, and the tests. */

/** The longest text of a field: a host name. */
const fieldLengthMax = 253;

export type FormFields = Record<string, unknown>;

/** @throws Problem 403 for others than administrators. */
export async function administratorOf(c: Context<ApiEnv>): Promise<Person> {
  const person = await staffOf(c);
  if (person.role !== 'ADMIN')
    throw new Problem('role-not-sufficient', 'Only administrators may do this.');
  return person;
}

/** Who acts by a form, now. */
export function actsOf(deps: ApiDeps) {
  return (c: Context<ApiEnv>, person: Person): GatewayAct => ({
    ...actingOf(c, person),
    db: deps.db,
    at: new Date(deps.clock()),
  });
}

/** Readers of a form's fields; an empty field is undefined. They throw Problem 422. */
export function fieldReaders(fields: FormFields) {
  const text = (name: string) => textField(fields[name], name, fieldLengthMax) ?? undefined;
  const number = (name: string) => (text(name) === undefined ? undefined : Number(text(name)));
  return { text, number };
}

export function gatewayAskForms(deps: ApiDeps, assets: AssetUrls, show: Show): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  const actOf = actsOf(deps);
  /** The page of an answer, of which a browser with a script shows the answer in place. */
  const answerWith = (
    c: Context<ApiEnv>,
    person: Person,
    words: Html,
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

  asking('/gateways/:id/poll', (act, id) => pollWords(act, id, deps.gatewayPollMs));
  const { gatewayPresets: presets } = deps;
  const tests = { db: deps.db, client: deps.temporal };
  asking('/gateways/:id/test', ({ scope }, id) =>
    testWords(() => testKnownGateway(tests, id, { scope })),
  );

  routes.get('/gateways/test', async (c) => {
    const person = await administratorOf(c);
    const frame = { title: 'Test an address', section: 'gateways', isForm: true } as const;
    return show(c, person, frame, testAddressContent([...presets.values()]));
  });

  routes.post('/gateways/test', async (c) => {
    const person = await administratorOf(c);
    const fields = await c.req.parseBody();
    const { text } = fieldReaders(fields);
    const how = { presets, isDiscovery: text('discover') === 'true' };
    const address = addressOf(fields);
    const words = await testWords(() => testAddress(tests, address, how));
    return answerWith(c, person, words, { path: testAddressPath, name: 'Test an address' });
  });

  return routes;
}

/** The address that the form describes; the domain says what is wrong with it. */
function addressOf(fields: FormFields): unknown {
  const { text, number } = fieldReaders(fields);
  return {
    host: text('host'),
    port: number('port'),
    unit_id: number('unit_id'),
    preset: text('preset'),
  };
}

/** The outcome of the poll, or why it was refused, for the page. */
async function pollWords(act: GatewayAct, id: string, timeoutMs: number): Promise<Html> {
  return wordsOf('Poll now', async () => {
    const { answer } = orProblem(await pollGateway(act, id, timeoutMs));
    if (!('outcome' in answer)) return html`<p><b>Poll now:</b> ${failureText(answer)}</p>`;
    const { outcome, message, points } = answer;
    const good = points.filter(({ value }) => value !== null).length;
    const parts = [
      outcome.toLowerCase(),
      `${good} of ${points.length} points`,
      ...(message === null ? [] : [message]),
    ];
    return html`<p><b>Poll now:</b> ${parts.join(', ')}</p>`;
  });
}

/** What the device said, or why it was not asked, for the page. */
async function testWords(ask: () => Promise<TestGatewayResult | TestRefusal>): Promise<Html> {
  return wordsOf('Test', async () => testedPart(orProblem(await ask())));
}

/** A refusal stands where the answer would. */
async function wordsOf(what: string, ask: () => Promise<Html>): Promise<Html> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Problem) return html`<p><b>${what}:</b> ${error.message}</p>`;
    throw error;
  }
}

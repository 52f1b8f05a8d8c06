import { type Context, Hono } from 'hono';

import { listChannels } from '../../../db/notifications/channel-list.ts';
import {
  deliveryStates,
  findDelivery,
  listDeliveries,
} from '../../../db/notifications/delivery-list.ts';
import { listRoutes } from '../../../db/notifications/route-list.ts';
import { findMailChannel } from '../../../db/notifications/subscriptions.ts';
import {
  type Act,
  acknowledgeProblem,
  retry,
  sendTest,
} from '../../../operations/notifications/actions.ts';
import {
  endByToken,
  endSubscription,
  findByToken,
  findSubscription,
  subscribe,
} from '../../../operations/notifications/subscriptions.ts';
import { titleDeliveries } from '../../../operations/notifications/titles.ts';
import type { ApiDeps } from '../../deps.ts';
import { type ApiEnv, deciderOf, type Person } from '../../env.ts';
import { answerPage, ownPath, staffOf, viewerOf } from '../../pages/answer.ts';
import type { Html } from '../../pages/components.ts';
import { textField } from '../../pages/form.ts';
import { readerZoneOf } from '../../pages/reader-zone.ts';
import { type AssetUrls, sheetPage, type ShownFrame } from '../../pages/layout.ts';
import { Problem } from '../../problem.ts';
import { orProblem } from '../refusals.ts';
import { subscriberOf } from '../subscription-routes.ts';
import { accountContent, sentTimes, unsubscribedSheet, unsubscribeSheet } from './account.ts';
import { adminContent, adminPath } from './admin.ts';
import { addSettings } from './settings-routes.ts';

/** The pages about notifications and their forms. */

const deliveriesShown = 50;
/** A form is answered after this time, and the page, which renews itself, shows what becomes of the test. */
const testMsMax = 1_500;
const commentLengthMax = 200;

export interface NotificationPageParts {
  assets: AssetUrls;
  /** Shows a page to a person who is signed in. */
  show: (c: Context<ApiEnv>, person: Person, frame: ShownFrame, content: Html) => Promise<Response>;
  /** The brands that plants may have. */
  brands: readonly string[];
  /** The customers that have plants. */
  listCustomers: () => Promise<string[]>;
}

export function notificationPages(deps: ApiDeps, parts: NotificationPageParts): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  addAdmin(routes, deps, parts);
  addSettings(routes, deps, {
    ...parts,
    adminOf,
    idOf,
    actOf: (c, person) => actOf(c, deps, person),
  });
  addAccount(routes, deps, parts);
  addUnsubscribe(routes, deps, parts);
  return routes;
}

function actOf(c: Context<ApiEnv>, { db, clock }: ApiDeps, person: Person): Act {
  return { db, by: deciderOf(c, person), at: new Date(clock()) };
}

/** @throws Problem, for everybody but an ADMIN. */
async function adminOf(c: Context<ApiEnv>): Promise<Person> {
  const person = await viewerOf(c);
  if (person.role !== 'ADMIN')
    throw new Problem('role-not-sufficient', 'Only an ADMIN may do this.');
  return person;
}

function idOf(c: Context<ApiEnv>, what: string): number {
  const id = Number(c.req.param('id'));
  if (!Number.isSafeInteger(id) || id < 1)
    throw new Problem('not-found', `There is no such ${what}.`);
  return id;
}

function addAdmin(routes: Hono<ApiEnv>, deps: ApiDeps, { show }: NotificationPageParts): void {
  const { readDb: db } = deps;

  routes.get(adminPath, async (c) => {
    const person = await adminOf(c);
    const state = deliveryStates.find((one) => one === c.req.query('state')) ?? null;
    const before = Number(c.req.query('before'));
    const beforeId = Number.isSafeInteger(before) && before > 0 ? before : null;
    const testedId = Number(c.req.query('tested'));
    const page = { beforeId, limit: deliveriesShown };
    const [channels, all, list, tested] = await Promise.all([
      listChannels(db),
      listRoutes(db),
      listDeliveries(db, { state: state ?? undefined }, page),
      Number.isSafeInteger(testedId) && testedId > 0 ? findDelivery(db, testedId) : undefined,
    ]);
    // The address keeps the test while the page renews itself.
    const isRenewal = c.req.header('x-renewal') !== undefined;
    if (tested !== undefined && c.req.header('hx-request') === 'true' && !isRenewal)
      c.header('hx-push-url', `${adminPath}?tested=${tested.id}`);
    const older = new URLSearchParams({
      ...(state === null ? {} : { state }),
      before: String(list.nextBeforeId),
    });
    const { readTitles } = deps;
    const titles = { db, readTitles, nowMs: deps.clock() };
    const content = adminContent({
      channels,
      routes: all,
      deliveries: await titleDeliveries(titles, list.deliveries),
      state,
      tested: tested ?? null,
      email: person.email,
      nextHref: list.nextBeforeId === null ? null : `${adminPath}?${older.toString()}`,
      nowMs: deps.clock(),
      timezone: readerZoneOf(c) ?? 'UTC',
    });
    return show(c, person, { title: 'Notifications', section: 'notifications' }, content);
  });

  routes.post(`${adminPath}/channels/:id/test`, async (c) => {
    const act = actOf(c, deps, await adminOf(c));
    const to = textField((await c.req.parseBody())['to'], 'The address', 254);
    const test = { channelId: idOf(c, 'channel'), to };
    const { id } = orProblem(await sendTest(act, test, testMsMax));
    return c.redirect(`${adminPath}?tested=${id}`, 303);
  });

  routes.post(`${adminPath}/deliveries/:id/retry`, async (c) => {
    const act = actOf(c, deps, await adminOf(c));
    orProblem(await retry(act, idOf(c, 'delivery')));
    return c.redirect(adminPath, 303);
  });

  routes.post('/problems/:id/ack', async (c) => {
    const act = actOf(c, deps, await staffOf(c));
    const fields = await c.req.parseBody();
    const comment = textField(fields['comment'], 'The comment', commentLengthMax);
    orProblem(await acknowledgeProblem(act, idOf(c, 'problem'), comment));
    return c.redirect(ownPath(fields['back'], '/alerts'), 303);
  });
}

function addAccount(
  routes: Hono<ApiEnv>,
  deps: ApiDeps,
  { show, listCustomers }: NotificationPageParts,
): void {
  routes.get('/account', async (c) => {
    const person = await viewerOf(c);
    const [subscription, channelId, customers] = await Promise.all([
      findSubscription(deps.db, subscriberOf(person)),
      findMailChannel(deps.db),
      person.role === 'CUSTOMER' ? [] : listCustomers(),
    ]);
    const hasMail = channelId !== null;
    const zone = readerZoneOf(c) ?? 'UTC';
    const content = accountContent({ person, subscription, customers, hasMail, zone });
    return show(c, person, { title: 'Account', section: null, isForm: true }, content);
  });

  routes.post('/account/subscription', async (c) => {
    const person = await viewerOf(c);
    const fields = await c.req.parseBody({ all: true });
    const severities = (['RED', 'YELLOW'] as const).filter((one) => one === fields['severity']);
    const customers = [fields['customers'] ?? []].flat().map(String);
    const wish = { severities, customer_ids: customers, times: sentTimes(fields) };
    orProblem(await subscribe(actOf(c, deps, person), subscriberOf(person), wish, deps.seal));
    return c.redirect('/account', 303);
  });

  routes.post('/account/subscription/end', async (c) => {
    const person = await viewerOf(c);
    await endSubscription(actOf(c, deps, person), subscriberOf(person));
    return c.redirect('/account', 303);
  });
}

/** Ends a subscription by the link of a mail, without signing in. A GET only asks: programs open links by themselves. */
function addUnsubscribe(
  routes: Hono<ApiEnv>,
  deps: ApiDeps,
  { assets }: NotificationPageParts,
): void {
  routes.get('/unsubscribe', async (c) => {
    const token = c.req.query('token') ?? '';
    const sheet = unsubscribeSheet(await findByToken(deps.db, token), token);
    return answerPage(c, sheetPage('Unsubscribe', assets, sheet));
  });

  routes.post('/unsubscribe', async (c) => {
    // A mail program sends the address of the mail's header; our page sends its form.
    const field = (await c.req.parseBody())['token'];
    const token = typeof field === 'string' ? field : (c.req.query('token') ?? '');
    const act = { db: deps.db, at: new Date(deps.clock()) };
    await endByToken(act, token, c.get('requestId'));
    return answerPage(c, sheetPage('Unsubscribe', assets, unsubscribedSheet()));
  });
}

import type { Context, Hono } from 'hono';

import {
  type ChannelView,
  findChannelView,
  listChannels,
} from '../../../db/notifications/channel-list.ts';
import { findRoute, listRoutes, type RouteView } from '../../../db/notifications/route-list.ts';
import {
  addedKinds,
  type AddedKind,
  settingFields,
} from '../../../domain/notifications/channel-settings.ts';
import { routeProblems, type RouteSettings } from '../../../domain/notifications/route-settings.ts';
import {
  type Act,
  addChannel,
  addRoute,
  changeChannel,
  changeRoute,
  type Refusal,
  removeChannel,
  removeRoute,
} from '../../../operations/notifications/actions.ts';
import type { SubjectKind } from '../../../domain/subject.ts';
import type { ApiDeps } from '../../deps.ts';
import type { ApiEnv, Person } from '../../env.ts';
import { Problem } from '../../problem.ts';
import { notThere, orProblem } from '../refusals.ts';
import { adminPath } from './admin.ts';
import { channelFormContent, channelLabels, secretSettings } from './channel-form.ts';
import { type Errors, errorsOf, listOf, sentence, textOf } from './fields.ts';
import {
  newTexts,
  routeFormContent,
  routeLabels,
  type RouteTexts,
  sentTexts,
  textsOf,
} from './route-form.ts';
import type { NotificationPageParts } from './routes.ts';

/**
 * The forms of channels and routes. They are pages of their own, which work without a script: what is wrong comes back beside
 * the fields, with everything that was sent but the secrets.
 */

/** What the pages of an ADMIN need to act. */
interface Admin {
  adminOf: (c: Context<ApiEnv>) => Promise<Person>;
  actOf: (c: Context<ApiEnv>, person: Person) => Act;
  idOf: (c: Context<ApiEnv>, what: string) => number;
}

type Frame = Parameters<NotificationPageParts['show']>[2];

const frameOf = (title: string, status: 200 | 422 = 200): Frame => ({
  title,
  section: 'notifications',
  isForm: true,
  status,
});

export function addSettings(
  routes: Hono<ApiEnv>,
  deps: ApiDeps,
  parts: NotificationPageParts & Admin,
): void {
  addChannelForms(routes, deps, parts);
  addRouteForms(routes, deps, parts);
}

function addChannelForms(
  routes: Hono<ApiEnv>,
  deps: ApiDeps,
  { show, adminOf, actOf, idOf }: NotificationPageParts & Admin,
): void {
  const path = `${adminPath}/channels`;
  const title = (channel: ChannelView | null) => (channel === null ? 'New channel' : channel.name);

  routes.get(`${path}/new`, async (c) => {
    const person = await adminOf(c);
    const kind = kindOf(c.req.query('kind'));
    const form = { kind, channel: null, name: '', settings: {}, errors: {} };
    return show(c, person, frameOf(title(null)), channelFormContent(form, adminPath));
  });

  routes.get(`${path}/:id`, async (c) => {
    const person = await adminOf(c);
    const channel = await addedChannel(deps, idOf(c, 'channel'));
    const form = { kind: channel.kind, channel, name: channel.name, settings: {}, errors: {} };
    return show(c, person, frameOf(title(channel)), channelFormContent(form, adminPath));
  });

  routes.post(path, async (c) => {
    const person = await adminOf(c);
    const fields = await c.req.parseBody();
    const kind = kindOf(textOf(fields['kind']));
    const name = textOf(fields['name']);
    const settings = settingsOf(kind, fields);
    const done = await addChannel(actOf(c, person), { kind, name, settings }, deps.seal);
    if (!('refusal' in done)) return c.redirect(adminPath, 303);
    const errors = errorsOf(done, channelLabels);
    const form = { kind, channel: null, name, settings: shown(settings), errors };
    return show(c, person, frameOf(title(null), 422), channelFormContent(form, adminPath));
  });

  routes.post(`${path}/:id`, async (c) => {
    const person = await adminOf(c);
    const channel = await addedChannel(deps, idOf(c, 'channel'));
    const { kind, id } = channel;
    const fields = await c.req.parseBody();
    const name = textOf(fields['name']);
    const sent = settingsOf(kind, fields);
    const settings = Object.keys(sent).length === 0 ? undefined : sent;
    const done = await changeChannel(actOf(c, person), id, { name, settings }, deps.seal);
    if (!('refusal' in done)) return c.redirect(adminPath, 303);
    const errors = errorsOf(done, channelLabels);
    const form = { kind, channel, name, settings: shown(sent), errors };
    return show(c, person, frameOf(title(channel), 422), channelFormContent(form, adminPath));
  });

  routes.post(`${path}/:id/remove`, async (c) => {
    const act = actOf(c, await adminOf(c));
    orProblem(await removeChannel(act, idOf(c, 'channel')));
    return c.redirect(adminPath, 303);
  });
}

function kindOf(text: string | undefined): AddedKind {
  const kind = addedKinds.find((one) => one === text?.toUpperCase());
  if (kind === undefined) throw notThere('channel');
  return kind;
}

/** A channel that people added. @throws Problem */
async function addedChannel(
  { db }: ApiDeps,
  id: number,
): Promise<ChannelView & { kind: AddedKind }> {
  const channel = await findChannelView(db, id);
  if (channel === undefined) throw notThere('channel');
  const { kind, source } = channel;
  if (source === 'ENVIRONMENT' || kind === 'HEARTBEAT')
    throw new Problem(
      'conflict',
      'The channel is one of the environment: change its variables at the worker instead.',
    );
  return { ...channel, kind };
}

/** The settings that were filled in. A password may begin or end with a space. */
function settingsOf(kind: AddedKind, fields: Record<string, unknown>): Record<string, string> {
  const { required, optional } = settingFields[kind];
  const given = [...required, ...optional].map((name) => {
    const value = fields[name];
    const isPassword = secretSettings.has(name) && name !== 'url';
    return [name, isPassword && typeof value === 'string' ? value : textOf(value)] as const;
  });
  return Object.fromEntries(given.filter(([, value]) => value !== ''));
}

/** Without what a page must not repeat. */
function shown(settings: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !secretSettings.has(name)));
}

function addRouteForms(
  routes: Hono<ApiEnv>,
  deps: ApiDeps,
  { show, adminOf, actOf, idOf, brands, listCustomers }: NotificationPageParts & Admin,
): void {
  const path = `${adminPath}/routes`;

  async function showForm(
    c: Context<ApiEnv>,
    person: Person,
    { route, texts, errors }: { route: RouteView | null; texts: RouteTexts; errors: Errors },
  ): Promise<Response> {
    const [channels, all, customers] = await Promise.all([
      listChannels(deps.db),
      listRoutes(deps.db),
      listCustomers(),
    ]);
    const frame = frameOf(
      route === null ? 'New route' : route.name,
      Object.keys(errors).length === 0 ? 200 : 422,
    );
    const form = { route, texts, errors, channels, routes: all, brands, customers };
    return show(c, person, frame, routeFormContent(form, adminPath));
  }

  /** The route, if ADMINs may change it. @throws Problem */
  async function routeOf(c: Context<ApiEnv>): Promise<RouteView> {
    const id = idOf(c, 'route');
    const route = await findRoute(deps.db, id);
    if (route === undefined) throw notThere('route');
    if (route.subscriber !== null) return orProblem<RouteView>({ refusal: 'SUBSCRIPTION', id });
    return route;
  }

  async function refused(
    c: Context<ApiEnv>,
    person: Person,
    { route, texts, refusal }: { route: RouteView | null; texts: RouteTexts; refusal: Refusal },
  ): Promise<Response> {
    const errors = routeErrors(texts, refusal, await listChannels(deps.db));
    return showForm(c, person, { route, texts, errors });
  }

  routes.get(`${path}/new`, async (c) => {
    const person = await adminOf(c);
    return showForm(c, person, { route: null, texts: newTexts, errors: {} });
  });

  routes.get(`${path}/:id`, async (c) => {
    const person = await adminOf(c);
    const route = await routeOf(c);
    return showForm(c, person, { route, texts: textsOf(route), errors: {} });
  });

  routes.post(path, async (c) => {
    const person = await adminOf(c);
    const texts = sentTexts(await c.req.parseBody({ all: true }));
    const done = await addRoute(actOf(c, person), settingsIn(texts));
    if ('refusal' in done) return refused(c, person, { route: null, texts, refusal: done });
    return c.redirect(adminPath, 303);
  });

  routes.post(`${path}/:id`, async (c) => {
    const person = await adminOf(c);
    const route = await routeOf(c);
    const texts = sentTexts(await c.req.parseBody({ all: true }));
    const done = await changeRoute(actOf(c, person), route.id, settingsIn(texts));
    if ('refusal' in done) return refused(c, person, { route, texts, refusal: done });
    return c.redirect(adminPath, 303);
  });

  routes.post(`${path}/:id/remove`, async (c) => {
    const act = actOf(c, await adminOf(c));
    orProblem(await removeRoute(act, idOf(c, 'route')));
    return c.redirect(adminPath, 303);
  });
}

/** Everything that is wrong with what was sent: the refusal names only the first. */
function routeErrors(
  texts: RouteTexts,
  refusal: Refusal,
  channels: readonly ChannelView[],
): Errors {
  const settings = settingsIn(texts);
  const channel = channels.find(({ id }) => id === settings.channel_id);
  const all = channel === undefined ? [] : routeProblems(settings, channel.kind);
  const sentences = all.map((one) => [one.field, sentence(one, routeLabels)] as const);
  return byControl({ ...Object.fromEntries(sentences), ...errorsOf(refusal, routeLabels) });
}

/** The errors by the controls of the form, two of which have a name of their own. */
function byControl({ severities, second_call_after_s: minutes, ...errors }: Errors): Errors {
  return {
    ...errors,
    ...(severities === undefined ? {} : { severity: severities }),
    ...(minutes === undefined ? {} : { second_minutes: minutes }),
  };
}

/** What the fields say of a route. A time that belongs to nothing is left out. */
function settingsIn(texts: RouteTexts): RouteSettings {
  const digest = (['NONE', 'YELLOW', 'ALL'] as const).find((one) => one === texts.digest) ?? 'NONE';
  const severities = (['RED', 'YELLOW'] as const).filter((one) => one === texts.severity);
  const second = texts.second_route_id === '' ? null : Number(texts.second_route_id);
  return {
    name: texts.name,
    channel_id: Number(texts.channel_id) || 0,
    recipients: listOf(texts.recipients),
    severities,
    subject_kinds: texts.subject_kinds.map((kind) => kind as SubjectKind),
    brands: [...texts.brands],
    customer_ids: [...texts.customer_ids],
    plant_ids: listOf(texts.plant_ids),
    timezone: texts.timezone,
    quiet_from: texts.quiet_from || null,
    quiet_to: texts.quiet_to || null,
    digest,
    digest_at: digest === 'NONE' ? null : texts.digest_at || null,
    second_route_id: second,
    second_call_after_s: second === null ? null : secondsOf(texts.second_minutes),
  };
}

/** null: no number, which goes with no second route. */
function secondsOf(minutes: string): number | null {
  return /^\d{1,6}$/.test(minutes) ? Number(minutes) * 60 : null;
}

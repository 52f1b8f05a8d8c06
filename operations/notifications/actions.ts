import type { Kysely } from 'kysely';

import { type Decider, type Decision, recordDecisions } from '../../db/audit-log.ts';
import {
  findChannelView,
  type ChannelView,
  insertChannel,
  listChannels,
  lockSettings,
  removeChannel as removeChannelRow,
  reopenChannel,
  updateChannel,
} from '../../db/notifications/channel-list.ts';
import {
  type DeliveryView,
  findDelivery,
  insertTest,
  retryDelivery,
} from '../../db/notifications/delivery-list.ts';
import {
  findRoute,
  insertRoute,
  listRoutes,
  readSecondRoutes,
  removeRoute as removeRouteRow,
  type RouteView,
  updateRoute,
} from '../../db/notifications/route-list.ts';
import { lockProblem, type ProblemView, writeProblemAck } from '../../db/notifications/problems.ts';
import type { Db } from '../../db/database.ts';
import type { Sealed, SealedPlace } from '../../db/sealing.ts';
import type { Database } from '../../db/tables.ts';
import { zoneProblem } from '../../db/zones.ts';
import { isMailAddress } from '../../domain/notifications/address.ts';
import {
  type AddedKind,
  type ChannelTexts,
  settingsProblem,
} from '../../domain/notifications/channel-settings.ts';
import {
  circleOf,
  isOneLine,
  plainRoute,
  routeProblem,
  type RouteSettings,
} from '../../domain/notifications/route-settings.ts';
import type { SubjectKind } from '../../domain/subject.ts';

/**
 * What people do with channels, routes, deliveries and problems, over HTTP or at a terminal. An action writes its rows and the
 * audit log in one transaction, and returns its result as a value: `api` turns refusals into problem documents, `cli` into
 * sentences and exit codes.
 */

/** Who acts, and when. */
export interface Act {
  db: Kysely<Database>;
  by: Decider;
  at: Date;
}

export type Thing = 'channel' | 'route' | 'delivery' | 'problem';

/** Why something was not done. */
export type Refusal =
  | { refusal: 'UNKNOWN'; thing: Thing; id: number }
  /** `problem` continues the field's name: "must be …". No value of a channel's settings is repeated. */
  | { refusal: 'WRONG_VALUE'; field: string; problem: string }
  | { refusal: 'NAME_TAKEN'; thing: Thing; name: string }
  /** Its settings are variables of the worker. */
  | { refusal: 'OF_ENVIRONMENT'; id: number }
  /** Routes lead to the channel, or call the route second. */
  | { refusal: 'IN_USE'; thing: Thing; id: number; routes: string[] }
  /** A person's subscription, which only that person changes. */
  | { refusal: 'SUBSCRIPTION'; id: number }
  /** The delivery is neither FAILED nor DEAD. */
  | { refusal: 'NOT_RETRIED'; id: number; state: DeliveryView['state'] }
  | { refusal: 'PROBLEM_CLOSED'; id: number };

/** Puts the master key's seal on a channel's settings. */
export type Seal = (place: SealedPlace, secrets: ChannelTexts) => Sealed;

/** Runs one change under the lock of all settings; an action that refuses changes nothing. */
async function change<Done extends object>(
  { db }: Act,
  run: (trx: Db) => Promise<Done | Refusal>,
): Promise<Done | Refusal> {
  return db.transaction().execute(async (trx) => {
    await lockSettings(trx);
    return run(trx);
  });
}

async function record(
  trx: Db,
  { by, at }: Act,
  decision: { action: string; subjectType: SubjectKind; id: number } & Pick<
    Decision,
    'before' | 'after'
  >,
): Promise<void> {
  const { id, ...rest } = decision;
  await recordDecisions(trx, [{ ...rest, subjectId: String(id) }], by, at);
}

/** Adds a channel. Its settings are sealed, and no answer contains them. */
export async function addChannel(
  act: Act,
  channel: { kind: AddedKind; name: string; settings: ChannelTexts },
  seal: Seal,
): Promise<ChannelView | Refusal> {
  const { kind, name, settings } = channel;
  if (!isOneLine(name)) return wrong('name', 'must be one line of at most 200 characters');
  const problem = settingsProblem(kind, settings);
  if (problem !== null) return { refusal: 'WRONG_VALUE', ...problem };
  return change(act, async (trx) => {
    if ((await listChannels(trx)).some((one) => one.name === name))
      return { refusal: 'NAME_TAKEN', thing: 'channel', name };
    const id = await insertChannel(trx, { kind, name }, (place) => seal(place, settings), act);
    await record(trx, act, {
      action: 'channel.add',
      subjectType: 'CHANNEL',
      id,
      before: null,
      after: { kind, name },
    });
    return (await findChannelView(trx, id)) ?? unknown('channel', id);
  });
}

/**
 * Changes what a channel that people added is called, or its settings, all of them at once: nothing shows those that it has.
 *
 * @param changes.settings absent: they stay.
 */
export async function changeChannel(
  act: Act,
  id: number,
  changes: { name?: string | undefined; settings?: ChannelTexts | undefined },
  seal: Seal,
): Promise<ChannelView | Refusal> {
  const { settings } = changes;
  return change(act, async (trx) => {
    const channel = await findChannelView(trx, id);
    if (channel === undefined) return unknown('channel', id);
    const { kind, name: before } = channel;
    if (channel.source === 'ENVIRONMENT' || kind === 'HEARTBEAT')
      return { refusal: 'OF_ENVIRONMENT', id };
    const { name = before } = changes;
    if (!isOneLine(name)) return wrong('name', 'must be one line of at most 200 characters');
    const problem = settings === undefined ? null : settingsProblem(kind, settings);
    if (problem !== null) return { refusal: 'WRONG_VALUE', ...problem };
    if ((await listChannels(trx)).some((one) => one.name === name && one.id !== id))
      return { refusal: 'NAME_TAKEN', thing: 'channel', name };
    if (name === before && settings === undefined) return channel;
    const sealed = settings === undefined ? null : (place: SealedPlace) => seal(place, settings);
    await updateChannel(trx, id, name, sealed);
    await record(trx, act, {
      action: 'channel.set',
      subjectType: 'CHANNEL',
      id,
      before: { name: before },
      after: { name, settings: settings === undefined ? 'unchanged' : 'replaced' },
    });
    return (await findChannelView(trx, id)) ?? unknown('channel', id);
  });
}

/** Removes a channel that people added and no route leads to. */
export async function removeChannel(act: Act, id: number): Promise<ChannelView | Refusal> {
  return change(act, async (trx) => {
    const channel = await findChannelView(trx, id);
    if (channel === undefined) return unknown('channel', id);
    if (channel.source === 'ENVIRONMENT') return { refusal: 'OF_ENVIRONMENT', id };
    const routes = (await listRoutes(trx)).filter((route) => route.channel_id === id).map(nameOf);
    if (routes.length > 0) return { refusal: 'IN_USE', thing: 'channel', id, routes };
    await removeChannelRow(trx, id, act.at);
    const { kind, name } = channel;
    const before = { kind, name };
    await record(trx, act, {
      action: 'channel.remove',
      subjectType: 'CHANNEL',
      id,
      before,
      after: null,
    });
    return channel;
  });
}

/** What a new route must say; what it leaves out is as in `plainRoute`. */
export type NewRoute = Pick<RouteSettings, 'name' | 'channel_id'> & RouteChanges;
export type RouteChanges = { [Field in keyof RouteSettings]?: RouteSettings[Field] | undefined };

/** Adds a route. It begins with what is open. */
export async function addRoute(act: Act, route: NewRoute): Promise<RouteView | Refusal> {
  const settings: RouteSettings = { ...plainRoute, ...given(route) } as RouteSettings;
  const wrongZone = await refuseZone(act, settings.timezone);
  if (wrongZone !== null) return wrongZone;
  return change(act, async (trx) => {
    const refusal = await refuseRoute(trx, settings, null);
    if (refusal !== null) return refusal;
    const id = await insertRoute(trx, settings, act);
    await record(trx, act, {
      action: 'route.add',
      subjectType: 'ROUTE',
      id,
      before: null,
      after: settings,
    });
    return (await findRoute(trx, id)) ?? unknown('route', id);
  });
}

/** Changes what a route says; fields that are absent stay. */
export async function changeRoute(
  act: Act,
  id: number,
  changes: RouteChanges,
): Promise<RouteView | Refusal> {
  const wrongZone = await refuseZone(act, changes.timezone);
  if (wrongZone !== null) return wrongZone;
  return change(act, async (trx) => {
    const route = await findRoute(trx, id);
    if (route === undefined) return unknown('route', id);
    if (route.subscriber !== null) return { refusal: 'SUBSCRIPTION', id };
    const before = settingsOf(route);
    const after: RouteSettings = { ...before, ...given(changes) } as RouteSettings;
    const refusal = await refuseRoute(trx, after, id);
    if (refusal !== null) return refusal;
    const changed = settingNames.filter(
      (field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]),
    );
    if (changed.length === 0) return route;
    await updateRoute(trx, id, after);
    const pick = (settings: RouteSettings) =>
      Object.fromEntries(changed.map((field) => [field, settings[field]]));
    await record(trx, act, {
      action: 'route.set',
      subjectType: 'ROUTE',
      id,
      before: pick(before),
      after: pick(after),
    });
    return (await findRoute(trx, id)) ?? unknown('route', id);
  });
}

/** Removes a route that no other route calls second. A subscription too: its person can subscribe again. */
export async function removeRoute(act: Act, id: number): Promise<RouteView | Refusal> {
  return change(act, async (trx) => {
    const route = await findRoute(trx, id);
    if (route === undefined) return unknown('route', id);
    const callers = (await listRoutes(trx)).filter((one) => one.second_route_id === id).map(nameOf);
    if (callers.length > 0) return { refusal: 'IN_USE', thing: 'route', id, routes: callers };
    await removeRouteRow(trx, id, act.at);
    await record(trx, act, {
      action: 'route.remove',
      subjectType: 'ROUTE',
      id,
      before: settingsOf(route),
      after: null,
    });
    return route;
  });
}

/** Whether a route cannot be as it is told. @param id null: it is new. */
async function refuseRoute(
  trx: Db,
  settings: RouteSettings,
  id: number | null,
): Promise<Refusal | null> {
  const channel = await findChannelView(trx, settings.channel_id);
  if (channel === undefined) return unknown('channel', settings.channel_id);
  const problem = routeProblem(settings, channel.kind);
  if (problem !== null) return { refusal: 'WRONG_VALUE', ...problem };
  const routes = await listRoutes(trx);
  const { name, second_route_id: secondId } = settings;
  if (routes.some((route) => route.name === name && route.id !== id))
    return { refusal: 'NAME_TAKEN', thing: 'route', name };
  if (secondId === null) return null;
  const second = routes.find((route) => route.id === secondId);
  if (second === undefined) return unknown('route', secondId);
  if (second.subscriber !== null)
    return wrong('second_route_id', 'is the subscription of a person');
  const circle = id === null ? null : circleOf(id, secondId, await readSecondRoutes(trx));
  if (circle === null) return null;
  const names = circle.map((one) => (one === id ? name : routes.find((r) => r.id === one)?.name));
  return wrong('second_route_id', `would call in a circle: ${names.join(' → ')}`);
}

/** Whether nobody knows the zone. Not within a transaction, which an unknown zone would end. */
export async function refuseZone(
  { db }: Act,
  timezone: string | undefined,
): Promise<Refusal | null> {
  if (timezone === undefined) return null;
  if (!isOneLine(timezone)) return wrong('timezone', 'must be the name of a zone');
  try {
    const problem = await zoneProblem(db, timezone);
    return problem === null ? null : wrong('timezone', problem);
  } catch (error) {
    if (error instanceof RangeError) return wrong('timezone', `is ${timezone}, which is no zone`);
    throw error;
  }
}

/** Tries a delivery again that failed or was given up, now. */
export async function retry(act: Act, id: number): Promise<DeliveryView | Refusal> {
  return change(act, async (trx) => {
    const delivery = await findDelivery(trx, id);
    if (delivery === undefined) return unknown('delivery', id);
    if ((await findChannelView(trx, delivery.channel_id)) === undefined)
      return unknown('channel', delivery.channel_id);
    const before = await retryDelivery(trx, id, act.at.getTime());
    if (before === null) return { refusal: 'NOT_RETRIED', id, state: delivery.state };
    await reopenChannel(trx, delivery.channel_id);
    await record(trx, act, {
      action: 'delivery.retry',
      subjectType: 'DELIVERY',
      id,
      before: { state: before },
      after: { state: 'PENDING' },
    });
    return (await findDelivery(trx, id)) ?? unknown('delivery', id);
  });
}

/** Whoever waits for a delivery looks so often, ms. */
const lookEveryMs = 250;

/**
 * Sends a test message through the tables and the worker, and waits until an attempt has ended.
 *
 * @param test.to the e-mail address; null for channels with one receiver.
 * @param waitMs after this time the delivery is returned as it is: PENDING where no worker sends.
 */
export async function sendTest(
  act: Act,
  test: { channelId: number; to: string | null },
  waitMs: number,
): Promise<DeliveryView | Refusal> {
  const written = await change(act, async (trx) => {
    const { channelId, to } = test;
    const channel = await findChannelView(trx, channelId);
    if (channel === undefined) return unknown('channel', channelId);
    const needsAddress = channel.kind === 'EMAIL';
    if (needsAddress && !(to !== null && isMailAddress(to)))
      return wrong('to', 'must be one e-mail address, without a name');
    if (!needsAddress && to !== null)
      return wrong('to', 'is only for e-mail: the settings of the channel name its receiver');
    const id = await insertTest(trx, { channelId, recipient: to ?? '' }, act.at.getTime());
    await reopenChannel(trx, channelId);
    await record(trx, act, {
      action: 'channel.test',
      subjectType: 'CHANNEL',
      id: channelId,
      before: null,
      after: { delivery_id: id, to },
    });
    return { deliveryId: id };
  });
  return 'refusal' in written ? written : awaitAttempt(act.db, written.deliveryId, waitMs);
}

async function awaitAttempt(
  db: Kysely<Database>,
  id: number,
  waitMs: number,
): Promise<DeliveryView | Refusal> {
  const endsAt = performance.now() + waitMs;
  for (;;) {
    const delivery = await findDelivery(db, id);
    if (delivery === undefined) return unknown('delivery', id);
    const hasEnded = !['PENDING', 'SENDING'].includes(delivery.state);
    if (hasEnded || performance.now() >= endsAt) return delivery;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

/** Records that a person has seen a problem. */
export async function acknowledgeProblem(
  act: Act,
  id: number,
  comment: string | null,
): Promise<ProblemView | Refusal> {
  return act.db.transaction().execute(async (trx) => {
    const problem = await lockProblem(trx, id);
    if (problem === undefined) return unknown('problem', id);
    if (problem.state === 'CLOSED') return { refusal: 'PROBLEM_CLOSED', id };
    const acked = await writeProblemAck(trx, id, { by: act.by.actor, at: act.at, comment });
    await record(trx, act, {
      action: 'problem.ack',
      subjectType: 'PROBLEM',
      id,
      before: { state: problem.state },
      after: { state: acked.state, comment },
    });
    return acked;
  });
}

const nameOf = ({ name }: { name: string }): string => name;

function unknown(thing: Thing, id: number): Refusal {
  return { refusal: 'UNKNOWN', thing, id };
}

function wrong(field: string, problem: string): Refusal {
  return { refusal: 'WRONG_VALUE', field, problem };
}

/** The fields that are there. */
function given(changes: RouteChanges): RouteChanges {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}

const settingNames = Object.keys({
  name: '',
  channel_id: 0,
  ...plainRoute,
} satisfies RouteSettings) as (keyof RouteSettings)[];

function settingsOf(route: RouteView): RouteSettings {
  return Object.fromEntries(
    settingNames.map((field) => [field, route[field]]),
  ) as unknown as RouteSettings;
}

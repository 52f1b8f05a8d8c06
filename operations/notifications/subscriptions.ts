import { createHash, randomBytes } from 'node:crypto';

import type { Kysely } from 'kysely';

import { recordDecisions } from '../../db/audit-log.ts';
import type { Db } from '../../db/database.ts';
import { lockSettings, routePlace } from '../../db/notifications/channel-list.ts';
import {
  insertRoute,
  listRoutes,
  removeRoute,
  type RouteView,
  updateRoute,
} from '../../db/notifications/route-list.ts';
import { findMailChannel } from '../../db/notifications/subscriptions.ts';
import type { PlantScope } from '../../db/scope.ts';
import type { Database } from '../../db/tables.ts';
import type { AlertSeverity } from '../../domain/alerts.ts';
import {
  plainRoute,
  routeProblem,
  type RouteSettings,
} from '../../domain/notifications/route-settings.ts';
import { type Act, type Refusal, refuseZone, type Seal } from './actions.ts';

/** People who have themselves told by e-mail: one route each, which only they change, and which its mails can end. */

const tokenBytes = 32;

/** Whose subscription it is, and whose plants this person may see. */
export interface Subscriber {
  userId: number;
  email: string;
  scope: PlantScope;
}

/** What a person is told of. An empty list does not restrict. */
export interface Wish {
  severities: AlertSeverity[];
  customer_ids: string[];
  /** When: quiet hours and the morning brief by the clock of `timezone`; what is absent is as in `plainRoute`. */
  times?: Partial<RouteTimes>;
}

/** The times of day of a subscription. */
export type RouteTimes = Pick<
  RouteSettings,
  'timezone' | 'quiet_from' | 'quiet_to' | 'digest' | 'digest_at'
>;

/** Nobody configured mails. */
export type SubscriptionRefusal = Refusal | { refusal: 'NO_MAIL' };

export async function findSubscription(
  db: Kysely<Database>,
  { userId }: Pick<Subscriber, 'userId'>,
): Promise<RouteView | null> {
  return (await listRoutes(db, { ownerId: userId }))[0] ?? null;
}

/** Subscribes a person, or changes the subscription. A CUSTOMER is told of own plants only, whatever is asked for. */
export async function subscribe(
  act: Act,
  person: Subscriber,
  wish: Wish,
  seal: Seal,
): Promise<RouteView | SubscriptionRefusal> {
  const { customerId } = person.scope;
  const wrongZone = await refuseZone(act, wish.times?.timezone);
  if (wrongZone !== null) return wrongZone;
  return act.db.transaction().execute(async (trx) => {
    await lockSettings(trx);
    const channelId = await findMailChannel(trx);
    if (channelId === null) return { refusal: 'NO_MAIL' };
    const settings: RouteSettings = {
      ...plainRoute,
      ...wish.times,
      name: `subscription of ${person.email}`,
      channel_id: channelId,
      recipients: [person.email],
      severities: wish.severities,
      customer_ids: customerId === null ? wish.customer_ids : [customerId],
    };
    const problem = routeProblem(settings, 'EMAIL');
    if (problem !== null) return { refusal: 'WRONG_VALUE', ...problem };
    const [before] = await listRoutes(trx, { ownerId: person.userId });
    const isTaken = (await listRoutes(trx)).some(
      ({ name, id }) => name === settings.name && id !== before?.id,
    );
    if (isTaken) return { refusal: 'NAME_TAKEN', thing: 'route', name: settings.name };
    if (before === undefined) await insertSubscription(trx, act, { person, settings, seal });
    else await updateRoute(trx, before.id, settings);
    const [after] = await listRoutes(trx, { ownerId: person.userId });
    if (after === undefined) throw new Error('a subscription that was just written is gone');
    await recordSubscription(trx, act, 'subscription.set', { before: before ?? null, after });
    return after;
  });
}

async function insertSubscription(
  trx: Db,
  act: Act,
  { person, settings, seal }: { person: Subscriber; settings: RouteSettings; seal: Seal },
): Promise<void> {
  const token = randomBytes(tokenBytes).toString('base64url');
  const owner = {
    ownerId: person.userId,
    unsubscribeHash: hashOf(token),
    seal: (routeId: number) => seal(routePlace(routeId), { token }),
  };
  await insertRoute(trx, settings, act, owner);
}

/** Ends a person's own subscription. @returns it as it was; null: there was none. */
export async function endSubscription(
  act: Act,
  { userId }: Pick<Subscriber, 'userId'>,
): Promise<RouteView | null> {
  return end(act, { ownerId: userId });
}

/** The subscription that the token of a mail names; null: none, or it has ended. */
export async function findByToken(db: Kysely<Database>, token: string): Promise<RouteView | null> {
  return (await listRoutes(db, { unsubscribeHash: hashOf(token) }))[0] ?? null;
}

/** Ends the subscription that the token of a mail names. The audit log names its person. */
export async function endByToken(
  { db, at }: Pick<Act, 'db' | 'at'>,
  token: string,
  requestId: string | null,
): Promise<RouteView | null> {
  const found = await findByToken(db, token);
  const actor = found?.subscriber ?? 'nobody';
  return end({ db, at, by: { actor, requestId } }, { unsubscribeHash: hashOf(token) });
}

async function end(
  act: Act,
  whose: { ownerId: number } | { unsubscribeHash: Buffer },
): Promise<RouteView | null> {
  return act.db.transaction().execute(async (trx) => {
    await lockSettings(trx);
    const [route] = await listRoutes(trx, whose);
    if (route === undefined) return null;
    await removeRoute(trx, route.id, act.at);
    await recordSubscription(trx, act, 'subscription.end', { before: route, after: null });
    return route;
  });
}

async function recordSubscription(
  trx: Db,
  { by, at }: Act,
  action: string,
  { before, after }: { before: RouteView | null; after: RouteView | null },
): Promise<void> {
  const wishOf = (route: RouteView | null) =>
    route && {
      severities: route.severities,
      customer_ids: route.customer_ids,
      ...timesOf(route),
    };
  const subjectId = String((after ?? before)?.id);
  const decision = { action, subjectType: 'ROUTE', subjectId } as const;
  await recordDecisions(
    trx,
    [{ ...decision, before: wishOf(before), after: wishOf(after) }],
    by,
    at,
  );
}

/** What the database keeps of a token. */
function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** The times of day that a subscription has. */
export function timesOf(route: RouteTimes): RouteTimes {
  const { timezone, quiet_from, quiet_to, digest, digest_at } = route;
  return { timezone, quiet_from, quiet_to, digest, digest_at };
}

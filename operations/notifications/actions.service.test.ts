import { randomBytes } from 'node:crypto';

import { beforeEach, describe, expect } from 'vitest';

import { lockSettings, openChannelSettings } from '../../db/notifications/channel-list.ts';
import { listDeliveries } from '../../db/notifications/delivery-list.ts';
import { claimDelivery, endAttempt } from '../../db/notifications/deliveries.ts';
import { findUnsubscribeToken } from '../../db/notifications/subscriptions.ts';
import { insertUser } from '../../db/people/users.ts';
import { seal, type MasterKeys } from '../../db/sealing.ts';
import { namedKey } from '../../environment/config.ts';
import { insertProblem } from '../../test/support/problems.ts';
import { database, test } from '../../test/support/test-database.ts';
import {
  acknowledgeProblem,
  type Act,
  addChannel,
  addRoute,
  changeRoute,
  removeChannel,
  removeRoute,
  retry,
  sendTest,
} from './actions.ts';
import { rotateSeals } from './rotate-keys.ts';
import {
  endByToken,
  endSubscription,
  findByToken,
  findSubscription,
  subscribe,
  type Subscriber,
} from './subscriptions.ts';

const key = () => namedKey(randomBytes(32).toString('base64'));
const keys: MasterKeys = { current: key(), previous: null };
const sealIt: Parameters<typeof addChannel>[2] = (place, secrets) => seal(keys, place, secrets);
const canary = 'https://hooks.slack.com/services/canary';
const by = { actor: 'ana@example.org', requestId: 'r-1' };
const act = (): Act => ({ db: database.db, by, at: new Date() });

beforeEach(async () => {
  for (const table of [
    'delivery_attempts',
    'deliveries',
    'notification_lines',
    'messages',
    'notification_routes',
    'notification_channels',
    'problems',
    'audit_log',
    'users',
  ] as const)
    await database.db.deleteFrom(table).execute();
});

function done<Result extends object>(result: Result): Exclude<Result, { refusal: string }> {
  expect(result).not.toHaveProperty('refusal');
  return result as Exclude<Result, { refusal: string }>;
}

async function mail(name = 'mail') {
  const settings = { host: 'mail.example.org', from: 'sun@example.org' };
  return done(await addChannel(act(), { kind: 'EMAIL', name, settings }, sealIt));
}

async function slack(name = 'ops') {
  return done(await addChannel(act(), { kind: 'SLACK', name, settings: { url: canary } }, sealIt));
}

async function route(name: string, channelId: number, more: object = {}) {
  const recipients = ['op@example.org'];
  return done(await addRoute(act(), { name, channel_id: channelId, recipients, ...more }));
}

const logged = async () =>
  (
    await database.db
      .selectFrom('audit_log')
      .select(['action', 'subject_type', 'actor', 'before', 'after'])
      .orderBy('id')
      .execute()
  ).map(({ action }) => action);

describe('a channel', () => {
  test('has its settings sealed to its own row, and neither its view nor the audit log holds them', async () => {
    const channel = await slack();
    expect(await openChannelSettings(database.db, keys, channel.id)).toEqual({ url: canary });
    const log = await database.db.selectFrom('audit_log').selectAll().execute();
    expect(JSON.stringify([channel, log])).not.toContain('canary');
    expect(log).toMatchObject([
      { action: 'channel.add', subject_id: String(channel.id), after: { kind: 'SLACK' } },
    ]);
    const other = await slack('other');
    await database.db
      .updateTable('notification_channels')
      .set(({ selectFrom }) => ({
        sealed: selectFrom('notification_channels as c')
          .select('sealed')
          .where('c.id', '=', channel.id),
        iv: selectFrom('notification_channels as c').select('iv').where('c.id', '=', channel.id),
      }))
      .where('id', '=', other.id)
      .execute();
    await expect(openChannelSettings(database.db, keys, other.id)).rejects.toThrow(
      `the settings of channel ${other.id} do not open`,
    );
  });

  test.each([
    ['SLACK', { url: 'http://example.org/x' }, 'url'],
    ['SLACK', { url: 'https://ana:secret@example.org/x' }, 'url'],
    ['SLACK', { url: canary, secret: 'x' }, 'settings'],
    ['WEBHOOK', { url: 'https://example.org', secret: 'short' }, 'secret'],
    ['EMAIL', { host: 'mail.example.org' }, 'from'],
    ['EMAIL', { host: 'mail.example.org', from: 'a@example.org,b@example.org' }, 'from'],
    ['EMAIL', { host: 'mail.example.org', from: 'a@example.org', tls: 'none' }, 'tls'],
    ['EMAIL', { host: 'mail.example.org', from: 'a@example.org', username: 'a' }, 'username'],
  ] as const)('%s with %o is refused for its %s', async (kind, settings, field) => {
    const result = await addChannel(act(), { kind, name: 'x', settings }, sealIt);
    expect(result).toMatchObject({ refusal: 'WRONG_VALUE', field });
    expect(await logged()).toEqual([]);
  });

  test('is not removed while a route leads to it, and a name is taken once', async () => {
    const channel = await mail();
    await route('a', channel.id);
    expect(await removeChannel(act(), channel.id)).toMatchObject({
      refusal: 'IN_USE',
      routes: ['a'],
    });
    const settings = { host: 'x', from: 'a@example.org' };
    const again = await addChannel(act(), { kind: 'EMAIL', name: 'mail', settings }, sealIt);
    expect(again).toMatchObject({ refusal: 'NAME_TAKEN' });
  });

  test('of the environment is not removed', async () => {
    const { id } = await database.db
      .insertInto('notification_channels')
      .values({ kind: 'SLACK', name: 'slack', source: 'ENVIRONMENT', created_by: 'environment' })
      .returning('id')
      .executeTakeFirstOrThrow();
    expect(await removeChannel(act(), id)).toEqual({ refusal: 'OF_ENVIRONMENT', id });
  });

  test('that is removed tells nobody what waits for it', async () => {
    const channel = await slack();
    await sendTest(act(), { channelId: channel.id, to: null }, 0);
    done(await removeChannel(act(), channel.id));
    const { deliveries } = await listDeliveries(database.db, {}, { beforeId: null, limit: 9 });
    expect(deliveries).toMatchObject([{ state: 'SUPPRESSED', answer: 'the channel was removed' }]);
  });
});

describe('a route', () => {
  test('is added, changed and removed, each with its row of the audit log', async () => {
    const channel = await mail();
    const { id } = await route('operators', channel.id, { severities: ['RED'] });
    const changed = await changeRoute(act(), id, { quiet_from: '22:00', quiet_to: '06:00' });
    expect(changed).toMatchObject({ quiet_from: '22:00', severities: ['RED'] });
    done(await removeRoute(act(), id));
    const log = await database.db
      .selectFrom('audit_log')
      .select(['action', 'before', 'after', 'actor'])
      .where('subject_type', '=', 'ROUTE')
      .orderBy('id')
      .execute();
    expect(log).toMatchObject([
      { action: 'route.add', before: null, after: { name: 'operators' }, actor: by.actor },
      {
        action: 'route.set',
        before: { quiet_from: null, quiet_to: null },
        after: { quiet_from: '22:00', quiet_to: '06:00' },
      },
      { action: 'route.remove', before: { name: 'operators' }, after: null },
    ]);
  });

  test('a change that changes nothing writes nothing', async () => {
    const { id } = await route('a', (await mail()).id);
    const before = await logged();
    await changeRoute(act(), id, { name: 'a' });
    expect(await logged()).toEqual(before);
  });

  test.each([
    [{ recipients: [] }, 'recipients'],
    [{ recipients: ['Ana <ana@example.org>'] }, 'recipients'],
    [{ recipients: ['ana@example.org\r\nBcc: x@example.org'] }, 'recipients'],
    [{ recipients: ['ana@example.org', 'ANA@example.org'] }, 'recipients'],
    [{ quiet_from: '22:00' }, 'quiet_from'],
    [{ quiet_from: '25:00', quiet_to: '06:00' }, 'quiet_from'],
    [{ digest: 'ALL' }, 'digest_at'],
    [{ second_call_after_s: 1_800 }, 'second_call_after_s'],
    [{ brands: ['solis'] }, 'brands'],
    [{ timezone: 'Mars/Olympus' }, 'timezone'],
    [{ name: 'two\nlines' }, 'name'],
  ] as const)('with %o is refused', async (more, field) => {
    const channel = await mail();
    const base = { name: 'a', channel_id: channel.id, recipients: ['op@example.org'] };
    const result = await addRoute(act(), { ...base, ...(more as object) });
    expect(result).toMatchObject({ refusal: 'WRONG_VALUE', field });
  });

  test('calls no circle of routes, directly or by others, also when two people change at once', async () => {
    const { id } = await mail();
    const [a, b, c] = [await route('a', id), await route('b', id), await route('c', id)];
    const calls = (one: number, second: number) =>
      changeRoute(act(), one, { second_call_after_s: 600, second_route_id: second });
    expect(await calls(a.id, a.id)).toMatchObject({ field: 'second_route_id' });
    done(await calls(a.id, b.id));
    const both = await Promise.all([calls(b.id, c.id), calls(c.id, a.id)]);
    expect(both.filter((result) => 'refusal' in result)).toHaveLength(1);
    expect(both.find((result) => 'refusal' in result)).toMatchObject({
      problem: expect.stringMatching(/^would call in a circle: (b → c → a → b|c → a → b → c)$/),
    });
  });

  test('waits for another change of routes, and sees what that wrote', async () => {
    const { id } = await mail();
    const [a, b] = [await route('a', id), await route('b', id)];
    const changing = await database.db.transaction().execute(async (trx) => {
      await lockSettings(trx);
      const late = changeRoute(act(), b.id, { second_call_after_s: 600, second_route_id: a.id });
      await new Promise((resolve) => setTimeout(resolve, 200));
      await trx
        .updateTable('notification_routes')
        .set({ second_call_after_s: 600, second_route_id: b.id })
        .where('id', '=', a.id)
        .execute();
      return { late };
    });
    expect(await changing.late).toMatchObject({ field: 'second_route_id' });
  });

  test('that another one calls second stays', async () => {
    const { id } = await mail();
    const second = await route('second', id);
    await route('first', id, { second_call_after_s: 600, second_route_id: second.id });
    expect(await removeRoute(act(), second.id)).toMatchObject({
      refusal: 'IN_USE',
      routes: ['first'],
    });
  });
});

/** What a worker does with the next delivery, with an answer. */
async function attempt(answer: Parameters<typeof endAttempt>[2], nowMs = Date.now()) {
  const claim = await claimDelivery(database.db, 'SLACK', nowMs);
  if (claim === null) throw new Error('nothing is due');
  await endAttempt(database.db, claim, answer, nowMs);
}

describe('a test message', () => {
  test('is a delivery of its own, and whoever sent it sees what became of it', async () => {
    const channel = await slack();
    const sending = sendTest(act(), { channelId: channel.id, to: null }, 5_000);
    await expect.poll(() => claimDelivery(database.db, 'SLACK', Date.now())).not.toBeNull();
    const { deliveries } = await listDeliveries(database.db, {}, { beforeId: null, limit: 1 });
    const [own] = deliveries;
    if (own === undefined) throw new Error('there is no delivery');
    const claim = { deliveryId: own.id, attempt: 1, channelId: channel.id } as never;
    await endAttempt(database.db, claim, { outcome: 'SENT', answer: '200 ok' }, Date.now());
    expect(done(await sending)).toMatchObject({
      id: own.id,
      state: 'SENT',
      message_kind: 'TEST',
      answer: '200 ok',
      attempts: [{ attempt: 1, outcome: 'SENT' }],
    });
    expect(await logged()).toEqual(['channel.add', 'channel.test']);
  });

  test('without a worker is shown as it waits', async () => {
    const { id } = await slack();
    const delivery = done(await sendTest(act(), { channelId: id, to: null }, 300));
    expect(delivery).toMatchObject({ state: 'PENDING', attempts: [] });
  });

  test('by mail needs one address, by Slack none', async () => {
    const { id } = await mail();
    for (const to of [null, 'a@example.org, b@example.org', 'a@example.org\nBcc: c@example.org'])
      expect(await sendTest(act(), { channelId: id, to }, 0)).toMatchObject({ field: 'to' });
    const other = await slack();
    expect(await sendTest(act(), { channelId: other.id, to: 'a@example.org' }, 0)).toMatchObject({
      field: 'to',
    });
  });

  test('goes at once to a channel that had refused us, and waits for one that asked for a pause', async () => {
    const { id } = await slack();
    for (const [answer, isDue] of [
      [{ outcome: 'CHANNEL_REFUSED', answer: '404' }, true],
      [{ outcome: 'RETRY', answer: '429', retryAfterMs: 600_000 }, false],
    ] as const) {
      await sendTest(act(), { channelId: id, to: null }, 0);
      await attempt(answer);
      await sendTest(act(), { channelId: id, to: null }, 0);
      const claim = await claimDelivery(database.db, 'SLACK', Date.now());
      expect(claim !== null).toBe(isDue);
    }
  });
});

describe('a delivery', () => {
  test('that was given up or failed is tried again; one that was sent is not', async () => {
    const { id: channelId } = await slack();
    const { id } = done(await sendTest(act(), { channelId, to: null }, 0));
    await attempt({ outcome: 'RECIPIENT_REFUSED', answer: '550' });
    expect(done(await retry(act(), id))).toMatchObject({ state: 'PENDING', finished_at: null });
    await attempt({ outcome: 'RETRY', answer: '500' });
    done(await retry(act(), id));
    await attempt({ outcome: 'SENT', answer: '200' });
    expect(await retry(act(), id)).toEqual({ refusal: 'NOT_RETRIED', id, state: 'SENT' });
    const { deliveries } = await listDeliveries(database.db, { id }, { beforeId: null, limit: 1 });
    expect(deliveries[0]?.attempts.map(({ outcome }) => outcome)).toEqual([
      'RECIPIENT_REFUSED',
      'RETRY',
      'SENT',
    ]);
    expect((await logged()).filter((action) => action === 'delivery.retry')).toHaveLength(2);
  });

  test('is listed by state, by time and a page at a time', async () => {
    const { id: channelId } = await slack();
    for (let n = 0; n < 3; n += 1) await sendTest(act(), { channelId, to: null }, 0);
    await attempt({ outcome: 'RECIPIENT_REFUSED', answer: '550' });
    const list = async (filter: object, beforeId: number | null = null, limit = 2) =>
      listDeliveries(database.db, filter, { beforeId, limit });
    const first = await list({});
    expect(first.deliveries).toHaveLength(2);
    const second = await list({}, first.nextBeforeId);
    expect(second).toMatchObject({ deliveries: [{ state: 'DEAD' }], nextBeforeId: null });
    expect((await list({ state: 'DEAD' })).deliveries).toHaveLength(1);
    expect((await list({ since: new Date(Date.now() + 1_000) })).deliveries).toEqual([]);
  });
});

describe('a problem', () => {
  const problem = (state: 'OPEN' | 'CLOSED') => insertProblem(database.db, { state });

  test('is acknowledged with a comment; one that is closed is not', async () => {
    const acked = await acknowledgeProblem(act(), await problem('OPEN'), 'I look');
    expect(acked).toMatchObject({
      state: 'ACKNOWLEDGED',
      acked_by: by.actor,
      ack_comment: 'I look',
    });
    const closed = await problem('CLOSED');
    expect(await acknowledgeProblem(act(), closed, null)).toEqual({
      refusal: 'PROBLEM_CLOSED',
      id: closed,
    });
    expect(await logged()).toEqual(['problem.ack']);
  });
});

describe('a subscription', () => {
  async function person(email: string, customerId: string | null): Promise<Subscriber> {
    const userId = await insertUser(
      database.db,
      {
        email,
        passwordHash: 'x',
        role: customerId === null ? 'OPERATOR' : 'CUSTOMER',
        customerId,
        mustChangePassword: false,
      },
      by,
      new Date(),
    );
    return { userId: userId ?? 0, email, scope: { customerId } };
  }

  test('of a CUSTOMER is of own plants, whatever is asked for', async () => {
    await mail();
    const carla = await person('carla@example.org', 'noord');
    const wish = { severities: ['RED' as const], customer_ids: ['sul'] };
    expect(await subscribe(act(), carla, wish, sealIt)).toMatchObject({
      recipients: ['carla@example.org'],
      customer_ids: ['noord'],
      subscriber: 'carla@example.org',
    });
  });

  test('is one for each person, who changes and ends it; an ADMIN cannot change it', async () => {
    await mail();
    const ana = await person('ana@example.org', null);
    const wish = { severities: [], customer_ids: [] };
    const first = done(await subscribe(act(), ana, wish, sealIt));
    const again = done(await subscribe(act(), ana, { ...wish, severities: ['RED'] }, sealIt));
    expect(again).toMatchObject({ id: first.id, severities: ['RED'] });
    expect(await changeRoute(act(), first.id, { name: 'mine' })).toMatchObject({
      refusal: 'SUBSCRIPTION',
    });
    expect(await endSubscription(act(), ana)).toMatchObject({ id: first.id });
    expect(await findSubscription(database.db, ana)).toBeNull();
    done(await subscribe(act(), ana, wish, sealIt));
  });

  test('is ended by the token of its mails, also after a rotation of the master key, once', async () => {
    await mail();
    const ana = await person('ana@example.org', null);
    const { id } = done(await subscribe(act(), ana, { severities: [], customer_ids: [] }, sealIt));
    const rotated: MasterKeys = { current: key(), previous: keys.current };
    const rotation = await rotateSeals({ db: database.db, keys: rotated, by });
    expect(rotation).toEqual({ resealed: 2, failed: [] });
    expect((await rotateSeals({ db: database.db, keys: rotated, by })).resealed).toBe(0);
    const only = { current: rotated.current, previous: null };
    const token = await findUnsubscribeToken(database.db, only, id);
    if (token === null) throw new Error('the route has no token');
    const stored = await database.db
      .selectFrom('notification_routes')
      .selectAll()
      .executeTakeFirstOrThrow();
    expect(JSON.stringify(stored)).not.toContain(token);
    expect(await findByToken(database.db, `${token}x`)).toBeNull();
    expect(await findByToken(database.db, token)).toMatchObject({ id });
    expect(await endByToken(act(), token, null)).toMatchObject({ id });
    expect(await endByToken(act(), token, null)).toBeNull();
    const [last] = (await database.db.selectFrom('audit_log').selectAll().execute()).slice(-1);
    expect(last).toMatchObject({ action: 'subscription.end', actor: 'ana@example.org' });
  });

  test('needs a channel of mails', async () => {
    const ana = await person('ana@example.org', null);
    const wish = { severities: [], customer_ids: [] };
    expect(await subscribe(act(), ana, wish, sealIt)).toEqual({ refusal: 'NO_MAIL' });
  });
});

import { randomBytes } from 'node:crypto';

import { describe, expect, test as base } from 'vitest';

import { seal, type MasterKeys } from '../../db/sealing.ts';
import { openChannelSettings } from '../../db/notifications/channel-list.ts';
import { claimDelivery, endAttempt } from '../../db/notifications/deliveries.ts';
import { findUnsubscribeToken } from '../../db/notifications/subscriptions.ts';
import { findUserByEmail } from '../../db/people/users.ts';
import { namedKey } from '../../environment/config.ts';
import { createApiFleet } from '../../test/support/api-fleet.ts';
import type { TestApi } from '../../test/support/api.ts';
import { issueSession } from '../auth/tokens.ts';

const keys: MasterKeys = {
  current: namedKey(randomBytes(32).toString('base64')),
  previous: null,
};
const admin = 'admin@example.org';
const canary = 'canary-of-the-hook';
let api: TestApi;
let alertId: number;

const test = base.extend('fleet', { scope: 'file', auto: true }, async ({}, { onCleanup }) => {
  const fleet = await createApiFleet({
    seal: (place, secrets) => seal(keys, place, secrets),
    testMessageMs: 5_000,
  });
  onCleanup(() => fleet.api.close());
  api = fleet.api;
  alertId = Number(fleet.own['/api/v1/alerts/']?.[0]);
  return fleet;
});

interface Thing {
  id: number;
  name: string;
  sentence: string;
}
type Body = Thing & Record<string, Thing[]>;

async function json(answer: Response): Promise<Body> {
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  return JSON.parse(text) as Body;
}

const at = (path: string) => `/api/v1/notifications${path}`;

/** A browser's request for a page. */
async function browse(email: string | null, path: string, form?: Record<string, string>) {
  const headers: Record<string, string> = { accept: 'text/html', 'sec-fetch-site': 'same-origin' };
  if (email !== null) {
    const user = await findUserByEmail(api.db, email);
    if (user === undefined) throw new Error(`there is no user ${email}`);
    const who = { userId: user.id, sessionVersion: user.session_version };
    headers['cookie'] = `heliograph=${await issueSession(api.deps, who, api.clock.nowMs)}`;
  }
  return api.app.request(path, {
    headers,
    ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
  });
}

/** What a worker does with the next delivery of a kind. */
async function send(kind: 'EMAIL' | 'SLACK', answer: Parameters<typeof endAttempt>[2]) {
  await expect
    .poll(async () => {
      const claim = await claimDelivery(api.db, kind, Date.now());
      if (claim !== null) await endAttempt(api.db, claim, answer, Date.now());
      return claim;
    })
    .not.toBeNull();
}

describe('a channel', () => {
  test('is added with settings that no answer, page or log shows, tested, and removed', async () => {
    const settings = { url: `https://hooks.example.org/${canary}` };
    const body = { kind: 'SLACK', name: 'ops <b>', settings };
    const channel = await json(await api.ask(admin, 'POST', at('/channels'), body));
    expect(await openChannelSettings(api.db, keys, channel.id)).toEqual(settings);
    const testing = api.ask(admin, 'POST', at('/test'), { channel_id: channel.id });
    await send('SLACK', { outcome: 'SENT', answer: '200' });
    const delivery = await json(await testing);
    expect(delivery).toMatchObject({ state: 'SENT', message_kind: 'TEST', answer: '200' });
    const page = await (await browse(admin, `/admin/notifications?tested=${delivery.id}`)).text();
    expect(page).toContain(`delivery ${delivery.id}`);
    expect(page).toContain('ops &lt;b&gt;');
    const list = await (await api.ask(admin, 'GET', at('/channels'))).text();
    expect(list).toContain('ops <b>');
    expect(page + list + JSON.stringify(api.logged)).not.toContain(canary);
    const gone = await api.ask(admin, 'DELETE', at(`/channels/${channel.id}`));
    expect(gone.status).toBe(204);
  });

  test('with a wrong address is refused with the field, and without the address', async () => {
    const body = { kind: 'SLACK', name: 'x', settings: { url: `http://example.org/${canary}` } };
    const answer = await api.ask(admin, 'POST', at('/channels'), body);
    const text = await answer.text();
    expect(answer.status).toBe(422);
    expect(text).toContain('"path":"url"');
    expect(text).not.toContain(canary);
  });
});

test('a route is added, changed and removed, and says what it does in a sentence', async () => {
  const { channels } = await json(await api.ask(admin, 'GET', at('/channels')));
  const [mail] = channels ?? [];
  const body = {
    name: 'night',
    channel_id: mail?.id,
    recipients: ['op@example.org'],
    severities: ['RED'],
    brands: ['SOLIS'],
    quiet_from: '22:00',
    quiet_to: '06:00',
    timezone: 'Europe/Amsterdam',
  };
  const route = await json(await api.ask(admin, 'POST', at('/routes'), body));
  const name = mail?.name;
  expect(route.sentence).toBe(
    `RED of SOLIS → op@example.org by “${name}” (e-mail), at once, no YELLOW from 22:00 to 06:00 Europe/Amsterdam`,
  );
  const path = at(`/routes/${route.id}`);
  const { routes } = await json(await api.ask(admin, 'GET', at('/routes')));
  const second = routes?.find((one) => one.name === 'operators');
  const change = { second_call_after_s: 1_800, second_route_id: second?.id, brands: [] };
  const changed = await json(await api.ask(admin, 'PATCH', path, change));
  expect(changed.sentence).toMatch(
    /^RED of every brand .*; second call after 30 min to “operators”$/,
  );
  const page = await (await browse(admin, '/admin/notifications')).text();
  expect(page).toContain('second call after 30 min to “operators”');
  expect((await api.ask(admin, 'DELETE', at(`/routes/${second?.id}`))).status).toBe(409);
  expect((await api.ask(admin, 'DELETE', path)).status).toBe(204);
});

describe('a delivery', () => {
  test('that was given up is listed with its attempts, and tried again from the page', async () => {
    const { deliveries } = await json(await api.ask(admin, 'GET', at('/deliveries?state=DEAD')));
    const [dead] = deliveries ?? [];
    expect(dead).toMatchObject({
      recipient: 'op@example.org',
      attempts: [{ attempt: 1, outcome: 'RECIPIENT_REFUSED', answer: '550 no such user' }],
    });
    const page = await (await browse(admin, '/admin/notifications?state=DEAD')).text();
    expect(page).toContain('RECIPIENT_REFUSED: 550 no such user');
    const retried = await browse(admin, `/admin/notifications/deliveries/${dead?.id}/retry`, {});
    expect(retried.status).toBe(303);
    const now = await json(await api.ask(admin, 'GET', at(`/deliveries/${dead?.id}`)));
    expect(now['state']).toBe('PENDING');
  });

  test('of an alert is in the alert’s time line: who was told, when, on which channel', async () => {
    const { db, clock } = api;
    const now = new Date(clock.nowMs);
    const { id: routeId, channel_id } = await db
      .selectFrom('notification_routes')
      .select(['id', 'channel_id'])
      .where('name', '=', 'operators')
      .executeTakeFirstOrThrow();
    const { id: notification_id } = await db
      .insertInto('notifications')
      .values({
        subject_kind: 'PLANT',
        subject_id: 'noord-1',
        alert_id: alertId,
        problem_id: null,
        kind: 'RAISED',
        is_end: false,
        severity: 'RED',
        created_at: now,
        not_before: now,
        dropped_at: null,
        drop_reason: null,
        routed_at: now,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const { id: message_id } = await db
      .insertInto('messages')
      .values({ route_id: routeId, kind: 'ALERTS', created_at: now })
      .returning('id')
      .executeTakeFirstOrThrow();
    await db
      .insertInto('notification_lines')
      .values({ route_id: routeId, notification_id, due_at: now, message_id })
      .execute();
    const delivery = { message_id, channel_id, next_attempt_at: now, created_at: now };
    await db
      .insertInto('deliveries')
      .values([
        { ...delivery, recipient: 'ana@example.org', state: 'SENT', finished_at: now },
        { ...delivery, recipient: 'ben@example.org', state: 'DEAD', finished_at: now },
        { ...delivery, recipient: 'cem@example.org', state: 'PENDING' },
      ])
      .execute();
    const events = `/api/v1/alerts/${alertId}/events`;
    const { told } = await json(await api.ask('operator@example.org', 'GET', events));
    expect(told).toMatchObject([
      { recipient: 'ana@example.org', state: 'SENT', kind: 'RAISED', channel_kind: 'EMAIL' },
      { recipient: 'ben@example.org', state: 'DEAD' },
    ]);
    const page = await (await browse(admin, '/plants/noord-1')).text();
    expect(page).toMatch(/told\s+ana@example\.org by mail/);
    expect(page).toMatch(/not reached:\s+ben@example\.org by mail/);
    expect(page).not.toContain('cem@example.org');
    // A customer learns nothing of the operators' addresses.
    const own = await json(await api.ask('customer@example.org', 'GET', events));
    expect(own['told']).toEqual([]);
    const shown = await (await browse('customer@example.org', '/plants/noord-1')).text();
    expect(shown).not.toContain('ana@example.org');
    const { deliveries } = await json(
      await api.ask(admin, 'GET', at(`/deliveries?alert=${alertId}`)),
    );
    expect(deliveries).toHaveLength(3);
    // By the names that people know.
    const [newest] = deliveries as unknown as { lines: { title: string }[] }[];
    const lines = newest?.lines ?? [];
    expect(lines.map(({ title }) => title)).toEqual([expect.stringMatching(/^RED .+: [A-Z_]+/)]);
    const admins = await (await browse(admin, '/admin/notifications')).text();
    expect(admins).toContain(lines[0]?.title);
  });
});

describe('the forms of an ADMIN', () => {
  const page = '/admin/notifications';
  const errorOf = (text: string, field: string) =>
    new RegExp(`id="${field}-error">([^<]+)<`).exec(text)?.[1]?.replaceAll('&quot;', '"');

  test('add a channel and say beside the field what is wrong, without repeating a secret', async () => {
    const form = await (await browse(admin, `${page}/channels/new?kind=email`)).text();
    expect(form).toContain('name="host"');
    expect(form).not.toContain('data-refresh-s');
    const sent = {
      kind: 'EMAIL',
      name: 'desk',
      host: 'mail.example.org',
      from: 'Sun <sun@example.org>',
      username: 'sun',
      password: canary,
      tls: 'starttls',
    };
    const wrong = await browse(admin, `${page}/channels`, sent);
    expect(wrong.status).toBe(422);
    const text = await wrong.text();
    expect(errorOf(text, 'from')).toBe('Sender must be one e-mail address, without a name.');
    expect(text).toContain('value="mail.example.org"');
    expect(text).not.toContain(canary);
    const right = await browse(admin, `${page}/channels`, { ...sent, from: 'sun@example.org' });
    expect([right.status, right.headers.get('location')]).toEqual([303, page]);
    const again = await browse(admin, `${page}/channels`, { ...sent, from: 'sun@example.org' });
    expect(errorOf(await again.text(), 'name')).toBe('There is a channel of this name already.');
  });

  test('change a channel: another name keeps its settings, new settings take the place of all', async () => {
    const { channels } = await json(await api.ask(admin, 'GET', at('/channels')));
    const { id = 0 } = channels?.find(({ name }) => name === 'desk') ?? {};
    const change = (fields: Record<string, string>) =>
      browse(admin, `${page}/channels/${id}`, { name: 'desk 2', ...fields });
    expect((await change({})).status).toBe(303);
    expect(await openChannelSettings(api.db, keys, id)).toMatchObject({ password: canary });
    const half = await change({ host: 'other.example.org' });
    expect(errorOf(await half.text(), 'from')).toBe('Sender is missing.');
    expect((await change({ host: 'other.example.org', from: 'a@example.org' })).status).toBe(303);
    expect(await openChannelSettings(api.db, keys, id)).toEqual({
      host: 'other.example.org',
      from: 'a@example.org',
    });
    const renamed = await json(
      await api.ask(admin, 'PATCH', at(`/channels/${id}`), { name: 'desk' }),
    );
    expect(renamed.name).toBe('desk');
  });

  test('add and change a route, with each error beside its field and what was sent still there', async () => {
    const { channels } = await json(await api.ask(admin, 'GET', at('/channels')));
    const { id: channel = 0 } = channels?.find(({ name }) => name === 'desk') ?? {};
    const sent = {
      name: 'by night',
      channel_id: String(channel),
      recipients: 'op@example.org\r\nops@example.org, nobody',
      severity: 'RED',
      brands: 'SOLIS',
      timezone: 'Europe/Amsterdam',
      quiet_from: '22:00',
      quiet_to: '',
      digest: 'YELLOW',
      digest_at: '',
      second_route_id: '',
      second_minutes: '30',
    };
    const wrong = await browse(admin, `${page}/routes`, sent);
    expect(wrong.status).toBe(422);
    const text = await wrong.text();
    expect(errorOf(text, 'recipients')).toMatch(/^Recipients must be e-mail addresses/);
    expect(errorOf(text, 'quiet_from')).toBe('Quiet from and “Quiet until” go together.');
    expect(text).toContain('nobody</textarea>');
    expect(text).toContain('value="by night"');
    const right = { ...sent, recipients: 'op@example.org', quiet_to: '06:00', digest_at: '07:30' };
    expect((await browse(admin, `${page}/routes`, right)).status).toBe(303);
    const { routes } = await json(await api.ask(admin, 'GET', at('/routes')));
    const route = routes?.find(({ name }) => name === 'by night');
    expect(route?.sentence).toBe(
      'RED of SOLIS → op@example.org by “desk” (e-mail), RED at once, YELLOW of plants, gateways and incidents at 07:30 Europe/Amsterdam, no YELLOW from 22:00 to 06:00 Europe/Amsterdam',
    );
    const path = `${page}/routes/${route?.id}`;
    expect(await (await browse(admin, path)).text()).toContain('value="by night"');
    const zone = await browse(admin, path, { ...right, timezone: 'Mars/Olympus' });
    expect(errorOf(await zone.text(), 'timezone')).toMatch(/^Zone is Mars\/Olympus, which/);
    expect((await browse(admin, path, { ...right, digest: 'NONE' })).status).toBe(303);
    const inUse = await browse(admin, `${page}/channels/${channel}/remove`, {});
    expect(inUse.status).toBe(409);
    expect((await browse(admin, `${path}/remove`, {})).status).toBe(303);
    expect((await browse(admin, `${page}/channels/${channel}/remove`, {})).status).toBe(303);
    expect(await (await browse(admin, page)).text()).not.toContain('by night');
  });

  test('are for an ADMIN', async () => {
    for (const path of ['/channels/new?kind=slack', '/routes/new'])
      expect((await browse('operator@example.org', page + path)).status).toBe(403);
    for (const path of ['/channels', '/routes'])
      expect((await browse('operator@example.org', page + path, { name: 'x' })).status).toBe(403);
  });
});

describe('a problem', () => {
  test('stands on the page of alerts, and is acknowledged there', async () => {
    await api.user('olga@example.org', 'OPERATOR');
    const page = await (await browse('olga@example.org', '/alerts')).text();
    expect(page).toContain('Monitoring has stopped.');
    expect(await (await browse('customer@example.org', '/alerts')).text()).not.toContain(
      'Monitoring has stopped.',
    );
    const { problems } = await json(await api.ask('olga@example.org', 'GET', '/api/v1/problems'));
    const id = problems?.[0]?.id;
    const acked = await browse('olga@example.org', `/problems/${id}/ack`, { comment: 'I look' });
    expect(acked.status).toBe(303);
    const { problems: now } = await json(
      await api.ask('olga@example.org', 'GET', '/api/v1/problems?state=acknowledged'),
    );
    expect(now).toMatchObject([{ id, acked_by: 'olga@example.org', ack_comment: 'I look' }]);
  });
});

describe('a subscription', () => {
  const customer = 'customer@example.org';

  test('is made and ended on the account page; a CUSTOMER gets own plants only', async () => {
    const wish = { severity: 'RED', customers: 'sul' };
    expect((await browse(customer, '/account/subscription', wish)).status).toBe(303);
    const mine = await json(await api.ask(customer, 'GET', at('/subscription')));
    expect(mine).toMatchObject({
      subscription: { email: customer, severities: ['RED'], customer_ids: ['noord'] },
    });
    const page = await (await browse(customer, '/account')).text();
    expect(page).toContain(`RED of customer noord → ${customer} by`);
    expect(await json(await api.ask(admin, 'GET', at('/subscription')))).toEqual({
      subscription: null,
    });
    expect((await browse(customer, '/account/subscription/end', {})).status).toBe(303);
    expect(await json(await api.ask(customer, 'GET', at('/subscription')))).toEqual({
      subscription: null,
    });
  });

  test('has quiet hours and a morning brief, by the clock of a zone', async () => {
    const wish = {
      severity: 'BOTH',
      timezone: 'Europe/Amsterdam',
      quiet_from: '22:00',
      quiet_to: '06:00',
      digest: 'YELLOW',
      digest_at: '07:30',
    };
    const half = await browse(customer, '/account/subscription', { ...wish, quiet_to: '' });
    expect(half.status).toBe(422);
    expect((await browse(customer, '/account/subscription', wish)).status).toBe(303);
    expect(await json(await api.ask(customer, 'GET', at('/subscription')))).toMatchObject({
      subscription: {
        timezone: 'Europe/Amsterdam',
        quiet_from: '22:00',
        quiet_to: '06:00',
        digest: 'YELLOW',
        digest_at: '07:30',
      },
    });
    expect(await (await browse(customer, '/account')).text()).toContain('value="22:00"');
    // What the request leaves out is as without any.
    await json(
      await api.ask(customer, 'PUT', at('/subscription'), { digest: 'ALL', digest_at: '08:00' }),
    );
    expect(await json(await api.ask(customer, 'GET', at('/subscription')))).toMatchObject({
      subscription: { digest: 'ALL', digest_at: '08:00', quiet_from: null, timezone: 'UTC' },
    });
    const wrong = await api.ask(customer, 'PUT', at('/subscription'), { timezone: 'Mars/Olympus' });
    expect(wrong.status).toBe(422);
    expect((await browse(customer, '/account/subscription/end', {})).status).toBe(303);
  });

  test('ends by the link of its mails without signing in: a GET only asks, a POST of a mail program does', async () => {
    await json(await api.ask(customer, 'PUT', at('/subscription'), { severities: [] }));
    const { id } = await api.db
      .selectFrom('notification_routes')
      .select('id')
      .where('owner_id', 'is not', null)
      .where('removed_at', 'is', null)
      .executeTakeFirstOrThrow();
    const token = (await findUnsubscribeToken(api.db, keys, id)) ?? '';
    const path = `/unsubscribe?token=${token}`;
    expect(await (await browse(null, path)).text()).toContain('End the mails to');
    const still = await json(await api.ask(customer, 'GET', at('/subscription')));
    expect(still['subscription']).not.toBeNull();
    // RFC 8058: without a cookie, an origin or a page.
    const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' });
    expect((await api.app.request(path, { method: 'POST', body })).status).toBe(200);
    expect(await json(await api.ask(customer, 'GET', at('/subscription')))).toEqual({
      subscription: null,
    });
    expect(await (await browse(null, path)).text()).toContain('have ended already');
    expect(JSON.stringify(api.logged)).not.toContain(token);
  });
});

test('the page is for an ADMIN', async () => {
  for (const email of ['operator@example.org', 'customer@example.org']) {
    const page = await browse(email, '/admin/notifications');
    expect(page.status).toBe(403);
    expect(await (await browse(email, '/')).text()).not.toContain('/admin/notifications');
  }
  expect(await (await browse(admin, '/')).text()).toContain('/admin/notifications');
});

test('metrics count deliveries by channel and state, and name no recipient', async () => {
  await api.db
    .updateTable('notification_channels')
    .set({ failing_since: new Date(api.clock.nowMs - 20 * 60_000) })
    .where('name', '=', 'mail')
    .execute();
  const metrics = await (await api.ask('operator@example.org', 'GET', '/metrics')).text();
  expect(metrics).toMatch(/heliograph_deliveries\{channel="mail",kind="EMAIL",state="\w+"\} \d/);
  expect(metrics).toMatch(/heliograph_oldest_pending_delivery_age_seconds [1-9]/);
  expect(metrics).toMatch(/heliograph_deliveries_dead_24h 1\n/);
  expect(metrics).toMatch(/heliograph_channel_failing_seconds\{channel="mail",kind="EMAIL"\} 1200/);
  expect(metrics).not.toContain('@example.org');
});

test('a test from the page is answered at once, and stands on the page until it is left', async () => {
  const list = await json(await api.ask(admin, 'GET', at('/channels')));
  const [mail] = list['channels'] ?? [];
  await api.db
    .updateTable('deliveries')
    .set({ state: 'SUPPRESSED', finished_at: new Date() })
    .where('state', '=', 'PENDING')
    .execute();
  const form = { to: 'op@example.org' };
  const sent = await browse(admin, `/admin/notifications/channels/${mail?.id}/test`, form);
  expect(sent.status).toBe(303);
  const path = sent.headers.get('location') ?? '';
  expect(path).toMatch(/^\/admin\/notifications\?tested=\d+$/);
  expect(await (await browse(admin, path)).text()).toContain('waits for a worker');
  await send('EMAIL', { outcome: 'RECIPIENT_REFUSED', answer: '550 nobody' });
  const page = await (await browse(admin, path)).text();
  const [tested] = /id="tested".*?<\/div>/s.exec(page) ?? [];
  expect(tested).toMatch(/<b>Test:<\/b>.*DEAD.*550 nobody/s);
  const wrong = await browse(admin, `/admin/notifications/channels/${mail?.id}/test`, { to: 'op' });
  expect(wrong.status).toBe(422);
});

test('health has a check of notifications', async () => {
  const { checks } = await json(await asOk(await api.app.request('/health')));
  expect(checks).toContainEqual(expect.objectContaining({ name: 'notifications' }));
});

/** Temporal is away in this test, so health is down. */
const asOk = async (answer: Response) => new Response(await answer.text(), { status: 200 });

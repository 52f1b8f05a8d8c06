import { Agent } from 'node:http';
import { connect } from 'node:net';

import { hash } from '@node-rs/bcrypt';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { instant } from '../db/database.ts';
import { findUserByEmail } from '../db/people/users.ts';
import { passwordOf } from '../test/support/api.ts';
import { runTestCommand } from '../test/support/command-line.ts';
import {
  expectSecurityHeaders,
  formOf,
  type ServedApi,
  serveTestApi,
  type WireAnswer,
  type WireRequest,
} from '../test/support/served-api.ts';
import { attemptsMax, createSignInLink } from './auth/sign-in.ts';

/** What an attacker of the served API tried, over loopback: nobody else is kept from working. */

const ana = 'ana@example.org';
const olga = 'olga@example.org';
const carla = 'carla@example.org';

/** Accounts at which a crowd guesses. */
const guessed = Array.from({ length: 50 }, (_, n) => `guess-${n}@example.org`);
/** A quarter of the product's work: the tests count what overtakes what, and do not measure bcrypt. */
const cheapCost = 10;
/** One hash for all. */
const cheapHash = hash('the password of this test', { cost: cheapCost });

let served: ServedApi;
async function giveCheapPassword(email: string): Promise<void> {
  const hashOfEmail = email.startsWith('guess')
    ? await cheapHash
    : await hash(passwordOf(email), { cost: cheapCost });
  await served.api.db
    .updateTable('users')
    .set({ password_hash: hashOfEmail })
    .where('email', '=', email)
    .execute();
}
beforeAll(async () => {
  served = await serveTestApi({ trustedProxies: 1, temporalUiUrl: 'http://127.0.0.1:8233' });
  const { api } = served;
  await api.user(ana, 'ADMIN');
  await api.user(olga, 'OPERATOR');
  await api.user(carla, 'CUSTOMER', { customerId: 'noord' });
  for (const email of [ana, olga]) await giveCheapPassword(email);
  for (const email of guessed) {
    await api.user(email, 'OPERATOR');
    await giveCheapPassword(email);
  }
});
afterAll(async () => served.close());
beforeEach(async () => {
  served.api.logged.length = 0;
  await served.api.db.deleteFrom('login_failures').execute();
  await served.api.db.deleteFrom('audit_log').execute();
});

const json = { 'content-type': 'application/json' };
const login = (
  email: string,
  password: string,
  { address = '192.0.2.1', ...connection }: { address?: string; agent?: Agent } = {},
) =>
  served.send({
    ...connection,
    method: 'POST',
    path: '/api/v1/auth/login',
    headers: { ...json, 'x-forwarded-for': address },
    body: JSON.stringify({ email, password }),
  });

/** The form of the sign-in page. */
function signIn(email: string, password: string, from: { address?: string; cookie?: string } = {}) {
  const { body, type } = formOf({ email, password, next: '/' });
  const { address = '192.0.2.1', cookie } = from;
  return served.send({
    method: 'POST',
    path: '/login',
    headers: {
      accept: 'text/html',
      'content-type': type,
      'sec-fetch-site': 'same-origin',
      'x-forwarded-for': address,
      ...(cookie === undefined ? {} : { cookie }),
    },
    body,
  });
}

/** The pair of the device's cookie, as a browser sends it back. */
function deviceCookieOf(answer: WireAnswer): string {
  const cookies = [answer.headers['set-cookie'] ?? []].flat();
  return cookies.find((cookie) => cookie.startsWith('heliograph-device='))?.split(';')[0] ?? '';
}

const statusesOf = (answers: readonly WireAnswer[]) => answers.map(({ status }) => status);

/** Refused attempts as they stand in the database after guesses at an account. */
async function insertFailures(email: string, addresses: readonly string[], each: number) {
  const at = instant(served.api.clock.nowMs - 1_000);
  await served.api.db
    .insertInto('login_failures')
    .values(
      addresses.flatMap((address) => Array.from({ length: each }, () => ({ at, email, address }))),
    )
    .execute();
}

describe('many sign-ins at once', () => {
  test('50 wrong ones: signed-in requests overtake them, and the line is bounded', async () => {
    const me = { path: '/api/v1/auth/me', headers: await served.browser(ana) };
    expect((await served.send(me)).status).toBe(200);
    let judged = 0;
    let begin = () => {};
    const hasBegun = new Promise<void>((resolve) => (begin = resolve));
    const guesses = Array.from({ length: 50 }, async (_, n) => {
      const answer = await login(guessed[n] ?? '', 'wrong');
      if (answer.status === 401) judged += 1;
      if (judged > 0) begin();
      return answer;
    });
    await hasBegun;
    for (let n = 0; n < 10; n += 1) expect((await served.send(me)).status).toBe(200);
    // Two are judged at a time. Without a bound nearly all were judged before the first request was answered.
    expect(judged).toBeLessThanOrEqual(12);
    const answers = await Promise.all(guesses);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(judged).toBeGreaterThanOrEqual(22);
    expect(judged + refused.length).toBe(50);
    for (const { headers } of refused) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
  });

  test('15 right ones are 15 successes', async () => {
    const answers = await Promise.all(
      Array.from({ length: 15 }, () => login(ana, passwordOf(ana))),
    );
    expect(statusesOf(answers)).toEqual(Array.from({ length: 15 }, () => 200));
    const left = await served.api.db.selectFrom('login_failures').selectAll().execute();
    expect(left).toEqual([]);
  });

  test('the line of one address does not keep another address waiting', async () => {
    let judged = 0;
    const crowd = Array.from({ length: 20 }, async (_, n) => {
      await login(guessed[n] ?? '', 'wrong', { address: '198.51.100.1' });
      judged += 1;
    });
    expect((await login(ana, passwordOf(ana), { address: '203.0.113.7' })).status).toBe(200);
    expect(judged).toBeLessThanOrEqual(6);
    await Promise.all(crowd);
  });

  test('what the limits refuse is refused before it waits for bcrypt', async () => {
    await insertFailures(ana, ['192.0.2.1'], attemptsMax.pair);
    let judged = 0;
    const crowd = Array.from({ length: 15 }, async (_, n) => {
      await login(guessed[n] ?? '', 'wrong');
      judged += 1;
    });
    await Promise.race(crowd);
    expect((await login(ana, passwordOf(ana))).status).toBe(429);
    expect(judged).toBeLessThanOrEqual(6);
    await Promise.all(crowd);
  });
});

describe('10 addresses with 10 guesses each at one account', () => {
  const addresses = Array.from({ length: 10 }, (_, n) => `198.51.100.${n}`);

  test('lock out strangers, and neither a known device nor a link', async () => {
    const cookie = deviceCookieOf(await signIn(ana, passwordOf(ana)));
    expect(cookie).not.toBe('');
    await insertFailures(ana, addresses, 10);
    const owner = { address: '203.0.113.7' };
    expect((await signIn(ana, passwordOf(ana), owner)).status).toBe(429);
    expect((await signIn(ana, passwordOf(ana), { ...owner, cookie })).status).toBe(303);
    // Also where the guesses come from.
    const beside = { address: '198.51.100.1', cookie };
    expect((await signIn(ana, passwordOf(ana), beside)).status).toBe(303);

    const user = await findUserByEmail(served.api.db, ana);
    const token = await createSignInLink(served.api.deps, user?.id ?? 0);
    const { body, type } = formOf({ token });
    const headers = { 'content-type': type, 'sec-fetch-site': 'same-origin' };
    const byLink = await served.send({ method: 'POST', path: '/sign-in', headers, body });
    expect(byLink.status).toBe(303);
    expect(deviceCookieOf(byLink)).not.toBe('');
  });

  test("a known device has its own limit, and is nobody else's", async () => {
    const cookie = deviceCookieOf(await signIn(ana, passwordOf(ana)));
    await insertFailures(olga, addresses, 10);
    expect((await signIn(olga, passwordOf(olga), { cookie })).status).toBe(429);
    // The last character holds bits that say nothing; one in the middle of the signature holds six that do.
    const forged = cookie.replace(/.(?=.{9}$)/, (one) => (one === 'A' ? 'B' : 'A'));
    await insertFailures(ana, addresses, 10);
    const owner = { address: '203.0.113.7' };
    expect((await signIn(ana, passwordOf(ana), { ...owner, cookie: forged })).status).toBe(429);
    const id = cookie.split('=')[1]?.split('.')[0] ?? '';
    await insertFailures(ana, [`device:${id}`], attemptsMax.pair);
    expect((await signIn(ana, passwordOf(ana), { ...owner, cookie })).status).toBe(429);
  });
});

describe('sign-in links', () => {
  const useLink = (token: string) => {
    const { body, type } = formOf({ token });
    const headers = {
      accept: 'text/html',
      'content-type': type,
      'sec-fetch-site': 'same-origin',
      'x-forwarded-for': '192.0.2.9',
    };
    return served.send({ method: 'POST', path: '/sign-in', headers, body });
  };
  const idOf = async (email: string) => (await findUserByEmail(served.api.db, email))?.id ?? 0;

  test('end with a change of the password', async () => {
    const nia = 'nia@example.org';
    await served.api.user(nia, 'OPERATOR');
    await giveCheapPassword(nia);
    const token = await createSignInLink(served.api.deps, await idOf(nia));
    const next = 'a new password of hers';
    const { body, type } = formOf({
      current_password: passwordOf(nia),
      new_password: next,
      new_password_again: next,
    });
    const headers = { ...(await served.browser(nia)), 'content-type': type };
    const changed = await served.send({ method: 'POST', path: '/password', headers, body });
    expect(changed.status).toBe(303);
    expect((await useLink(token)).status).toBe(404);
    // The browser that changed it is known with the new password.
    await insertFailures(nia, ['198.51.100.1'], attemptsMax.account);
    const from = { cookie: deviceCookieOf(changed) };
    expect((await signIn(nia, next, from)).status).toBe(303);
  });

  test('end with a reset at the terminal', async () => {
    const piet = 'piet@example.org';
    await served.api.user(piet, 'OPERATOR');
    const token = await createSignInLink(served.api.deps, await idOf(piet));
    const env = { DATABASE_URL: served.databaseUrl };
    expect((await runTestCommand(['users', 'reset', piet], { env })).code).toBe(0);
    expect((await useLink(token)).status).toBe(404);
  });

  test('that have ended leave a line and a row for each address', async () => {
    for (let n = 0; n < 3; n += 1) expect((await useLink('x'.repeat(43))).status).toBe(404);
    const lines = served.api.logged.filter(({ level }) => level === 'info');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({ reason: 'LINK_ENDED', address: '192.0.2.9' });
    const rows = await served.api.db.selectFrom('audit_log').selectAll().execute();
    expect(rows).toMatchObject([{ subject_type: 'ADDRESS', subject_id: '192.0.2.9' }]);
  });
});

describe('a refused sign-in', () => {
  test('leaves a line at info and a row of the audit log', async () => {
    const answer = await login(' Ana@example.org', 'wrong');
    expect(answer.status).toBe(401);
    const requestId = answer.headers['x-request-id'];
    expect(served.api.logged).toContainEqual({
      level: 'info',
      message: 'a sign-in was refused',
      request_id: requestId,
      email: ana,
      address: '192.0.2.1',
      reason: 'WRONG',
    });
    const rows = await served.api.db.selectFrom('audit_log').selectAll().execute();
    expect(rows).toMatchObject([
      {
        actor: 'address:192.0.2.1',
        action: 'REFUSE_SIGN_IN',
        subject_type: 'ADDRESS',
        subject_id: '192.0.2.1',
        after: { reason: 'WRONG', email: ana, address: '192.0.2.1' },
        request_id: requestId,
      },
    ]);
  });

  test('by the limits: a line for each, one row for an address', async () => {
    await insertFailures(ana, ['192.0.2.1'], attemptsMax.pair);
    for (let n = 0; n < 5; n += 1) expect((await login(ana, passwordOf(ana))).status).toBe(429);
    const lines = served.api.logged.filter(({ level }) => level === 'info');
    expect(lines.map(({ reason }) => reason)).toEqual(Array.from({ length: 5 }, () => 'TOO_MANY'));
    const rows = await served.api.db.selectFrom('audit_log').selectAll().execute();
    expect(rows).toMatchObject([
      { subject_type: 'ADDRESS', subject_id: '192.0.2.1', after: { email: ana } },
    ]);
  });
});

test('people behind a trusted proxy have a lockout each', async () => {
  await insertFailures(ana, ['203.0.113.1'], attemptsMax.pair);
  // What the client writes itself stands before what the proxy appends.
  expect((await login(ana, passwordOf(ana), { address: '9.9.9.9, 203.0.113.1' })).status).toBe(429);
  expect((await login(ana, passwordOf(ana), { address: '203.0.113.1, 203.0.113.2' })).status).toBe(
    200,
  );
  expect((await login(ana, passwordOf(ana), { address: '203.0.113.2:4711' })).status).toBe(200);
  // No address at all: the proxy's own counts.
  await login('nobody@example.org', 'wrong', { address: '\u0080 no address' });
  const row = await served.api.db
    .selectFrom('login_failures')
    .select('address')
    .where('email', '=', 'nobody@example.org')
    .executeTakeFirst();
  expect(row?.address).toBe('127.0.0.1');
});

test('300 plant pages at once by one customer: all are answered, and others do not wait for them', async () => {
  const page = { path: '/plants/noord-1', headers: await served.browser(carla) };
  // On connections that are open already, so that nobody waits to be let in.
  const agent = new Agent({ keepAlive: true });
  const other = { path: '/plants/sul-1', headers: await served.browser(olga), agent };
  const opened = await Promise.all([served.send(other), served.send(other), served.send(page)]);
  expect(statusesOf(opened)).toEqual([200, 200, 200]);
  let answered = 0;
  const pages = Array.from({ length: 300 }, async () => {
    const answer = await served.send(page);
    answered += 1;
    return answer.status;
  });
  /** How many of the customer's pages were answered before this. */
  const overtaken = async (asked: Promise<WireAnswer>): Promise<number> => {
    expect((await asked).status).toBe(200);
    return answered;
  };
  const [otherPage, signedIn] = await Promise.all([
    overtaken(served.send(other)),
    overtaken(login(olga, passwordOf(olga), { agent })),
  ]);
  expect(otherPage).toBeLessThan(100);
  expect(signedIn).toBeLessThan(150);
  agent.destroy();
  expect(new Set(await Promise.all(pages))).toEqual(new Set([200]));
});

describe('an input that was answered 500', () => {
  const form = 'application/x-www-form-urlencoded';
  const page = (path: string): WireRequest => ({ path });
  const post = (path: string, fields: Record<string, string>): WireRequest => ({
    method: 'POST',
    path,
    headers: { 'content-type': form },
    body: new URLSearchParams(fields).toString(),
  });
  test.each<[string, WireRequest, number]>([
    ['NUL in the e-mail of the form', post('/login', { email: 'a\0@x', password: 'x' }), 422],
    [
      'NUL in the e-mail of the API',
      {
        method: 'POST',
        path: '/api/v1/auth/login',
        headers: json,
        body: JSON.stringify({ email: 'a\0@x', password: 'x' }),
      },
      422,
    ],
    [
      'a form of several parts that is none',
      {
        method: 'POST',
        path: '/login',
        headers: { 'content-type': 'multipart/form-data; boundary=x' },
        body: 'no part',
      },
      400,
    ],
    [
      'a form of several parts without a boundary',
      {
        method: 'POST',
        path: '/login',
        headers: { 'content-type': 'multipart/form-data' },
        body: 'x',
      },
      400,
    ],
    [
      'JSON instead of a form',
      { method: 'POST', path: '/login', headers: json, body: '{"email":"a@x"}' },
      415,
    ],
    ['NUL in a path', page('/plants/%00'), 404],
    ['a path that is not UTF-8', page('/plants/%ff'), 404],
    ['a path with a broken escape', page('/plants/%'), 404],
    ['a path with a backslash', page('/plants\\x'), 404],
    ['NUL in the path of a pause', post('/plants/%00/pause', { for: '3600' }), 404],
    ['NUL in the path of a poll', post('/plants/%00/poll', {}), 404],
    ['NUL in the path of a resume', post('/plants/%00/resume', {}), 404],
    ['NUL in the path of a silence', post('/plants/%00/silence', { for: '3600' }), 404],
    ['an offset beyond all numbers', page('/alerts?offset=1e300'), 422],
    ['an offset that is none', page('/alerts?offset=-1'), 422],
    ['NUL in a reason', post('/plants/noord-1/pause', { reason: 'a\0b' }), 422],
    ['ESC in a reason', post('/plants/noord-1/pause', { reason: '\u001B[31m' }), 422],
    ['reversed text in a reason', post('/plants/noord-1/pause', { reason: 'a\u202Eb' }), 422],
    ['a control character in `next`', page('/login?next=/%01'), 422],
    [
      'a control character in the `next` of the form',
      post('/login', { email: ana, password: passwordOf(ana), next: '/\u0001' }),
      422,
    ],
    ['a foreign letter in `next`, signed in', page('/login?next=/%E6%BC%A2'), 303],
    ['NUL in the token of a link', page('/sign-in?token=%00'), 422],
    ['a host that is none', { path: '/', headers: { host: 'a b' } }, 404],
  ])('%s has an answer, with the security headers', async (_, request, status) => {
    const headers = { ...(await served.browser(ana)), ...request.headers };
    const answer = await served.send({ ...request, headers });
    expect(answer.status).toBe(status);
    expectSecurityHeaders(answer);
    expect(served.api.logged.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test.each(['\u0001', '\u001B[2J', 'a\u2066b', '\0'])(
    'an acknowledgement with %j in its comment or its way back is not committed',
    async (hidden) => {
      const [id = ''] = served.own['/api/v1/alerts/'] ?? [];
      for (const fields of [
        { comment: hidden, back: '/alerts' },
        { comment: 'seen', back: `/${hidden}` },
      ]) {
        const request = post(`/alerts/${id}/ack`, fields);
        const headers = { ...(await served.browser(ana)), ...request.headers };
        const answer = await served.send({ ...request, headers });
        expect(answer.status).toBe(422);
        expectSecurityHeaders(answer);
      }
      const row = await served.api.db
        .selectFrom('alerts')
        .select(['state', 'ack_comment'])
        .where('id', '=', Number(id))
        .executeTakeFirstOrThrow();
      expect(row).toEqual({ state: 'NEW', ack_comment: null });
    },
  );

  test('a comment of several lines is kept as one line', async () => {
    const [id = ''] = served.foreign['/api/v1/alerts/'] ?? [];
    const request = post(`/alerts/${id}/ack`, { comment: 'seen\r\nroof is wet ', back: '/alerts' });
    const headers = { ...(await served.browser(ana)), ...request.headers };
    expect((await served.send({ ...request, headers })).status).toBe(303);
    const row = await served.api.db
      .selectFrom('alerts')
      .select('ack_comment')
      .where('id', '=', Number(id))
      .executeTakeFirst();
    expect(row?.ack_comment).toBe('seen roof is wet');
  });
});

describe('/metrics without a token', () => {
  const host = 'localhost';
  test.each([
    ['to this machine by name', { host: 'localhost:8080' }, 200],
    ['to this machine by address', { host: '127.0.0.1' }, 200],
    ['to this machine by its other address', { host: '[::1]:8080' }, 200],
    ['by a foreign name', { host: 'evil.example' }, 401],
    ['by a name that begins like ours', { host: 'localhost.evil.example' }, 401],
    ['through a proxy that says for whom', { host, 'x-forwarded-for': '192.0.2.1' }, 401],
    ['through a proxy that says how', { host, 'x-forwarded-proto': 'https' }, 401],
    ['through a proxy that says who', { host, 'x-real-ip': '192.0.2.1' }, 401],
    ['through a proxy that names itself', { host, via: '1.1 proxy' }, 401],
    ['through a proxy of the standard', { host, forwarded: 'for=192.0.2.1' }, 401],
  ])('%s: %#', async (_, headers, status) => {
    for (const path of ['/metrics', '/api/v1/metrics'])
      expect((await served.send({ path, headers })).status).toBe(status);
  });
});

test('/metrics beside a public URL is not open to this machine, where a proxy may stand that adds no header', async () => {
  const behindProxy = await serveTestApi({ publicUrl: 'https://solar.example.org' });
  try {
    for (const path of ['/metrics', '/api/v1/metrics']) {
      const headers = { host: '127.0.0.1:8080' };
      expect((await behindProxy.send({ path, headers })).status).toBe(401);
    }
  } finally {
    await behindProxy.close();
  }
});

test("a customer gets no link to Temporal's Web UI, by REST and on the page; an operator does", async () => {
  const read = async (email: string) => {
    const headers = await served.browser(email);
    const document = await served.send({
      path: '/api/v1/plants/noord-1',
      headers: { ...headers, accept: 'application/json' },
    });
    const page = await served.send({ path: '/plants/noord-1', headers });
    const { workflow_url: url } = JSON.parse(document.text) as { workflow_url: string | null };
    return { url, isOnPage: page.text.includes('127.0.0.1:8233') };
  };
  expect(await read(carla)).toEqual({ url: null, isOnPage: false });
  expect(await read(olga)).toEqual({
    url: expect.stringContaining('http://127.0.0.1:8233/'),
    isOnPage: true,
  });
});

test('headers that come slowly end the connection within 10 s', { timeout: 30_000 }, async () => {
  const { hostname, port } = new URL(served.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.resume();
  const startedAt = performance.now();
  socket.write('GET /health HTTP/1.1\r\nhost: x\r\n');
  const drip = setInterval(() => socket.write('x-drip: 1\r\n'), 500);
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(drip);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

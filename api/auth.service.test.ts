import { sign } from 'hono/jwt';
import { verify } from '@node-rs/bcrypt';
import { beforeEach, describe, expect } from 'vitest';

import { findUserByEmail } from '../db/people/users.ts';
import { createTestApi, givePassword, passwordOf } from '../test/support/api.ts';
import { api, test } from '../test/support/test-api.ts';
import { knowDevice } from './auth/devices.ts';
import { clearSession, setSession } from './auth/session.ts';
import {
  attemptsMax,
  createSignInLink,
  linkTtlMs,
  peekSignInLink,
  signInByLink,
  signInByPassword,
} from './auth/sign-in.ts';

const ana = 'ana@example.org';
const nia = 'nia@example.org';
const minuteMs = 60_000;

test.beforeAll(async () => {
  // A page that signs in, as the pages do.
  api.app.get('/test/session/:email', async (c) => {
    const user = await findUserByEmail(api.db, c.req.param('email'));
    if (user === undefined) return c.body(null, 404);
    const who = { userId: user.id, sessionVersion: user.session_version };
    await setSession(c, api.deps, who);
    return c.body(null, 204);
  });
  api.app.get('/test/clear', (c) => {
    clearSession(c, api.deps);
    return c.body(null, 204);
  });
  await api.user(ana, 'ADMIN');
  await givePassword(api, ana);
});
beforeEach(async () => {
  await api.db.deleteFrom('login_failures').execute();
  await api.db.deleteFrom('users').where('email', '=', nia).execute();
});

const login = (email: string, password: string) =>
  api.ask(null, 'POST', '/api/v1/auth/login', { email, password });

/** A request with a given token. */
async function withToken(token: string, path = '/api/v1/auth/me', method = 'GET', body?: unknown) {
  return api.ask(null, method, path, body, { authorization: `Bearer ${token}` });
}

async function tokenOf(email: string, password = passwordOf(email)): Promise<string> {
  const answer = await login(email, password);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { token: string }).token;
}

async function problemOf(answer: Response) {
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  const body = (await answer.json()) as { type: string; status: number; detail: string };
  expect(body.status).toBe(answer.status);
  return { status: answer.status, kind: body.type.split(':').at(-1), detail: body.detail };
}

describe('signing in', () => {
  test('gives a token of 15 minutes that says who it is', async () => {
    const answer = await login('Ana@Example.org', passwordOf(ana));
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as { token: string; expires_at: string };
    expect(body).toMatchObject({ role: 'ADMIN', must_change_password: false, customer_id: null });
    expect(Math.round((Date.parse(body.expires_at) - api.clock.nowMs) / minuteMs)).toBe(15);
    expect(await (await withToken(body.token)).json()).toMatchObject({ email: ana });
    api.clock.nowMs += 15 * minuteMs;
    expect((await withToken(body.token)).status).toBe(401);
    api.clock.nowMs -= 15 * minuteMs;
  });

  test('does not tell a wrong password from an unknown address, and really compares for both', async () => {
    const compared: string[] = [];
    const spy: typeof verify = async (password, hash, options) => {
      compared.push(String(hash));
      return verify(password, hash, options);
    };
    const attempt = { password: 'wrong password', address: '192.0.2.7' };
    const details = await Promise.all(
      [ana, 'nobody@example.org'].map((email) =>
        signInByPassword(api.deps, { ...attempt, email }, spy).catch((e: Error) => e.message),
      ),
    );
    expect(new Set(details).size).toBe(1);
    expect(compared).toHaveLength(2);
    for (const hash of compared) expect(hash).toMatch(/^\$2b\$12\$/);
  });

  test('a password that bcrypt would cut at 72 bytes is not taken for its beginning', async () => {
    await api.user(nia, 'OPERATOR');
    const password = 'x'.repeat(72);
    const { hashPassword } = await import('./auth/passwords.ts');
    await api.db
      .updateTable('users')
      .set({ password_hash: await hashPassword(password) })
      .where('email', '=', nia)
      .execute();
    expect((await login(nia, `${password}y`)).status).toBe(401);
    expect((await login(nia, password)).status).toBe(200);
  });

  test('a disabled user is refused like an unknown one, and the token ends', async () => {
    await api.user(nia, 'OPERATOR');
    await givePassword(api, nia);
    const token = await tokenOf(nia);
    await api.db
      .updateTable('users')
      .set({ disabled_at: new Date() })
      .where('email', '=', nia)
      .execute();
    expect(await problemOf(await login(nia, passwordOf(nia)))).toMatchObject({
      kind: 'sign-in-refused',
    });
    // Who it was is kept for a second.
    api.clock.nowMs += 1_000;
    expect((await withToken(token)).status).toBe(401);
  });

  test.each([
    ['another algorithm', 'HS512', 'api', {}],
    ['the audience of the pages', 'HS256', 'pages', {}],
    ['another issuer', 'HS256', 'api', { iss: 'somebody' }],
    ['no end', 'HS256', 'api', { exp: undefined }],
  ] as const)('a token with %s is refused', async (_, alg, aud, change) => {
    const user = await findUserByEmail(api.db, ana);
    const nowS = Math.floor(api.clock.nowMs / 1000);
    const claims = {
      iss: 'heliograph',
      aud,
      sub: String(user?.id),
      sv: user?.session_version,
      iat: nowS,
      exp: nowS + 900,
      auth_time: nowS,
    };
    const good = await sign({ ...claims, aud: 'api' }, api.deps.jwtKey, 'HS256');
    expect((await withToken(good)).status).toBe(200);
    const bad = await sign({ ...claims, ...change } as typeof claims, api.deps.jwtKey, alg);
    expect((await withToken(bad)).status).toBe(401);
  });
});

describe('attempts', () => {
  const attempt = (email: string, address: string, password = 'wrong') =>
    signInByPassword(
      api.deps,
      { email, address, password },
      // The limits are looked at, not bcrypt.
      async (given) => given === passwordOf(ana),
    ).then(
      () => 200,
      (error: { status: number }) => error.status,
    );

  test('ten wrong ones close an account for that address alone, for 15 minutes', async () => {
    for (let n = 0; n < attemptsMax.pair; n += 1) expect(await attempt(ana, '192.0.2.1')).toBe(401);
    expect(await attempt(ana, '192.0.2.1', passwordOf(ana))).toBe(429);
    expect(await attempt(ana, '192.0.2.2', passwordOf(ana))).toBe(200);
    api.clock.nowMs += 15 * minuteMs;
    expect(await attempt(ana, '192.0.2.1', passwordOf(ana))).toBe(200);
  });

  test('those refused by the limit are not counted: nobody is locked out for ever by trying on', async () => {
    for (let n = 0; n < attemptsMax.pair; n += 1) await attempt(ana, '192.0.2.1');
    api.clock.nowMs += 14 * minuteMs;
    for (let n = 0; n < 30; n += 1) expect(await attempt(ana, '192.0.2.1')).toBe(429);
    api.clock.nowMs += 2 * minuteMs;
    expect(await attempt(ana, '192.0.2.1', passwordOf(ana))).toBe(200);
  });

  test('one address that tries many accounts is closed for all of them', async () => {
    for (let n = 0; n < attemptsMax.address; n += 1)
      expect(await attempt(`guess-${n}@example.org`, '192.0.2.1')).toBe(401);
    expect(await attempt('one-more@example.org', '192.0.2.1')).toBe(429);
  });

  test('many addresses that try one account are stopped, too', async () => {
    for (let n = 0; n < attemptsMax.account; n += 1)
      expect(await attempt(ana, `198.51.100.${n}`)).toBe(401);
    expect(await attempt(ana, '203.0.113.9', passwordOf(ana))).toBe(429);
  });

  test('many at once do not slip through together', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => attempt(ana, '192.0.2.1')));
    expect(answers.filter((status) => status === 401).length).toBeLessThanOrEqual(attemptsMax.pair);
  });

  test('429 says when to try again', async () => {
    for (let n = 0; n < attemptsMax.pair; n += 1) await attempt(ana, 'none');
    const answer = await login(ana, passwordOf(ana));
    expect(answer.headers.get('retry-after')).toBe(String(15 * 60));
    expect(await problemOf(answer)).toMatchObject({ status: 429, kind: 'too-many-requests' });
  });
});

describe('changing the password', () => {
  const path = '/api/v1/auth/change-password';

  test('is all that is allowed to who must, and ends every older token', async () => {
    await api.user(nia, 'OPERATOR', { mustChangePassword: true });
    await givePassword(api, nia);
    const old = await tokenOf(nia);
    expect(await problemOf(await withToken(old, '/metrics'))).toMatchObject({
      status: 403,
      kind: 'password-change-required',
    });
    const next = 'a new password of hers';
    const answer = await withToken(old, path, 'POST', {
      current_password: passwordOf(nia),
      new_password: next,
    });
    expect(answer.status).toBe(200);
    const { token } = (await answer.json()) as { token: string };
    expect((await withToken(old)).status).toBe(401);
    expect((await withToken(token, '/metrics')).status).toBe(200);
    expect((await login(nia, passwordOf(nia))).status).toBe(401);
    expect((await login(nia, next)).status).toBe(200);
    const audit = await api.db
      .selectFrom('audit_log')
      .selectAll()
      .where('subject_id', '=', nia)
      .where('action', '=', 'CHANGE_PASSWORD')
      .execute();
    expect(audit).toMatchObject([{ actor: nia, request_id: answer.headers.get('x-request-id') }]);
    expect(JSON.stringify(audit)).not.toContain(next);
  });

  test.each([
    ['a wrong present one', 'wrong', 'a new password of mine', 401],
    ['eleven characters', passwordOf(ana), 'x'.repeat(11), 422],
    ['73 bytes', passwordOf(ana), 'x'.repeat(73), 422],
    ['37 characters of two bytes', passwordOf(ana), 'é'.repeat(37), 422],
    ['a NUL', passwordOf(ana), `long enough\0 and more`, 422],
    ['the present one again', passwordOf(ana), passwordOf(ana), 422],
  ])('refuses %s', async (_, current, next, status) => {
    const token = await tokenOf(ana);
    const answer = await withToken(token, path, 'POST', {
      current_password: current,
      new_password: next,
    });
    expect((await problemOf(answer)).status).toBe(status);
    expect((await withToken(token)).status).toBe(200);
  });

  test('of two at once, one wins', async () => {
    await api.user(nia, 'OPERATOR');
    await givePassword(api, nia);
    const token = await tokenOf(nia);
    const change = (next: string) =>
      withToken(token, path, 'POST', { current_password: passwordOf(nia), new_password: next });
    const answers = await Promise.all([change('the first new one'), change('the second new one')]);
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)[0]).toBe(200);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
  });
});

describe('a session', () => {
  async function cookieOf(email: string): Promise<string> {
    const answer = await api.app.request(`/test/session/${email}`);
    return answer.headers.get('set-cookie') ?? '';
  }
  const pair = (cookie: string) => cookie.split(';')[0] ?? '';
  const withCookie = (cookie: string, method = 'GET', headers: Record<string, string> = {}) =>
    api.app.request(method === 'GET' ? '/api/v1/auth/me' : '/api/v1/auth/sign-out', {
      method,
      headers: { cookie: pair(cookie), ...headers },
    });

  test('is a cookie that scripts cannot read and other sites do not send', async () => {
    const cookie = await cookieOf(ana);
    expect(cookie).toMatch(/^heliograph=.*; Path=\/; HttpOnly; SameSite=Lax$/);
    expect((await withCookie(cookie)).status).toBe(200);
  });

  test('is Secure and bound to the host where people come by https', async () => {
    const own = await createTestApi({ db: api.db, publicUrl: 'https://solar.example.org' });
    own.app.get('/test/session', async (c) => {
      await setSession(c, own.deps, { userId: 1, sessionVersion: 1 });
      knowDevice(c, own.deps, { id: 1, password_hash: 'a hash' });
      return c.body(null, 204);
    });
    const answer = await own.app.request('/test/session');
    const [session, device] = answer.headers.getSetCookie();
    expect(session).toMatch(/^__Host-heliograph=.*; Secure/);
    expect(device).toMatch(
      /^__Host-heliograph-device=[\w-]{22}\.[\w-]{43}; .*HttpOnly; Secure; SameSite=Strict$/,
    );
    expect(answer.headers.get('strict-transport-security')).not.toBeNull();
    await own.close();
  });

  test('goes on while it is used, for 12 hours, and ends an hour after its last use', async () => {
    const startMs = api.clock.nowMs;
    let cookie = await cookieOf(ana);
    const first = cookie;
    let hours = 0;
    for (; hours < 20; hours += 0.5) {
      api.clock.nowMs = startMs + hours * 60 * minuteMs;
      const answer = await withCookie(cookie);
      if (answer.status !== 200) break;
      cookie = answer.headers.get('set-cookie') ?? cookie;
    }
    expect(hours).toBe(12);
    api.clock.nowMs = startMs + 61 * minuteMs;
    expect((await withCookie(first)).status).toBe(401);
    api.clock.nowMs = startMs;
  });

  test('is no bearer token, and a token is no session', async () => {
    const cookie = await cookieOf(ana);
    expect((await withToken(pair(cookie).split('=')[1] ?? '')).status).toBe(401);
    const token = await tokenOf(ana);
    expect((await withCookie(`heliograph=${token}`)).status).toBe(401);
  });

  test.each([
    ['from our own page', { 'sec-fetch-site': 'same-origin' }, 204],
    ['from our own page, by an old browser', { origin: 'http://localhost' }, 204],
    ['from another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['from a neighbouring site', { 'sec-fetch-site': 'same-site' }, 403],
    [
      'from another site that claims our origin',
      { 'sec-fetch-site': 'cross-site', origin: 'http://localhost' },
      403,
    ],
    ['from another site, by an old browser', { origin: 'https://evil.example' }, 403],
    ['from nowhere', {}, 403],
    ['from a sandbox', { origin: 'null' }, 403],
  ])('lets it write %s: %#', async (_, headers, status) => {
    await api.user(nia, 'OPERATOR');
    expect((await withCookie(await cookieOf(nia), 'POST', headers)).status).toBe(status);
  });

  test('ends everywhere by signing out', async () => {
    await api.user(nia, 'OPERATOR');
    await givePassword(api, nia);
    const [one, other, token] = [await cookieOf(nia), await cookieOf(nia), await tokenOf(nia)];
    const answer = await withCookie(one, 'POST', { 'sec-fetch-site': 'same-origin' });
    expect(answer.headers.get('set-cookie')).toMatch(/^heliograph=; Max-Age=0; Path=\//);
    for (const cookie of [one, other]) expect((await withCookie(cookie)).status).toBe(401);
    expect((await withToken(token)).status).toBe(401);
  });

  test('of another site a form cannot sign anybody in', async () => {
    const answer = await api.ask(
      null,
      'POST',
      '/api/v1/auth/login',
      { email: ana, password: passwordOf(ana) },
      { 'sec-fetch-site': 'cross-site' },
    );
    expect(await problemOf(answer)).toMatchObject({ kind: 'cross-site-request' });
  });
});

describe('a sign-in link', () => {
  async function linkOf(email: string): Promise<string> {
    const user = await findUserByEmail(api.db, email);
    return createSignInLink(api.deps, user?.id ?? 0);
  }

  test('works once, also of many at once, and looking at it does not use it up', async () => {
    const token = await linkOf(ana);
    expect((await peekSignInLink(api.deps, token))?.email).toBe(ana);
    const used = await Promise.all(
      Array.from({ length: 10 }, () => signInByLink(api.deps, token, { address: 'none' })),
    );
    expect(used.filter((user) => user !== undefined).map((user) => user.email)).toEqual([ana]);
    expect(await peekSignInLink(api.deps, token)).toBeUndefined();
  });

  test('ends after an hour, with a newer one, and with its user', async () => {
    const late = await linkOf(ana);
    api.clock.nowMs += linkTtlMs;
    expect(await signInByLink(api.deps, late, { address: 'none' })).toBeUndefined();
    const older = await linkOf(ana);
    const newer = await linkOf(ana);
    expect(await signInByLink(api.deps, older, { address: 'none' })).toBeUndefined();
    expect(await signInByLink(api.deps, newer, { address: 'none' })).toBeDefined();
    await api.user(nia, 'OPERATOR');
    const disabled = await linkOf(nia);
    await api.db
      .updateTable('users')
      .set({ disabled_at: new Date() })
      .where('email', '=', nia)
      .execute();
    expect(await signInByLink(api.deps, disabled, { address: 'none' })).toBeUndefined();
  });

  test('is stored as a digest only', async () => {
    const token = await linkOf(ana);
    const rows = await api.db.selectFrom('sign_in_links').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(token);
    for (const row of rows) expect(row.token_hash).toHaveLength(32);
  });

  const browser = { accept: 'text/html', 'sec-fetch-site': 'same-origin' };
  const send = (path: string, fields: Record<string, string>, cookie = '') =>
    api.app.request(path, {
      method: 'POST',
      headers: { ...browser, cookie },
      body: new URLSearchParams(fields),
    });
  const fresh = 'a password after a link';
  const twice = { new_password: fresh, new_password_again: fresh };

  /** @returns the cookie of a session that a link began. */
  async function cookieByLink(email: string): Promise<string> {
    const answer = await send('/sign-in', { token: await linkOf(email), next: 'password' });
    expect(answer.headers.get('location')).toBe('/password');
    return (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  }

  test('lets its person set a password without the old one, once', async () => {
    await api.user(nia, 'OPERATOR');
    const cookie = await cookieByLink(nia);
    const form = await api.app.request('/password', { headers: { ...browser, cookie } });
    expect(await form.text()).not.toContain('current_password');
    const changed = await send('/password', twice, cookie);
    expect(changed.status).toBe(303);
    const login = { email: nia, password: fresh };
    expect((await api.ask(null, 'POST', '/api/v1/auth/login', login)).status).toBe(200);
    // The session of the change asks for the present password, as any other.
    const next = (changed.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const other = { new_password: 'one more password', new_password_again: 'one more password' };
    expect((await send('/password', other, next)).status).toBe(401);
    expect((await send('/password', other, cookie)).headers.get('location')).toMatch(/^\/login/);
  });

  test('asks for the old password an hour later, also in a renewed session', async () => {
    await api.user(nia, 'OPERATOR');
    let cookie = await cookieByLink(nia);
    const look = async () => {
      const answer = await api.app.request('/password', { headers: { ...browser, cookie } });
      cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? cookie;
      return answer.text();
    };
    const startMs = api.clock.nowMs;
    api.clock.nowMs = startMs + linkTtlMs - minuteMs;
    expect(await look()).not.toContain('current_password');
    api.clock.nowMs = startMs + linkTtlMs + minuteMs;
    expect(await look()).toContain('current_password');
    expect((await send('/password', twice, cookie)).status).toBe(401);
    api.clock.nowMs = startMs;
  });
});

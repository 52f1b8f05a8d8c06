import { verify } from '@node-rs/bcrypt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createTestApi, givePassword, passwordOf, type TestApi } from '../test/support/api.ts';
import { signInByPassword } from './auth/sign-in.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
  for (const [email, role] of [
    ['ana@example.org', 'ADMIN'],
    ['olga@example.org', 'OPERATOR'],
  ] as const) {
    await api.user(email, role);
    await givePassword(api, email);
  }
});
afterAll(async () => api.close());

const login = (email: string, password: string) =>
  api.ask(null, 'POST', '/api/v1/auth/login', { email, password });

describe('signing in', () => {
  test('gives a token of 15 minutes that says who it is', async () => {
    const answer = await login('Ana@Example.org', passwordOf('ana@example.org'));
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as { token: string; expires_at: string };
    expect(body).toMatchObject({ role: 'ADMIN', must_change_password: false, customer_id: null });
    expect(Math.round((Date.parse(body.expires_at) - api.clock.nowMs) / 60_000)).toBe(15);
    const me = await api.app.request('/api/v1/auth/me', {
      headers: { authorization: `Bearer ${body.token}` },
    });
    expect(await me.json()).toMatchObject({ email: 'ana@example.org' });
  });

  test('does not tell a wrong password from an unknown address, and really compares for both', async () => {
    const compared: string[] = [];
    const spy: typeof verify = async (password, hash, options) => {
      compared.push(String(hash));
      return verify(password, hash, options);
    };
    const attempt = { password: 'wrong password', address: '192.0.2.7' };
    const details = await Promise.all(
      ['ana@example.org', 'nobody@example.org'].map((email) =>
        signInByPassword(api.deps, { ...attempt, email }, spy).catch((e: Error) => e.message),
      ),
    );
    expect(new Set(details).size).toBe(1);
    expect(compared).toHaveLength(2);
    for (const hash of compared) expect(hash).toMatch(/^\$2b\$12\$/);
  });
});

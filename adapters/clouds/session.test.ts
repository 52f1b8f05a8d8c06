import { describe, expect, test } from 'vitest';
import { AdapterError } from './adapter-error.ts';
import { SessionStore, type Session } from './session.ts';

const session = (token: string): Session => ({
  token,
  apiHost: 'https://vendor.example',
  extra: {},
});

/** A login that the test ends, and counts. */
function controlledLogin() {
  const pending: PromiseWithResolvers<Session>[] = [];
  return {
    login: (): Promise<Session> => {
      const next = Promise.withResolvers<Session>();
      pending.push(next);
      return next.promise;
    },
    count: () => pending.length,
    give: (token: string) => pending.at(-1)?.resolve(session(token)),
    fail: (error: unknown) => pending.at(-1)?.reject(error),
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('SessionStore', () => {
  test('logs in once for all who ask meanwhile, and not again while the session is good', async () => {
    const store = new SessionStore();
    const { login, count, give } = controlledLogin();
    const asked = [1, 2, 3].map(() => store.acquire(null, login));
    give('first');
    const given = await Promise.all(asked);
    expect(new Set(given)).toEqual(new Set([store.current]));
    expect(await store.acquire(null, login)).toBe(store.current);
    expect(count()).toBe(1);
  });

  test('replaces a session only while it is still the one that failed', async () => {
    const store = new SessionStore();
    const { login, count, give } = controlledLogin();
    const first = store.acquire(null, login);
    give('first');
    const old = await first;

    const renewing = [store.acquire(old, login), store.acquire(old, login)];
    give('second');
    const [renewed, shared] = await Promise.all(renewing);
    expect(shared).toBe(renewed);
    expect(await store.acquire(old, login)).toBe(renewed);
    expect(count()).toBe(2);
  });

  test('gives a refusal to all who waited, keeps nothing, and lets the next one try', async () => {
    const store = new SessionStore();
    const { login, count, give, fail } = controlledLogin();
    const asked = [store.acquire(null, login), store.acquire(null, login)];
    fail(new AdapterError('AUTH_FAILED', 'login: refused'));
    for (const outcome of await Promise.allSettled(asked)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { type: 'AUTH_FAILED' } });
    }
    expect(store.current).toBeNull();
    expect(count()).toBe(1);

    const next = store.acquire(null, login);
    give('later');
    expect((await next).token).toBe('later');
  });

  test('begins again for those who waited when the login was aborted by the one who began it', async () => {
    const store = new SessionStore();
    const { login, count, give, fail } = controlledLogin();
    const reason = new Error('the attempt was cut off');
    const owner = store.acquire(null, login);
    const waiters = [store.acquire(null, login), store.acquire(null, login)];
    const outcome = owner.catch((error: unknown) => error);
    fail(reason);
    expect(await outcome).toBe(reason);
    await settle();
    expect(count()).toBe(2);
    give('second');
    expect((await Promise.all(waiters)).map(({ token }) => token)).toEqual(['second', 'second']);
    expect(count()).toBe(2);
  });

  test('lets a waiter go at once when its own signal aborts; the login goes on for the others', async () => {
    const store = new SessionStore();
    const { login, give } = controlledLogin();
    const owner = store.acquire(null, login);
    const leaving = new AbortController();
    const waiter = store.acquire(null, login, leaving.signal);
    const reason = new Error('cancelled');
    leaving.abort(reason);
    await expect(waiter).rejects.toBe(reason);
    give('first');
    expect((await owner).token).toBe('first');
  });

  test('asks nothing for a caller whose signal has aborted already', async () => {
    const { login, count } = controlledLogin();
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(new SessionStore().acquire(null, login, signal)).rejects.toThrow('too late');
    expect(count()).toBe(0);
  });

  test('keeps two stores apart', async () => {
    const one = new SessionStore();
    const { login, give } = controlledLogin();
    const asked = one.acquire(null, login);
    give('one');
    await asked;
    expect(new SessionStore().current).toBeNull();
  });
});

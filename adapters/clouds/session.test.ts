import { describe, expect, test } from 'vitest';
import { AdapterError } from './adapter-error.ts';
import { AccountSession, requireCredential, SessionStore, type Session } from './session.ts';

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
    fail(new AdapterError('AUTH_FAILED', 'ACCOUNT', 'login: refused'));
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

describe('AccountSession', () => {
  const denied = { scope: 'PLANT', message: 'path: denied' } as const;

  /** An account whose n-th login gives the token `n`, and what was requested with which token. */
  function account() {
    let logins = 0;
    const requested: string[] = [];
    const { signal } = new AbortController();
    const ofAccount = new AccountSession({ session: new SessionStore(), signal }, async () => {
      logins += 1;
      return session(String(logins));
    });
    /** The vendor takes these tokens and calls every other one expired. */
    const request =
      (...taken: string[]) =>
      async ({ token }: Session) => {
        requested.push(token);
        if (taken.includes(token)) return `answer to ${token}`;
        throw new AdapterError('AUTH_FAILED', 'ACCOUNT', 'the session is gone', {
          sessionExpired: true,
        });
      };
    return { ofAccount, request, requested };
  }

  test('logs in before the first request only', async () => {
    const { ofAccount, request, requested } = account();
    expect(await ofAccount.call(request('1'), denied)).toBe('answer to 1');
    await ofAccount.call(request('1'), denied);
    expect(requested).toEqual(['1', '1']);
  });

  test('renews an expired session once and sends the request again', async () => {
    const { ofAccount, request, requested } = account();
    expect(await ofAccount.call(request('2'), denied)).toBe('answer to 2');
    expect(requested).toEqual(['1', '2']);
  });

  test('calls it AUTH_FAILED where the renewed session is called expired as well', async () => {
    const { ofAccount, request, requested } = account();
    await expect(ofAccount.call(request(), denied)).rejects.toMatchObject({
      type: 'AUTH_FAILED',
      scope: 'PLANT',
      certain: false,
      message: 'path: denied',
      sessionExpired: false,
      cause: { message: 'the session is gone' },
    });
    expect(requested).toEqual(['1', '2']);
  });

  test('spends no login where none can help', async () => {
    const { ofAccount, request, requested } = account();
    await expect(ofAccount.call(request('2'), denied, 0)).rejects.toThrow('path: denied');
    expect(requested).toEqual(['1']);
  });

  test('a question that refuses the account after an accepted login concludes it; the login itself says it', async () => {
    const refusal = new AdapterError('AUTH_FAILED', 'ACCOUNT', 'the account has expired');
    const deps = () => ({ session: new SessionStore(), signal: new AbortController().signal });
    const denied = { scope: 'ACCOUNT', message: 'denied' } as const;
    const accepted = new AccountSession(deps(), async () => session('good'));
    await expect(accepted.call(() => Promise.reject(refusal), denied)).rejects.toMatchObject({
      type: 'AUTH_FAILED',
      scope: 'ACCOUNT',
      certain: false,
      message: 'the account has expired',
    });
    const refused = new AccountSession(deps(), () => Promise.reject(refusal));
    await expect(refused.call(async () => 'never', denied)).rejects.toMatchObject({
      certain: true,
    });
  });

  test('passes every other error on', async () => {
    const { ofAccount } = account();
    const error = new AdapterError('VENDOR_ERROR', 'CLOUD', 'HTTP status 500');
    await expect(ofAccount.call(() => Promise.reject(error), denied)).rejects.toBe(error);
  });

  test('logs in anew when it is asked to, though the session is good', async () => {
    const { ofAccount, request } = account();
    await ofAccount.call(request('1'), denied);
    expect((await ofAccount.logIn()).token).toBe('2');
  });
});

describe('requireCredential', () => {
  test('gives the field as it was stored, spaces included', () => {
    expect(requireCredential({ password: ' p ' }, 'password')).toBe(' p ');
  });

  test.each([
    ['is not there', {}, undefined],
    ['is empty', { host: '' }, undefined],
    ['is what the brand calls absent', { host: ' ' }, (value: string) => value.trim() === ''],
  ])('is AUTH_FAILED where the field %s', (_, credentials, isAbsent) => {
    expect(() => requireCredential(credentials, 'host', isAbsent)).toThrow(
      expect.objectContaining({
        type: 'AUTH_FAILED',
        message: "the account's credentials lack host",
      }),
    );
  });
});

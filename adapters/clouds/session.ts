import type { FailureScope } from '../../domain/plants/plant.ts';
import { AdapterError, UnusableCredentials } from './adapter-error.ts';

/** What a login gave: the token, and the host that the vendor wants further calls on. Never logged, never stored. */
export interface Session {
  token: string;
  apiHost: string;
  /** Other fields that the vendor wants back (GoodWe's uid and timestamp). */
  extra: Readonly<Record<string, string>>;
}

/**
 * The session of one vendor account in this process: at most one login at a time, and a session is replaced only while it
 * is still the one that failed, so that plants of one account do not log each other out.
 */
export class SessionStore {
  /** Paths that the vendor asked to leave alone, each until when, ms: for vendors that count requests by path. */
  readonly restingUntilMs = new Map<string, number>();
  #current: Session | null = null;
  #login: Promise<Session> | null = null;

  get current(): Session | null {
    return this.#current;
  }

  /**
   * The session to use: the current one, unless it is `failed`; then, and when there is none, what `login` gives. Callers
   * that arrive while a login runs share it and its refusal, because some vendors count wrong passwords. A login
   * that was merely aborted by the caller who began it is begun again by the next who waits.
   *
   * @param signal Of the caller: ends its waiting for somebody else's login.
   * @throws AdapterError of the login; the reason of `signal`; whatever else ended the caller's own login.
   */
  async acquire(
    failed: Session | null,
    login: () => Promise<Session>,
    signal?: AbortSignal,
  ): Promise<Session> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#current !== null && this.#current !== failed) return this.#current;
      if (this.#login === null) return this.#begin(login);
      try {
        return await untilAborted(this.#login, signal);
      } catch (error) {
        if (error instanceof AdapterError) throw error;
      }
    }
  }

  async #begin(login: () => Promise<Session>): Promise<Session> {
    this.#current = null;
    this.#login = login();
    try {
      this.#current = await this.#login;
      return this.#current;
    } catch (error) {
      if (error instanceof AdapterError) loginErrors.add(error);
      throw error;
    } finally {
      this.#login = null;
    }
  }
}

const loginErrors = new WeakSet<AdapterError>();

/** Whether a login failed so. Without a session nothing else of the account can be asked, and vendors count wrong passwords. */
export function isOfLogin(error: AdapterError): boolean {
  return loginErrors.has(error);
}

/**
 * A refusal of the account by a question, when the login was accepted: it is told as it is, and only concluded to be about the
 * account. Whether the account is refused, the next login decides.
 */
function concluded(error: unknown): unknown {
  if (!(error instanceof AdapterError) || isOfLogin(error)) return error;
  const { type, scope, certain, message } = error;
  if (type !== 'AUTH_FAILED' || scope !== 'ACCOUNT' || !certain) return error;
  return new AdapterError(type, scope, message, { certain: false, cause: error });
}

/** What it means that a session is called expired although no new login can help, as `message` says. */
export interface Denial {
  scope: FailureScope;
  message: string;
}

/**
 * What one call chain of an account does with its session: log in where there is none, send a request with it, and log in
 * once more where the vendor calls it expired.
 */
export class AccountSession {
  readonly #store: SessionStore;
  readonly #signal: AbortSignal;
  readonly #login: () => Promise<Session>;

  /** @param login One login at the vendor; throws AdapterError where it is refused. */
  constructor(
    { session, signal }: { session: SessionStore; signal: AbortSignal },
    login: () => Promise<Session>,
  ) {
    this.#store = session;
    this.#signal = signal;
    this.#login = login;
  }

  /** Logs in anew, whatever session there is: the only proof that the credentials are still good. */
  async logIn(): Promise<Session> {
    return this.#store.acquire(this.#store.current, this.#login, this.#signal);
  }

  /**
   * What `request` gives with the account's session; an expired session is renewed, and the request sent again.
   *
   * @param denied The AUTH_FAILED that is thrown where the session is called expired after the last renewal. The login was
   * accepted, so that its scope is concluded.
   * @param renewals 0 where a new login cannot help: the first call of expiry is AUTH_FAILED at once.
   * @throws AdapterError of the login or of `request`.
   */
  async call<T>(
    request: (session: Session) => Promise<T>,
    denied: Denial,
    renewals: 0 | 1 = 1,
  ): Promise<T> {
    let session = await this.#store.acquire(null, this.#login, this.#signal);
    for (let left = renewals; ; left -= 1) {
      try {
        return await request(session);
      } catch (error) {
        if (!(error instanceof AdapterError && error.sessionExpired)) throw concluded(error);
        if (left === 0) {
          const { scope, message } = denied;
          throw new AdapterError('AUTH_FAILED', scope, message, { certain: false, cause: error });
        }
      }
      session = await this.#store.acquire(session, this.#login, this.#signal);
    }
  }
}

/**
 * One field of the account's credentials.
 *
 * @throws UnusableCredentials where it is absent.
 */
export function requireCredential(
  credentials: Readonly<Record<string, string>>,
  name: string,
  isAbsent: (value: string) => boolean = (value) => value === '',
): string {
  const value = credentials[name];
  if (value !== undefined && !isAbsent(value)) return value;
  throw new UnusableCredentials(`the account's credentials lack ${name}`);
}

/** The promise's outcome, or the signal's reason, whichever comes first. */
async function untilAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

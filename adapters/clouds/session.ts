import { AdapterError } from './adapter-error.ts';

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
  #current: Session | null = null;
  #login: Promise<Session> | null = null;

  get current(): Session | null {
    return this.#current;
  }

  /**
   * The session to use: the current one, unless it is `failed`; then, and when there is none, what `login` gives. Callers
   * that arrive while a login runs share it, and its refusal: nobody hammers a vendor that counts wrong passwords. A login
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
    } finally {
      this.#login = null;
    }
  }
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

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
   * that arrive while a login runs share it. A failed login leaves no session behind and rejects for all of them.
   */
  async acquire(failed: Session | null, login: () => Promise<Session>): Promise<Session> {
    if (this.#current !== null && this.#current !== failed) return this.#current;
    this.#current = null;
    if (this.#login === null) {
      this.#login = login()
        .then((session) => {
          this.#current = session;
          return session;
        })
        .finally(() => {
          this.#login = null;
        });
    }
    return this.#login;
  }

  forget(): void {
    this.#current = null;
  }
}

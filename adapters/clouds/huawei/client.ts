import type * as z from 'zod';
import type { AdapterDeps } from '../contract.ts';
import { AdapterError, invalidFormat, UnusableCredentials } from '../adapter-error.ts';
import { check, parseJson } from '../json.ts';
import { AccountSession, requireCredential, type Session } from '../session.ts';
import { postJson, type TransportResponse } from '../transport.ts';
import { gatewayRefusal, type HuaweiPath, refusalByStatus, refusalOf } from './refusals.ts';
import { envelopeSchema, gatewayRefusalSchema } from './wire.schema.ts';

/** FusionSolar's clouds. An account lives on one sub-domain; any other answers its login with a web page. */
const cloudDomain = 'fusionsolar.huawei.com';

/**
 * Huawei's session and envelope: logs in when needed, sends the token, tells refusals apart, and opens `data`. One call
 * at a time: the manual allows one concurrent request per path, and the adapter awaits each before the next.
 */
export class HuaweiClient {
  readonly #deps: AdapterDeps;
  readonly #session: AccountSession;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
    this.#session = new AccountSession(deps, () => this.#login());
  }

  /**
   * The validated `data` of one path. An expired session (failCode 305) is renewed once. A path that the vendor called too
   * frequent rests until its window ends: it is not requested, and the other paths of the account are.
   *
   * @throws AdapterError by the tables in `refusals.ts`; INVALID_DATA_FORMAT for answers without the needed form.
   */
  async call<T>(
    path: Exclude<HuaweiPath, 'login'>,
    body: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
  ): Promise<T> {
    return this.#session.call(
      async (session) => check(schema, await this.#request(session, path, body), path),
      { scope: 'ACCOUNT', message: `${path}: a session just opened is called expired` },
    );
  }

  async logIn(): Promise<void> {
    await this.#session.logIn();
  }

  async #login(): Promise<Session> {
    return this.#unlessResting('login', () => this.#newSession());
  }

  async #newSession(): Promise<Session> {
    const field = (name: string) => requireCredential(this.#deps.credentials, name);
    const apiHost = apiHostOf(field('host'));
    const login = { userName: field('userName'), systemCode: field('systemCode') };
    const response = await this.#post(apiHost, 'login', {}, login);
    // How Huawei says "wrong user name or system code": HTTP 200 and nothing in it.
    if (response.status === 200 && response.body.trim() === '') {
      throw new AdapterError(
        'AUTH_FAILED',
        'ACCOUNT',
        'login: refused, wrong user name or system code',
      );
    }
    if (response.body.trimStart().startsWith('<')) {
      const message = "login: a web page instead of JSON, check the account's host";
      throw new AdapterError('INVALID_DATA_FORMAT', 'ACCOUNT', message);
    }
    openEnvelope('login', response, this.#deps.now);
    const token = tokenOf(response);
    if (token === null) {
      throw invalidFormat('login: the answer carries no session token');
    }
    return { token, apiHost, extra: {} };
  }

  async #request(
    session: Session,
    path: HuaweiPath,
    body: Readonly<Record<string, unknown>>,
  ): Promise<unknown> {
    return this.#unlessResting(path, async () => {
      const token = { 'xsrf-token': session.token };
      const response = await this.#post(session.apiHost, path, token, body);
      return openEnvelope(path, response, this.#deps.now);
    });
  }

  async #unlessResting<T>(path: HuaweiPath, ask: () => Promise<T>): Promise<T> {
    const { restingUntilMs } = this.#deps.session;
    const nowMs = this.#deps.now.getTime();
    const retryAfterMs = (restingUntilMs.get(path) ?? 0) - nowMs;
    if (retryAfterMs > 0) {
      const message = `${path}: called too often, so that it rests for another ${Math.ceil(retryAfterMs / 1000)} s`;
      throw new AdapterError('RATE_LIMIT_EXCEEDED', 'REQUEST', message, { retryAfterMs });
    }
    try {
      return await ask();
    } catch (error) {
      if (error instanceof AdapterError && error.retryAfterMs !== undefined) {
        restingUntilMs.set(path, nowMs + error.retryAfterMs);
      }
      throw error;
    }
  }

  async #post(
    apiHost: string,
    path: HuaweiPath,
    headers: Readonly<Record<string, string>>,
    body: Readonly<Record<string, unknown>>,
  ): Promise<TransportResponse> {
    const response = await postJson(this.#deps, `${apiHost}/thirdData/${path}`, body, headers);
    const refusal = refusalByStatus(path, response, this.#deps.now);
    if (refusal !== null) throw refusal;
    return response;
  }
}

/** `data` of a success; everything else is thrown as what it means. */
function openEnvelope(path: HuaweiPath, response: TransportResponse, now: Date): unknown {
  const body = parseJson(response.body);
  const envelope = envelopeSchema.safeParse(body);
  if (envelope.success && envelope.data.failCode !== 0) {
    throw refusalOf(path, envelope.data.failCode, now);
  }
  if (envelope.success && response.status < 400) return envelope.data.data;
  const gateway = gatewayRefusalSchema.safeParse(body);
  const refusal = gateway.success ? gatewayRefusal(path, response.status, gateway.data) : null;
  throw refusal ?? invalidFormat(`${path}: the answer has no failCode`);
}

/** The token of a login: header `xsrf-token`, else the cookie of that name. */
function tokenOf(response: TransportResponse): string | null {
  const header = response.headers['xsrf-token'];
  if (header !== undefined && header !== '') return header;
  const cookie = /(?:^|[,;\s])XSRF-TOKEN=([^;,\s]+)/i.exec(response.headers['set-cookie'] ?? '');
  return cookie?.[1] ?? null;
}

/**
 * The cloud that the account lives on.
 *
 * @param host The sub-domain ("eu5") or the full host name; anything else is refused, so that only Huawei gets the credentials.
 */
export function apiHostOf(host: string): string {
  const name = host.trim().toLowerCase();
  const subDomain = name.endsWith(`.${cloudDomain}`)
    ? name.slice(0, -cloudDomain.length - 1)
    : name;
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(subDomain)) {
    throw new UnusableCredentials(`the account's host is no sub-domain of ${cloudDomain}`);
  }
  return `https://${subDomain}.${cloudDomain}`;
}

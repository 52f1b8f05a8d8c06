import { createHash } from 'node:crypto';
import type * as z from 'zod';
import { AdapterError } from '../../adapter-error.ts';
import type { AdapterDeps } from '../../contract.ts';
import { check } from '../../json.ts';
import { AccountSession, requireCredential, type Session } from '../../session.ts';
import { send, type TransportRequest } from '../../transport.ts';
import {
  headerJson,
  nameOf,
  openEnvelope,
  secureBase,
  vendorUrl,
  type Envelope,
} from '../envelope.ts';
import type { CallKind } from '../refusals.ts';
import { plusRefusalOf } from './refusals.ts';
import { loginSchema } from './wire.schema.ts';

/** The paths below an api base that this adapter calls. */
export const plusPaths = {
  login: 'sems-user/api/v1/auth/cross-login',
  plants: 'sems-plant/api/portal/stations/page',
  flow: 'sems-plant/api/stations/flow',
  devices: 'sems-plant/api/stations/device/all-status',
  days: 'sems-plant/api/stations/statistics',
  curve: 'sems-plant/api/v1/hems/power/statisticsAndPreV2',
  alarms: 'sems-alarm/api/v2/alarm/page',
} as const;

/** The energy counters of one device. */
export function countersPath(sn: string): string {
  return `sems-plant/api/equipments/${encodeURIComponent(sn)}/telecounting`;
}

/**
 * Where every account logs in, whatever its region. Hosts of regions exist (`eu-semsplus…`); trying one after the other
 * with the same password would look like an attack, so only this one is asked.
 */
const loginBase = 'https://semsplus.goodwe.com/web/sems';

/** Who the web portal says it is. Logins without this identity are refused with 100004 since 23 September 2026. */
const identity = {
  uid: '',
  timestamp: 0,
  token: '',
  client: 'semsPlusWeb',
  version: '',
  language: 'en',
};

/** One request below an api base. */
export interface PlusCall {
  method: 'GET' | 'POST';
  path: string;
  query?: Readonly<Record<string, string>>;
  body?: Readonly<Record<string, unknown>>;
}

/** SEMS+'s session and envelope: logs in when needed, signs each request, tells refusals apart, opens `data`. */
export class SemsPlusClient {
  readonly #deps: AdapterDeps;
  readonly #session: AccountSession;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
    this.#session = new AccountSession(deps, () => this.#login());
  }

  async logIn(): Promise<Session> {
    return this.#session.logIn();
  }

  /**
   * `data` of one answer, validated. A session that is called expired is renewed once.
   *
   * @throws AdapterError by the tables of both refusals.ts; INVALID_DATA_FORMAT for bodies that are no envelope, and for
   * `data` that does not fit.
   */
  async read<T>(call: PlusCall, schema: z.ZodType<T>): Promise<T> {
    const what = nameOf(call.path);
    const data = await this.#session.call(
      async (session) => {
        const { uid = '', tokenHeader = '' } = session.extra;
        const headers = { Token: tokenHeader, 'X-Signature': this.#sign(uid, session.token) };
        return (await this.#send(session.apiHost, call, headers, 'data')).data;
      },
      {
        scope: 'PLANT',
        message: `${what}: refused with a session just opened; this plant is out of reach of the account`,
      },
    );
    return check(schema, data, what);
  }

  async #login(): Promise<Session> {
    const field = (name: string) => requireCredential(this.#deps.credentials, name);
    const body = {
      account: field('account'),
      pwd: hashedPassword(field('password')),
      // Without these three the login succeeds, but gives no token.
      agreement: 1,
      isLocal: false,
      isChinese: false,
    };
    const call: PlusCall = { method: 'POST', path: plusPaths.login, body };
    const headers = { Token: JSON.stringify(identity), 'X-Signature': this.#sign('', '') };
    const { data, api } = await this.#send(loginBase, call, headers, 'login');
    const login = loginSchema.safeParse(data);
    if (!login.success) {
      throw new AdapterError(
        'AUTH_FAILED',
        'ACCOUNT',
        'login: accepted, but without a token; sign in to SEMS+ once and accept what it asks',
      );
    }
    const url = vendorUrl(login.data.api ?? api ?? '');
    if (classicPortal.test(url.hostname)) {
      throw new AdapterError(
        'AUTH_FAILED',
        'ACCOUNT',
        'login: accepted, but the account is not served by SEMS+: set portal to SEMS',
      );
    }
    return {
      token: login.data.token,
      apiHost: secureBase(url),
      extra: {
        uid: String(login.data.uid ?? ''),
        // The whole of `data`: with a part of it the gateway calls the session expired.
        tokenHeader: headerJson(data),
      },
    };
  }

  async #send(
    base: string,
    { method, path, query, body }: PlusCall,
    headers: Readonly<Record<string, string>>,
    kind: CallKind,
  ): Promise<Envelope> {
    const url = new URL(`${base}/${path}`);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    const request: TransportRequest = {
      method,
      url: url.href,
      headers: { Accept: 'application/json', 'content-type': 'application/json', ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    };
    const { transport, signal, now } = this.#deps;
    const what = kind === 'login' ? 'login' : nameOf(path);
    return openEnvelope(what, await send(transport, request, signal), kind, {
      now,
      refusalOf: (code) => plusRefusalOf(what, code, kind),
    });
  }

  #sign(uid: string, token: string): string {
    return signature(this.#deps.now.getTime(), uid, token);
  }
}

/** Hosts of the classic portal (`eu.semsportal.com`); those of SEMS+ are gateways (`eu-gateway.semsportal.com`). */
const classicPortal = /^(www|[a-z]{2})\.semsportal\.com$/;

/** The web portal's `X-Signature`; before a login `uid` and `token` are empty. */
export function signature(atMs: number, uid: string, token: string): string {
  const digest = createHash('sha256').update(`${atMs}@${uid}@${token}`).digest('hex');
  return base64(`${digest}@${atMs}`);
}

/** The password as the login wants it: the hexadecimal MD5 digest, once more in base64. */
export function hashedPassword(password: string): string {
  return base64(createHash('md5').update(password).digest('hex'));
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

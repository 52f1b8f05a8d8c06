import type * as z from 'zod';
import { AdapterError } from '../../adapter-error.ts';
import type { AdapterDeps } from '../../contract.ts';
import { check } from '../../json.ts';
import { AccountSession, requireCredential, type Session } from '../../session.ts';
import { postJson } from '../../transport.ts';
import {
  headerJson,
  nameOf,
  openEnvelope,
  secureBase,
  vendorUrl,
  type Envelope,
} from '../envelope.ts';
import { refusalOf, type CallKind } from '../refusals.ts';
import { loginSchema, tokenlessLoginSchema } from './wire.schema.ts';

/** The paths below an api base that this adapter calls; spelt as the vendor spells them. */
export const paths = {
  login: 'v3/Common/CrossLogin',
  detail: 'v3/PowerStation/GetMonitorDetailByPowerstationId',
  plants: 'PowerStationMonitor/QueryPowerStationMonitor',
  daySeries: 'v2/PowerStationMonitor/GetPowerStationPowerAndIncomeByDay',
  alarms: 'SmartOperateMaintenance/GetPowerStationWariningInfoByMultiCondition',
} as const;
export type Path = (typeof paths)[keyof typeof paths];

/** Where every account logs in, whatever its region; it also serves accounts whose login names no other host. */
const portalBase = 'https://www.semsportal.com/api';

/** The `Token` header before there is a token. Without a version the portal answers 100000 "ver is not fund". */
const loginToken = JSON.stringify({ version: '3.1.1', client: 'ios', language: 'en' });

/** SEMS's session and envelope: logs in when needed, sends the token, tells refusals apart, opens `data`. */
export class SemsClient {
  readonly #deps: AdapterDeps;
  readonly #session: AccountSession;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
    this.#session = new AccountSession(deps, () => this.#login());
  }

  /**
   * `data` of one path, not validated yet. A session that is called expired is renewed once; called expired again, the
   * plant is out of this account's reach: so the portal answers for plants that were moved to SEMS+.
   *
   * @throws AdapterError by the table of refusals.ts; INVALID_DATA_FORMAT for bodies that are no envelope.
   */
  async call(path: Path, body: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.#session.call(async (session) => (await this.#request(session, path, body)).data, {
      scope: 'PLANT',
      message: `${nameOf(path)}: refused with a session just opened; this plant is out of reach of the account, or was moved to SEMS+ (then set portal to SEMS_PLUS)`,
    });
  }

  /** As `call`, with `data` validated. */
  async read<T>(
    path: Path,
    body: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
  ): Promise<T> {
    return check(schema, await this.call(path, body), nameOf(path));
  }

  async logIn(): Promise<Session> {
    return this.#session.logIn();
  }

  async #login(): Promise<Session> {
    const field = (name: string) => requireCredential(this.#deps.credentials, name);
    const body = { account: field('account'), pwd: field('password') };
    const envelope = await this.#post(`${portalBase}/${paths.login}`, loginToken, body, 'login');
    const login = loginSchema.safeParse(envelope.data);
    if (!login.success) {
      throw withoutToken(envelope);
    }
    const { api, ...token } = login.data;
    return {
      token: token.token,
      apiHost: apiBaseOf(envelope.api ?? api ?? portalBase),
      extra: { tokenHeader: headerJson(token) },
    };
  }

  async #request(
    session: Session,
    path: Path,
    body: Readonly<Record<string, unknown>>,
  ): Promise<Envelope> {
    const token = session.extra['tokenHeader'] ?? '';
    return this.#post(`${session.apiHost}/${path}`, token, body, 'data');
  }

  async #post(
    url: string,
    token: string,
    body: Readonly<Record<string, unknown>>,
    kind: CallKind,
  ): Promise<Envelope> {
    const headers = { Accept: 'application/json', Token: token };
    const response = await postJson(this.#deps, url, body, headers);
    const what = kind === 'login' ? 'login' : nameOf(url);
    return openEnvelope(what, response, kind, {
      now: this.#deps.now,
      refusalOf: (code) => refusalOf(what, code, kind),
    });
  }
}

/** Gateways of SEMS+ answer the portal's paths with 404; the portal of the same region has them. */
const gateway = /^([a-z]+)-gateway\.semsportal\.com$/;

/**
 * Where the calls after a login go, without a slash at the end.
 *
 * @param api As the login gave it: `https://eu.semsportal.com/api/`; an older region says `http://…:82`, which is
 * reached by HTTPS too, so that no token leaves in the clear.
 * @throws AdapterError INVALID_DATA_FORMAT where it is not one of the vendor's hosts.
 */
export function apiBaseOf(api: string): string {
  const url = vendorUrl(api);
  const region = gateway.exec(url.hostname)?.[1];
  return region === undefined ? secureBase(url) : `https://${region}.semsportal.com/api`;
}

/**
 * A login that succeeded without a token: the portal answers so while an agreement waits to be signed, and for accounts
 * that were moved to SEMS+. Only a gateway in the answer tells the two apart.
 */
function withoutToken({ api, data }: Envelope): AdapterError {
  const named = api ?? tokenlessLoginSchema.safeParse(data).data?.api ?? '';
  const moved = URL.canParse(named) && gateway.test(new URL(named).hostname);
  return new AdapterError(
    'AUTH_FAILED',
    'ACCOUNT',
    moved
      ? 'login: accepted, but without a token; the account was moved to SEMS+: set portal to SEMS_PLUS'
      : 'login: accepted, but without a token; sign in to the portal once and accept what it asks, or set portal to SEMS_PLUS if the account was moved',
  );
}

import { createHash } from 'node:crypto';
import type * as z from 'zod';
import type { AdapterDeps } from '../contract.ts';
import { UnusableCredentials, invalidFormat } from '../adapter-error.ts';
import { check, parseJson } from '../json.ts';
import { retryAfterMs } from '../retry-after.ts';
import { AccountSession, type Denial, requireCredential, type Session } from '../session.ts';
import { postJson, type TransportResponse } from '../transport.ts';
import {
  codeOf,
  nothingUploadedCode,
  okCode,
  refusalByStatus,
  refusalOf,
  type Refused,
} from './refusals.ts';
import { envelopeSchema, tokenSchema } from './wire.schema.ts';

/** The data centres; an account lives in one of them only. */
const regions = ['eu1', 'us1', 'india'] as const;
const cloudDomain = 'developer.deyecloud.com';
/** What the vendor's own samples send as `companyId` for a personal account. */
const personalCompanyId = '0';

/**
 * DeyeCloud's session and envelope: logs in when needed, sends the token, tells refusals apart. Answers have no data
 * wrapper: what is validated is the whole answer. Calls are awaited one after the other, so that nothing goes out after
 * the vendor asked to be left alone.
 */
export class DeyeClient {
  readonly #deps: AdapterDeps;
  readonly #session: AccountSession;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
    this.#session = new AccountSession(deps, () => this.#login());
  }

  /**
   * The validated answer of one path below `/v1.0/`. An expired session is renewed once.
   *
   * @param options.renew False where an invalid token can only mean that the app has no right to the path, because the
   * same token has just served another: then no login is spent on it, and the refusal comes as AUTH_FAILED at once.
   * @throws AdapterError by the tables in `refusals.ts`; INVALID_DATA_FORMAT for answers without the needed form.
   */
  async call<T>(
    path: string,
    body: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    options: { renew: boolean } = { renew: true },
  ): Promise<T> {
    const denied: Denial = options.renew
      ? { scope: 'ACCOUNT', message: `${path}: a token just issued is called invalid` }
      : { scope: 'REQUEST', message: `${path}: the app has no right to it` };
    return this.#session.call(
      async (session) => check(schema, await this.#request(session, path, body), path),
      denied,
      options.renew ? 1 : 0,
    );
  }

  async logIn(): Promise<void> {
    await this.#session.logIn();
  }

  /** The vendor's refresh tokens are unreliable, so an old token is never refreshed: this is the only way to a new one. */
  async #login(): Promise<Session> {
    const { credentials } = this.#deps;
    const field = (name: string) => requireCredential(credentials, name, isBlank);
    const apiHost = apiHostOf(field('host'));
    const appId = encodeURIComponent(field('appId'));
    const password = createHash('sha256').update(field('password')).digest('hex');
    const response = await this.#post(`${apiHost}/v1.0/account/token?appId=${appId}`, null, {
      appSecret: field('appSecret'),
      email: field('email'),
      password,
      companyId: credentials['companyId']?.trim() || personalCompanyId,
    });
    const answer = this.#open(response, 'account/token', true);
    const { accessToken } = check(tokenSchema, answer, 'account/token');
    return { token: accessToken, apiHost, extra: {} };
  }

  async #request(
    session: Session,
    path: string,
    body: Readonly<Record<string, unknown>>,
  ): Promise<unknown> {
    const response = await this.#post(`${session.apiHost}/v1.0/${path}`, session.token, body);
    return this.#open(response, path, false);
  }

  async #post(
    url: string,
    token: string | null,
    body: Readonly<Record<string, unknown>>,
  ): Promise<TransportResponse> {
    const headers: Record<string, string> =
      token === null ? {} : { authorization: `bearer ${token}` };
    return postJson(this.#deps, url, body, headers);
  }

  /** The answer's body where it went well; what it means where it did not, thrown. */
  #open(response: TransportResponse, path: string, isLogin: boolean): unknown {
    const { status } = response;
    const waitMs = retryAfterMs(response, this.#deps.now);
    const refused: Refused = { path, isLogin, status, retryAfterMs: waitMs };
    if (status === 429) throw refusalByStatus(refused);
    const body = parseOrRefuse(response, refused);
    // A refusal need not have the form of an answer; its status is enough.
    const envelope =
      status < 400
        ? check(envelopeSchema, body, path)
        : (envelopeSchema.safeParse(body).data ?? {});
    const code = codeOf(envelope);
    if (status < 400) {
      if (code === okCode) return body;
      if (code === nothingUploadedCode && !isLogin) return nothingUploaded;
      if (code === '' && envelope.success === true) return body;
      if (code === '' && !saysItFailed(envelope)) {
        throw invalidFormat(`${path}: code is missing`);
      }
    }
    throw refusalOf(refused, envelope);
  }
}

function isBlank(value: string): boolean {
  return value.trim() === '';
}

/** "No upload records" in the form of every answer: lists are empty, values not said. */
const nothingUploaded = { total: 0, lastUpdateTime: null, deviceDataList: [] };

/** The body; where it is no JSON, the status speaks if it says more than that. */
function parseOrRefuse(response: TransportResponse, refused: Refused): unknown {
  const { status, body } = response;
  try {
    return parseJson(body);
  } catch (error) {
    const bareRefusal = (status === 401 || status === 403) && body.trim() === '';
    throw status >= 500 || bareRefusal ? refusalByStatus(refused) : error;
  }
}

function saysItFailed(envelope: z.infer<typeof envelopeSchema>): boolean {
  return (
    envelope.success === false || envelope.error !== undefined || envelope.status !== undefined
  );
}

/**
 * Where the account lives.
 *
 * @param host The region ("eu1") or the full host name; anything else is refused, so that only Deye gets the credentials.
 */
export function apiHostOf(host: string): string {
  const name = host.trim().toLowerCase();
  const region = regions.find((one) => name === one || name === `${one}-${cloudDomain}`);
  if (region === undefined) {
    throw new UnusableCredentials(`the account's host is none of ${regions.join(', ')}`);
  }
  return `https://${region}-${cloudDomain}`;
}

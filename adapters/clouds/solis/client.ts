import type * as z from 'zod';
import { AdapterError, type Refusal } from '../adapter-error.ts';
import type { AdapterDeps } from '../contract.ts';
import { check, parseJson } from '../json.ts';
import { troubleByStatus } from '../retry-after.ts';
import { send, type TransportResponse } from '../transport.ts';
import { signedHeaders } from './signing.ts';
import { envelopeSchema } from './wire.schema.ts';

const baseUrl = 'https://www.soliscloud.com:13333';

/** Two requests a second and endpoint (SolisCloud Platform API Document V2.0). */
const rateWindowMs = 1_000;
/** Where a quota is exceeded and no window is named. */
const unnamedQuotaMs = 60_000;
/** After a daily quota the next request follows an hour later: the end of the vendor's day is not published. */
const dailyQuotaMs = 3_600_000;

/** "The logger is offline": a state of the plant, told as an error. */
const loggerOfflineCode = 'B0115';

/** "Data abnormal, contact the administrator": said of plants of other accounts, and while the vendor's backend is in trouble. */
const abnormalCode = '1';

/** Any code that is not known. */
const failed: Refusal = ['VENDOR_ERROR', 'CLOUD', 'the vendor failed'];

/** Codes with a meaning of their own (manual, appendix 1, and vendors' users). */
const refusals: Readonly<Record<string, Refusal>> = {
  [abnormalCode]: ['VENDOR_ERROR', 'CLOUD', 'the vendor calls its data abnormal'],
  B0049: ['PLANT_NOT_FOUND', 'PLANT', 'the logger does not exist, or belongs to another account'],
  B0011: ['AUTH_FAILED', 'ACCOUNT', 'no such user'],
  I0000: ['UNKNOWN', 'REQUEST', 'a parameter is missing'],
  I0003: ['UNKNOWN', 'REQUEST', 'the serial number is missing'],
  I0012: ['AUTH_FAILED', 'ACCOUNT', 'wrong account or password'],
};

/** An answer that may be about the plant, the path or the account: the account's list of plants can tell. */
export class Unclear extends AdapterError {}

export interface Answer<T> {
  data: T;
  /** SolisCloud calls the plant's logger offline. */
  loggerOffline: boolean;
}

/** The logger is offline, and this endpoint tells nothing else of the plant. */
export function loggerOffline(endpoint: string): AdapterError {
  const message = `${endpoint}: the logger is offline (code ${loggerOfflineCode})`;
  return new AdapterError('VENDOR_ERROR', 'PLANT', message);
}

/**
 * One signed request to SolisCloud.
 *
 * @returns The validated `data`; null where the logger is offline and nothing is told.
 * @throws AdapterError as the table in README.md says.
 */
export async function request<T>(
  deps: AdapterDeps,
  endpoint: string,
  body: Readonly<Record<string, unknown>>,
  schema: z.ZodType<T>,
): Promise<Answer<T | null>> {
  const path = `/v1/api/${endpoint}`;
  const text = JSON.stringify(body);
  const response = await send(
    deps.transport,
    {
      method: 'POST',
      url: `${baseUrl}${path}`,
      headers: signedHeaders(signingKey(deps), path, text, deps.now.toUTCString()),
      body: text,
    },
    deps.signal,
  );
  refuseStatus(endpoint, response, deps.now);
  const { code, msg, data } = check(envelopeSchema, parseJson(response.body), endpoint);
  const isOffline = code === loggerOfflineCode;
  if ((code !== '0' && !isOffline) || response.status >= 400) throw refusal(endpoint, code, msg);
  const isEmpty = data === null || data === undefined;
  return {
    data: isOffline && isEmpty ? null : check(schema, data, endpoint),
    loggerOffline: isOffline,
  };
}

function signingKey({ credentials }: AdapterDeps): { keyId: string; keySecret: string } {
  const { keyId = '', keySecret = '' } = credentials as { keyId?: string; keySecret?: string };
  return { keyId, keySecret };
}

function refuseStatus(endpoint: string, response: TransportResponse, now: Date): void {
  const { status } = response;
  // What stands before the cloud refuses with a web page, which says nothing of the key.
  const isPage = response.body.trimStart().startsWith('<');
  if ((status === 401 || status === 403) && !isPage) {
    throw new AdapterError(
      'AUTH_FAILED',
      'ACCOUNT',
      `${endpoint}: the key or its signature was refused`,
    );
  }
  if (status === 408) {
    const message = `${endpoint}: the vendor finds our clock more than 15 min off`;
    throw new AdapterError('UNKNOWN', 'CLOUD', message);
  }
  const trouble = troubleByStatus(endpoint, response, now, rateWindowMs);
  if (trouble !== null) throw trouble;
}

function refusal(endpoint: string, code: string, msg: unknown): AdapterError {
  if (code === 'R0000') return authorityOrQuota(endpoint, String(msg));
  const [type, scope, words] = refusals[code] ?? failed;
  const shownCode = /^\w{1,12}$/.test(code) ? code : 'of an unknown form';
  const Refused = code === abnormalCode ? Unclear : AdapterError;
  return new Refused(type, scope, `${endpoint}: ${words} (code ${shownCode})`);
}

/** The words of a quota in the two languages in which SolisCloud answers: 频繁 frequent, 次数 number of times, 超过 and 超出 beyond, 限 limit. */
const quotaWords = /too many|times in|frequent|exceed|limit|频繁|次数|超过|超出|限流|上限/i;

/** R0000 says both "no authority" and "too many requests"; only its words tell which (mkuthan/solis-cloud-control#45). */
function authorityOrQuota(endpoint: string, msg: string): AdapterError {
  if (!quotaWords.test(msg)) {
    return new Unclear('AUTH_FAILED', 'REQUEST', `${endpoint}: no authority (code R0000)`, {
      certain: false,
    });
  }
  const daily = /\bin\s+\d*\s*days?/i.test(msg);
  return new AdapterError(
    'RATE_LIMIT_EXCEEDED',
    'ACCOUNT',
    `${endpoint}: too many requests (code R0000)`,
    { retryAfterMs: daily ? dailyQuotaMs : unnamedQuotaMs },
  );
}

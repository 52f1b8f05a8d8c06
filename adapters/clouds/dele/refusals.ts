import { AdapterError, type Refusal } from '../adapter-error.ts';
import type { WireEnvelope } from './wire.schema.ts';

/** The answer went well. In the Solarman variant `code` is null instead and `success` true. */
export const okCode = '1000000';

/** "No upload records": the plant or device has never sent anything. An answer without data, not a failure. */
export const nothingUploadedCode = '2101016';

/** "Too frequent" without a Retry-After: the vendor's default is 300 requests in 10 s for an app. */
const rateWindowMs = 10_000;

/** The app's allowance is used up until somebody buys more or the next period begins; asking once an hour finds out. */
const allowanceWaitMs = 3_600_000;

/** Any `code` that is not known. */
const failed: Refusal = ['VENDOR_ERROR', 'CLOUD', 'the vendor failed'];

/** `code`s that are no ordinary vendor trouble (vendor's list of codes; texts are ours). */
const refusalByCode: Readonly<Record<string, Refusal>> = {
  '2101003': ['AUTH_FAILED', 'ACCOUNT', 'the app is forbidden'],
  '2101005': ['UNKNOWN', 'REQUEST', 'a parameter is missing'],
  '2101006': ['UNKNOWN', 'REQUEST', 'a parameter is wrong'],
  '2101007': ['UNKNOWN', 'REQUEST', 'a list is too long'],
  '2101008': ['UNKNOWN', 'REQUEST', 'a parameter is of the wrong type'],
  '2101009': ['AUTH_FAILED', 'ACCOUNT', 'the app is locked'],
  '2101012': ['UNKNOWN', 'REQUEST', 'more than 30 days were asked for'],
  '2101013': ['UNKNOWN', 'REQUEST', 'more than 12 months were asked for'],
  '2101015': ['UNKNOWN', 'REQUEST', 'a date has the wrong form'],
  '2101020': ['AUTH_FAILED', 'ACCOUNT', 'the company id is wrong'],
  '2101021': ['AUTH_FAILED', 'ACCOUNT', 'the app id is wrong'],
  '2101023': ['AUTH_FAILED', 'PLANT', 'access was denied'],
  '2101024': ['PLANT_NOT_FOUND', 'PLANT', 'the account has no such plant'],
  // "Auth failed": after a good login it can only be about the request.
  '2101025': ['AUTH_FAILED', 'REQUEST', 'the credentials were refused'],
  '2101026': ['UNKNOWN', 'REQUEST', 'the page is too big'],
  '2101028': ['AUTH_FAILED', 'ACCOUNT', 'the user is unknown'],
  '2101031': ['PLANT_NOT_FOUND', 'PLANT', 'the account has no such plant'],
  '2101032': ['PLANT_NOT_FOUND', 'PLANT', 'the plant has no such device'],
  '3201001': ['VENDOR_ERROR', 'CLOUD', 'the service is unavailable'],
  '3501004': ['VENDOR_ERROR', 'CLOUD', "the vendor's own back end failed"],
};

/** Token missing, of another app, or invalid; the last one also where the app has no right to a path. */
const sessionCodes = new Set(['2101017', '2101018', '2101019']);

/** The token service says in words what is wrong; what speaks of credentials needs a person, the rest is trouble. */
const credentialWords =
  /\b(password|account|user ?(name)?|e-?mail|client|secret|app ?id|credentials?|locked|denied)\b/i;

export interface Refused {
  /** `station/latest`; names the call in messages. */
  path: string;
  isLogin: boolean;
  status: number;
  /** What Retry-After said. */
  retryAfterMs: number | undefined;
}

/** `code` as text; empty where there is none. */
export function codeOf(envelope: WireEnvelope): string {
  const { code } = envelope;
  return typeof code === 'string' || typeof code === 'number' ? String(code).trim() : '';
}

/**
 * What an answer that did not go well means: by its code where it has one, else by the Spring error body, else by the HTTP
 * status. The vendor's words never reach the message: they may name the account.
 */
export function refusalOf(refused: Refused, envelope: WireEnvelope): AdapterError {
  const code = codeOf(envelope);
  const status = statusOf(refused.status, envelope);
  if (/^\d{5,}$/.test(code)) return refusalByNumber(refused, code);
  if (isUndeclared(envelope)) return expired(refused, 'the vendor stumbled over the token');
  const words = code === '' ? textOf(envelope.error) : code;
  // A Spring error body has words in `error` too ("Internal Server Error"): there the status speaks.
  if (words !== '' && envelope.status === undefined) {
    if (!refused.isLogin && /token/i.test(words)) return expired(refused, 'the token is invalid');
    if (refused.isLogin && credentialWords.test(words)) {
      return new AdapterError('AUTH_FAILED', 'ACCOUNT', `${refused.path}: ${loginSentence(words)}`);
    }
  }
  return refusalByStatus(refused, status);
}

/** What an HTTP status alone means. */
export function refusalByStatus(refused: Refused, status = refused.status): AdapterError {
  const what = `${refused.path}: HTTP ${status}`;
  if (status === 429) return rateLimited(what, refused.retryAfterMs ?? rateWindowMs);
  if (status === 401) return expired(refused, 'HTTP 401');
  if (status === 403) {
    const scope = refused.isLogin ? 'ACCOUNT' : 'REQUEST';
    return new AdapterError('AUTH_FAILED', scope, `${what}, access was denied`);
  }
  return new AdapterError(
    'VENDOR_ERROR',
    'CLOUD',
    status >= 400 ? what : `${refused.path}: refused without a code that is known`,
  );
}

function refusalByNumber(refused: Refused, code: string): AdapterError {
  const what = `${refused.path}: code ${code.slice(0, 10)}`;
  if (sessionCodes.has(code)) return expired(refused, `code ${code}`);
  switch (code) {
    case '2101002':
      return rateLimited(`${what}, called too often`, refused.retryAfterMs ?? rateWindowMs);
    case '2101010':
      return rateLimited(
        `${what}, the app's allowance is used up`,
        refused.retryAfterMs ?? allowanceWaitMs,
      );
    default: {
      const [type, scope, words] = refusalByCode[code] ?? failed;
      const isOfLogin = refused.isLogin && type === 'AUTH_FAILED';
      return new AdapterError(type, isOfLogin ? 'ACCOUNT' : scope, `${what}, ${words}`);
    }
  }
}

/** A session that is gone; at the login itself there is none to renew, so there it is a refusal of the credentials. */
function expired({ path, isLogin }: Refused, why: string): AdapterError {
  const what = isLogin ? 'the credentials were refused' : 'the session is gone';
  return new AdapterError('AUTH_FAILED', 'ACCOUNT', `${path}: ${what} (${why})`, {
    sessionExpired: !isLogin,
  });
}

function rateLimited(message: string, retryAfterMs: number): AdapterError {
  return new AdapterError('RATE_LIMIT_EXCEEDED', 'ACCOUNT', message, { retryAfterMs });
}

/** An expired token has come as HTTP 500 with a Spring body that names `UndeclaredThrowableException`. */
function isUndeclared(envelope: WireEnvelope): boolean {
  return /Undeclared/.test(textOf(envelope.exception)) || /Undeclared/.test(textOf(envelope.error));
}

/** The HTTP status, or the worse one that a Spring error body carries inside an HTTP 200. */
function statusOf(status: number, envelope: WireEnvelope): number {
  const inBody = envelope.status;
  return status < 400 && typeof inBody === 'number' && inBody >= 400 ? inBody : status;
}

function loginSentence(words: string): string {
  if (/password/i.test(words)) return 'wrong password';
  if (/lock/i.test(words)) return 'the account is locked';
  if (/exist|not found|no such/i.test(words)) {
    return 'the account is unknown here; accounts live in one region only, so check the host too';
  }
  return 'the credentials were refused';
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}

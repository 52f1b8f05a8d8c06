import { AdapterError } from '../adapter-error.ts';
import { troubleByStatus } from '../retry-after.ts';
import type { TransportResponse } from '../transport.ts';

/** How long the vendor is left alone after "slow down" without a time: what working clients wait, no window is published. */
export const slowDownMs = 300_000;

/** Codes of a success: 0 or "0" by server region, "00000" since SEMS+. */
const successCodes = new Set(['0', '00000']);

export function isSuccess(code: string | number): boolean {
  return successCodes.has(String(code).trim());
}

/** Which kind of call was refused: some codes mean another thing for a login. */
export type CallKind = 'login' | 'data';

/**
 * What a code other than success means. They come with HTTP 200, as number or text, with texts in changing languages.
 *
 * @returns AdapterError: 100002 of a data call as an expired session, GY0429 as RATE_LIMIT_EXCEEDED with the time to wait,
 * a code that is not known as VENDOR_ERROR.
 */
export function refusalOf(what: string, code: string | number, kind: CallKind): AdapterError {
  const name = codeName(code);
  const refused = (type: AdapterError['type'], words: string, more = {}): AdapterError =>
    new AdapterError(type, `${what}: code ${name}, ${words}`, more);
  switch (name) {
    case 'GY0429':
      return refused('RATE_LIMIT_EXCEEDED', 'called too often', { retryAfterMs: slowDownMs });
    case '100001':
      return refused('AUTH_FAILED', 'not logged in');
    case '100002':
      return refused('AUTH_FAILED', 'the session is gone', { sessionExpired: kind === 'data' });
    case '100004':
      // "Parameter error". A login has no other parameter than the credentials: since SEMS+ it means "set a new password".
      // A question has none that differs from plant to plant but the plant's id.
      return kind === 'login'
        ? refused('AUTH_FAILED', 'the account needs a new password')
        : refused('PLANT_NOT_FOUND', "a parameter was refused, most likely the plant's id");
    case '100005':
      return refused('AUTH_FAILED', 'wrong account or password');
    case '100000':
      return refused('VENDOR_ERROR', 'a failure inside the portal');
    default:
      return refused('VENDOR_ERROR', 'an answer that is not known');
  }
}

/** Refusals that the HTTP status alone decides; null where the body has to be read first. */
export function refusalByStatus(
  what: string,
  response: TransportResponse,
  kind: CallKind,
  now: Date,
): AdapterError | null {
  const trouble = troubleByStatus(what, response, now, slowDownMs);
  if (trouble !== null) return trouble;
  return response.body.trim() === '' ? refusalWithoutCode(what, response.status, kind) : null;
}

/**
 * What an error status means whose body carries no code of the portal, such as the gateway's 404 "Route Not Found" for a
 * path that moved to SEMS+; null for HTTP 200 and the like.
 */
export function refusalWithoutCode(
  what: string,
  status: number,
  kind: CallKind,
): AdapterError | null {
  if (status < 300) return null;
  const denied = status === 401 || status === 403;
  return new AdapterError(denied ? 'AUTH_FAILED' : 'VENDOR_ERROR', `${what}: HTTP ${status}`, {
    sessionExpired: status === 401 && kind === 'data',
  });
}

/** A code fit for a message: the vendor's codes are short words, anything else is not repeated. */
function codeName(code: string | number): string {
  const name = String(code).trim().toUpperCase();
  return /^[A-Z0-9_.-]{1,20}$/.test(name) ? name : 'unreadable';
}

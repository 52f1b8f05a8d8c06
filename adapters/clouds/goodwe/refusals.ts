import { AdapterError, badRequest, type Refusal } from '../adapter-error.ts';
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
  const refused = ([type, scope, words]: Refusal, more = {}): AdapterError =>
    new AdapterError(type, scope, `${what}: code ${name}, ${words}`, more);
  const isLogin = kind === 'login';
  switch (name) {
    case 'GY0429':
      return refused(['RATE_LIMIT_EXCEEDED', 'ACCOUNT', 'called too often'], {
        retryAfterMs: slowDownMs,
      });
    case '100001':
      // "Not logged in", or a parameter is missing: only for a login it is a word about the account.
      return refused(['AUTH_FAILED', 'ACCOUNT', 'not logged in'], { certain: isLogin });
    case '100002':
      return refused(['AUTH_FAILED', 'ACCOUNT', 'the session is gone'], {
        sessionExpired: !isLogin,
      });
    case '100004':
      // "Parameter error". Since 23 September 2026 logins get it that were good before; nothing published says why.
      if (isLogin) {
        const sentence = 'SEMS refuses this login (100004)';
        return new AdapterError('AUTH_FAILED', 'ACCOUNT', sentence);
      }
      return badRequest(`${what}: code ${name}, a parameter was refused`);
    case '100005':
      return refused(['AUTH_FAILED', 'ACCOUNT', 'wrong account or password']);
    case '100000':
      return refused(['VENDOR_ERROR', 'CLOUD', 'a failure inside the portal']);
    default:
      return refused(['VENDOR_ERROR', 'CLOUD', 'an answer that is not known']);
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
  if (!denied) return new AdapterError('VENDOR_ERROR', 'CLOUD', `${what}: HTTP ${status}`);
  return new AdapterError('AUTH_FAILED', 'ACCOUNT', `${what}: HTTP ${status}`, {
    certain: kind === 'login',
    sessionExpired: status === 401 && kind === 'data',
  });
}

/** A code fit for a message: the vendor's codes are short words, anything else is not repeated. */
export function codeName(code: string | number): string {
  const name = String(code).trim().toUpperCase();
  return /^[A-Z0-9_.-]{1,20}$/.test(name) ? name : 'unreadable';
}

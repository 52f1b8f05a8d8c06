import type { FailureScope } from '../../../domain/plants/plant.ts';
import { AdapterError, badRequest, type Refusal } from '../adapter-error.ts';
import { troubleByStatus } from '../retry-after.ts';
import type { TransportResponse } from '../transport.ts';

/** The paths below `/thirdData/` that this adapter calls. */
export type HuaweiPath =
  | 'login'
  | 'getStationRealKpi'
  | 'getDevList'
  | 'getDevRealKpi'
  | 'getKpiStationDay'
  | 'getAlarmList';

const minuteMs = 60_000;
const dayMs = 86_400_000;

/**
 * How long a path is left alone when the vendor says "too frequent" without saying until when: the window of its quota in
 * the northbound manual. getKpiStationDay has 24 calls and a few a day, so one an hour. For getDevList no figure is known;
 * it waits as long as the other paths of an ordinary poll.
 */
export const quotaWindowMs: Readonly<Record<HuaweiPath, number>> = {
  login: 10 * minuteMs,
  getStationRealKpi: 5 * minuteMs,
  getDevList: 5 * minuteMs,
  getDevRealKpi: 5 * minuteMs,
  getKpiStationDay: 60 * minuteMs,
  getAlarmList: 30 * minuteMs,
};

/** The gateway's "too many calls"; it comes as HTTP 403 and has nothing to do with rights. */
const gatewayQuotaCode = '49401021002';

/** Any `failCode` that is not known. */
const notServed: Refusal = ['VENDOR_ERROR', 'CLOUD', 'the request was not served'];

/** `failCode`s with a meaning of their own. The words are ours: the vendor's `message` is mostly null. */
const refusalByCode: Readonly<Record<number, Refusal>> = {
  20001: ['AUTH_FAILED', 'ACCOUNT', 'the third-party account does not exist'],
  20002: ['AUTH_FAILED', 'ACCOUNT', 'the third-party account is forbidden'],
  20003: ['AUTH_FAILED', 'ACCOUNT', 'the third-party account has expired'],
  20004: ['VENDOR_ERROR', 'CLOUD', 'the server is in trouble'],
  20006: ['UNKNOWN', 'REQUEST', 'a device is of another type'],
  20007: ['PLANT_NOT_FOUND', 'PLANT', 'the account has no such plant'],
  20008: ['PLANT_NOT_FOUND', 'PLANT', 'the plant has no such device'],
  20009: ['UNKNOWN', 'REQUEST', 'figures of this kind are not set up'],
  20010: ['PLANT_NOT_FOUND', 'PLANT', 'no plant or device was named'],
  20014: ['UNKNOWN', 'REQUEST', 'more than 100 plants or devices were named'],
  20023: ['UNKNOWN', 'REQUEST', 'a time or the language is wrong'],
  20024: ['UNKNOWN', 'REQUEST', 'a time or the language is wrong'],
  20025: ['UNKNOWN', 'REQUEST', 'a time or the language is wrong'],
  20026: ['UNKNOWN', 'REQUEST', 'a time or the language is wrong'],
  20027: ['UNKNOWN', 'REQUEST', 'a time or the language is wrong'],
  20056: [
    'AUTH_FAILED',
    'PLANT',
    'the account may not read this plant (any more): its owner must authorise the account in FusionSolar',
  ],
  20200: ['VENDOR_ERROR', 'CLOUD', 'the server is busy'],
  20400: ['AUTH_FAILED', 'ACCOUNT', 'wrong user name or system code'],
  20403: ['AUTH_FAILED', 'ACCOUNT', 'wrong user name or system code, or the account is locked'],
  30029: ['AUTH_FAILED', 'ACCOUNT', 'the login was refused'],
};

/**
 * What a non-zero `failCode` means (northbound manual; 407 also with its words in `data`).
 *
 * @returns AdapterError: 305 as an expired session, 407 and 20618 as RATE_LIMIT_EXCEEDED with the time to wait. A refused
 * login is about the account, whatever the code.
 */
export function refusalOf(path: HuaweiPath, failCode: number, now: Date): AdapterError {
  const what = `${path}: failCode ${failCode}`;
  switch (failCode) {
    case 305:
      return new AdapterError('AUTH_FAILED', 'ACCOUNT', `${what}, the session is gone`, {
        sessionExpired: true,
      });
    case 401:
      return new AdapterError('AUTH_FAILED', refusedScope(path, 'REQUEST'), noRightSentence(path));
    case 407:
      return new AdapterError('RATE_LIMIT_EXCEEDED', 'REQUEST', `${what}, called too often`, {
        retryAfterMs: quotaWindowMs[path],
      });
    case 20618:
      // The vendor counts days by its own clock; its servers in Europe count them by UTC.
      return new AdapterError(
        'RATE_LIMIT_EXCEEDED',
        'REQUEST',
        `${what}, the day's calls are used up`,
        { retryAfterMs: dayMs - (now.getTime() % dayMs) },
      );
    default: {
      const [type, scope, words] = refusalByCode[failCode] ?? notServed;
      return new AdapterError(type, refusedScope(path, scope), `${what}, ${words}`);
    }
  }
}

/** Every account may log in, so that a refusal of the login is one of the account. */
function refusedScope(path: HuaweiPath, scope: FailureScope): FailureScope {
  return path === 'login' && scope !== 'CLOUD' ? 'ACCOUNT' : scope;
}

/** Without getStationRealKpi no plant of the account has a summary; the login works all the same, so that nothing is paused. */
function noRightSentence(path: HuaweiPath): string {
  const sentence = `${path}: failCode 401, the account has no right to this interface`;
  return path === 'getStationRealKpi'
    ? `${sentence}, which every plant needs: grant it to the northbound user in FusionSolar`
    : sentence;
}

/** Refusals that the HTTP status alone decides; null where the body has to be read first. */
export function refusalByStatus(
  path: HuaweiPath,
  response: TransportResponse,
  now: Date,
): AdapterError | null {
  const trouble = troubleByStatus(path, response, now, quotaWindowMs[path]);
  if (trouble !== null) return trouble;
  const { status } = response;
  // A bare refusal; the quota gateway always sends a body, and HTML is told apart by the parser.
  if ((status === 401 || status === 403) && response.body.trim() === '')
    return denied(path, status);
  return null;
}

/**
 * What an answer without `failCode` means: it did not come from the application but from what stands before it.
 * Null where it is none of the known refusals.
 */
export function gatewayRefusal(
  path: HuaweiPath,
  status: number,
  body: { exceptionId?: unknown; errorCode?: unknown },
): AdapterError | null {
  if (String(body.errorCode) === gatewayQuotaCode) {
    return new AdapterError(
      'RATE_LIMIT_EXCEEDED',
      'REQUEST',
      `${path}: the gateway's quota is used up`,
      { retryAfterMs: quotaWindowMs[path] },
    );
  }
  if (status === 401 || status === 403) return denied(path, status);
  if (status === 400 && body.exceptionId !== undefined) {
    return badRequest(`${path}: HTTP 400, a parameter is wrong`);
  }
  if (body.exceptionId !== undefined || body.errorCode !== undefined || status >= 400) {
    return new AdapterError('VENDOR_ERROR', 'CLOUD', `${path}: refused with HTTP ${status}`);
  }
  return null;
}

/** HTTP 401 or 403 without a code of the application: only for a login that is the vendor's word about the account. */
function denied(path: HuaweiPath, status: number): AdapterError {
  const certain = path === 'login';
  return new AdapterError('AUTH_FAILED', 'ACCOUNT', `${path}: HTTP ${status}`, { certain });
}

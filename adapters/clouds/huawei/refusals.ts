import { AdapterError } from '../adapter-error.ts';
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

/** `failCode`s with a meaning of their own; any other is VENDOR_ERROR. The words are ours: the vendor's `message` is mostly null. */
const refusalByCode: Readonly<Record<number, readonly [AdapterError['type'], string]>> = {
  401: ['AUTH_FAILED', 'the account has no right to this interface'],
  20001: ['AUTH_FAILED', 'the third-party account does not exist'],
  20002: ['AUTH_FAILED', 'the third-party account is forbidden'],
  20003: ['AUTH_FAILED', 'the third-party account has expired'],
  20004: ['VENDOR_ERROR', 'the server is in trouble'],
  20007: ['PLANT_NOT_FOUND', 'the account has no such plant'],
  20008: ['PLANT_NOT_FOUND', 'the plant has no such device'],
  20010: ['PLANT_NOT_FOUND', 'no plant or device was named'],
  20200: ['VENDOR_ERROR', 'the server is busy'],
  20400: ['AUTH_FAILED', 'wrong user name or system code'],
  20403: ['AUTH_FAILED', 'wrong user name or system code, or the account is locked'],
  30029: ['AUTH_FAILED', 'the login was refused'],
};

/**
 * What a non-zero `failCode` means (northbound manual; 407 also with its words in `data`).
 *
 * @returns AdapterError: 305 as an expired session, 407 and 20618 as RATE_LIMIT_EXCEEDED with the time to wait.
 */
export function refusalOf(path: HuaweiPath, failCode: number, now: Date): AdapterError {
  const what = `${path}: failCode ${failCode}`;
  switch (failCode) {
    case 305:
      return new AdapterError('AUTH_FAILED', `${what}, the session is gone`, {
        sessionExpired: true,
      });
    case 407:
      return new AdapterError('RATE_LIMIT_EXCEEDED', `${what}, called too often`, {
        retryAfterMs: quotaWindowMs[path],
      });
    case 20618:
      // The vendor counts days by its own clock; its servers in Europe count them by UTC.
      return new AdapterError('RATE_LIMIT_EXCEEDED', `${what}, the day's calls are used up`, {
        retryAfterMs: dayMs - (now.getTime() % dayMs),
      });
    default: {
      const [type, words] = refusalByCode[failCode] ?? [
        'VENDOR_ERROR',
        'the request was not served',
      ];
      return new AdapterError(type, `${what}, ${words}`);
    }
  }
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
    return new AdapterError('RATE_LIMIT_EXCEEDED', `${path}: the gateway's quota is used up`, {
      retryAfterMs: quotaWindowMs[path],
    });
  }
  if (status === 401 || status === 403) return denied(path, status);
  if (body.exceptionId !== undefined || body.errorCode !== undefined || status >= 400) {
    return new AdapterError('VENDOR_ERROR', `${path}: refused with HTTP ${status}`);
  }
  return null;
}

function denied(path: HuaweiPath, status: number): AdapterError {
  return new AdapterError('AUTH_FAILED', `${path}: HTTP ${status}`);
}

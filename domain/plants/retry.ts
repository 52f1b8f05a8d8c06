import type { AdapterErrorType } from './plant.ts';

/** What the loop does after a vendor's failure. Workflows import this file: types are its only imports. */
export type AfterAttempt = { next: 'DONE' } | { next: 'RETRY'; waitMs: number };

/** A third attempt would only eat into the vendor's request budget: the next slot is the third attempt. */
const attemptsMax = 2;
/** Long enough for a hiccup to pass, short enough for the poll to stay near its slot. */
const secondAttemptWaitMs = 5_000;
/** A longer rate limit is left to the next slot, so that no poll grows into the one after it. */
const rateLimitWaitMsMax = 60_000;

/** Repeating these makes them worse (vendors lock accounts) or changes nothing. */
const neverRetried: ReadonlySet<AdapterErrorType> = new Set([
  'AUTH_FAILED',
  'PLANT_NOT_FOUND',
  'INVALID_DATA_FORMAT',
]);

/**
 * Decides on another attempt; `attemptsMade` counts the failed one. A rate limit is waited out up to 60 s, inclusive; one
 * whose end the vendor does not name is left to the next slot.
 */
export function afterAttempt(
  failure: { type: AdapterErrorType; retryAfterMs?: number | undefined },
  attemptsMade: number,
): AfterAttempt {
  if (attemptsMade >= attemptsMax || neverRetried.has(failure.type)) return { next: 'DONE' };
  if (failure.type !== 'RATE_LIMIT_EXCEEDED') {
    return { next: 'RETRY', waitMs: secondAttemptWaitMs };
  }
  const { retryAfterMs } = failure;
  if (retryAfterMs === undefined || !(retryAfterMs <= rateLimitWaitMsMax)) {
    return { next: 'DONE' };
  }
  return { next: 'RETRY', waitMs: Math.max(secondAttemptWaitMs, Math.ceil(retryAfterMs)) };
}

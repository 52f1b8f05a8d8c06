import type { AdapterErrorType } from './plant.ts';

/** What the loop does after a vendor's failure. Workflows import this file: types are its only imports. */
export type AfterAttempt = { next: 'DONE' } | { next: 'RETRY'; waitMs: number };

/** A third attempt would only use up the vendor's request budget; the next slot tries again anyway. */
const attemptsMax = 2;
/** Long enough for a hiccup to pass, short enough for the poll to stay near its slot. */
const secondAttemptWaitMs = 5_000;
/** A poll does not wait for a longer rate limit, so that it does not run into the next slot. */
const rateLimitWaitMsMax = 60_000;

/** A repetition makes these errors worse (vendors lock accounts) or changes nothing. */
const neverRetried: ReadonlySet<AdapterErrorType> = new Set([
  'AUTH_FAILED',
  'PLANT_NOT_FOUND',
  'INVALID_DATA_FORMAT',
]);

/**
 * Decides on another attempt; `attemptsMade` includes the failed one. It waits for a rate limit of up to 60 s, inclusive. A
 * rate limit without a stated end ends the poll.
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

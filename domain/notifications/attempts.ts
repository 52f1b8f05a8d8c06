import { hourMs, minuteMs } from '../zone.ts';

/** When a delivery that failed is tried again, and when it is given up. */

const firstWaitMs = minuteMs;
const waitMsMax = hourMs;
/** A delivery that could not be made for so long is given up: what it tells is old. */
export const deadAfterMs = 24 * hourMs;
/** A claim that is not answered within this time is anybody's: its worker was lost. More than an attempt may take. */
export const leaseMs = minuteMs;

/**
 * When the next attempt is due, ms: 1, 2, 4 … 60 min after the last one, or after the time that the receiver named, if that
 * is later. null: the delivery is given up.
 *
 * @param attempts made so far, at least one.
 */
export function nextAttemptAtMs(
  {
    attempts,
    createdAtMs,
    retryAfterMs = 0,
  }: { attempts: number; createdAtMs: number; retryAfterMs?: number },
  nowMs: number,
): number | null {
  const waitMs = Math.min(firstWaitMs * 2 ** (attempts - 1), waitMsMax);
  const atMs = nowMs + Math.max(waitMs, retryAfterMs);
  return atMs - createdAtMs > deadAfterMs ? null : atMs;
}

/** How late a fleet's slots were polled, and since when it is as punctual again as it was. */

/** A due slot and what became of it. */
export interface Slot {
  atMs: number;
  /** From the slot to the start of its poll; Infinity where nobody polled it, or has not yet. */
  lateMs: number;
}

/** The window over which punctuality is judged. */
export const windowMs = 10_000;
/** From one window that is looked at to the next. */
const stepMs = 500;
/** A window of fewer slots says nothing. */
const slotsMin = 20;
/** What is wanted of a fleet anyway: whoever is so punctual has recovered, however good it was before. */
const punctualMs = 100;

export interface Lateness {
  slots: number;
  p50Ms: number;
  p99Ms: number;
}

/**
 * Of the slots with `fromMs` ≤ instant < `toMs`; null without any. Where they are fewer than a hundred, p99 leaves out one
 * all the same: else a window of one brand would be judged by its single worst slot, and that of a fleet not.
 */
export function latenessOf(slots: readonly Slot[], fromMs: number, toMs: number): Lateness | null {
  const late = slots
    .filter((slot) => slot.atMs >= fromMs && slot.atMs < toMs)
    .map((slot) => slot.lateMs)
    .sort((a, b) => a - b);
  if (late.length === 0) return null;
  const value = (rank: number) => late[Math.max(0, rank - 1)] ?? NaN;
  return {
    slots: late.length,
    p50Ms: value(Math.ceil(late.length / 2)),
    p99Ms: value(Math.min(late.length - 1, Math.ceil(0.99 * late.length))),
  };
}

/** Below this the p99 of a window is as before: twice the baseline's. */
export function recoveredBelowMs(baseline: Lateness): number {
  return Math.max(2 * baseline.p99Ms, punctualMs);
}

/**
 * The beginning of the first window at or after `fromMs` whose p99 is below the limit; null where no window that ends by
 * `toMs` is.
 */
export function recoveredAtMs(
  slots: readonly Slot[],
  fromMs: number,
  toMs: number,
  limitMs: number,
): number | null {
  for (let beginMs = fromMs; beginMs + windowMs <= toMs; beginMs += stepMs) {
    const lateness = latenessOf(slots, beginMs, beginMs + windowMs);
    if (lateness !== null && lateness.slots >= slotsMin && lateness.p99Ms < limitMs) return beginMs;
  }
  return null;
}

import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits for `ms` and never a moment less. Node's own timers may end a millisecond early, and a vendor would then be asked
 * before the slot, in the interval before.
 *
 * @throws the signal's reason as soon as it is aborted, even when `ms` is 0.
 */
export async function waitAtLeast(ms: number, signal: AbortSignal): Promise<void> {
  const endsAtMs = performance.now() + ms;
  for (let leftMs = ms; ; leftMs = endsAtMs - performance.now()) {
    signal.throwIfAborted();
    if (leftMs <= 0) return;
    // Only an abort rejects this; the next turn throws its reason.
    await delay(leftMs, undefined, { signal }).catch(() => {});
  }
}

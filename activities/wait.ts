/**
 * Waits for so many ms and never a moment less: Node's own timers may end a millisecond early, and a vendor would be asked
 * before the slot, in the interval before.
 *
 * @throws the signal's reason as soon as it is aborted, even when `ms` is 0.
 */
export async function waitAtLeast(ms: number, signal: AbortSignal): Promise<void> {
  const endsAtMs = performance.now() + ms;
  for (let leftMs = ms; ; leftMs = endsAtMs - performance.now()) {
    signal.throwIfAborted();
    if (leftMs <= 0) return;
    await timer(leftMs, signal);
  }
}

function timer(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(waiting);
      reject(signal.reason);
    };
    const waiting = setTimeout(() => {
      signal.removeEventListener('abort', end);
      resolve();
    }, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}

/**
 * Returns a function that calls `read` at most once in `keptMs` and shares its value between callers. The time counts from the
 * end of a reading; all who call while it runs wait for it. A failure rejects for those callers and is not kept. The arguments
 * do not matter: a kept value is returned for any of them.
 */
export function keptFor<Given extends unknown[], Value>(
  keptMs: number,
  read: (...given: Given) => Promise<Value>,
): (...given: Given) => Promise<Value> {
  let kept: { endedAt: number; value: Promise<Value> } | null = null;
  return (...given) => {
    if (kept === null || performance.now() - kept.endedAt > keptMs) {
      const reading = { endedAt: Number.POSITIVE_INFINITY, value: read(...given) };
      kept = reading;
      reading.value.then(
        () => (reading.endedAt = performance.now()),
        () => {
          if (kept === reading) kept = null;
        },
      );
    }
    return kept.value;
  };
}

/**
 * Reads at most once in `keptMs`, however many ask. The age counts from the end of a reading: while one runs, all wait for
 * it. A failure is told to those who waited, and not kept. What is given to `read` makes no difference.
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

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { stuckAfterMs, watchThreads } from './workflow-threads.ts';

describe('the watch over workflow threads', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function watched(...values: number[]) {
    const counters = values.map((value) => {
      const counter = new Int32Array(new SharedArrayBuffer(4));
      counter[0] = value;
      return counter;
    });
    const onStuck = vi.fn<() => void>();
    return { counters, onStuck, watch: watchThreads(counters, onStuck) };
  }

  test('a thread that does not come back is told of once', () => {
    const { onStuck, watch } = watched(1);
    // Seen within at the first look, and for the whole time after it.
    vi.advanceTimersByTime(stuckAfterMs);
    expect(onStuck).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    expect(onStuck).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(10 * stuckAfterMs);
    expect(onStuck).toHaveBeenCalledTimes(1);
    watch.stop();
  });

  test('a thread outside of workflow code may stay there, a busy one goes in and out', () => {
    const { counters, onStuck, watch } = watched(2, 1);
    for (let second = 0; second < 60; second += 1) {
      vi.advanceTimersByTime(1_000);
      Atomics.add(counters[1] as Int32Array, 0, 2);
    }
    expect(onStuck).not.toHaveBeenCalled();
    watch.stop();
  });

  test('each stuck thread is told of, also one that was added later', () => {
    const { counters, onStuck, watch } = watched(1);
    vi.advanceTimersByTime(2 * stuckAfterMs);
    const late = new Int32Array(new SharedArrayBuffer(4));
    late[0] = 7;
    counters.push(late);
    vi.advanceTimersByTime(2 * stuckAfterMs);
    expect(onStuck).toHaveBeenCalledTimes(2);
    watch.stop();
  });
});

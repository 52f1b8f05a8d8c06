import { describe, expect, test } from 'vitest';

import { latenessOf, recoveredAtMs, recoveredBelowMs, type Slot } from './lateness.ts';

/** Ten slots a second for 40 s, each as late as `lateMs` says of its second. */
function slots(lateMs: (second: number) => number): Slot[] {
  return Array.from({ length: 400 }, (_, n) => ({
    atMs: n * 100,
    lateMs: lateMs(Math.floor(n / 10)),
  }));
}

describe('lateness', () => {
  test('p99 is the value that one in a hundred exceeds', () => {
    const values = Array.from({ length: 100 }, (_, n) => ({ atMs: n, lateMs: n + 1 }));
    expect(latenessOf(values, 0, 100)).toEqual({ slots: 100, p50Ms: 50, p99Ms: 99 });
    expect(latenessOf(values, 200, 300)).toBeNull();
  });

  test('the limit is twice the baseline, and never less than what is wanted anyway', () => {
    expect(recoveredBelowMs({ slots: 200, p50Ms: 10, p99Ms: 80 })).toBe(160);
    expect(recoveredBelowMs({ slots: 200, p50Ms: 10, p99Ms: 20 })).toBe(100);
  });

  test('recovery begins with the first window of ten seconds that is punctual', () => {
    const fleet = slots((second) => (second >= 10 && second < 17 ? 5_000 : 20));
    expect(recoveredAtMs(fleet, 10_000, 40_000, 100)).toBe(17_000);
    expect(recoveredAtMs(fleet, 20_000, 40_000, 100)).toBe(20_000);
  });

  test('there is none while a whole window has not passed', () => {
    const fleet = slots((second) => (second >= 10 && second < 17 ? 5_000 : 20));
    expect(recoveredAtMs(fleet, 10_000, 26_900, 100)).toBeNull();
  });

  test('several slots that nobody polled keep a window of a hundred from counting, one does not', () => {
    const missed = (count: number) => {
      const fleet = slots(() => 20);
      for (let n = 200; n < 200 + count; n += 1) fleet[n] = { atMs: n * 100, lateMs: Infinity };
      return recoveredAtMs(fleet, 15_000, 40_000, 100);
    };
    expect(missed(1)).toBe(15_000);
    expect(missed(6)).toBe(20_500);
  });

  test('a window of few slots says nothing', () => {
    expect(recoveredAtMs(slots(() => 0).slice(0, 19), 0, 40_000, 100)).toBeNull();
  });
});

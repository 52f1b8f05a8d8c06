import { describe, expect, test } from 'vitest';

import { drawMood, type VendorMood } from './latency.ts';

const draws = 50_000;

function drawMany(kind: 'ORDINARY' | 'CALM', seed: number): VendorMood[] {
  return Array.from({ length: draws }, (_, n) =>
    drawMood({ kind }, seed, `plant-${n % 500}/0/${n}`),
  );
}

function percentile(moods: readonly VendorMood[], share: number): number {
  const sorted = moods.map(({ latencyMs }) => latencyMs).toSorted((a, b) => a - b);
  return sorted[Math.floor(share * sorted.length)] ?? NaN;
}

describe('the seeded vendor', () => {
  test.for([1, 2, 77])('answers half within 80 ms and 99 % within 900 ms, seed %i', (seed) => {
    const moods = drawMany('ORDINARY', seed);
    expect(percentile(moods, 0.5)).toBeGreaterThan(77);
    expect(percentile(moods, 0.5)).toBeLessThan(83);
    expect(percentile(moods, 0.99)).toBeGreaterThan(820);
    expect(percentile(moods, 0.99)).toBeLessThan(980);
  });

  test.for([1, 2, 77])('hangs and refuses once in a hundred calls each, seed %i', (seed) => {
    const moods = drawMany('ORDINARY', seed);
    for (const kind of ['HANG', 'RATE_LIMIT'] as const) {
      const share = moods.filter((mood) => mood.kind === kind).length / draws;
      expect(share).toBeGreaterThan(0.008);
      expect(share).toBeLessThan(0.012);
    }
  });

  test('is the same for the same seed and call, and another for any other', () => {
    const ordinary = { kind: 'ORDINARY' } as const;
    expect(drawMood(ordinary, 7, 'a/0/1')).toEqual(drawMood(ordinary, 7, 'a/0/1'));
    expect(drawMood(ordinary, 7, 'a/0/1')).not.toEqual(drawMood(ordinary, 8, 'a/0/1'));
    expect(drawMood(ordinary, 7, 'a/0/1')).not.toEqual(drawMood(ordinary, 7, 'a/0/2'));
    expect(drawMood(ordinary, 7, 'a/0/1')).not.toEqual(drawMood(ordinary, 7, 'b/0/1'));
  });

  test('only answers when it is calm, and always after as long when it is steady', () => {
    expect(drawMany('CALM', 1).every(({ kind }) => kind === 'ANSWER')).toBe(true);
    expect(drawMood({ kind: 'STEADY', ms: 3_000 }, 1, 'a')).toEqual({
      kind: 'ANSWER',
      latencyMs: 3_000,
    });
  });
});

import { expect, test } from 'vitest';

import { hourMs, minuteMs } from '../zone.ts';
import { nextAttemptAtMs } from './attempts.ts';

test('attempts follow after 1, 2, 4 … 60 minutes, and end a day after the first', () => {
  const waits: number[] = [];
  let nowMs = 0;
  for (let attempts = 1; ; attempts += 1) {
    const nextMs = nextAttemptAtMs({ attempts, createdAtMs: 0 }, nowMs);
    if (nextMs === null) break;
    waits.push((nextMs - nowMs) / minuteMs);
    nowMs = nextMs;
  }
  expect(waits.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  expect(nowMs).toBeLessThanOrEqual(24 * hourMs);
  expect(nowMs).toBeGreaterThan(23 * hourMs);
});

test('a receiver that asks for a longer pause gets it', () => {
  expect(nextAttemptAtMs({ attempts: 1, createdAtMs: 0, retryAfterMs: 5 * minuteMs }, 0)).toBe(
    5 * minuteMs,
  );
  expect(nextAttemptAtMs({ attempts: 1, createdAtMs: 0, retryAfterMs: 1_000 }, 0)).toBe(minuteMs);
});

import { describe, expect, test } from 'vitest';

import { phaseMs } from '../slots.ts';
import { periodNow } from './period.ts';

const minuteMs = 60_000;
const id = 'canal';
const intervalMs = 10 * minuteMs;
const phase = phaseMs(id, intervalMs);
const slot = (n: number) => phase + n * intervalMs;
const open = { fromMs: slot(1), intervalMs, phaseMs: phase, reason: 'ACTIVE' };

describe('the period that holds now', () => {
  test('is the open one while activity and interval stay; a paused plant may change its interval', () => {
    const active = { id, intervalMs, reason: 'ACTIVE' };
    expect(periodNow(active, open, null, slot(5))).toEqual({ period: open, change: null });
    const paused = { ...open, reason: 'PENDING_DOCS' };
    const wanted = { id, intervalMs: minuteMs, reason: 'PENDING_DOCS' };
    expect(periodNow(wanted, paused, null, slot(5))).toEqual({ period: paused, change: null });
  });

  test('begins with the first slot of the new grid, and misses the old due slots without a poll', () => {
    const wanted = { id, intervalMs: minuteMs, reason: 'ACTIVE' };
    const { period, change } = periodNow(wanted, open, slot(2), slot(4) + 1);
    expect(period).toMatchObject({ intervalMs: minuteMs, phaseMs: phaseMs(id, minuteMs) });
    expect(period.fromMs).toBeGreaterThan(slot(4) + 1);
    expect(change).toEqual({
      atMs: slot(4) + 1,
      missed: { intervalMs, rows: { fromMs: slot(3), toMs: slot(4) }, overflow: null },
    });
  });

  test('leaves the slot of a poll that woke before it to the period that ends', () => {
    const paused = { id, intervalMs, reason: 'DISABLED_BY_OPERATOR' };
    const { period, change } = periodNow(paused, open, slot(3), slot(3) - 400);
    expect(period.fromMs).toBe(slot(3) + 1);
    expect(change).toEqual({ atMs: slot(3) + 1, missed: null });
  });
});

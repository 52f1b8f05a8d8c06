import { describe, expect, test } from 'vitest';

import { lateAfterMs, type SlotPeriod, type SlotRow, stripFrom, stripTicks } from './strip.ts';
import { hourMs, minuteMs } from '../zone.ts';

const tenMinutes = 10 * minuteMs;
const since = (fromMs: number, changed: Partial<SlotPeriod> = {}): SlotPeriod => ({
  fromMs,
  toMs: null,
  intervalMs: tenMinutes,
  phaseMs: 0,
  ...changed,
});
const row = (slotMs: number, outcome: SlotRow['outcome'] = 'OK', lateMs = 20): SlotRow => ({
  slotMs,
  outcome,
  lateMs,
});
const kinds = (periods: SlotPeriod[], rows: SlotRow[], nowMs: number) =>
  stripTicks(periods, rows, nowMs).map(({ kind }) => kind);

describe('the strip', () => {
  test('holds the 24 newest due slots, oldest first', () => {
    const nowMs = 10 * hourMs + 1;
    const ticks = stripTicks([since(0)], [], nowMs);
    expect(ticks).toHaveLength(24);
    expect(ticks.at(-1)?.slotMs).toBe(10 * hourMs);
    expect(ticks[0]?.slotMs).toBe(stripFrom([since(0)], nowMs));
    expect(ticks[0]?.slotMs).toBe(10 * hourMs - 23 * tenMinutes);
  });

  test('says what became of each slot; a poll is late by more than a tenth of the interval', () => {
    const rows = [
      row(0),
      row(tenMinutes, 'PARTIAL', minuteMs),
      row(2 * tenMinutes, 'OK', minuteMs + 1),
      row(3 * tenMinutes, 'FAILED'),
      row(4 * tenMinutes, 'SKIPPED_LOCKED'),
      row(5 * tenMinutes, 'MISSED'),
    ];
    expect(kinds([since(0)], rows, 5 * tenMinutes)).toEqual([
      'ok',
      'ok',
      'late',
      'failed',
      'skipped',
      'missed',
    ]);
  });

  test('of short intervals calls a poll late after 30 s only', () => {
    expect([lateAfterMs(10_000), lateAfterMs(300_000), lateAfterMs(600_000)]).toEqual([
      30_000, 30_000, 60_000,
    ]);
  });

  test('calls a slot without a row missed as soon as it is late, though nobody wrote so', () => {
    expect(kinds([since(0)], [row(0)], tenMinutes + minuteMs)).toEqual(['ok', 'due']);
    expect(kinds([since(0)], [row(0)], tenMinutes + minuteMs + 1)).toEqual(['ok', 'missed']);
  });

  test('leaves out polls that were no slot', () => {
    expect(kinds([since(0)], [row(0), row(7 * minuteMs)], 8 * minuteMs)).toEqual(['ok']);
  });

  test('goes on over a pause and a change of the interval: slots between were never due', () => {
    const periods = [since(5 * hourMs, { intervalMs: hourMs }), since(0, { toMs: 2 * tenMinutes })];
    expect(stripTicks(periods, [], 6 * hourMs).map(({ slotMs }) => slotMs)).toEqual([
      0,
      tenMinutes,
      5 * hourMs,
      6 * hourMs,
    ]);
  });

  test('is empty of a plant that was never due', () => {
    expect(stripTicks([], [], hourMs)).toEqual([]);
    expect(stripFrom([since(2 * hourMs)], hourMs)).toBeNull();
  });
});

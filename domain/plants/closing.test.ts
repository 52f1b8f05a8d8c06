import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  closingInstantMs,
  closingsPassed,
  nextClosing,
  totalsByTime,
  totalsCount,
} from './closing.ts';
import { endOfDayMs, instantOf, localDateAt, minuteMs, startOfDayMs } from '../zone.ts';

const madrid = 'Europe/Madrid';
const zones = [
  'Europe/Madrid',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Kiritimati',
  'America/St_Johns',
  'America/Santiago',
];
const instants = fc.integer({
  min: Date.parse('2024-01-01T00:00Z'),
  max: Date.parse('2034-01-01T00:00Z'),
});

describe('closingInstantMs', () => {
  test('is 23:50 by the plant clock plus the hash of the id modulo 9 min', () => {
    // FNV-1a-32 of "foobar" is 0xbf9cf968.
    const expected = Date.parse('2026-06-10T21:50:00Z') + (0xbf9cf968 % (9 * minuteMs));
    expect(closingInstantMs('foobar', '2026-06-10', madrid)).toBe(expected);
  });

  test('is after the later 23:50 where the clock shows two', () => {
    const later = instantOf('2026-04-04', '23:50', 'America/Santiago', 'later');
    const at = closingInstantMs('foobar', '2026-04-04', 'America/Santiago');
    expect(at - later).toBeLessThan(9 * minuteMs);
    expect(at).toBeGreaterThanOrEqual(later);
  });

  test('lies in the last 10 min of its own day, whatever the plant and the zone', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...zones), instants, (id, timezone, at) => {
        const date = localDateAt(at, timezone);
        const closing = closingInstantMs(id, date, timezone);
        const end = endOfDayMs(date, timezone);
        expect(closing).toBeLessThan(end);
        expect(closing).toBeGreaterThanOrEqual(end - 10 * minuteMs);
      }),
    );
  });
});

describe('nextClosing and closingsPassed', () => {
  const atMs = closingInstantMs('foobar', '2026-06-10', madrid);

  test('a closing is passed at its own instant, next until 1 ms before', () => {
    expect(nextClosing('foobar', madrid, atMs - 1)).toEqual({ date: '2026-06-10', atMs });
    expect(nextClosing('foobar', madrid, atMs).date).toBe('2026-06-11');
    expect(closingsPassed('foobar', madrid, atMs).at(-1)).toEqual({ date: '2026-06-10', atMs });
    expect(closingsPassed('foobar', madrid, atMs - 1).at(-1)?.date).toBe('2026-06-09');
  });

  test('the last 3 come oldest first', () => {
    expect(closingsPassed('foobar', madrid, atMs).map(({ date }) => date)).toEqual([
      '2026-06-08',
      '2026-06-09',
      '2026-06-10',
    ]);
  });

  test('the next one follows the newest passed one, across every change of the clock', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...zones), instants, (id, timezone, now) => {
        const next = nextClosing(id, timezone, now);
        const passed = closingsPassed(id, timezone, now);
        expect(passed).toHaveLength(3);
        expect(passed.every((closing) => closing.atMs <= now)).toBe(true);
        expect(next.atMs).toBeGreaterThan(now);
        const newest = passed.at(-1);
        expect(nextClosing(id, timezone, newest?.atMs ?? 0)).toEqual(next);
      }),
    );
  });
});

describe('totalsByTime', () => {
  const date = '2026-06-10';
  const point = (hhmm: string, totalKwh: number) => ({
    atMs: instantOf(date, hhmm, madrid),
    totalKwh,
  });
  const at = (totals: (number | null)[], hhmm: string): number | null | undefined => {
    const [hours, minutes] = hhmm.split(':').map(Number);
    return totals[((hours ?? NaN) * 60 + (minutes ?? NaN)) / 10];
  };

  test('has a value for 00:00, 00:10 … 24:00', () => {
    expect(totalsCount).toBe(145);
    expect(totalsByTime([], date, madrid)).toEqual(Array(145).fill(null));
  });

  test('says what was known by then: null before the first, then the last one', () => {
    const totals = totalsByTime(
      [point('06:55', 0.1), point('12:00', 15), point('21:00', 40)],
      date,
      madrid,
    );
    expect(at(totals, '06:50')).toBeNull();
    expect(at(totals, '07:00')).toBe(0.1);
    expect(at(totals, '11:50')).toBe(0.1);
    expect(at(totals, '12:00')).toBe(15);
    expect(at(totals, '24:00')).toBe(40);
  });

  test('does not fall with a late point that is lower, nor depend on the order', () => {
    const totals = totalsByTime(
      [point('13:00', 0), point('12:00', 15), point('12:00', 14)],
      date,
      madrid,
    );
    expect(at(totals, '12:00')).toBe(15);
    expect(at(totals, '13:00')).toBe(15);
  });

  test('leaves out what was measured before the day, and counts what came after it at 24:00', () => {
    const before = { atMs: startOfDayMs(date, madrid) - 1, totalKwh: 99 };
    const after = { atMs: endOfDayMs(date, madrid) + 120_000, totalKwh: 40 };
    const totals = totalsByTime([before, after], date, madrid);
    expect(at(totals, '23:50')).toBeNull();
    expect(at(totals, '24:00')).toBe(40);
  });

  test('goes by the clock on the wall when it is set back or forward', () => {
    const autumn = '2026-10-25';
    const repeated = instantOf(autumn, '02:30', madrid, 'later');
    const backward = totalsByTime([{ atMs: repeated, totalKwh: 5 }], autumn, madrid);
    expect(at(backward, '02:20')).toBeNull();
    expect(at(backward, '02:30')).toBe(5);
    const spring = '2026-03-29';
    const forward = totalsByTime(
      [{ atMs: instantOf(spring, '01:50', madrid), totalKwh: 5 }],
      spring,
      madrid,
    );
    expect(at(forward, '02:30')).toBe(5);
    expect(forward).toHaveLength(145);
  });

  test('never falls in the course of a day', () => {
    const points = fc.array(
      fc.record({
        atMs: fc.integer({ min: startOfDayMs(date, madrid), max: endOfDayMs(date, madrid) - 1 }),
        totalKwh: fc.nat({ max: 100 }),
      }),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(points, (given) => {
        const totals = totalsByTime(given, date, madrid);
        const known = totals.filter((total) => total !== null);
        expect(known).toEqual([...known].sort((a, b) => a - b));
        expect(totals.at(-1)).toBe(Math.max(...given.map(({ totalKwh }) => totalKwh)));
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DayAtTime, LowGenerationStreak } from './facts.ts';
import { noonMs, sampleDay, sampleWeek, today } from '../../test/support/plant-facts.ts';
import {
  decideClosing,
  decideRunningDay,
  median,
  type RunningDay,
  type RunningVerdict,
  streak,
  streakSays,
} from './low-generation.ts';
import { sunTimes } from '../sun.ts';
import { minuteMs } from '../zone.ts';

const madrid = { timezone: 'Europe/Madrid', latitude: 40.4168, longitude: -3.7038 };
const nowhere = { timezone: 'Europe/Madrid', latitude: null, longitude: null };

describe('median', () => {
  test.each([
    [[], null],
    [[5], 5],
    [[9, 1, 5], 5],
    [[9, 1, 5, 6], 5.5],
    [[10, 9, 100], 10],
  ])('of %j is %s', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  test('has as many values at or below it as at or above it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 100 }), { minLength: 1 }), (values) => {
        const middle = median(values) ?? NaN;
        const half = values.length / 2;
        expect(values.filter((value) => value <= middle).length).toBeGreaterThanOrEqual(half);
        expect(values.filter((value) => value >= middle).length).toBeGreaterThanOrEqual(half);
      }),
    );
  });
});

describe('decideClosing', () => {
  const close = (totalKwh: number, different = {}) =>
    decideClosing(today, [
      ...sampleWeek(),
      sampleDay(today, { todayEnergyKwh: totalKwh, ...different }),
    ]);

  test.each([
    [12, 'NORMAL'],
    [11.9, 'YELLOW'],
    [4, 'YELLOW'],
    [3.9, 'RED'],
    [0, 'RED'],
    [60, 'NORMAL'],
  ])('%d kWh against a median of 40 kWh is %s', (totalKwh, severity) => {
    expect(close(totalKwh)).toMatchObject({ date: today, severity, ratio: totalKwh / 40 });
  });

  test('exactly 30 % is NORMAL and exactly 10 % is YELLOW, whatever the decimals', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (tenths) => {
        const week = sampleWeek({ todayEnergyKwh: tenths / 10 });
        const at = (share: number) => sampleDay(today, { todayEnergyKwh: (tenths * share) / 100 });
        expect(decideClosing(today, [...week, at(3)]).severity).toBe('NORMAL');
        expect(decideClosing(today, [...week, at(1)]).severity).toBe('YELLOW');
      }),
    );
  });

  test('names the totals and the share', () => {
    expect(close(11.9).note).toBe(
      '2026-06-10 made 11.9 kWh, 29 % of the median of the last 7 days, 40.0 kWh.',
    );
  });

  test('says nothing of a day that is not complete, or has no row, and notes why', () => {
    expect(close(0, { complete: false })).toEqual({
      date: today,
      severity: null,
      ratio: null,
      note: '2026-06-10 is not complete: no verdict.',
    });
    expect(decideClosing(today, sampleWeek())).toMatchObject({ severity: null, ratio: null });
  });

  test('needs 3 complete days, of any quality, among the last 7', () => {
    const row = sampleDay(today, { todayEnergyKwh: 1 });
    const week = sampleWeek();
    const three = [
      sampleDay('2026-06-03', { quality: 'FINAL' }),
      sampleDay('2026-06-05', { quality: 'BACKFILLED' }),
      sampleDay('2026-06-09', { quality: 'LIVE' }),
    ];
    expect(decideClosing(today, [...three, row]).severity).toBe('RED');
    expect(decideClosing(today, [...three.slice(1), row]).severity).toBeNull();
    const incomplete = week.map((day, index) => ({ ...day, complete: index < 2 }));
    expect(decideClosing(today, [...incomplete, row]).severity).toBeNull();
  });

  test('looks back 7 days and not 8', () => {
    const row = sampleDay(today, { todayEnergyKwh: 1 });
    const days = (oldest: string) => [sampleDay(oldest), ...sampleWeek().slice(5), row];
    expect(decideClosing(today, days('2026-06-03')).severity).toBe('RED');
    expect(decideClosing(today, days('2026-06-02')).severity).toBeNull();
  });

  test('says nothing where the median is 0', () => {
    const dead = sampleWeek({ todayEnergyKwh: 0 });
    expect(decideClosing(today, [...dead, sampleDay(today, { todayEnergyKwh: 0 })])).toMatchObject({
      severity: null,
      ratio: null,
    });
  });
});

describe('decideRunningDay', () => {
  /** 30 kWh are usual at this time of a day of 40 kWh. */
  const usual: DayAtTime[] = sampleWeek().map(({ date }) => ({ date, totalAtTimeKwh: 30 }));
  const ordinary: RunningDay = {
    today,
    totalKwh: 30,
    measuredAtMs: noonMs,
    slotMs: noonMs,
    isSeen: true,
    days: sampleWeek(),
    daysAtTime: usual,
    place: nowhere,
  };
  const decide = (different: Partial<RunningDay>): RunningVerdict =>
    decideRunningDay({ ...ordinary, ...different });

  test.each([
    [30, 'NORMAL'],
    [9, 'NORMAL'],
    [8.9, 'BELOW_THIRTY'],
    [3, 'BELOW_THIRTY'],
    [2.9, 'BELOW_TEN'],
    [0, 'BELOW_TEN'],
  ])('%d kWh where 30 kWh are usual is %s', (totalKwh, verdict) => {
    expect(decide({ totalKwh }).verdict).toBe(verdict);
  });

  test('names the total, the time and what is usual by then', () => {
    expect(decide({ totalKwh: 6 }).note).toBe(
      '6.0 kWh by 2026-06-10 12:00 UTC+2 is 20 % of the 30.0 kWh that are usual by then.',
    );
  });

  test('compares from half of the usual day on, not before', () => {
    const at = (totalAtTimeKwh: number): DayAtTime[] =>
      usual.map((day) => ({ ...day, totalAtTimeKwh }));
    expect(decide({ totalKwh: 0, daysAtTime: at(20) }).verdict).toBe('BELOW_TEN');
    expect(decide({ totalKwh: 0, daysAtTime: at(19.9) }).verdict).toBeNull();
  });

  test('gives a verdict on a measurement exactly 30 min older than the slot, none on an older one', () => {
    expect(decide({ measuredAtMs: noonMs - 30 * minuteMs }).verdict).toBe('NORMAL');
    expect(decide({ measuredAtMs: noonMs - 30 * minuteMs - 1 }).verdict).toBeNull();
  });

  test.each<[string, Partial<RunningDay>]>([
    ['no total was booked to today', { totalKwh: null }],
    ['nothing says when it was measured', { measuredAtMs: null }],
    ['the plant was not seen within 2 h', { isSeen: false }],
    ['fewer than 3 days are complete', { days: sampleWeek().slice(5) }],
    ['the usual day is 0 kWh', { days: sampleWeek({ todayEnergyKwh: 0 }) }],
  ])('gives no verdict, neither way, where %s', (_, different) => {
    for (const totalKwh of [
      different.totalKwh === undefined ? 0 : null,
      different.totalKwh === undefined ? 99 : null,
    ]) {
      const { verdict, note } = decide({ ...different, totalKwh });
      expect(verdict).toBeNull();
      expect(note).not.toBe('');
    }
  });

  describe('where fewer than 3 complete days have a total at this time', () => {
    const two = usual.slice(5);
    const { sunriseMs, sunsetMs } = sunTimes(today, 'Europe/Madrid', 40.4168, -3.7038);
    const solarNoonMs = Math.ceil(((sunriseMs ?? 0) + (sunsetMs ?? 0)) / 2);
    const atNoon = { measuredAtMs: solarNoonMs, slotMs: solarNoonMs, daysAtTime: two };

    test('takes the clear-sky share of the usual day: half at solar noon', () => {
      expect(decide({ ...atNoon, place: madrid, totalKwh: 6.01 }).verdict).toBe('NORMAL');
      expect(decide({ ...atNoon, place: madrid, totalKwh: 5.99 }).verdict).toBe('BELOW_THIRTY');
    });

    test('says nothing before solar noon', () => {
      const early = { measuredAtMs: solarNoonMs - minuteMs, slotMs: solarNoonMs };
      expect(decide({ ...atNoon, ...early, place: madrid, totalKwh: 0 }).verdict).toBeNull();
    });

    test('says nothing where the place is unknown', () => {
      expect(decide({ ...atNoon, totalKwh: 0 }).verdict).toBeNull();
    });

    test('counts only days that are complete and have a total', () => {
      const missing = usual.map((day, index) =>
        index < 5 ? { ...day, totalAtTimeKwh: null } : day,
      );
      expect(decide({ totalKwh: 0, daysAtTime: missing }).verdict).toBeNull();
      const days = sampleWeek().map((day, index) => ({ ...day, complete: index < 3 }));
      expect(decide({ totalKwh: 0, days, daysAtTime: usual.slice(1) }).verdict).toBeNull();
      expect(decide({ totalKwh: 0, days, daysAtTime: usual }).verdict).toBe('BELOW_TEN');
    });
  });
});

describe('rows of verdicts', () => {
  const rowOf = (...verdicts: NonNullable<RunningVerdict['verdict']>[]): LowGenerationStreak => {
    const [first, ...others] = verdicts;
    if (first === undefined) throw new Error('a row has at least one verdict');
    return others.reduce((row, verdict) => streak(row, today, verdict), streak(null, today, first));
  };
  const ten = 'BELOW_TEN';
  const thirty = 'BELOW_THIRTY';
  const normal = 'NORMAL';

  test('two say nothing, three raise', () => {
    expect(streakSays(rowOf(thirty, thirty))).toBeNull();
    expect(streakSays(rowOf(thirty, thirty, thirty))).toBe('YELLOW');
  });

  test('RED takes three below 10 % in a row', () => {
    expect(streakSays(rowOf(ten, ten, ten))).toBe('RED');
    expect(streakSays(rowOf(ten, ten, thirty))).toBe('YELLOW');
    expect(streakSays(rowOf(thirty, ten, ten))).toBe('YELLOW');
    expect(streakSays(rowOf(thirty, ten, ten, ten))).toBe('RED');
    expect(streakSays(rowOf(ten, ten, thirty, ten, ten))).toBe('YELLOW');
  });

  test('three at or above 30 % resolve, two do not', () => {
    expect(streakSays(rowOf(ten, ten, ten, normal, normal))).toBeNull();
    expect(streakSays(rowOf(ten, ten, ten, normal, normal, normal))).toBe('NORMAL');
  });

  test('one verdict of the other kind starts anew', () => {
    expect(streakSays(rowOf(thirty, thirty, normal, thirty, thirty))).toBeNull();
  });

  test('a new day starts anew', () => {
    const before = rowOf(ten, ten);
    expect(streak(before, '2026-06-11', ten)).toEqual({
      date: '2026-06-11',
      verdicts: 1,
      below: true,
      belowTen: 1,
    });
  });
});

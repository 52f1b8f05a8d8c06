import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { VendorAlarm } from '../../domain/plants/reading.ts';
import { AdapterError } from './adapter-error.ts';
import {
  alarmsMax,
  cleanText,
  decimalsOf,
  energyKwhOf,
  higherOf,
  isPossibleEnergy,
  mergeAlarms,
  requireEnergyKwh,
  seriesOf,
  toNumber,
} from './fields.ts';

describe('toNumber', () => {
  test.each([
    ['16770.000', 16_770],
    [' 12 ', 12],
    ['-0.5', -0.5],
    ['.5', 0.5],
    ['1e3', 1_000],
    ['1e999', Number.POSITIVE_INFINITY],
    [0, 0],
  ])('reads %j as %d', (value, number) => {
    expect(toNumber(value)).toBe(number);
  });

  test.each([null, undefined, '', ' ', '-', '--', 'N/A', 'n/a', 'null'])(
    'takes %j for "no value"',
    (value) => {
      expect(toNumber(value)).toBeNull();
    },
  );

  test.each(['1,234.5', '12 kWh', '0x10', 'NaN', 'Infinity', 'twelve', '1.2.3', true, {}, [1]])(
    'takes %j for no number, so that callers refuse it',
    (value) => {
      expect(toNumber(value)).toBeNaN();
    },
  );

  test('reads every number that it is given as text', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(toNumber(String(number))).toBe(Number(String(number)));
      }),
    );
  });
});

describe('requireEnergyKwh', () => {
  test('gives the energy, zero included', () => {
    expect(requireEnergyKwh('21.4', 'today')).toBe(21.4);
    expect(requireEnergyKwh(0, 'today')).toBe(0);
  });

  test.each([
    [null, 'missing'],
    ['--', 'missing'],
    ['twelve', 'not a finite number'],
    [Number.POSITIVE_INFINITY, 'not a finite number'],
    [-0.1, 'negative'],
    [655.35, 'not fitted'],
  ])('refuses %j as %s', (value, why) => {
    const run = (): unknown => requireEnergyKwh(value, 'today', [655.35]);
    expect(run).toThrow(AdapterError);
    expect(run).toThrow(why);
  });
});

test('energyKwhOf is null where nothing is said, and refuses what is no energy', () => {
  expect(energyKwhOf('--', 'day')).toBeNull();
  expect(energyKwhOf('21.4', 'day')).toBe(21.4);
  expect(() => energyKwhOf(-1, 'day')).toThrow('negative');
});

test.each([
  [0, true],
  [-0.1, false],
  [Number.NaN, false],
  [Number.POSITIVE_INFINITY, false],
  [655.35, false],
])('isPossibleEnergy(%d) is %s', (energyKwh, isPossible) => {
  expect(isPossibleEnergy(energyKwh, [655.35])).toBe(isPossible);
});

test('higherOf prefers a number to null, and the higher of two', () => {
  expect([higherOf(null, 0), higherOf(2, null), higherOf(2, 3), higherOf(null, null)]).toEqual([
    0,
    2,
    3,
    null,
  ]);
});

test('seriesOf gives the days of the span in order, both ends included', () => {
  const days = [
    ['2026-06-12', 4],
    ['2026-06-11', null],
    ['2026-06-10', 2],
    ['2026-06-09', 1],
  ] as const;
  expect(seriesOf(days, '2026-06-10', '2026-06-11')).toEqual([
    { date: '2026-06-10', energyKwh: 2 },
    { date: '2026-06-11', energyKwh: null },
  ]);
});

test.each([
  [8.824, 3],
  ['16770.000', 3],
  [40, 0],
  ['40.', 0],
  [1e-7, 7],
  ['1.5e3', 0],
  ['1.2345e2', 2],
])('decimalsOf(%j) is %d', (value, decimals) => {
  expect(decimalsOf(value)).toBe(decimals);
});

describe('cleanText', () => {
  test('makes one plain line of what vendors send', () => {
    expect(cleanText(' F56\u00a0DC_VoltLow\u0000_Fault\r\n\tagain ')).toBe(
      'F56 DC_VoltLow _Fault again',
    );
  });

  test('turns no words around: direction marks and zero widths go', () => {
    expect(cleanText('a\u202eb\u200bc\ufeff')).toBe('a b c');
  });

  test('is empty for what is neither text nor number', () => {
    expect([cleanText(null), cleanText({}), cleanText(undefined), cleanText(2129)]).toEqual([
      '',
      '',
      '',
      '2129',
    ]);
  });

  test('is never longer than asked, never holds control characters or half a character', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 400 }),
        fc.integer({ min: 1, max: 300 }),
        (text, max) => {
          const clean = cleanText(text, max);
          expect([...clean].length).toBeLessThanOrEqual(max);
          expect(clean).not.toMatch(/\p{Cc}/u);
          expect(clean.isWellFormed()).toBe(true);
        },
      ),
    );
  });

  test('shows that it was cut', () => {
    expect(cleanText('abcdef', 4)).toBe('abc…');
    expect(cleanText('abcd', 4)).toBe('abcd');
  });
});

describe('mergeAlarms', () => {
  const alarm = (changed: Partial<VendorAlarm>): VendorAlarm => ({
    code: '1015',
    deviceSn: 'A1',
    severity: 'LOW',
    vendorLevel: '1',
    text: 'NO-Grid',
    startedAt: '2026-06-11T10:00:00.000Z',
    endedAt: null,
    open: true,
    communication: false,
    ...changed,
  });

  test('is open if one record is open, from the first start, at the worst level and in its words', () => {
    const restored = alarm({
      severity: 'CRITICAL',
      vendorLevel: '3',
      text: 'NO-Grid, all phases',
      startedAt: '2026-06-11T08:00:00.000Z',
      endedAt: '2026-06-11T09:00:00.000Z',
      open: false,
    });
    expect(mergeAlarms([alarm({}), restored], true)).toEqual({
      alarms: [{ ...restored, open: true, endedAt: null }],
      complete: true,
    });
  });

  test('ends with the last end where none is open', () => {
    const ends = [
      '2026-06-11T09:00:00.000Z',
      null,
      '2026-06-11T11:00:00.000Z',
      '2026-06-11T10:00:00.000Z',
    ];
    const { alarms } = mergeAlarms(
      ends.map((endedAt) => alarm({ open: false, endedAt })),
      true,
    );
    expect(alarms).toMatchObject([{ open: false, endedAt: '2026-06-11T11:00:00.000Z' }]);
  });

  test('keeps codes and devices apart, an unknown device included', () => {
    const { alarms } = mergeAlarms(
      [alarm({}), alarm({ code: '1016' }), alarm({ deviceSn: null })],
      true,
    );
    expect(alarms).toHaveLength(3);
  });

  test('is of communication only where every record is', () => {
    const both = [alarm({ communication: true }), alarm({})];
    expect(mergeAlarms(both, true).alarms[0]?.communication).toBe(false);
  });

  test(`gives ${alarmsMax} as they are and calls one more incomplete, open ones first`, () => {
    const closed = { open: false, endedAt: '2026-06-11T11:00:00.000Z' };
    const many = Array.from({ length: alarmsMax }, (_, i) => alarm({ code: `c${i}`, ...closed }));
    expect(mergeAlarms(many, true).complete).toBe(true);
    const more = mergeAlarms([...many, alarm({ code: 'open' })], true);
    expect(more.complete).toBe(false);
    expect(more.alarms).toHaveLength(alarmsMax);
    expect(more.alarms[0]?.code).toBe('open');
  });

  test('stays incomplete where pages were cut off', () => {
    expect(mergeAlarms([], false)).toEqual({ alarms: [], complete: false });
  });

  test('gives the same for every order of the records', () => {
    const records = [
      alarm({}),
      alarm({ severity: 'HIGH', startedAt: '2026-06-11T07:00:00.000Z' }),
      alarm({ open: false, endedAt: '2026-06-11T11:00:00.000Z' }),
      alarm({ code: '2', severity: 'CRITICAL' }),
    ];
    const expected = mergeAlarms(records, true);
    fc.assert(
      fc.property(fc.shuffledSubarray(records, { minLength: records.length }), (shuffled) => {
        expect(mergeAlarms(shuffled, true)).toEqual(expected);
      }),
    );
  });
});

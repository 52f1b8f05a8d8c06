import { describe, expect, test } from 'vitest';
import { AdapterError } from '../adapter-error.ts';
import {
  alarmOf,
  belongsTo,
  dayEnergyOf,
  deviceOf,
  mostTelling,
  refusedTimes,
  standardOffsetH,
  summaryOf,
} from './normalise.ts';
import type { Alarm, Station } from './wire.schema.ts';

const now = new Date('2026-06-11T12:03:20Z');

/** The figures of a recorded plant in the evening (vendors' names, values as they came). */
const station: Station = {
  dataTimestamp: '1761467806517',
  state: 1,
  power: 0.032,
  powerStr: 'kW',
  powerPec: '1',
  dayEnergy: 2.4,
  dayEnergyStr: 'kWh',
  allEnergy: 8.824,
  allEnergyStr: 'MWh',
};
const of = (changed: Partial<Station>, loggerOffline = false) =>
  summaryOf({ ...station, ...changed }, loggerOffline);

describe('a plant', () => {
  test('its units are read beside each value', () => {
    expect(of({})).toEqual({
      todayEnergyKwh: 2.4,
      powerW: 32,
      lifetimeEnergyKwh: 8_824,
      lifetimeResolutionKwh: 1,
      lastSeenAt: '2025-10-26T08:36:46.517Z',
      devices: [],
      refused: [],
    });
  });

  test.each([
    [77, 'kW', '0.001', 77],
    [77, 'kW', 0.001, 77],
    [1.369, 'kW', '1', 1_369],
    [1.369, 'kw', undefined, 1_369],
    ['4112', ' W ', null, 4_112],
    [0.0021, 'MW', '', 2_100],
    [0, 'kW', '1', 0],
    [-0.012, 'kW', '1', -12],
  ])('power %j %s × %j is %d W', (power, powerStr, powerPec, powerW) => {
    expect(of({ power, powerStr, powerPec }).powerW).toBe(powerW);
  });

  test.each([
    [2310, 'Wh', 2.31],
    [23.1, 'kWh', 23.1],
    [4.006, 'MWh', 4_006],
    [0.001, 'GWh', 1_000],
  ])('energy %d %s is %d kWh', (dayEnergy, dayEnergyStr, energyKwh) => {
    expect(of({ dayEnergy, dayEnergyStr }).todayEnergyKwh).toBe(energyKwh);
  });

  test.each([
    ['dayEnergyStr', undefined],
    ['dayEnergyStr', 'kW'],
    ['dayEnergyStr', 'kcal'],
  ] as const)('a value whose unit %s is %j is refused, not guessed', (field, unit) => {
    expect(() => of({ [field]: unit })).toThrow(AdapterError);
  });

  test.each([
    ['powerStr', '', 'power_w'],
    ['powerStr', 'kWh', 'power_w'],
    ['allEnergyStr', null, 'lifetime_energy_kwh'],
  ] as const)(
    '%s %j costs its field and a sentence, and nothing is guessed',
    (unit, value, field) => {
      const summary = of({ [unit]: value });
      expect(summary).toMatchObject({ todayEnergyKwh: 2.4, refused: [{ field }] });
      expect(field === 'power_w' ? summary.powerW : summary.lifetimeEnergyKwh).toBeNull();
    },
  );

  test.each([null, undefined, '', '--'])(
    "today's energy %j is not said: what else is known makes a summary all the same",
    (dayEnergy) => {
      expect(of({ dayEnergy })).toMatchObject({
        todayEnergyKwh: null,
        powerW: 32,
        lifetimeEnergyKwh: 8_824,
        refused: [
          {
            field: 'today_energy_kwh',
            sentence:
              "Today's energy is missing in the vendor's answer (stationDetail: dayEnergy).",
          },
        ],
      });
    },
  );

  test('of which nothing is known is INVALID_DATA_FORMAT', () => {
    expect(() => summaryOf({ dayEnergy: null }, false)).toThrow(
      expect.objectContaining({ type: 'INVALID_DATA_FORMAT' }),
    );
  });

  test.each([null, undefined, '', '--'])(
    '%j says nothing: power, lifetime and time are null',
    (nothing) => {
      const silent = { power: nothing, allEnergy: nothing, dataTimestamp: nothing };
      expect(of({ ...silent, powerStr: '', allEnergyStr: '' })).toMatchObject({
        powerW: null,
        lifetimeEnergyKwh: null,
        lifetimeResolutionKwh: null,
        lastSeenAt: null,
        refused: [],
      });
    },
  );

  test('power is 0 while the vendor calls it offline, whatever the stale number is', () => {
    expect(of({ state: 2, power: 3.871 }).powerW).toBe(0);
    expect(of({ state: '2', power: null }).powerW).toBe(0);
    expect(of({ power: 3.871 }, true).powerW).toBe(0);
    expect(of({ state: 3, power: 3.871 }).powerW).toBe(3_871);
  });

  test.each([
    ['power', 1e308, 'power_w'],
    ['power', 'twelve', 'power_w'],
    ['allEnergy', Number.POSITIVE_INFINITY, 'lifetime_energy_kwh'],
    ['allEnergy', -1, 'lifetime_energy_kwh'],
    ['dataTimestamp', 'yesterday', 'last_seen_at'],
    ['dataTimestamp', 1_761_467_806, 'last_seen_at'],
    ['dataTimestamp', '1e300', 'last_seen_at'],
  ] as const)('%s %j drops its field with a sentence', (field, value, refused) => {
    const summary = of({ [field]: value });
    expect(summary.refused.map((one) => one.field)).toEqual([refused]);
    expect(summary.todayEnergyKwh).toBe(2.4);
  });

  test.each([
    [8.824, 'MWh', 1],
    ['91.33', 'MWh', 10],
    [912, 'kWh', 1],
    [1.234567, 'GWh', 1],
    [1.5, 'GWh', 100_000],
  ])('a lifetime of %j %s counts in steps of %d kWh', (allEnergy, allEnergyStr, stepKwh) => {
    expect(of({ allEnergy, allEnergyStr }).lifetimeResolutionKwh).toBe(stepKwh);
  });
});

describe('a day of a series', () => {
  test.each([
    [755, 'MWh', '0.001', 755],
    [6556, 'MWh', 0.001, 6_556],
    [23.1, 'kWh', '1', 23.1],
    ['23.1', 'kWh', undefined, 23.1],
    [0, 'kWh', '1', 0],
    [null, '', null, null],
    ['--', 'kWh', '1', null],
  ])('%j %s × %j is %j kWh', (energy, energyStr, energyPec, energyKwh) => {
    const row = { dateStr: '2026-05-18', energy, energyStr, energyPec };
    expect(dayEnergyOf(row)).toBe(energyKwh);
  });

  test('impossible energies are refused', () => {
    for (const energy of [-1, Number.POSITIVE_INFINITY, 'many']) {
      expect(() => dayEnergyOf({ dateStr: '2026-05-18', energy, energyStr: 'kWh' })).toThrow(
        AdapterError,
      );
    }
  });
});

describe('an alarm', () => {
  const startedMs = now.getTime() - 2_400_000;
  const alarm: Alarm = {
    alarmCode: '2129',
    alarmDeviceSn: 'EXAMPLE0000000A1',
    alarmLevel: '2',
    alarmMsg: 'OV-TEM',
    alarmBeginTime: startedMs,
    state: '0',
  };
  const read = (changed: Partial<Alarm>) => alarmOf({ ...alarm, ...changed }, now);

  test.each([
    ['3', 'CRITICAL'],
    [3, 'CRITICAL'],
    ['2', 'MEDIUM'],
    ['1', 'LOW'],
    ['4', 'MEDIUM'],
    [undefined, 'MEDIUM'],
  ])('of level %j is %s', (alarmLevel, severity) => {
    expect(read({ alarmLevel }).severity).toBe(severity);
  });

  test.each([
    ['0', null, true],
    ['0', 0, true],
    ['0', '', true],
    ['1', undefined, true],
    ['2', null, false],
    [2, null, false],
    ['0', startedMs + 26_309, false],
    ['1', String(startedMs + 26_309), false],
    ['2', now.getTime(), false],
  ])('in state %j with the end %j is open: %j', (state, alarmEndTime, open) => {
    expect(read({ state, alarmEndTime }).open).toBe(open);
  });

  test('whose end is the time of the answer still stands; a minute later it has ended', () => {
    const nowMs = now.getTime();
    expect(read({ alarmEndTime: nowMs }).open).toBe(true);
    expect(read({ alarmEndTime: nowMs + 600_000 })).toMatchObject({ open: true, endedAt: null });
    expect(read({ alarmEndTime: nowMs - 59_999 }).open).toBe(true);
    expect(read({ alarmEndTime: nowMs - 60_000 })).toMatchObject({
      open: false,
      endedAt: '2026-06-11T12:02:20.000Z',
    });
  });

  test('without a code goes by its words, without both or without a start it is refused', () => {
    expect(read({ alarmCode: '' }).code).toBe('OV-TEM');
    expect(() => read({ alarmCode: null, alarmMsg: '' })).toThrow('without alarmCode');
    expect(() => read({ alarmBeginTime: null })).toThrow('without alarmBeginTime');
  });

  test('without words is named by its code; codes and serial numbers may be numbers', () => {
    expect(read({ alarmMsg: '', alarmCode: 2129, alarmDeviceSn: 42 })).toMatchObject({
      code: '2129',
      deviceSn: '42',
      text: 'Solis alarm 2129',
    });
    expect(read({ alarmDeviceSn: '' }).deviceSn).toBeNull();
  });

  test('belongs to the answer if it stood at `since` or began after it', () => {
    const ended = read({ state: '2', alarmEndTime: startedMs + 60_000 });
    const at = (offsetMs: number): Date => new Date(startedMs + offsetMs);
    expect(belongsTo(ended, at(-1))).toBe(true);
    expect(belongsTo(ended, at(0))).toBe(true);
    expect(belongsTo(ended, at(60_000))).toBe(true);
    expect(belongsTo(ended, at(60_001))).toBe(false);
    expect(belongsTo(read({}), now)).toBe(true);
  });
});

describe('inverters', () => {
  test('are read in both spellings', () => {
    const lists = { sn: 'A1', state: 1, pac: 2.1, pacStr: 'kW', etoday: 10.7, etodayStr: 'kWh' };
    const detail = { sn: 'A1', state: 1, pac: 2.1, pacStr: 'kW', eToday: 10.7, eTodayStr: 'kWh' };
    expect(deviceOf(detail)).toEqual(deviceOf(lists));
    expect(deviceOf(lists)).toEqual({
      sn: 'A1',
      powerW: 2_100,
      todayEnergyKwh: 10.7,
      state: 'RUNNING',
      measuredAt: null,
    });
  });

  test('show no stale power while offline, and nothing in a unit that is not known', () => {
    expect(deviceOf({ sn: 'A1', state: 2, pac: 1.9, pacStr: 'kW' })).toMatchObject({
      powerW: 0,
      state: 'OFFLINE',
    });
    expect(deviceOf({ sn: 'A1', state: 9, pac: 1.9, etoday: 1 })).toMatchObject({
      powerW: null,
      todayEnergyKwh: null,
      state: 'UNKNOWN',
    });
  });

  test('with a battery at work show no power: what leaves them is not their panels alone', () => {
    const night = { sn: 'A1', state: 1, pac: 0.62, pacStr: 'kW', batteryPower: 0.65 };
    expect(deviceOf(night).powerW).toBeNull();
    expect(deviceOf({ ...night, batteryPower: 0 }).powerW).toBe(620);
  });

  test('whose time cannot be read are named', () => {
    const at = (sn: string, dataTimestamp: unknown) => ({ sn, dataTimestamp });
    const good = [at('A1', String(now.getTime())), at('A2', 0), at('A3', null)];
    expect(refusedTimes(good)).toEqual([]);
    expect(refusedTimes([...good, at('B1', 1_761_467_806)])).toEqual([
      {
        field: 'devices',
        sentence: "The measurement time of inverter B1 is no time: check the logger's clock.",
      },
    ]);
    const bad = [at('B1', '2026-06-11 12:00:00'), at('B2', '12:00')];
    expect(refusedTimes(bad)[0]?.sentence).toContain('of 2 inverters');
  });

  test('those that do not run come first, and at most 20 are told of', () => {
    const running = Array.from({ length: 30 }, (_, i) =>
      deviceOf({ sn: `R${i}`, state: 1, pac: 30 - i, pacStr: 'kW' }),
    );
    const told = mostTelling([...running, deviceOf({ sn: 'dead', state: 3 })]);
    expect(told).toHaveLength(20);
    expect(told.slice(0, 3).map(({ sn }) => sn)).toEqual(['dead', 'R29', 'R28']);
  });
});

test.each([
  ['Europe/Amsterdam', 1],
  ['America/Sao_Paulo', -3],
  ['Australia/Sydney', 10],
  ['Asia/Kathmandu', 5.75],
  ['UTC', 0],
])('the standard offset of %s is %d h, in summer too', (timezone, offsetH) => {
  expect(standardOffsetH(now, timezone)).toBe(offsetH);
  expect(standardOffsetH(new Date('2026-01-11T12:00:00Z'), timezone)).toBe(offsetH);
});

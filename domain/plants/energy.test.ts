import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkSummary, isPossibleDayEnergy } from './energy.ts';
import { noonMs, sampleSummary } from '../../test/support/plant-facts.ts';
import type { PlantSummary } from './reading.ts';
import { minuteMs } from '../zone.ts';

const tenKw = { installedCapacityKw: 10 };
const unknown = { installedCapacityKw: null };

/** The checked summary; fails the test where it was refused as a whole. */
function checked(
  summary: Partial<PlantSummary>,
  plant = tenKw as { installedCapacityKw: number | null },
) {
  const result = checkSummary(sampleSummary(summary), plant, noonMs);
  if ('type' in result) throw new Error(result.message);
  return result;
}

describe('impossible energy', () => {
  test.each([NaN, Infinity, -Infinity, -0.1, 288.1, 1e308])('refuses %d kWh of 10 kW', (energy) => {
    const refused = checkSummary(sampleSummary({ todayEnergyKwh: energy }), tenKw, noonMs);
    expect(refused).toMatchObject({ type: 'INVALID_DATA_FORMAT' });
  });

  test('lets pass exactly capacity × 24 h × 1.2', () => {
    expect(checked({ todayEnergyKwh: 288 }).todayEnergyKwh).toBe(288);
  });

  test('lets pass exactly 24 GWh where the capacity is unknown, and no more', () => {
    expect(isPossibleDayEnergy(24_000_000, null)).toBe(true);
    expect(isPossibleDayEnergy(24_000_000.1, null)).toBe(false);
  });

  test('says what is wrong with it, in kWh', () => {
    const message = (energy: number, plant: { installedCapacityKw: number | null }): unknown =>
      checkSummary(sampleSummary({ todayEnergyKwh: energy }), plant, noonMs);
    expect(message(300, tenKw)).toMatchObject({
      message: expect.stringMatching(/300\.0 kWh.*288\.0 kWh.*capacity/),
    });
    expect(message(-1, tenKw)).toMatchObject({ message: expect.stringMatching(/negative/) });
    expect(message(NaN, tenKw)).toMatchObject({ message: expect.stringMatching(/not a number/) });
    expect(message(1e300, unknown)).toMatchObject({
      message: expect.stringMatching(/^.{1,200}$/),
    });
  });

  test('is not what a logger that is offline leaves out', () => {
    expect(checked({ todayEnergyKwh: null }).todayEnergyKwh).toBeNull();
  });

  test('a plant that made nothing made nothing', () => {
    expect(checked({ todayEnergyKwh: 0 }).todayEnergyKwh).toBe(0);
    expect(Object.is(checked({ todayEnergyKwh: -0 }).todayEnergyKwh, 0)).toBe(true);
  });
});

describe('impossible power', () => {
  test('drops only the power, with a sentence', () => {
    const { powerW, todayEnergyKwh, refused } = checked({ powerW: 15_001 });
    expect(powerW).toBeNull();
    expect(todayEnergyKwh).toBe(15);
    expect(refused).toEqual([
      { field: 'power_w', sentence: expect.stringContaining('15.0 kW') as unknown },
    ]);
  });

  test('lets pass exactly 1.5 × capacity', () => {
    expect(checked({ powerW: 15_000 })).toMatchObject({ powerW: 15_000, refused: [] });
  });

  test('takes −1 % of capacity for 0, and drops what is below', () => {
    expect(checked({ powerW: -100 })).toMatchObject({ powerW: 0, refused: [] });
    expect(checked({ powerW: -100.1 })).toMatchObject({
      powerW: null,
      refused: [{ field: 'power_w' }],
    });
  });

  test('where the capacity is unknown, the limits are −1 kW and 1 GW', () => {
    expect(checked({ powerW: 1e9 }, unknown).powerW).toBe(1e9);
    expect(checked({ powerW: 1e9 + 1 }, unknown).powerW).toBeNull();
    expect(checked({ powerW: -1_000 }, unknown).powerW).toBe(0);
    expect(checked({ powerW: -1_001 }, unknown).powerW).toBeNull();
  });

  test.each([NaN, Infinity, -Infinity])('drops %d', (powerW) => {
    expect(checked({ powerW }).powerW).toBeNull();
  });

  test('keeps null as null: the vendor did not say', () => {
    expect(checked({ powerW: null })).toMatchObject({ powerW: null, refused: [] });
  });
});

describe('impossible time', () => {
  const at = (aheadMs: number): string => new Date(noonMs + aheadMs).toISOString();

  test('lets pass a clock that is exactly 10 min fast, and drops one that is faster', () => {
    expect(checked({ lastSeenAt: at(10 * minuteMs) }).lastSeenAt).toBe(at(10 * minuteMs));
    expect(checked({ lastSeenAt: at(10 * minuteMs + 1) }).lastSeenAt).toBeNull();
  });

  test('says how far ahead it is and what to check', () => {
    expect(checked({ lastSeenAt: at(11 * 60 * minuteMs) }).refused).toEqual([
      {
        field: 'last_seen_at',
        sentence: "Measurement time 11 h ahead: check the logger's clock or zone.",
      },
    ]);
  });

  test('drops a time that is none', () => {
    expect(checked({ lastSeenAt: 'yesterday' })).toMatchObject({
      lastSeenAt: null,
      refused: [{ field: 'last_seen_at' }],
    });
  });

  test('an old time is not impossible', () => {
    expect(checked({ lastSeenAt: at(-26 * 60 * minuteMs) }).refused).toEqual([]);
  });
});

describe('impossible lifetime total', () => {
  test.each([NaN, Infinity, -1, 1e308])('drops %d kWh and its resolution', (lifetimeEnergyKwh) => {
    expect(checked({ lifetimeEnergyKwh, lifetimeResolutionKwh: 1 })).toMatchObject({
      lifetimeEnergyKwh: null,
      lifetimeResolutionKwh: null,
      refused: [{ field: 'lifetime_energy_kwh' }],
    });
  });

  test('keeps 0, and exactly a century of full days', () => {
    const century = 10 * 24 * 1.2 * 36_525;
    for (const lifetimeEnergyKwh of [0, century]) {
      expect(checked({ lifetimeEnergyKwh }).lifetimeEnergyKwh).toBe(lifetimeEnergyKwh);
    }
    expect(checked({ lifetimeEnergyKwh: century + 1 }).lifetimeEnergyKwh).toBeNull();
  });

  test('keeps a possible one', () => {
    expect(checked({ lifetimeEnergyKwh: 8_824, lifetimeResolutionKwh: 1 })).toMatchObject({
      lifetimeEnergyKwh: 8_824,
      lifetimeResolutionKwh: 1,
      refused: [],
    });
  });
});

describe('devices', () => {
  test("leave out a device's impossible values without making the poll partial", () => {
    const device = { sn: 'A', state: 'RUNNING', measuredAt: null } as const;
    const { devices, refused } = checked({
      devices: [
        { ...device, powerW: NaN, todayEnergyKwh: 1e9 },
        { ...device, powerW: -5, todayEnergyKwh: 3 },
        { ...device, powerW: null, todayEnergyKwh: null },
      ],
    });
    expect(devices.map(({ powerW, todayEnergyKwh }) => [powerW, todayEnergyKwh])).toEqual([
      [null, null],
      [0, 3],
      [null, null],
    ]);
    expect(refused).toEqual([]);
  });
});

test("keeps the adapter's own refusals", () => {
  const own = { field: 'power_w', sentence: 'Power is not a number.' } as const;
  expect(checked({ powerW: null, refused: [own] }).refused).toEqual([own]);
});

test('whatever a vendor sends, a checked summary holds only possible values', () => {
  const number = fc.oneof(fc.double(), fc.integer({ min: -100_000, max: 100_000 }));
  fc.assert(
    fc.property(
      number,
      fc.option(number),
      fc.option(number),
      fc.option(fc.double({ min: 0.1, max: 1e7, noNaN: true })),
      (todayEnergyKwh, powerW, lifetimeEnergyKwh, installedCapacityKw) => {
        const given = sampleSummary({ todayEnergyKwh, powerW, lifetimeEnergyKwh });
        const result = checkSummary(given, { installedCapacityKw }, noonMs);
        if ('type' in result) {
          expect(isPossibleDayEnergy(todayEnergyKwh, installedCapacityKw)).toBe(false);
          return;
        }
        for (const value of [
          result.todayEnergyKwh ?? NaN,
          result.powerW ?? 0,
          result.lifetimeEnergyKwh ?? 0,
        ]) {
          expect(value >= 0 && value < Infinity).toBe(true);
        }
        const lost = [
          ...(powerW !== null && result.powerW === null ? ['power_w'] : []),
          ...(lifetimeEnergyKwh !== null && result.lifetimeEnergyKwh === null
            ? ['lifetime_energy_kwh']
            : []),
        ];
        expect(result.refused.map(({ field }) => field).sort()).toEqual(lost.sort());
      },
    ),
  );
});

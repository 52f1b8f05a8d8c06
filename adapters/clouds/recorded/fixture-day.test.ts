import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addDays, instantOf, startOfDayMs } from '../../../domain/zone.ts';
import { dayTotalKwh, measure, ordinaryDay, type SimulatedPlant } from './fixture-day.ts';

const plant: SimulatedPlant = {
  vendorPlantId: '1300000000000000007',
  timezone: 'Europe/Amsterdam',
  capacityKw: 10,
  latitude: null,
  longitude: null,
};
const at = (hhmm: string, date = '2026-06-11'): number => instantOf(date, hhmm, plant.timezone);

const anyPlant = fc.record({
  vendorPlantId: fc.string({ minLength: 1 }),
  timezone: fc.constantFrom(
    'Europe/Amsterdam',
    'Asia/Kathmandu',
    'Pacific/Kiritimati',
    'America/Santiago',
  ),
  capacityKw: fc.integer({ min: 4, max: 5_000 }),
  latitude: fc.constantFrom(null, 52, -33, 0, 71),
  longitude: fc.constantFrom(5, -70, 174),
});
const anyInstant = fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2028, 0, 1) });

describe('an ordinary day', () => {
  test('measures every five minutes and never ahead of the clock', () => {
    const nowMs = at('11:03') + 20_000;
    expect(measure(plant, ordinaryDay, nowMs).measuredAtMs).toBe(at('11:00'));
    expect(measure(plant, ordinaryDay, at('11:05')).measuredAtMs).toBe(at('11:05'));
    expect(measure(plant, ordinaryDay, at('11:05') - 1).measuredAtMs).toBe(at('11:00'));
  });

  test('gives nothing before 06:00, half at noon, all from 18:00 where the place is unknown', () => {
    const total = dayTotalKwh(plant, '2026-06-11');
    const energy = (hhmm: string): number => measure(plant, ordinaryDay, at(hhmm)).todayEnergyKwh;
    expect(energy('05:55')).toBe(0);
    expect(energy('12:00')).toBeCloseTo(total / 2);
    expect(energy('18:00')).toBeCloseTo(total);
    expect(energy('23:55')).toBeCloseTo(total);
  });

  test('gives between 75 % and 100 % of 4.5 kWh for each kW, different every day', () => {
    const totals = Array.from({ length: 60 }, (_, day) =>
      dayTotalKwh(plant, addDays('2026-06-11', day)),
    );
    expect(Math.min(...totals)).toBeGreaterThanOrEqual(45 * 0.75);
    expect(Math.max(...totals)).toBeLessThanOrEqual(45);
    expect(new Set(totals.map((total) => total.toFixed(2))).size).toBeGreaterThan(50);
  });

  test('power is what the energy rises by', () => {
    for (const hhmm of ['07:00', '10:30', '12:00', '16:45']) {
      const before = measure(plant, ordinaryDay, at(hhmm) - 300_000);
      const after = measure(plant, ordinaryDay, at(hhmm) + 300_000);
      const risen = (after.todayEnergyKwh - before.todayEnergyKwh) * 6_000;
      expect(measure(plant, ordinaryDay, at(hhmm)).powerW).toBeCloseTo(risen, -1);
    }
  });

  test('of a plant that fell silent is the last one for ever: its time does not go on', () => {
    const silent = { ...ordinaryDay, silentSinceMs: at('11:02') };
    expect(measure(plant, silent, at('10:58')).measuredAtMs).toBe(at('10:55'));
    const last = measure(plant, ordinaryDay, at('11:00'));
    for (const later of [at('11:10'), at('18:00'), at('11:00', '2026-06-14')])
      expect(measure(plant, silent, later)).toEqual({ ...last, condition: expect.any(String) });
    expect(measure(plant, silent, at('12:00')).condition).toBe('OFFLINE');
  });

  test('follows the sun of the place', () => {
    const here = { ...plant, latitude: 52.1, longitude: 5.2 };
    expect(measure(here, ordinaryDay, at('05:50')).powerW).toBeGreaterThan(0);
    expect(measure(here, ordinaryDay, at('21:30')).powerW).toBeGreaterThan(0);
    expect(measure(here, ordinaryDay, at('22:30')).powerW).toBeCloseTo(0);
  });

  test('for every plant at every instant: energy within the day, power possible, lifetime above all', () => {
    fc.assert(
      fc.property(anyPlant, anyInstant, (one, nowMs) => {
        const now = measure(one, ordinaryDay, nowMs);
        expect(now.measuredAtMs).toBeLessThanOrEqual(nowMs);
        expect(now.todayEnergyKwh).toBeGreaterThanOrEqual(0);
        expect(now.todayEnergyKwh).toBeLessThanOrEqual(one.capacityKw * 4.5);
        expect(now.powerW).toBeGreaterThanOrEqual(0);
        expect(now.powerW).toBeLessThan(one.capacityKw * 1_500);
        expect(now.monthEnergyKwh).toBeLessThanOrEqual(now.yearEnergyKwh + 1e-6);
        expect(now.yearEnergyKwh).toBeLessThanOrEqual(now.lifetimeEnergyKwh + 1e-6);
      }),
    );
  });

  test('for every plant: the lifetime never falls, and rises by what a day gives', () => {
    fc.assert(
      fc.property(
        anyPlant,
        anyInstant,
        fc.integer({ min: 0, max: 10 * 86_400_000 }),
        (one, nowMs, laterMs) => {
          const now = measure(one, ordinaryDay, nowMs);
          const later = measure(one, ordinaryDay, nowMs + laterMs);
          expect(later.lifetimeEnergyKwh).toBeGreaterThanOrEqual(now.lifetimeEnergyKwh - 1e-6);
        },
      ),
    );
    const midnight = startOfDayMs('2026-06-12', plant.timezone);
    const risen =
      measure(plant, ordinaryDay, midnight).lifetimeEnergyKwh -
      measure(plant, ordinaryDay, startOfDayMs('2026-06-11', plant.timezone)).lifetimeEnergyKwh;
    expect(risen).toBeCloseTo(dayTotalKwh(plant, '2026-06-11'));
  });
});

describe('other days', () => {
  test('a lag makes the measurement old, and offline from more than 30 minutes on', () => {
    const lagging = (lagS: number) => measure(plant, { ...ordinaryDay, lagS }, at('12:00'));
    expect(lagging(18_000)).toMatchObject({ measuredAtMs: at('07:00'), condition: 'OFFLINE' });
    expect(lagging(1_800).condition).toBe('ONLINE');
    expect(lagging(2_100).condition).toBe('OFFLINE');
  });

  test("a sleeper's newest measurement is the sunset before, and its total that of the evening", () => {
    const sleeper = { ...ordinaryDay, sleeps: true };
    const night = measure(plant, sleeper, at('03:00'));
    expect(night).toMatchObject({ measuredAtMs: at('18:00', '2026-06-10'), condition: 'ASLEEP' });
    expect(night.todayEnergyKwh).toBeCloseTo(dayTotalKwh(plant, '2026-06-10'));
    expect(measure(plant, sleeper, at('18:00')).condition).toBe('ONLINE');
    expect(measure(plant, sleeper, at('18:05'))).toMatchObject({
      measuredAtMs: at('18:00'),
      condition: 'ASLEEP',
    });
    expect(measure(plant, sleeper, at('06:00'))).toMatchObject({
      measuredAtMs: at('06:00'),
      condition: 'ONLINE',
    });
  });

  test("before its reset the counter shows yesterday's total, with a fresh time; the lifetime does not mind", () => {
    for (const resetAt of ['06:30', 'wake']) {
      const late = { ...ordinaryDay, resetAt };
      const dawn = measure(plant, late, at('05:55'));
      expect(dawn.todayEnergyKwh).toBeCloseTo(dayTotalKwh(plant, '2026-06-10'));
      expect(dawn.measuredAtMs).toBe(at('05:55'));
      expect(dawn.lifetimeEnergyKwh).toBe(
        measure(plant, ordinaryDay, at('05:55')).lifetimeEnergyKwh,
      );
      expect(measure(plant, late, at('06:30')).todayEnergyKwh).toBeLessThan(1);
    }
  });

  test('a poor day is today only', () => {
    const poor = { ...ordinaryDay, todayFactor: 0.2 };
    const noon = at('12:00');
    const usual = measure(plant, ordinaryDay, noon);
    expect(measure(plant, poor, noon).todayEnergyKwh).toBeCloseTo(usual.todayEnergyKwh * 0.2);
    expect(measure(plant, poor, noon).powerW).toBeCloseTo(usual.powerW * 0.2);
    const yesterday = { ...poor, lagS: 86_400 };
    expect(measure(plant, yesterday, noon).todayEnergyKwh).toBeCloseTo(
      dayTotalKwh(plant, '2026-06-10') / 2,
    );
  });

  test('a daily silence begins and ends at its local times', () => {
    const silent = { ...ordinaryDay, silent: { from: '09:00', to: '15:00' } };
    expect(measure(plant, silent, at('08:55')).measuredAtMs).toBe(at('08:55'));
    expect(measure(plant, silent, at('14:59')).measuredAtMs).toBe(at('09:00'));
    expect(measure(plant, silent, at('15:00')).measuredAtMs).toBe(at('15:00'));
  });
});

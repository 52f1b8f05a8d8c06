import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clearSkyShare, sunTimes } from './sun.ts';
import { localDateAt } from './zone.ts';

const minute = 60_000;
const madrid = { timezone: 'Europe/Madrid', latitude: 40.4168, longitude: -3.7038 };

/** Published times (almanac, rounded to the minute) hold within two minutes. */
function expectNear(atMs: number | null, iso: string): void {
  expect(atMs).not.toBeNull();
  expect(Math.abs((atMs ?? 0) - Date.parse(iso))).toBeLessThanOrEqual(2 * minute);
}

describe('sunTimes', () => {
  test('knows the sun of Madrid at midsummer', () => {
    const { sunriseMs, sunsetMs } = sunTimes('2026-06-21', 'Europe/Madrid', 40.4168, -3.7038);
    expectNear(sunriseMs, '2026-06-21T04:45Z');
    expectNear(sunsetMs, '2026-06-21T19:49Z');
  });

  test.each([
    ['Pacific/Kiritimati', 1.87, -157.43],
    ['Pacific/Auckland', -36.85, 174.76],
    ['Asia/Shanghai', 39.47, 75.99],
    ['America/Sao_Paulo', -23.55, -46.63],
    ['Asia/Kathmandu', 27.72, 85.32],
  ])(
    'belongs to the local day in %s, far from UTC as it may be',
    (timezone, latitude, longitude) => {
      const { sunriseMs, sunsetMs } = sunTimes('2026-03-20', timezone, latitude, longitude);
      expect(localDateAt(sunriseMs ?? 0, timezone)).toBe('2026-03-20');
      expect(localDateAt(sunsetMs ?? 0, timezone)).toBe('2026-03-20');
    },
  );

  test('says null in polar night and polar day, and which it is', () => {
    const none = { sunriseMs: null, sunsetMs: null };
    const tromso = (date: string) => sunTimes(date, 'Europe/Oslo', 69.65, 18.96);
    expect(tromso('2026-12-21')).toEqual({ ...none, polar: 'NIGHT' });
    expect(tromso('2026-06-21')).toEqual({ ...none, polar: 'DAY' });
  });

  test('a sunset after midnight belongs to the day whose noon it follows', () => {
    const { sunsetMs } = sunTimes('2026-06-21', 'America/Nome', 64.5, -165.41);
    expect(localDateAt(sunsetMs ?? 0, 'America/Nome')).toBe('2026-06-22');
  });
});

describe('clearSkyShare', () => {
  const date = '2026-06-21';
  const { sunriseMs, sunsetMs } = sunTimes(date, 'Europe/Madrid', 40.4168, -3.7038);
  const rise = sunriseMs ?? 0;
  const set = sunsetMs ?? 0;

  test('is 0 up to sunrise, a half at solar noon, 1 from sunset on', () => {
    expect(clearSkyShare(rise, date, madrid)).toBe(0);
    expect(clearSkyShare(rise - 3 * 3_600_000, date, madrid)).toBe(0);
    expect(clearSkyShare((rise + set) / 2, date, madrid)).toBeCloseTo(0.5, 12);
    expect(clearSkyShare(rise + (set - rise) / 4, date, madrid)).toBeCloseTo(
      (1 - Math.SQRT1_2) / 2,
      12,
    );
    expect(clearSkyShare(set, date, madrid)).toBe(1);
    expect(clearSkyShare(set + 3_600_000, date, madrid)).toBe(1);
  });

  test('never falls in the course of a day', () => {
    fc.assert(
      fc.property(fc.integer({ min: rise, max: set }), fc.nat({ max: 3_600_000 }), (at, more) => {
        const before = clearSkyShare(at, date, madrid) ?? NaN;
        expect(clearSkyShare(at + more, date, madrid)).toBeGreaterThanOrEqual(before);
      }),
    );
  });

  test('is null where the place is unknown or the sun does not set', () => {
    expect(clearSkyShare(rise, date, { ...madrid, latitude: null })).toBeNull();
    expect(clearSkyShare(rise, date, { ...madrid, longitude: null })).toBeNull();
    const tromso = { timezone: 'Europe/Oslo', latitude: 69.65, longitude: 18.96 };
    expect(clearSkyShare(rise, date, tromso)).toBeNull();
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isNight } from './daylight.ts';
import { decideStatus, type StatusFacts } from './plants/status.ts';
import { sunTimes } from './sun.ts';
import { addDays, dayMs, hourMs, localDateAt, minuteMs, startOfDayMs } from './zone.ts';

const madrid = { timezone: 'Europe/Madrid', latitude: 40.4168, longitude: -3.7038 };
const tromso = { timezone: 'Europe/Oslo', latitude: 69.65, longitude: 18.96 };
const date = '2026-06-10';
const next = addDays(date, 1);

const sunOf = (place: typeof madrid, on: string) => {
  const { sunriseMs, sunsetMs } = sunTimes(on, place.timezone, place.latitude, place.longitude);
  return { sunriseMs: sunriseMs ?? NaN, sunsetMs: sunsetMs ?? NaN };
};

const plant = (different: Partial<StatusFacts>): StatusFacts => ({
  statusProfile: 'DAYLIGHT',
  ...madrid,
  integrationStatus: 'ACTIVE',
  activatedAtMs: Date.parse('2025-01-01T00:00:00Z'),
  lastSeenAtMs: null,
  activeAlerts: [],
  status: 'GREEN',
  statusSinceMs: 0,
  ...different,
});
const reasonAt = (different: Partial<StatusFacts>, nowMs: number) =>
  decideStatus(plant(different), nowMs).reason;

describe('a DAYLIGHT plant', () => {
  const { sunsetMs } = sunOf(madrid, date);
  const { sunriseMs } = sunOf(madrid, next);

  test('that sleeps from sunset to sunrise is GREEN all night; STRICT is YELLOW after 2 h', () => {
    const night = sunriseMs - sunsetMs;
    for (let part = 0; part <= 1; part += 0.1) {
      const nowMs = Math.round(sunsetMs + part * night);
      expect(reasonAt({ lastSeenAtMs: sunsetMs }, nowMs)).toBe('SEEN_RECENTLY');
    }
    const strict = { statusProfile: 'STRICT' as const, lastSeenAtMs: sunsetMs };
    expect(reasonAt(strict, sunsetMs + 2 * hourMs + 1)).toBe('NOT_SEEN_2H');
  });

  test('that does not wake is YELLOW when 2 h 45 min after sunrise have passed, not before', () => {
    const dueMs = sunriseMs + 45 * minuteMs + 2 * hourMs;
    expect(reasonAt({ lastSeenAtMs: sunsetMs }, dueMs)).toBe('SEEN_RECENTLY');
    expect(reasonAt({ lastSeenAtMs: sunsetMs }, dueMs + 1)).toBe('NOT_SEEN_2H');
  });

  test('that dies at noon is YELLOW 2 h later, as a STRICT one', () => {
    const noonMs = startOfDayMs(date, madrid.timezone) + 12 * hourMs;
    expect(reasonAt({ lastSeenAtMs: noonMs }, noonMs + 2 * hourMs)).toBe('SEEN_RECENTLY');
    expect(reasonAt({ lastSeenAtMs: noonMs }, noonMs + 2 * hourMs + 1)).toBe('NOT_SEEN_2H');
  });

  test('is RED after 24 h by the wall clock', () => {
    expect(reasonAt({ lastSeenAtMs: sunsetMs }, sunsetMs + dayMs)).toBe('NOT_SEEN_2H');
    expect(reasonAt({ lastSeenAtMs: sunsetMs }, sunsetMs + dayMs + 1)).toBe('NOT_SEEN_24H');
  });

  test('is not RED by polar night, and is a day after the light has come back', () => {
    const lastSeenAtMs = Date.parse('2026-11-26T11:00:00Z');
    const polar = { ...tromso, lastSeenAtMs };
    expect(reasonAt(polar, Date.parse('2027-01-10T12:00:00Z'))).toBe('SEEN_RECENTLY');
    expect(reasonAt(polar, Date.parse('2027-02-15T12:00:00Z'))).toBe('NOT_SEEN_24H');
    expect(reasonAt({ ...polar, statusProfile: 'STRICT' }, lastSeenAtMs + dayMs + 1)).toBe(
      'NOT_SEEN_24H',
    );
  });

  test('in polar day has no night', () => {
    const lastSeenAtMs = Date.parse('2026-06-21T23:00:00Z');
    const polar = { ...tromso, lastSeenAtMs };
    expect(reasonAt(polar, lastSeenAtMs + 2 * hourMs + 1)).toBe('NOT_SEEN_2H');
  });

  test('whose place is unknown is judged as STRICT', () => {
    const unknown = { latitude: null, longitude: null, lastSeenAtMs: sunsetMs };
    expect(reasonAt(unknown, sunsetMs + 2 * hourMs + 1)).toBe('NOT_SEEN_2H');
  });
});

describe('at any place and time', () => {
  const zones = ['Europe/Madrid', 'America/Denver', 'Australia/Lord_Howe', 'Pacific/Kiritimati'];
  const cases = fc.record({
    timezone: fc.constantFrom(...zones),
    latitude: fc.double({ min: -85, max: 85, noNaN: true }),
    longitude: fc.double({ min: -180, max: 180, noNaN: true }),
    lastSeenAtMs: fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2028, 0) }),
    silenceMs: fc.nat({ max: 60 * hourMs }),
  });
  const worse = { GREEN: 0, YELLOW: 1, RED: 2, GREY: 3 };

  test('DAYLIGHT is never worse than STRICT, and never better with time', () => {
    fc.assert(
      fc.property(cases, fc.nat({ max: 60 * hourMs }), (one, laterMs) => {
        const nowMs = one.lastSeenAtMs + one.silenceMs;
        const daylight = decideStatus(plant(one), nowMs);
        const strict = decideStatus(plant({ ...one, statusProfile: 'STRICT' }), nowMs);
        expect(worse[daylight.status]).toBeLessThanOrEqual(worse[strict.status]);
        const later = decideStatus(plant(one), nowMs + laterMs);
        expect(worse[later.status]).toBeGreaterThanOrEqual(worse[daylight.status]);
      }),
      { numRuns: 500 },
    );
  });

  test('light before the midnight of its date counts, where a place lies far from its zone', () => {
    const far = { timezone: 'Pacific/Kiritimati', latitude: 0, longitude: 0 };
    const lastSeenAtMs = 1_810_276_671_531;
    expect(isNight(far, lastSeenAtMs)).toBe(false);
    expect(reasonAt({ ...far, lastSeenAtMs }, lastSeenAtMs + 2 * hourMs + 1)).toBe('NOT_SEEN_2H');
  });

  test('silence that is GREEN by DAYLIGHT and YELLOW by STRICT has a night in it, or twilight', () => {
    fc.assert(
      fc.property(cases, (one) => {
        const nowMs = one.lastSeenAtMs + one.silenceMs;
        if (decideStatus(plant(one), nowMs).status !== 'GREEN') return;
        if (one.silenceMs <= 2 * hourMs) return;
        const { timezone, latitude, longitude } = one;
        const dark = Array.from({ length: 200 }, (_, index) => {
          const atMs = one.lastSeenAtMs + Math.round((index / 199) * one.silenceMs);
          return [-45, 0, 45].some((minutes) => isNight(one, atMs + minutes * minuteMs));
        });
        const at = localDateAt(nowMs, timezone);
        expect([at, latitude, longitude, dark.some(Boolean)]).toEqual([
          at,
          latitude,
          longitude,
          true,
        ]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('isNight', () => {
  const { sunriseMs, sunsetMs } = sunOf(madrid, date);

  test('is from sunset to sunrise', () => {
    expect(isNight(madrid, sunriseMs - 1)).toBe(true);
    expect(isNight(madrid, sunriseMs)).toBe(false);
    expect(isNight(madrid, sunsetMs - 1)).toBe(false);
    expect(isNight(madrid, sunsetMs)).toBe(true);
  });

  test('a sun that sets after midnight is up until then', () => {
    const nome = { timezone: 'America/Nome', latitude: 64.5, longitude: -165.41 };
    const { sunsetMs: lateMs } = sunOf(nome, '2026-06-21');
    expect(localDateAt(lateMs - 1, nome.timezone)).toBe('2026-06-22');
    expect(isNight(nome, lateMs - 1)).toBe(false);
    expect(isNight(nome, lateMs)).toBe(true);
  });

  test('is all day in polar night, never in polar day, unknown without a place', () => {
    expect(isNight(tromso, Date.parse('2026-12-21T11:00:00Z'))).toBe(true);
    expect(isNight(tromso, Date.parse('2026-06-21T23:00:00Z'))).toBe(false);
    expect(isNight({ ...tromso, latitude: null }, 0)).toBeNull();
  });
});

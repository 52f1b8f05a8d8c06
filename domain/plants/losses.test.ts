import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { totalsCount } from './closing.ts';
import { estimateLoss, type LossFacts, type UsualDay } from './losses.ts';
import { addDays, dayMs, hourMs, minuteMs, startOfDayMs } from '../zone.ts';

const timezone = 'Europe/Madrid';
const place = { timezone, latitude: 40.4168, longitude: -3.7038 };
const today = '2026-06-10';
const midnightMs = startOfDayMs(today, timezone);
const at = (hour: number) => midnightMs + hour * hourMs;

/** A day that gives 4 kWh an hour from 08:00 to 18:00: 40 kWh. */
const usualTotal = (hour: number) => Math.min(40, Math.max(0, (hour - 8) * 4));
const curve = Array.from({ length: totalsCount }, (_, mark) => usualTotal(mark / 6));
const usualDays: UsualDay[] = [1, 2, 3, 4, 5].map((age) => ({
  date: addDays(today, -age),
  todayEnergyKwh: 40,
  totalsByTime: curve,
}));

/** An alert since 10:00, on a day of which this share is produced; measured every 10 min until `untilHour`. */
function facts(share: number, untilHour: number, different: Partial<LossFacts> = {}): LossFacts {
  const points = Array.from({ length: Math.round(untilHour * 6) + 1 }, (_, n) => ({
    date: today,
    atMs: midnightMs + n * 10 * minuteMs,
    totalKwh: usualTotal(n / 6) * share,
  }));
  return {
    type: 'MOCK_FAULT',
    startedAtMs: at(10),
    seenBeforeMs: null,
    endedAtMs: null,
    place,
    usualDays,
    days: [
      {
        date: today,
        todayEnergyKwh: usualTotal(untilHour) * share,
        quality: 'LIVE',
        lastSeenAtMs: at(untilHour),
      },
    ],
    points,
    ...different,
  };
}
const lost = (one: LossFacts, nowMs: number) => estimateLoss(one, nowMs).estimatedLostKwh;
const atRisk = (one: LossFacts, nowMs: number) => estimateLoss(one, nowMs).atRiskKwh;

describe('what an alert costs', () => {
  test('is what is usual since it began, less what was produced', () => {
    // 10:00 to 14:00 usually gives 16 kWh; a fifth of it is 3.2.
    expect(lost(facts(0.2, 14), at(14))).toBeCloseTo(12.8, 9);
    expect(lost(facts(0, 14), at(14))).toBeCloseTo(16, 9);
  });

  test('of low generation is what the whole day lacks: the alert comes when the day is half over', () => {
    const low = facts(0.2, 14, { type: 'LOW_GENERATION', startedAtMs: at(12.25) });
    // 08:00 to 14:00 usually gives 24 kWh; 4.8 were produced.
    expect(lost(low, at(14))).toBeCloseTo(19.2, 9);
  });

  test('of low generation leaves nothing out when a good morning ends at once', () => {
    const points = facts(1, 11).points;
    const days = [{ ...facts(1, 11).days[0]!, lastSeenAtMs: at(14) }];
    const low = facts(1, 11, { type: 'LOW_GENERATION', startedAtMs: at(13), points, days });
    // Up to 11:00 it is a usual day; 12 kWh are missing by 14:00.
    expect(lost(low, at(14))).toBeCloseTo(12, 9);
  });

  test('of a silent plant is at risk since it was last seen, a day before the alert', () => {
    const silent = facts(0, 0, {
      type: 'OFFLINE',
      startedAtMs: at(10),
      seenBeforeMs: at(10) - dayMs,
      days: [],
      points: [],
    });
    // 32 kWh from 10:00 of the day before, 24 kWh up to 14:00 of this one.
    expect(atRisk(silent, at(14))).toBeCloseTo(56, 9);
  });

  test('is 0 where more than usual was produced, never less', () => {
    expect(lost(facts(1.5, 14), at(14))).toBe(0);
  });

  test('does not count what was not measured yet', () => {
    expect(lost(facts(0, 12), at(15))).toBeCloseTo(8, 9);
  });

  test('ends with the alert', () => {
    expect(lost(facts(0, 18, { endedAtMs: at(12) }), at(22))).toBeCloseTo(8, 9);
  });

  test('adds up days; the sun of one is not set against the clouds of another', () => {
    const start = { startedAtMs: at(10) - 2 * dayMs };
    const days = [
      {
        date: addDays(today, -2),
        todayEnergyKwh: 0,
        quality: 'FINAL' as const,
        lastSeenAtMs: null,
      },
      {
        date: addDays(today, -1),
        todayEnergyKwh: 99,
        quality: 'FINAL' as const,
        lastSeenAtMs: null,
      },
      ...facts(0, 14).days,
    ];
    // 32 from 10:00 of the first day, nothing of the second, 24 of the third.
    expect(lost(facts(0, 14, { ...start, days }), at(14))).toBeCloseTo(56, 9);
  });

  test.each(['OFFLINE', 'API_ERROR'] as const)('of %s is at risk until now, not lost', (type) => {
    const unseen = facts(0, 0, { type, days: [], points: [] });
    expect(estimateLoss(unseen, at(14))).toEqual({ estimatedLostKwh: null, atRiskKwh: 16 });
  });

  test('at risk falls when late data say that the plant produced', () => {
    const ended = { type: 'OFFLINE' as const, endedAtMs: at(16) };
    const before = facts(0, 0, { ...ended, days: [], points: [] });
    expect(atRisk(before, at(30))).toBeCloseTo(24, 9);
    const late = {
      date: today,
      todayEnergyKwh: 30,
      quality: 'BACKFILLED',
      lastSeenAtMs: null,
    } as const;
    // Three quarters of a usual day, in its usual hours: a quarter of the 24 kWh stays at risk.
    expect(atRisk({ ...before, days: [late] }, at(30))).toBeCloseTo(6, 9);
  });

  test('by fewer than 3 curves is told by the clear-sky day, without a place not at all', () => {
    const totalsOnly = usualDays.map((day) => ({ ...day, totalsByTime: null }));
    const bySky = lost(facts(0, 24, { usualDays: totalsOnly, startedAtMs: at(0) }), at(24));
    expect(bySky).toBeCloseTo(40, 6);
    const unknown = { usualDays: totalsOnly, place: { ...place, latitude: null } };
    expect(lost(facts(0, 14, unknown), at(14))).toBeNull();
    expect(lost(facts(0, 14, { usualDays: usualDays.slice(0, 2) }), at(14))).toBeNull();
  });

  test('is never negative, never more than the usual days since it began, and grows with what is missing', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.integer({ min: 0, max: 24 }),
        (a, b, hour) => {
          const [less, more] = [Math.min(a, b), Math.max(a, b)];
          const lostLess = lost(facts(more, hour), at(hour)) ?? NaN;
          const lostMore = lost(facts(less, hour), at(hour)) ?? NaN;
          expect(lostLess).toBeGreaterThanOrEqual(0);
          expect(lostMore).toBeGreaterThanOrEqual(lostLess - 1e-9);
          expect(lostMore).toBeLessThanOrEqual(32 + 1e-9);
        },
      ),
    );
  });
});

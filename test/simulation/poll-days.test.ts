import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  dayTotalKwh,
  type DayKnobs,
  measure,
  ordinaryDay,
  type SimulatedPlant,
} from '../../adapters/clouds/recorded/fixture-day.ts';
import type { AlertChange } from '../../domain/plants/changes.ts';
import {
  applyAlertChanges,
  sampleAnswer,
  sampleBefore,
  sampleDay,
  samplePlant,
  sampleReading,
} from '../support/plant-facts.ts';
import type { DayRow } from '../../domain/plants/facts.ts';
import { decidePoll, type PollBefore } from '../../domain/plants/poll.ts';
import { sunTimes } from '../../domain/sun.ts';
import { addDays, dayMs, localDateAt, minuteMs, startOfDayMs } from '../../domain/zone.ts';

/** Places where the sun rises and sets all year, with clocks of every kind: half hours, summer times, none. */
const places = [
  { timezone: 'Europe/Amsterdam', latitude: 52.37, longitude: 4.9 },
  { timezone: 'America/Sao_Paulo', latitude: -23.55, longitude: -46.63 },
  { timezone: 'America/St_Johns', latitude: 47.56, longitude: -52.71 },
  { timezone: 'America/Denver', latitude: 39.74, longitude: -104.99 },
  // Summer time of half an hour.
  { timezone: 'Australia/Lord_Howe', latitude: -31.55, longitude: 159.08 },
  { timezone: 'Asia/Kathmandu', latitude: 27.72, longitude: 85.32 },
  // The clocks go forward at midnight: in September a day begins at 01:00.
  { timezone: 'America/Santiago', latitude: -33.45, longitude: -70.67 },
  { timezone: 'Pacific/Kiritimati', latitude: 1.87, longitude: -157.43 },
];

const lives = fc.record({
  place: fc.constantFrom(...places),
  capacityKw: fc.constantFrom(2, 10, 200, 5_000),
  /** From 2026-01-01 on; the clock changes of three years are among them. */
  dayNumber: fc.nat({ max: 1_095 }),
  intervalMinutes: fc.constantFrom(5, 10, 15),
  resetAt: fc.constantFrom('00:00', 'wake'),
  sleeps: fc.boolean(),
  /** Not every vendor gives a lifetime total, by which yesterday's value gives itself away. */
  countsLifetime: fc.boolean(),
});
type Life = typeof lives extends fc.Arbitrary<infer L> ? L : never;

/** An inverter that sleeps measures up to five minutes before sunset for the last time: what it misses is no more than this. */
const lastMinutesShare = 1e-3;

interface Played {
  date: string;
  /** The plant's day rows at the end. */
  days: readonly DayRow[];
  changes: readonly (AlertChange & { nowMs: number })[];
}

/** Plays a local day and the first hours of the next one, poll by poll, through all rules of a poll. */
function play(
  life: Life,
  knobs: Partial<DayKnobs>,
  look: (day: DayRow | null, nowMs: number) => void,
): Played {
  const plant = plantOf(life);
  const date = addDays('2026-01-01', life.dayNumber);
  const fromMs = startOfDayMs(date, plant.timezone);
  let before: PollBefore = sampleBefore({
    plant: samplePlant({
      ...life.place,
      installedCapacityKw: life.capacityKw,
      activatedAtMs: fromMs,
      lastSeenAtMs: null,
      lastSeenSource: null,
      status: 'GREY',
      statusReason: 'WAITING_FOR_FIRST_READING',
      statusSinceMs: fromMs,
    }),
    days: [-3, -2, -1].map((age) => dayBefore(life, addDays(date, age))),
  });
  const changes: Played['changes'][number][] = [];
  const day = { ...ordinaryDay, resetAt: life.resetAt, sleeps: life.sleeps, ...knobs };
  const untilMs = startOfDayMs(addDays(date, 1), plant.timezone) + 180 * minuteMs;
  for (let nowMs = fromMs; nowMs < untilMs; nowMs += life.intervalMinutes * minuteMs) {
    const { measuredAtMs, todayEnergyKwh, lifetimeEnergyKwh, powerW } = measure(plant, day, nowMs);
    const summary = {
      todayEnergyKwh,
      lifetimeEnergyKwh: life.countsLifetime ? lifetimeEnergyKwh : null,
      lifetimeResolutionKwh: life.countsLifetime ? 0 : null,
      powerW,
      lastSeenAt: new Date(measuredAtMs).toISOString(),
    };
    const reading = sampleReading(summary, sampleAnswer([], { sinceMs: nowMs - dayMs }));
    const polled = decidePoll(before, reading, { slotMs: nowMs, nowMs });
    const row = polled.day?.row ?? null;
    look(row, nowMs);
    changes.push(...polled.alerts.alerts.map((change) => ({ ...change, nowMs })));
    before = {
      ...before,
      plant: { ...before.plant, ...polled.alerts.plant },
      days:
        row === null
          ? before.days
          : [...before.days.filter((other) => other.date !== row.date), row],
      ...applyAlertChanges(before, polled.alerts.alerts, nowMs),
    };
  }
  return { date, days: before.days, changes };
}

function dayBefore(life: Life, date: string): DayRow {
  const plant = plantOf(life);
  const endMs = startOfDayMs(addDays(date, 1), plant.timezone) - minuteMs;
  const { lifetimeEnergyKwh } = measure(plant, ordinaryDay, endMs);
  return sampleDay(date, {
    todayEnergyKwh: dayTotalKwh(plant, date),
    lifetimeEnergyKwh: life.countsLifetime ? lifetimeEnergyKwh : null,
    lastSeenAtMs: endMs,
  });
}

function plantOf(life: Life): SimulatedPlant {
  return {
    ...life.place,
    capacityKw: life.capacityKw,
    vendorPlantId: `plant of day ${life.dayNumber}`,
  };
}

/** Each plays one day, poll by poll, in some 50 ms. */
const numRuns = 40;

describe('any day at any place', () => {
  test('ends with what the plant has made of it, without an alert', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const { date, days, changes } = play(life, {}, () => {});
        const row = days.find((day) => day.date === date);
        expect((row?.todayEnergyKwh ?? 0) / dayTotalKwh(plantOf(life), date)).toBeCloseTo(1, 3);
        expect(row?.complete).toBe(true);
        expect(changes).toEqual([]);
      }),
      { numRuns },
    );
  });

  test('never books to a date more than was made of it by then', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const booked: { row: DayRow; nowMs: number }[] = [];
        play(life, {}, (row, nowMs) => {
          if (row !== null) booked.push({ row, nowMs });
        });
        const wrong = booked.filter(({ row, nowMs }) => {
          const made = measure(plantOf(life), { ...ordinaryDay, sleeps: life.sleeps }, nowMs);
          const isOfDate = row.date === localDateAt(made.measuredAtMs, life.place.timezone);
          return !isOfDate || row.todayEnergyKwh > made.todayEnergyKwh * (1 + lastMinutesShare);
        });
        expect(booked.length).toBeGreaterThan(0);
        expect(wrong).toEqual([]);
      }),
      { numRuns },
    );
  });

  test('with a twentieth of its usual energy is RED once, from noon on', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const { date, changes } = play(life, { todayFactor: 0.05 }, () => {});
        const raised = changes.filter((change) => change.kind === 'RAISE');
        expect(raised.map(({ alert }) => [alert.type, alert.severity])).toEqual([
          ['LOW_GENERATION', 'RED'],
        ]);
        const { timezone, latitude, longitude } = life.place;
        const { sunriseMs, sunsetMs } = sunTimes(date, timezone, latitude, longitude);
        expect(raised[0]?.nowMs).toBeGreaterThan(((sunriseMs ?? NaN) + (sunsetMs ?? NaN)) / 2);
        expect(raised[0]?.nowMs).toBeLessThan(sunsetMs ?? NaN);
      }),
      { numRuns },
    );
  });
});

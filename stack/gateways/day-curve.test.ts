import { describe, expect, test } from 'vitest';

import { clearDays, ofCapacity, smoothed } from './day-curve.ts';

const hourMs = 3_600_000;
const amsterdam = clearDays({ latitude: 52.37, longitude: 4.9 });

describe('clear days', () => {
  test.each([
    ['June', '2026-06-21T00:00:00Z', 16.4],
    ['December', '2026-12-21T00:00:00Z', 7.6],
  ])('have as many hours of light as a day of %s in Amsterdam', (_, midnight, hours) => {
    const beginsAtMs = Date.parse(midnight);
    const minutes = Array.from({ length: 1_440 }, (_, n) => amsterdam(beginsAtMs + n * 60_000));
    expect(minutes.filter(({ powerW }) => powerW > 0).length / 60).toBeCloseTo(hours, 0);
    expect(Math.max(...minutes.map(({ powerW }) => powerW))).toBeCloseTo(800, 0);
  });

  test('let counters rise with the integral of the power, over years', () => {
    const fromMs = Date.parse('2026-11-30T06:00:00Z');
    let kwh = 0;
    const stepMs = 10_000;
    for (let atMs = fromMs; atMs < fromMs + 30 * hourMs; atMs += stepMs)
      kwh += (amsterdam(atMs + stepMs / 2).powerW * stepMs) / hourMs / 1_000;
    const rise = amsterdam(fromMs + 30 * hourMs).lifetimeKwh - amsterdam(fromMs).lifetimeKwh;
    expect(rise).toBeCloseTo(kwh, 3);
    expect(amsterdam(fromMs).lifetimeKwh).toBeGreaterThan(15_000);
  });

  test('let no counter fall, in whatever order they are asked', () => {
    const days = Array.from({ length: 800 }, (_, n) => Date.UTC(2025, 0, 1) + n * 7 * hourMs);
    const inOrder = days.map((atMs) => amsterdam(atMs).lifetimeKwh);
    expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
    expect(days.toReversed().map((atMs) => amsterdam(atMs).lifetimeKwh)).toEqual(
      inOrder.toReversed(),
    );
  });

  test('know the polar night and the midnight sun', () => {
    const north = clearDays({ latitude: 78, longitude: 15 });
    const powers = (day: string) =>
      [0, 6, 12, 18].map((hour) => north(Date.parse(day) + hour * hourMs).powerW);
    expect(powers('2026-12-21T00:00:00Z')).toEqual([0, 0, 0, 0]);
    expect(Math.min(...powers('2026-06-21T00:00:00Z'))).toBeGreaterThan(0);
  });
});

test('a generator of more kW delivers more in proportion', () => {
  const atMs = Date.parse('2026-06-21T11:00:00Z');
  const one = amsterdam(atMs);
  const ten = ofCapacity(amsterdam, 10)(atMs);
  expect(ten.powerW / one.powerW).toBeCloseTo(10);
  expect(ten.todayKwh / one.todayKwh).toBeCloseTo(10);
  expect(ten.lifetimeKwh / one.lifetimeKwh).toBeCloseTo(10);
});

test('between two steps of a vendor a device moves evenly, and its counter of the day falls with the step', () => {
  const steps = smoothed(
    (atMs) => ({ powerW: atMs, todayKwh: atMs < 200 ? atMs : 0, lifetimeKwh: atMs }),
    100,
  );
  expect([0, 50, 99, 100, 150, 200].map((atMs) => steps(atMs).todayKwh)).toEqual([
    0, 50, 99, 100, 100, 0,
  ]);
  expect(steps(150)).toEqual({ powerW: 150, todayKwh: 100, lifetimeKwh: 150 });
});

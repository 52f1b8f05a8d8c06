import { describe, expect, test } from 'vitest';

import { dateAt, firstInstantOf } from './calendar.ts';
import { drawLife } from './life.ts';
import { runSeed, sentencesOf } from './run.ts';

/** The short run of `npm test`; the long one is `npm run simulate`. */
const seeds = ['1', '2', '3', '4', '5', '6', '7', '8'];
const days = 6;
const limitMs = 120_000;

describe('a simulation', () => {
  test.each(seeds)(
    'of seed %s keeps every invariant',
    async (seed) => {
      expect(sentencesOf(await runSeed(seed, days)).join('\n')).toBe('');
    },
    limitMs,
  );

  test(
    'of a seed repeats exactly',
    async () => {
      const [once, again] = [await runSeed('11', 4), await runSeed('11', 4)];
      expect(once.polls).toBeGreaterThan(50);
      expect(again).toEqual(once);
    },
    limitMs,
  );

  test('draws plants of all brands, in all its zones, calm ones and others', () => {
    const lives = Array.from({ length: 100 }, (_, seed) => drawLife(String(seed), 10));
    const plants = lives.flatMap((life) => life.plants);
    expect(new Set(plants.map(({ brand }) => brand)).size).toBe(4);
    expect(new Set(plants.map(({ place }) => place.timezone)).size).toBe(7);
    expect(lives.filter(({ faults }) => faults.length === 0).length).toBeGreaterThan(5);
    expect(lives.filter(({ outages }) => outages.length > 0).length).toBeGreaterThan(30);
  });

  test('has a calendar of its own, for days of 23, 23½, 24½ and 25 hours', () => {
    const hours = (date: string, next: string, zone: string) =>
      (firstInstantOf(next, zone) - firstInstantOf(date, zone)) / 3_600_000;
    expect(hours('2026-03-29', '2026-03-30', 'Europe/Madrid')).toBe(23);
    expect(hours('2026-10-25', '2026-10-26', 'Europe/Madrid')).toBe(25);
    expect(hours('2026-10-04', '2026-10-05', 'Australia/Lord_Howe')).toBe(23.5);
    expect(hours('2026-04-05', '2026-04-06', 'Australia/Lord_Howe')).toBe(24.5);
    expect(hours('2026-09-06', '2026-09-07', 'America/Santiago')).toBe(23);
    expect(dateAt(Date.parse('2026-06-01T10:30:00Z'), 'Pacific/Kiritimati')).toBe('2026-06-02');
  });
});

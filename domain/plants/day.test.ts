import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DayChanges } from './changes.ts';
import { decideDay, isComplete } from './day.ts';
import type { DayBefore, DayRow, PlantFacts } from './facts.ts';
import {
  noonMs,
  sampleDay,
  samplePlant,
  sampleSummary,
  sampleWeek,
  today,
} from '../../test/support/plant-facts.ts';
import type { PlantSummary } from './reading.ts';
import { addDays, dayMs, hourMs, instantOf, localDateAt, minuteMs, startOfDayMs } from '../zone.ts';

const yesterday = '2026-06-09';
const madrid = { timezone: 'Europe/Madrid', latitude: 40.4168, longitude: -3.7038 };
const at = (ms: number): string => new Date(ms).toISOString();
const clock = (hhmm: string, date = today): number => instantOf(date, hhmm, 'Europe/Madrid');

interface Given {
  summary?: Partial<PlantSummary>;
  plant?: Partial<PlantFacts>;
  days?: DayRow[];
  askedInVain?: string[];
  nowMs?: number;
}

/** Decides a summary measured at `nowMs`, noon unless it says otherwise. */
function decide(given: Given): DayChanges {
  const nowMs = given.nowMs ?? noonMs;
  const before: DayBefore = {
    plant: samplePlant(given.plant),
    days: given.days ?? sampleWeek(),
    askedInVain: given.askedInVain ?? [],
  };
  return decideDay(before, sampleSummary({ lastSeenAt: at(nowMs), ...given.summary }), nowMs);
}

describe('an ordinary reading', () => {
  test('makes the row of its day', () => {
    const { row, booked, gaps, note } = decide({
      summary: { lifetimeEnergyKwh: 9_000, lifetimeResolutionKwh: 1 },
    });
    expect(row).toEqual({
      date: today,
      todayEnergyKwh: 15,
      peakPowerW: 7_000,
      lifetimeEnergyKwh: 9_000,
      quality: 'LIVE',
      complete: false,
      lastSeenAtMs: noonMs,
      liveEnergyKwh: 15,
    });
    expect(booked).toEqual({
      bookedDate: today,
      todayEnergyKwh: 15,
      powerW: 7_000,
      lifetimeEnergyKwh: 9_000,
      sourceTimeMs: noonMs,
      seenAtMs: noonMs,
      seenSource: 'VENDOR',
    });
    expect(gaps).toEqual([]);
    expect(note).toBeNull();
  });

  test('keeps the highest power of the day, and null where none was ever given', () => {
    const days = [...sampleWeek(), sampleDay(today, { todayEnergyKwh: 12, peakPowerW: 9_000 })];
    expect(decide({ days }).row?.peakPowerW).toBe(9_000);
    expect(decide({ days, summary: { powerW: 9_001 } }).row?.peakPowerW).toBe(9_001);
    expect(decide({ days, summary: { powerW: null } }).row?.peakPowerW).toBe(9_000);
    expect(decide({ summary: { powerW: null } }).row?.peakPowerW).toBeNull();
  });

  test('belongs to the plant-local date, whatever the date in UTC', () => {
    const kathmandu = { timezone: 'Asia/Kathmandu', latitude: null, longitude: null };
    const nowMs = Date.parse('2026-06-10T18:30:00Z'); // 00:15 on the 11th
    const { booked } = decide({
      plant: kathmandu,
      nowMs,
      days: [],
      summary: { todayEnergyKwh: 0.1 },
    });
    expect(booked.bookedDate).toBe('2026-06-11');
  });
});

describe('a logger that is offline, without data', () => {
  test('books nothing and invents no zero', () => {
    const { row, booked, note } = decide({
      summary: { todayEnergyKwh: null, powerW: 0, lastSeenAt: null },
    });
    expect(row).toBeNull();
    expect(booked).toMatchObject({ bookedDate: null, todayEnergyKwh: null, seenAtMs: null });
    expect(note).toContain('offline');
  });
});

describe('a logger that the vendor calls offline', () => {
  const offline = { todayEnergyKwh: null, powerW: 0, lastSeenAt: null };

  test('books nothing, proves no life and leaves the day as it is', () => {
    const days = [...sampleWeek(), sampleDay(today, { todayEnergyKwh: 12, complete: false })];
    const { row, booked, gaps, note } = decide({ days, summary: offline });
    expect(row).toBeNull();
    expect(booked).toEqual({
      bookedDate: null,
      todayEnergyKwh: null,
      powerW: 0,
      lifetimeEnergyKwh: null,
      sourceTimeMs: null,
      seenAtMs: null,
      seenSource: null,
    });
    expect(gaps).toEqual([]);
    expect(note).toContain('offline');
  });

  test('is still seen at the time that the vendor states', () => {
    const lastSeenAt = at(noonMs - 3 * hourMs);
    const { booked } = decide({ summary: { ...offline, lastSeenAt } });
    expect(booked).toMatchObject({ seenAtMs: noonMs - 3 * hourMs, seenSource: 'VENDOR' });
  });
});

describe('within a LIVE day', () => {
  const days = [...sampleWeek(), sampleDay(today, { todayEnergyKwh: 20, complete: false })];

  test('the total never falls: row and ledger keep the higher one', () => {
    const { row, booked, note } = decide({ days, summary: { todayEnergyKwh: 0 } });
    expect(row?.todayEnergyKwh).toBe(20);
    expect(booked.todayEnergyKwh).toBe(20);
    expect(note).toContain('fell from 20.0 kWh to 0.0 kWh');
  });

  test('the same total again is nothing to note', () => {
    expect(decide({ days, summary: { todayEnergyKwh: 20 } })).toMatchObject({
      row: { todayEnergyKwh: 20 },
      note: null,
    });
  });

  test('a higher total raises it', () => {
    const { row, booked, note } = decide({ days, summary: { todayEnergyKwh: 20.5 } });
    expect([row?.todayEnergyKwh, row?.liveEnergyKwh, booked.todayEnergyKwh]).toEqual([
      20.5, 20.5, 20.5,
    ]);
    expect(note).toBeNull();
  });
});

describe('guard (a): a measurement of another date', () => {
  test('belongs to that date, just after midnight', () => {
    const days = [...sampleWeek().slice(0, 6), sampleDay(yesterday, { todayEnergyKwh: 39.5 })];
    const { booked, row } = decide({
      days,
      nowMs: clock('00:10'),
      summary: { todayEnergyKwh: 40.2, lastSeenAt: at(clock('23:55', yesterday)) },
    });
    expect(booked).toMatchObject({ bookedDate: yesterday, todayEnergyKwh: 40.2 });
    expect(row).toMatchObject({ date: yesterday, todayEnergyKwh: 40.2, quality: 'LIVE' });
  });

  test('is told by the plant-local midnight to the millisecond', () => {
    const midnight = startOfDayMs(today, 'Europe/Madrid');
    const booked = (ms: number): string | null =>
      decide({
        nowMs: clock('00:10'),
        days: [],
        summary: { todayEnergyKwh: 0, lastSeenAt: at(ms) },
      }).booked.bookedDate;
    expect(booked(midnight)).toBe(today);
    expect(booked(midnight - 1)).toBe(yesterday);
  });

  test('a clock that is 5 min fast does not book the evening to tomorrow', () => {
    const nowMs = clock('23:57');
    const { booked } = decide({
      nowMs,
      days: [...sampleWeek(), sampleDay(today, { todayEnergyKwh: 41 })],
      summary: { todayEnergyKwh: 41, lastSeenAt: at(nowMs + 5 * minuteMs) },
    });
    expect(booked.bookedDate).toBe(today);
  });

  test('leaves the energy of a day that the series has closed, and shows what it read', () => {
    const closed = sampleDay(yesterday, {
      todayEnergyKwh: 38,
      quality: 'BACKFILLED',
      liveEnergyKwh: 36,
    });
    const { booked, row } = decide({
      days: [...sampleWeek().slice(0, 6), closed],
      nowMs: clock('07:00'),
      summary: { todayEnergyKwh: 37, lastSeenAt: at(clock('21:00', yesterday)) },
    });
    expect(row).toMatchObject({ todayEnergyKwh: 38, liveEnergyKwh: 37, quality: 'BACKFILLED' });
    expect(booked).toMatchObject({ bookedDate: yesterday, todayEnergyKwh: 37 });
  });

  test('never lowers what live readings of a closed day said', () => {
    const closed = sampleDay(yesterday, {
      todayEnergyKwh: 38,
      quality: 'BACKFILLED',
      liveEnergyKwh: 36,
    });
    const { row } = decide({
      days: [...sampleWeek().slice(0, 6), closed],
      nowMs: clock('07:00'),
      summary: { todayEnergyKwh: 30, lastSeenAt: at(clock('21:00', yesterday)) },
    });
    expect(row).toMatchObject({ todayEnergyKwh: 38, liveEnergyKwh: 36 });
  });

  test('D-3 is still booked, D-4 is final', () => {
    const measured = (age: number): DayChanges =>
      decide({ days: [], summary: { lastSeenAt: at(noonMs - age * dayMs) } });
    expect(measured(3).booked.bookedDate).toBe('2026-06-07');
    expect(measured(4)).toMatchObject({
      row: null,
      booked: { bookedDate: null, todayEnergyKwh: null },
    });
    expect(measured(4).note).toContain('final');
  });

  test('a FINAL row stays as it is', () => {
    const days = [sampleDay('2026-06-07', { quality: 'FINAL' })];
    const { row, booked } = decide({ days, summary: { lastSeenAt: at(noonMs - 3 * dayMs) } });
    expect(row).toBeNull();
    expect(booked.bookedDate).toBeNull();
  });
});

describe("guard (b): yesterday's total shown as today's", () => {
  const dawn = clock('06:30');
  const lifetime = (kwh: number): Partial<PlantSummary> => ({
    lifetimeEnergyKwh: kwh,
    lifetimeResolutionKwh: 0.1,
  });
  const days = sampleWeek({ lifetimeEnergyKwh: 9_000 });

  test('is refused while the lifetime total stands still, even with a fresh time', () => {
    const { row, booked, note } = decide({
      days,
      nowMs: dawn,
      summary: { todayEnergyKwh: 40, ...lifetime(9_000) },
    });
    expect(row).toBeNull();
    expect(booked).toMatchObject({
      bookedDate: null,
      todayEnergyKwh: null,
      lifetimeEnergyKwh: 9_000,
      seenAtMs: dawn,
    });
    expect(note).toContain('still the total of the day before');
  });

  test.each([
    [39.8, today],
    [39.9, null],
    [40.1, null],
    [40.2, today],
  ])('means within 0.1 kWh: %d against 40 is booked to %s', (todayEnergyKwh, bookedDate) => {
    const { booked } = decide({ nowMs: clock('15:00'), summary: { todayEnergyKwh } });
    expect(booked.bookedDate).toBe(bookedDate);
  });

  test('is believed once the lifetime total has risen by as much', () => {
    const { booked } = decide({
      days,
      nowMs: clock('15:00'),
      summary: { todayEnergyKwh: 40, ...lifetime(9_040) },
    });
    expect(booked.bookedDate).toBe(today);
  });

  test("knows yesterday's last live total, though the series has corrected the day", () => {
    const corrected = sampleDay(yesterday, {
      todayEnergyKwh: 42,
      liveEnergyKwh: 40,
      quality: 'BACKFILLED',
    });
    for (const todayEnergyKwh of [40, 42]) {
      const { booked } = decide({
        days: [...sampleWeek().slice(0, 6), corrected],
        nowMs: dawn,
        summary: { todayEnergyKwh },
      });
      expect(booked.bookedDate).toBeNull();
    }
  });

  test("without a lifetime total it is yesterday's until it differs, and no coincidence after that", () => {
    const own = sampleDay(today, { todayEnergyKwh: 39, complete: false });
    const equal = { nowMs: clock('16:00'), summary: { todayEnergyKwh: 40 } };
    expect(decide(equal).booked.bookedDate).toBeNull();
    expect(decide({ ...equal, days: [...sampleWeek(), own] }).booked.bookedDate).toBe(today);
  });

  test('a zero at midnight does not count as a total of its own: the flip back is refused', () => {
    const zero = sampleDay(today, { todayEnergyKwh: 0, complete: false });
    const { booked } = decide({
      days: [...sampleWeek(), zero],
      plant: { installedCapacityKw: null },
      nowMs: clock('00:30'),
      summary: { todayEnergyKwh: 40 },
    });
    expect(booked.bookedDate).toBeNull();
  });

  test('a lifetime total in coarser steps than the day cannot tell', () => {
    const small = sampleWeek({ todayEnergyKwh: 3, lifetimeEnergyKwh: 9_000 });
    const own = sampleDay(today, {
      todayEnergyKwh: 2.8,
      lifetimeEnergyKwh: 9_000,
      complete: false,
    });
    const { booked } = decide({
      days: [...small, own],
      summary: { todayEnergyKwh: 3, lifetimeEnergyKwh: 9_000, lifetimeResolutionKwh: 10 },
    });
    expect(booked.bookedDate).toBe(today);
  });

  test.each([
    [10, null],
    [10.1, today],
  ])(
    'a lifetime total in steps of 10 kWh cannot tell of a day of %d kWh with an own total: %s',
    (kwh, refused) => {
      const days = [
        ...sampleWeek({ todayEnergyKwh: kwh, lifetimeEnergyKwh: 9_000 }),
        sampleDay(today, { todayEnergyKwh: kwh - 0.1, complete: false }),
      ];
      const { booked } = decide({
        days,
        summary: { todayEnergyKwh: kwh, lifetimeEnergyKwh: 9_000, lifetimeResolutionKwh: 10 },
      });
      expect(booked.bookedDate).toBe(refused === null ? today : null);
    },
  );

  test("the day before may be up to 7 days ago, and a repeated total older than that is today's", () => {
    const repeated = (date: string): string | null =>
      decide({ days: [sampleDay(date)], nowMs: clock('15:00'), summary: { todayEnergyKwh: 40 } })
        .booked.bookedDate;
    expect(repeated('2026-06-03')).toBeNull();
    expect(repeated('2026-06-02')).toBe(today);
  });

  test('a plant that makes nothing for days still has its rows', () => {
    const dead = sampleWeek({ todayEnergyKwh: 0, lifetimeEnergyKwh: 9_000 });
    const { row } = decide({ days: dead, summary: { todayEnergyKwh: 0, ...lifetime(9_000) } });
    expect(row).toMatchObject({ date: today, todayEnergyKwh: 0 });
  });

  test('no zero is invented: the day gets its row from its first own reading', () => {
    const refused = decide({ nowMs: dawn, summary: { todayEnergyKwh: 40 } });
    expect(refused.row).toBeNull();
    const first = decide({ nowMs: clock('07:30'), summary: { todayEnergyKwh: 0.2 } });
    expect(first.row).toMatchObject({ date: today, todayEnergyKwh: 0.2 });
  });
});

describe('guard (c): more than there can be', () => {
  test('capacity × 1.2 × hours since local midnight is possible, more is not', () => {
    const booked = (todayEnergyKwh: number): string | null =>
      decide({ days: [], nowMs: clock('01:00'), summary: { todayEnergyKwh } }).booked.bookedDate;
    expect(booked(12)).toBe(today);
    expect(booked(12.1)).toBeNull();
  });

  test('counts the hours that passed, not those on the clock, when summer time begins', () => {
    const nowMs = instantOf('2026-03-29', '06:00', 'Europe/Madrid'); // 5 h after midnight
    const booked = (todayEnergyKwh: number): string | null =>
      decide({ days: [], nowMs, summary: { todayEnergyKwh } }).booked.bookedDate;
    expect(booked(60)).toBe('2026-03-29');
    expect(booked(60.1)).toBeNull();
  });

  test('knows no such limit where the capacity is unknown', () => {
    const { booked } = decide({
      days: [],
      plant: { installedCapacityKw: null },
      nowMs: clock('01:00'),
      summary: { todayEnergyKwh: 500 },
    });
    expect(booked.bookedDate).toBe(today);
  });

  test.each([
    [11.11, today],
    [11.12, null],
  ])(
    'a lifetime rise of 10 kWh, ± its resolution of 1 kWh, + 1 %%, allows 11.11: %d',
    (todayEnergyKwh, bookedDate) => {
      const { booked } = decide({
        days: sampleWeek({ lifetimeEnergyKwh: 9_000 }),
        summary: { todayEnergyKwh, lifetimeEnergyKwh: 9_010, lifetimeResolutionKwh: 1 },
      });
      expect(booked.bookedDate).toBe(bookedDate);
    },
  );

  test('measures the rise from the newest day that has a lifetime total', () => {
    const days = sampleWeek().map((day, index) =>
      index < 6 ? { ...day, lifetimeEnergyKwh: 9_000 + index } : day,
    );
    const booked = (todayEnergyKwh: number): string | null =>
      decide({
        days,
        summary: { todayEnergyKwh, lifetimeEnergyKwh: 9_015, lifetimeResolutionKwh: 0 },
      }).booked.bookedDate;
    expect(booked(10.1)).toBe(today);
    expect(booked(10.2)).toBeNull();
  });

  test('a refused value leaves the row of the day, its peak included, as it is', () => {
    const own = sampleDay(today, { todayEnergyKwh: 1, peakPowerW: 100, complete: false });
    const { row } = decide({
      days: [...sampleWeek(), own],
      nowMs: clock('01:00'),
      summary: { todayEnergyKwh: 200, powerW: 9_000 },
    });
    expect(row).toBeNull();
  });
});

describe('a lifetime total that fell', () => {
  test('is left out, and judges nothing', () => {
    const { row, booked, note } = decide({
      days: sampleWeek({ lifetimeEnergyKwh: 9_000 }),
      summary: { lifetimeEnergyKwh: 12, lifetimeResolutionKwh: 0.1 },
    });
    expect(row).toMatchObject({ todayEnergyKwh: 15, lifetimeEnergyKwh: null });
    expect(booked.lifetimeEnergyKwh).toBeNull();
    expect(note).toContain('lifetime total fell');
  });

  test('is one below the highest of the days before', () => {
    const days = sampleWeek().map((day, index) => ({
      ...day,
      lifetimeEnergyKwh: 9_000 + index * 40,
    }));
    const booked = (lifetimeEnergyKwh: number): number | null =>
      decide({ days, summary: { lifetimeEnergyKwh, lifetimeResolutionKwh: 0 } }).booked
        .lifetimeEnergyKwh;
    expect(booked(9_239)).toBeNull();
    expect(booked(9_240)).toBe(9_240);
  });

  test('by no more than its resolution has not fallen', () => {
    const own = sampleDay(today, { todayEnergyKwh: 14, lifetimeEnergyKwh: 9_015, complete: false });
    const { booked, row } = decide({
      days: [own],
      summary: { lifetimeEnergyKwh: 9_014, lifetimeResolutionKwh: 1 },
    });
    expect(booked.lifetimeEnergyKwh).toBe(9_014);
    expect(row?.lifetimeEnergyKwh).toBe(9_015);
  });
});

describe('proof of life where the vendor states no time', () => {
  const none = { lastSeenAt: null };
  const running = {
    sn: 'A',
    powerW: 10,
    todayEnergyKwh: null,
    state: 'RUNNING',
    measuredAt: null,
  } as const;
  const evidence = { seenAtMs: noonMs, seenSource: 'EVIDENCE' };
  const nothing = { seenAtMs: null, seenSource: null };
  const own = sampleDay(today, { todayEnergyKwh: 14, complete: false, lifetimeEnergyKwh: 9_000 });

  test('an inverter that runs with power', () => {
    expect(decide({ summary: { ...none, devices: [running] } }).booked).toMatchObject(evidence);
  });

  test.each([
    ['runs without power', { ...running, powerW: 0 }],
    ['runs, its power unknown', { ...running, powerW: null }],
    ['has power but is not running', { ...running, state: 'OFFLINE' as const }],
  ])('not an inverter that %s', (_, device) => {
    expect(decide({ summary: { ...none, devices: [device] } }).booked).toMatchObject(nothing);
  });

  test("the day's total has risen since the last accepted reading", () => {
    expect(decide({ days: [own], summary: none }).booked).toMatchObject(evidence);
    const same = { ...none, todayEnergyKwh: 14 };
    expect(decide({ days: [own], summary: same }).booked).toMatchObject(nothing);
  });

  test('the lifetime total has risen', () => {
    const given = { ...none, todayEnergyKwh: 14, lifetimeEnergyKwh: 9_001 };
    expect(decide({ days: [own], summary: given }).booked).toMatchObject(evidence);
    expect(
      decide({ days: [own], summary: { ...given, lifetimeEnergyKwh: 9_000 } }).booked,
    ).toMatchObject(nothing);
  });

  test('not the first reading of all, which may be days old', () => {
    expect(
      decide({ days: [], summary: { ...none, lifetimeEnergyKwh: 9_001 } }).booked,
    ).toMatchObject(nothing);
  });

  test('not a total that was refused', () => {
    const small = sampleDay(today, { todayEnergyKwh: 1, complete: false });
    const given = { ...none, todayEnergyKwh: 200 };
    expect(decide({ days: [small], nowMs: clock('01:00'), summary: given }).booked).toMatchObject(
      nothing,
    );
  });

  test('not the lifetime of a total that was refused: shown again, it would prove life for ever', () => {
    const yesterday = sampleDay('2026-06-09', { todayEnergyKwh: 40, lifetimeEnergyKwh: 8_990 });
    const given = { ...none, todayEnergyKwh: 40, lifetimeEnergyKwh: 9_001 };
    const { booked } = decide({ days: [yesterday], nowMs: clock('01:00'), summary: given });
    expect(booked).toMatchObject({ ...nothing, bookedDate: null, lifetimeEnergyKwh: 9_001 });
  });

  test('not where a time was stated but refused', () => {
    const refused = [{ field: 'last_seen_at' as const, sentence: 'Measurement time 11 h ahead.' }];
    expect(decide({ summary: { ...none, refused, devices: [running] } }).booked).toMatchObject(
      nothing,
    );
  });

  test('counts as the newest measurement of the day', () => {
    const nowMs = clock('21:00');
    const { row } = decide({ nowMs, summary: { ...none, devices: [running], todayEnergyKwh: 41 } });
    expect(row).toMatchObject({ complete: true, lastSeenAtMs: nowMs });
  });
});

describe('isComplete', () => {
  test('from exactly sunset − 90 min on', () => {
    // Sunset in Madrid on this day: 19:44 UTC.
    const threshold = firstComplete(today, madrid);
    expect(Math.abs(threshold - Date.parse('2026-06-10T18:14:00Z'))).toBeLessThan(3 * minuteMs);
    expect(isComplete(today, threshold, madrid)).toBe(true);
    expect(isComplete(today, threshold - 1, madrid)).toBe(false);
  });

  test.each([
    ['the latitude is unknown', { ...madrid, latitude: null }],
    ['the longitude is unknown', { ...madrid, longitude: null }],
  ])('from 17:00 on where %s', (_, place) => {
    expect(firstComplete(today, place)).toBe(clock('17:00'));
  });

  test('from 17:00 on in polar night and polar day', () => {
    const tromso = { timezone: 'Europe/Oslo', latitude: 69.65, longitude: 18.96 };
    expect(firstComplete('2026-12-21', tromso)).toBe(
      instantOf('2026-12-21', '17:00', 'Europe/Oslo'),
    );
    expect(firstComplete('2026-06-21', tromso)).toBe(
      instantOf('2026-06-21', '17:00', 'Europe/Oslo'),
    );
  });

  test('from 23:00 on at the latest, where the sun sets after midnight', () => {
    const nome = { timezone: 'America/Nome', latitude: 64.5, longitude: -165.41 };
    expect(firstComplete('2026-06-21', nome)).toBe(
      instantOf('2026-06-21', '23:00', 'America/Nome'),
    );
  });

  test('never without a measurement', () => {
    expect(isComplete(today, null, madrid)).toBe(false);
  });

  /** The first instant of the day, to the millisecond, at which a measurement makes it complete. */
  function firstComplete(date: string, place: Parameters<typeof isComplete>[2]): number {
    let low = startOfDayMs(date, place.timezone);
    let high = low + dayMs;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (isComplete(date, middle, place)) high = middle;
      else low = middle;
    }
    return high;
  }
});

describe('complete rows', () => {
  test('a late measurement completes its day, and nothing makes it incomplete again', () => {
    const late = decide({ nowMs: clock('21:00'), summary: { todayEnergyKwh: 41 } });
    expect(late.row?.complete).toBe(true);
    const days = [...sampleWeek(), sampleDay(today, { lastSeenAtMs: null, complete: true })];
    expect(decide({ days }).row?.complete).toBe(true);
  });
});

describe('gaps', () => {
  const week = sampleWeek();

  test('are the days of D-3 … D-1 without a row, oldest first', () => {
    expect(decide({ days: [] }).gaps).toEqual(['2026-06-07', '2026-06-08', '2026-06-09']);
    expect(decide({ days: week.filter((day) => day.date !== '2026-06-08') }).gaps).toEqual([
      '2026-06-08',
    ]);
  });

  test('are also days that are over and not complete', () => {
    const days = week.map((day) => ({ ...day, complete: day.date !== '2026-06-07' }));
    expect(decide({ days }).gaps).toEqual(['2026-06-07']);
  });

  test('are never older than D-3, and never today', () => {
    const days = week.map((day) => ({ ...day, complete: day.date !== '2026-06-06' }));
    expect(decide({ days }).gaps).toEqual([]);
  });

  test('are not what is FINAL', () => {
    const days = week.map((day) => ({ ...day, complete: false, quality: 'FINAL' as const }));
    expect(decide({ days }).gaps).toEqual([]);
  });

  test('are asked once, and again when the plant was unseen for over 2 h', () => {
    const asked = { days: [], askedInVain: ['2026-06-07', '2026-06-08', '2026-06-09'] };
    const seen = (agoMs: number): DayChanges =>
      decide({ ...asked, plant: { lastSeenAtMs: noonMs - agoMs } });
    expect(seen(2 * hourMs).gaps).toEqual([]);
    expect(seen(2 * hourMs + 1).gaps).toEqual(asked.askedInVain);
  });

  test('are not asked again while the plant is still away: seen exactly 2 h ago it is back', () => {
    const seen = (agoMs: number): string[] =>
      decide({
        days: [],
        askedInVain: ['2026-06-07', '2026-06-08', '2026-06-09'],
        plant: { lastSeenAtMs: noonMs - 5 * hourMs },
        summary: { lastSeenAt: at(noonMs - agoMs) },
      }).gaps;
    expect(seen(2 * hourMs + 1)).toEqual([]);
    expect(seen(2 * hourMs)).toHaveLength(3);
  });

  test('are judged after the reading: one that completes yesterday leaves no gap', () => {
    const days = [
      ...week.slice(0, 6),
      sampleDay(yesterday, { complete: false, todayEnergyKwh: 39 }),
    ];
    const { gaps } = decide({
      days,
      nowMs: clock('00:10'),
      summary: { todayEnergyKwh: 40.5, lastSeenAt: at(clock('22:00', yesterday)) },
    });
    expect(gaps).toEqual([]);
  });
});

test('whatever is read, a LIVE day never falls, nothing is invented, and ledger and row agree', () => {
  const step = fc.record({
    minutes: fc.integer({ min: 1, max: 600 }),
    energy: fc.double({ min: 0, max: 80, noNaN: true }),
    power: fc.option(fc.integer({ min: 0, max: 15_000 })),
    lifetime: fc.option(fc.integer({ min: 8_900, max: 9_300 })),
    lagMinutes: fc.option(fc.integer({ min: -10, max: 3_000 })),
  });
  fc.assert(
    fc.property(
      fc.constantFrom('Europe/Madrid', 'Asia/Kathmandu', 'Pacific/Kiritimati', 'America/St_Johns'),
      fc.option(fc.constant(10)),
      fc.array(step, { maxLength: 40 }),
      (timezone, installedCapacityKw, steps) => {
        const plant = samplePlant({ timezone, installedCapacityKw });
        let days: DayRow[] = sampleWeek({ lifetimeEnergyKwh: 9_000 });
        const highest = new Map<string, number>();
        let nowMs = noonMs;
        for (const { minutes, energy, power, lifetime, lagMinutes } of steps) {
          nowMs += minutes * minuteMs;
          const summary = sampleSummary({
            todayEnergyKwh: energy,
            powerW: power,
            lifetimeEnergyKwh: lifetime,
            lifetimeResolutionKwh: lifetime === null ? null : 1,
            lastSeenAt: lagMinutes === null ? null : at(nowMs - lagMinutes * minuteMs),
          });
          const { booked, row } = decideDay({ plant, days, askedInVain: [] }, summary, nowMs);
          expect(booked.bookedDate).toBe(row?.date ?? null);
          if (row === null) continue;
          const before = days.find((day) => day.date === row.date);
          expect(row.date <= localDateAt(nowMs, timezone)).toBe(true);
          expect(row.date >= addDays(localDateAt(nowMs, timezone), -3)).toBe(true);
          expect(row.todayEnergyKwh).toBe(Math.max(before?.todayEnergyKwh ?? 0, energy));
          expect(row.peakPowerW ?? 0).toBe(Math.max(before?.peakPowerW ?? 0, power ?? 0));
          highest.set(row.date, Math.max(highest.get(row.date) ?? 0, booked.todayEnergyKwh ?? NaN));
          expect(row.todayEnergyKwh).toBe(highest.get(row.date));
          days = [...days.filter((day) => day.date !== row.date), row];
        }
      },
    ),
  );
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addDays,
  endOfDayMs,
  hourMs,
  instantOf,
  isValidTimezone,
  localDateAt,
  localMinutesAt,
  offsetText,
  startOfDayMs,
} from './zone.ts';

const ms = (iso: string): number => Date.parse(iso);
const iso = (at: number): string => new Date(at).toISOString();
const hours = (date: string, timezone: string): number =>
  (endOfDayMs(date, timezone) - startOfDayMs(date, timezone)) / hourMs;

test('an offset names the zone of a time, in summer, winter and by parts of an hour', () => {
  const said = (text: string, zone: string) => offsetText(ms(text), zone);
  expect(said('2026-06-01T00:00:00Z', 'Europe/Madrid')).toBe('UTC+2');
  expect(said('2026-12-01T00:00:00Z', 'Europe/Madrid')).toBe('UTC+1');
  expect(said('2026-12-01T00:00:00Z', 'Europe/London')).toBe('UTC');
  expect(said('2026-12-01T00:00:00Z', 'America/St_Johns')).toBe('UTC-3:30');
  expect(said('2026-12-01T00:00:00Z', 'Asia/Kathmandu')).toBe('UTC+5:45');
});

const zones = [
  'UTC',
  'Europe/Madrid',
  'America/Sao_Paulo',
  'America/St_Johns',
  'America/Santiago',
  'America/Havana',
  'America/Goose_Bay',
  'Asia/Kathmandu',
  'Asia/Beirut',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Pacific/Kiritimati',
];
const instants = fc.integer({ min: ms('2005-01-01T00:00Z'), max: ms('2045-01-01T00:00Z') });

describe('localDateAt', () => {
  test.each([
    ['2026-06-01T18:14:59.999Z', 'Asia/Kathmandu', '2026-06-01'],
    ['2026-06-01T18:15:00.000Z', 'Asia/Kathmandu', '2026-06-02'],
    ['2026-06-01T09:59:59.999Z', 'Pacific/Kiritimati', '2026-06-01'],
    ['2026-06-01T10:00:00.000Z', 'Pacific/Kiritimati', '2026-06-02'],
    ['2026-01-01T03:29:59.999Z', 'America/St_Johns', '2025-12-31'],
    ['2026-01-01T03:30:00.000Z', 'America/St_Johns', '2026-01-01'],
    ['2026-07-01T02:29:59.999Z', 'America/St_Johns', '2026-06-30'],
    ['2026-09-06T03:59:59.999Z', 'America/Santiago', '2026-09-05'],
    ['2026-09-06T04:00:00.000Z', 'America/Santiago', '2026-09-06'],
  ])('%s in %s is %s', (at, timezone, date) => {
    expect(localDateAt(ms(at), timezone)).toBe(date);
  });

  test('gives the same date whatever was asked before, also where the clock went back across midnight', () => {
    // Goose Bay, 2010-11-07: 00:01 back to 23:01 of the day before, so 23:30 comes again after midnight.
    const secondHalfPastEleven = ms('2010-11-07T03:30Z');
    const dayAfter = '2010-11-07';
    expect(localDateAt(secondHalfPastEleven, 'America/Goose_Bay')).toBe(dayAfter);
    expect(localDateAt(ms('2010-11-07T15:00Z'), 'America/Goose_Bay')).toBe(dayAfter);
    expect(localDateAt(secondHalfPastEleven, 'America/Goose_Bay')).toBe(dayAfter);
    expect(localDateAt(ms('2010-11-06T15:00Z'), 'America/Goose_Bay')).toBe('2010-11-06');
  });

  test('throws for a zone that does not exist', () => {
    expect(() => localDateAt(0, 'Mars/Olympus')).toThrow(RangeError);
  });
});

describe('local days', () => {
  test.each([
    ['2026-03-29', 'Europe/Madrid', 23],
    ['2026-10-25', 'Europe/Madrid', 25],
    ['2026-10-04', 'Australia/Lord_Howe', 23.5],
    ['2026-04-05', 'Australia/Lord_Howe', 24.5],
    ['2026-09-06', 'America/Santiago', 23],
    ['2026-04-04', 'America/Santiago', 25],
    ['2026-06-01', 'Asia/Kathmandu', 24],
    ['2011-12-30', 'Pacific/Apia', 0],
  ])('%s in %s has %d hours', (date, timezone, length) => {
    expect(hours(date, timezone)).toBe(length);
  });

  test('a day whose midnight is skipped begins at 01:00', () => {
    const start = startOfDayMs('2026-09-06', 'America/Santiago');
    expect(iso(start)).toBe('2026-09-06T04:00:00.000Z');
    expect(localMinutesAt(start, 'America/Santiago')).toBe(60);
  });

  test('every instant lies in the day of its date, and in no other', () => {
    fc.assert(
      fc.property(fc.constantFrom(...zones), instants, (timezone, at) => {
        const date = localDateAt(at, timezone);
        expect(startOfDayMs(date, timezone)).toBeLessThanOrEqual(at);
        expect(endOfDayMs(date, timezone)).toBeGreaterThan(at);
        expect(localDateAt(startOfDayMs(date, timezone), timezone)).toBe(date);
        expect(localDateAt(endOfDayMs(date, timezone) - 1, timezone)).toBe(date);
      }),
    );
  });
});

describe('addDays', () => {
  test('knows months, years and leap days', () => {
    expect(addDays('2026-12-31', 1)).toBe('2027-01-01');
    expect(addDays('2028-02-28', 1)).toBe('2028-02-29');
    expect(addDays('2026-03-01', -1)).toBe('2026-02-28');
    expect(addDays('2026-06-15', 0)).toBe('2026-06-15');
  });
});

describe('localMinutesAt', () => {
  test('reads the clock on the wall, twice the same in the repeated hour', () => {
    expect(localMinutesAt(ms('2026-10-25T00:30Z'), 'Europe/Madrid')).toBe(150);
    expect(localMinutesAt(ms('2026-10-25T01:30:59.999Z'), 'Europe/Madrid')).toBe(150);
    expect(localMinutesAt(ms('2026-06-01T00:00Z'), 'Asia/Kathmandu')).toBe(345);
  });
});

describe('instantOf', () => {
  test('takes the earlier of two by default, the later on request', () => {
    expect(iso(instantOf('2026-10-25', '02:30', 'Europe/Madrid'))).toBe('2026-10-25T00:30:00.000Z');
    expect(iso(instantOf('2026-10-25', '02:30', 'Europe/Madrid', 'later'))).toBe(
      '2026-10-25T01:30:00.000Z',
    );
    expect(iso(instantOf('2026-04-04', '23:50', 'America/Santiago'))).toBe(
      '2026-04-05T02:50:00.000Z',
    );
    expect(iso(instantOf('2026-04-04', '23:50', 'America/Santiago', 'later'))).toBe(
      '2026-04-05T03:50:00.000Z',
    );
  });

  test.each(['earlier', 'later'] as const)('moves a skipped time on by the gap (%s)', (which) => {
    expect(iso(instantOf('2026-03-29', '02:30', 'Europe/Madrid', which))).toBe(
      '2026-03-29T01:30:00.000Z',
    );
    // Lord Howe moves by half an hour: 02:00 becomes 02:30.
    expect(iso(instantOf('2026-10-04', '02:10', 'Australia/Lord_Howe', which))).toBe(
      '2026-10-03T15:40:00.000Z',
    );
  });

  test('agrees with the clock on the wall wherever that time exists once', () => {
    expect(iso(instantOf('2026-06-01', '00:00', 'Asia/Kathmandu'))).toBe(
      '2026-05-31T18:15:00.000Z',
    );
    expect(iso(instantOf('2026-01-15', '12:00', 'America/St_Johns'))).toBe(
      '2026-01-15T15:30:00.000Z',
    );
  });
});

describe('isValidTimezone', () => {
  test.each(['Europe/Madrid', 'Asia/Kathmandu', 'UTC', 'Etc/GMT+3', 'America/St_Johns'])(
    'accepts %s',
    (text) => {
      expect(isValidTimezone(text)).toBe(true);
    },
  );

  test.each(['', '+01:00', '-03', 'Mars/Olympus', 'GMT+3', 'Europe/Madrid ', '2026-01-01'])(
    'refuses %j',
    (text) => {
      expect(isValidTimezone(text)).toBe(false);
    },
  );
});

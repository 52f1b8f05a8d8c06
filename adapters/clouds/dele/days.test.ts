import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addDays } from '../../../domain/zone.ts';
import { lastDayOfMonthKwh } from './normalise.ts';
import {
  history,
  plant,
  refused,
  row,
  scriptedVendor,
} from '../../../test/support/scripted-dele.ts';

const april = Object.fromEntries(
  Array.from({ length: 30 }, (_, i) => [`2026-04-${String(i + 1).padStart(2, '0')}`, 20 + i / 10]),
);

describe('getDailyEnergySeries', () => {
  const ask = (answer: Parameters<typeof scriptedVendor>[0], now = '2026-04-18T10:00:00Z') =>
    scriptedVendor(answer, { now: new Date(now) });

  test.each([false, true])(
    'gives the days asked for, both included, whichever way endAt is meant: %j',
    async (inclusive) => {
      const { adapter, sentTo } = ask({ 'station/history': history(april, { inclusive }) });
      const series = await adapter.getDailyEnergySeries(plant, '2026-04-15', '2026-04-17');
      expect(series).toEqual([
        { date: '2026-04-15', energyKwh: 21.4 },
        { date: '2026-04-16', energyKwh: 21.5 },
        { date: '2026-04-17', energyKwh: 21.6 },
      ]);
      expect(sentTo('station/history')).toHaveLength(1);
    },
  );

  test('orders days, keeps a null and a 0 apart, and leaves out what is not there', async () => {
    const stationDataItems = [
      row('2026-04-17', 0),
      row('2026-04-14', null),
      row('2026-04-16', '12.50'),
      row('2026-04-18', 9),
    ];
    const { adapter } = ask({ 'station/history': { total: 4, stationDataItems } });
    expect(await adapter.getDailyEnergySeries(plant, '2026-04-14', '2026-04-17')).toEqual([
      { date: '2026-04-14', energyKwh: null },
      { date: '2026-04-16', energyKwh: 12.5 },
      { date: '2026-04-17', energyKwh: 0 },
    ]);
  });

  test('does not read the day after, which is asked for along with the others', async () => {
    const stationDataItems = [row('2026-04-17', 3), row('2026-04-18', -1)];
    const { adapter } = ask({ 'station/history': { total: 2, stationDataItems } });
    expect(await adapter.getDailyEnergySeries(plant, '2026-04-17', '2026-04-17')).toEqual([
      { date: '2026-04-17', energyKwh: 3 },
    ]);
  });

  test('is empty where the vendor has nothing, and asks for nothing where no day is asked', async () => {
    const nothing = ask({ 'station/history': { total: 0, stationDataItems: null } });
    expect(await nothing.adapter.getDailyEnergySeries(plant, '2026-04-14', '2026-04-17')).toEqual(
      [],
    );
    const never = ask({ 'station/history': refused('2101016') });
    expect(await never.adapter.getDailyEnergySeries(plant, '2026-04-14', '2026-04-17')).toEqual([]);
    const none = ask({});
    expect(await none.adapter.getDailyEnergySeries(plant, '2026-04-17', '2026-04-16')).toEqual([]);
    expect(none.requests).toEqual([]);
  });

  test('up to the running last day of a month gives that day too', async () => {
    const { '2026-04-30': _, ...closed } = april;
    const days = { ...closed, '2026-03-31': 19 };
    const months = { '2026-04': 632.9 };
    const { adapter } = ask(
      { 'station/history': history(days, { months }) },
      '2026-04-30T10:00:00Z',
    );
    expect(await adapter.getDailyEnergySeries(plant, '2026-04-29', '2026-04-30')).toEqual([
      { date: '2026-04-29', energyKwh: 22.8 },
      { date: '2026-04-30', energyKwh: 12.3 },
    ]);
  });

  test('before a month that the vendor has not begun yet gives all days but its last', async () => {
    const { adapter, sentTo } = ask({ 'station/history': history(april) }, '2026-04-30T22:30:00Z');
    const series = await adapter.getDailyEnergySeries(plant, '2026-04-28', '2026-04-30');
    expect(series.map(({ date }) => date)).toEqual(['2026-04-28', '2026-04-29']);
    expect(sentTo('station/history').map(({ endAt }) => endAt)).toEqual([
      '2026-05-01',
      '2026-04-30',
    ]);
  });

  test('across the turn of the year is one request', async () => {
    const days = { '2025-12-30': 3, '2025-12-31': 2, '2026-01-01': 1 };
    const { adapter, sentTo } = ask(
      { 'station/history': history(days, { month: '2026-01' }) },
      '2026-01-02T12:00:00Z',
    );
    const series = await adapter.getDailyEnergySeries(plant, '2025-12-30', '2026-01-01');
    expect(series.map(({ energyKwh }) => energyKwh)).toEqual([3, 2, 1]);
    expect(sentTo('station/history')).toHaveLength(1);
  });

  test.each([Number.NaN, 'x', -0.1, 42_949_672.95])('%s is INVALID_DATA_FORMAT', async (energy) => {
    const rows = [{ ...row('2026-04-16', 1), generationValue: energy }];
    const stationDataItems = Number.isNaN(energy) ? [row('2026-04-16', 'NaN')] : rows;
    const { adapter } = ask({ 'station/history': { total: 1, stationDataItems } });
    await expect(
      adapter.getDailyEnergySeries(plant, '2026-04-15', '2026-04-17'),
    ).rejects.toMatchObject({ type: 'INVALID_DATA_FORMAT' });
  });

  test('may be asked for as many days as it says, whichever way the vendor counts them', async () => {
    const { adapter, sentTo } = ask({ 'station/history': history(april) });
    const { seriesDaysMax } = adapter.capabilities();
    const from = '2026-03-01';
    await adapter.getDailyEnergySeries(plant, from, addDays(from, seriesDaysMax - 1));
    const [{ startAt, endAt } = {}] = sentTo('station/history');
    const daysBothCounted =
      (Date.parse(String(endAt)) - Date.parse(String(startAt))) / 86_400_000 + 1;
    expect(daysBothCounted).toBeLessThanOrEqual(30);
  });
});

describe('lastDayOfMonthKwh', () => {
  const tenths = fc.integer({ min: 0, max: 2_000 }).map((value) => value / 10);

  test('gives back what the last day had, for any month', () => {
    fc.assert(
      fc.property(fc.array(tenths, { minLength: 30, maxLength: 30 }), tenths, (days, last) => {
        const before = new Map(
          days.map((kwh, i) => [`2026-12-${String(i + 1).padStart(2, '0')}`, kwh]),
        );
        const month = days.reduce((sum, kwh) => sum + kwh, last);
        const kwh = lastDayOfMonthKwh('2026-12-31', month, before);
        expect(kwh).toBeCloseTo(last, 2);
      }),
    );
  });

  test('takes a month that lags by its rounding for 0, and by more for no answer', () => {
    const before = new Map([['2026-02-27', 100]]);
    expect(lastDayOfMonthKwh('2026-02-28', 98.4, before)).toBe(0);
    expect(lastDayOfMonthKwh('2026-02-28', 98.39, before)).toBeNull();
  });
});

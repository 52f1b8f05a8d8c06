import { describe, expect, test } from 'vitest';
import { failureOf } from '../../../../test/support/scripted-goodwe.ts';
import {
  days,
  plant,
  plusPortal,
  refusal,
  success,
} from '../../../../test/support/scripted-goodwe-plus.ts';

const seriesOf = async (data: unknown): Promise<unknown> =>
  plusPortal({ days: success(data) }).adapter.getDailyEnergySeries(
    plant,
    '2026-10-01',
    '2026-10-03',
  );

describe('day series of SEMS+', () => {
  test("asks for the panels' energy from the first to the last second, by the plant's clock", async () => {
    const { adapter, asked } = plusPortal({ days: success(days([['2026-10-01', 1]])) });
    await adapter.getDailyEnergySeries(plant, '2026-10-01', '2026-10-03');
    expect(asked[1]?.json).toEqual({
      stationId: plant.vendorPlantId,
      isReport: false,
      items: ['proSystemTotalStats'],
      dimension: 'day',
      startTime: '2026-10-01 00:00:00',
      endTime: '2026-10-03 23:59:59',
    });
  });

  test('gives the days in order, without what was not asked for', async () => {
    const rows = [
      ['2026-10-03', '12.3'],
      ['2026-10-01 00:00:00', 10.1],
      ['2026-09-30', 'NaN'],
    ] as const;
    expect(await seriesOf(days(rows))).toEqual([
      { date: '2026-10-01', energyKwh: 10.1 },
      { date: '2026-10-03', energyKwh: 12.3 },
    ]);
  });

  test('a nought may mean that there are no data: it is no energy of 0', async () => {
    const rows = [
      ['2026-10-01', 0],
      ['2026-10-02', null],
      ['2026-10-03', '0.00'],
    ] as const;
    expect(await seriesOf(days(rows))).toEqual(
      ['2026-10-01', '2026-10-02', '2026-10-03'].map((date) => ({ date, energyKwh: null })),
    );
  });

  test('the energy that left the inverters is not taken for that of the panels', async () => {
    const data = days([['2026-10-01', 27]], { item: 'proAcTotal' });
    const { adapter } = plusPortal({ days: success(data), plants: refusal(100000) });
    expect(await adapter.getDailyEnergySeries(plant, '2026-10-01', '2026-10-03')).toEqual([]);
  });

  test('reads MWh', async () => {
    expect(await seriesOf(days([['2026-10-01', 1.5]], { unit: 'MWh' }))).toEqual([
      { date: '2026-10-01', energyKwh: 1_500 },
    ]);
  });

  test('an empty series is PLANT_NOT_FOUND where the account has no such plant', async () => {
    const plants = success({ dataList: [{ id: 'other' }], total: 1 });
    const { adapter } = plusPortal({ days: success({}), plants });
    const series = adapter.getDailyEnergySeries(plant, '2026-10-01', '2026-10-03');
    expect((await failureOf(series)).type).toBe('PLANT_NOT_FOUND');
  });

  test.each([
    [days([['01/10/2026', 1]])],
    [days([['2026-02-30', 1]])],
    [days([['2026-10-01', -1]])],
    [days([['2026-10-01', 6553.5]])],
    [days([['2026-10-01', 1]], { unit: 'kvarh' })],
    [[]],
  ])('%j is INVALID_DATA_FORMAT', async (data) => {
    expect((await failureOf(seriesOf(data))).type).toBe('INVALID_DATA_FORMAT');
  });
});

import { describe, expect, test } from 'vitest';
import { errorOf, plant, scriptedVendor, success } from '../../../test/support/scripted-huawei.ts';

/** Midnight in Bogotá, which is UTC−5 all year. */
const midnight = (date: string): number => Date.parse(`${date}T05:00:00Z`);
const row = (date: string, items: object | null, stationCode = plant.vendorPlantId): object => ({
  stationCode,
  collectTime: midnight(date),
  dataItemMap: items,
});

describe('getDailyEnergySeries', () => {
  test('asks each month of the range once, in milliseconds, and gives the days in order', async () => {
    const { adapter, bodies } = scriptedVendor({
      getKpiStationDay: [
        success([
          row('2026-04-30', { inverter_power: 8 }),
          row('2026-04-29', { inverter_power: '7.5' }),
        ]),
        success([
          row('2026-05-01', { inverter_power: 0 }),
          row('2026-05-02', { inverter_power: 3 }),
        ]),
      ],
    });
    expect(await adapter.getDailyEnergySeries(plant, '2026-04-29', '2026-05-01')).toEqual([
      { date: '2026-04-29', energyKwh: 7.5 },
      { date: '2026-04-30', energyKwh: 8 },
      { date: '2026-05-01', energyKwh: 0 },
    ]);
    expect(bodies('getKpiStationDay')).toEqual([
      { stationCodes: plant.vendorPlantId, collectTime: Date.parse('2026-04-29T17:00:00Z') },
      { stationCodes: plant.vendorPlantId, collectTime: Date.parse('2026-05-01T17:00:00Z') },
    ]);
  });

  test('reads the recorded 1775019600000 as the first of April in Bogotá', async () => {
    const recorded = {
      ...row('2026-04-01', { inverter_power: 5 }),
      collectTime: 1_775_019_600_000,
    };
    const { adapter } = scriptedVendor({ getKpiStationDay: [success([recorded])] });
    const days = await adapter.getDailyEnergySeries(plant, '2026-03-31', '2026-04-02');
    expect(days).toEqual([{ date: '2026-04-01', energyKwh: 5 }]);
  });

  test('leaves out other plants, and days that the vendor has no row for', async () => {
    const { adapter } = scriptedVendor({
      getKpiStationDay: [
        success([
          row('2026-05-01', { inverter_power: 99 }, 'NE=1'),
          row('2026-05-02', { inverter_power: 2 }),
        ]),
      ],
    });
    expect(await adapter.getDailyEnergySeries(plant, '2026-05-01', '2026-05-02')).toEqual([
      { date: '2026-05-02', energyKwh: 2 },
    ]);
  });

  test('does not read the days that were not asked for', async () => {
    const rows = [
      row('2026-05-01', { inverter_power: 2 }),
      row('2026-05-02', { inverter_power: -1 }),
    ];
    const { adapter } = scriptedVendor({ getKpiStationDay: [success(rows)] });
    expect(await adapter.getDailyEnergySeries(plant, '2026-05-01', '2026-05-01')).toEqual([
      { date: '2026-05-01', energyKwh: 2 },
    ]);
  });

  test.each([
    ['null', { inverter_power: null }],
    ['an empty map', {}],
    ['no map', null],
  ])('gives null for a day whose value is %s', async (_, items) => {
    const { adapter } = scriptedVendor({ getKpiStationDay: [success([row('2026-05-01', items)])] });
    expect(await adapter.getDailyEnergySeries(plant, '2026-05-01', '2026-05-01')).toEqual([
      { date: '2026-05-01', energyKwh: null },
    ]);
  });

  test('takes the newer keys where inverter_power is missing', async () => {
    const { adapter } = scriptedVendor({
      getKpiStationDay: [
        success([
          row('2026-05-01', { inverter_power: null, inverterYield: 4, PVYield: 5 }),
          row('2026-05-02', { PVYield: 6 }),
        ]),
      ],
    });
    expect(await adapter.getDailyEnergySeries(plant, '2026-05-01', '2026-05-02')).toEqual([
      { date: '2026-05-01', energyKwh: 4 },
      { date: '2026-05-02', energyKwh: 6 },
    ]);
  });

  test.each([
    [{ inverterYield: 4.8, PVYield: 1.6, dischargeCap: 3.4 }, 1.6],
    [{ inverterYield: 2.8, PVYield: 5.6, chargeCap: '2.8', dischargeCap: 0 }, 5.6],
    [{ inverterYield: 4.8, PVYield: 5, chargeCap: null, dischargeCap: 0 }, 4.8],
    [{ inverterYield: 4.8, dischargeCap: 3.4 }, null],
    // No battery is named, and more left the inverter than its panels gave.
    [{ inverterYield: 4.8, PVYield: 1.6 }, 1.6],
    [{ inverterYield: 4.8, PVYield: 0 }, 4.8],
    [{ inverter_power: 1.7, inverterYield: 4.8, PVYield: 1.6, dischargeCap: 3.4 }, 1.7],
  ])("takes no energy of a battery for the panels': %j is %j kWh", async (items, energyKwh) => {
    const { adapter } = scriptedVendor({
      getKpiStationDay: [success([row('2026-05-01', items)])],
    });
    expect(await adapter.getDailyEnergySeries(plant, '2026-05-01', '2026-05-01')).toEqual([
      { date: '2026-05-01', energyKwh },
    ]);
  });

  test('keeps the higher value of a day that comes twice', async () => {
    const rows = [4, null, 6, 5].map((inverter_power) => row('2026-05-01', { inverter_power }));
    const { adapter } = scriptedVendor({ getKpiStationDay: [success(rows)] });
    expect(await adapter.getDailyEnergySeries(plant, '2026-05-01', '2026-05-01')).toEqual([
      { date: '2026-05-01', energyKwh: 6 },
    ]);
  });

  test.each([
    ['negative', midnight('2026-05-01'), -1],
    ['given in seconds', midnight('2026-05-01') / 1000, 1],
    ['without a time', null, 1],
  ])('refuses a day that is %s', async (_, collectTime, energy) => {
    const bad = {
      stationCode: plant.vendorPlantId,
      collectTime,
      dataItemMap: { inverter_power: energy },
    };
    const { adapter } = scriptedVendor({ getKpiStationDay: [success([bad])] });
    const error = await errorOf(adapter.getDailyEnergySeries(plant, '2026-05-01', '2026-05-01'));
    expect(error.type).toBe('INVALID_DATA_FORMAT');
  });

  test('follows midnight through the days on which the clock changes', async () => {
    const santiago = { ...plant, timezone: 'America/Santiago' };
    // 2026-09-06 begins at 01:00 by the clock, 04:00Z; the days around it at 04:00Z and 03:00Z.
    const rows = ['2026-09-05T04:00Z', '2026-09-06T04:00Z', '2026-09-07T03:00Z'].map(
      (at, index) => ({
        stationCode: plant.vendorPlantId,
        collectTime: Date.parse(at),
        dataItemMap: { inverter_power: index },
      }),
    );
    const { adapter } = scriptedVendor({ getKpiStationDay: [success(rows)] });
    expect(await adapter.getDailyEnergySeries(santiago, '2026-09-05', '2026-09-07')).toEqual([
      { date: '2026-09-05', energyKwh: 0 },
      { date: '2026-09-06', energyKwh: 1 },
      { date: '2026-09-07', energyKwh: 2 },
    ]);
  });

  test('reads a midnight of a summer time that the country has given up', async () => {
    // São Paulo was at UTC−2 in summer until 2019 and is at UTC−3 since.
    const saoPaulo = { ...plant, timezone: 'America/Sao_Paulo' };
    const stale = {
      ...row('2026-01-10', { inverter_power: 9 }),
      collectTime: Date.parse('2026-01-10T02:00Z'),
    };
    const { adapter } = scriptedVendor({ getKpiStationDay: [success([stale])] });
    expect(await adapter.getDailyEnergySeries(saoPaulo, '2026-01-09', '2026-01-10')).toEqual([
      { date: '2026-01-10', energyKwh: 9 },
    ]);
  });

  test('asks nothing for a range that ends before it begins', async () => {
    const { adapter, requests } = scriptedVendor();
    expect(await adapter.getDailyEnergySeries(plant, '2026-05-02', '2026-05-01')).toEqual([]);
    expect(requests).toEqual([]);
  });
});

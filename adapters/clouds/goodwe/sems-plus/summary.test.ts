import { describe, expect, test } from 'vitest';
import type { PlantSummary } from '../../../../domain/plants/reading.ts';
import { failureOf, HttpAnswer } from '../../../../test/support/scripted-goodwe.ts';
import {
  counters,
  curve,
  days,
  devices,
  flow,
  noCounters,
  plant,
  plusPortal,
  type PlusScript,
  refusal,
  success,
} from '../../../../test/support/scripted-goodwe-plus.ts';

const summaryFor = async (script: PlusScript): Promise<PlantSummary> =>
  plusPortal(script).adapter.getPlantSummary(plant);

const twoInverters = (a: number, b: number): PlusScript => ({
  devices: success(devices({ inverters: { A: a, B: b } })),
});

describe('summary of SEMS+', () => {
  test('is W, kWh and the inverters as they are', async () => {
    expect(await summaryFor({})).toEqual({
      todayEnergyKwh: 8.4,
      powerW: 3_200,
      lifetimeEnergyKwh: 7_301.5,
      lifetimeResolutionKwh: 0.01,
      lastSeenAt: '2026-10-05T13:20:00.000Z',
      devices: [
        { sn: 'A', powerW: 3_100, todayEnergyKwh: 8.4, state: 'RUNNING', measuredAt: null },
      ],
      refused: [],
    } satisfies PlantSummary);
  });

  test.each([
    ['0', 'OFFLINE'],
    ['3', 'STANDBY'],
    ['-1', "the classic portal's OFFLINE"],
    ['11', 'under construction'],
  ])('power is 0 with status %s (%s), whatever stale number is shown', async (status) => {
    expect((await summaryFor({ flow: success(flow({ status })) })).powerW).toBe(0);
  });

  test.each(['2', 1, '4294967295'])('power is what it says with status %j', async (status) => {
    expect((await summaryFor({ flow: success(flow({ status })) })).powerW).toBe(3_200);
  });

  test.each(['6553.5', 'NaN', '3.2kW'])('impossible power %j is dropped', async (pSystem) => {
    const summary = await summaryFor({ flow: success(flow({ pSystem })) });
    expect(summary.powerW).toBeNull();
    expect(summary.refused.map(({ field }) => field)).toEqual(['power_w']);
  });

  test('what a battery gives by night is no power of the panels, of the plant nor of its inverter', async () => {
    const summary = await summaryFor({
      flow: success(flow({ pSystem: 0, pAc: 0.62, pBat: 0.62 })),
      devices: success(devices({ inverters: { A: 5 }, others: { B1: 'BATTERY_RACK' } })),
      counters: { A: success(counters({ power: '0.62' })) },
    });
    expect(summary.powerW).toBe(0);
    expect(summary.devices).toEqual([
      { sn: 'A', powerW: null, todayEnergyKwh: 8.4, state: 'RUNNING', measuredAt: null },
    ]);
  });

  test('counts devices that invert, whatever else the plant has', async () => {
    const { adapter, asked } = plusPortal({
      devices: success(
        devices({
          deviceType: 'ENERGY_STORAGE_INTEGRATED_CABINET',
          inverters: { A: 5 },
          others: { D: 'DONGLE', M: 'SMART_METER' },
        }),
      ),
    });
    expect((await adapter.getPlantSummary(plant)).devices.map(({ sn }) => sn)).toEqual(['A']);
    const counted = asked.find(({ name }) => name === 'counters A');
    expect(new URL(counted?.url ?? '').searchParams.toString()).toBe(
      `deviceType=ENERGY_STORAGE_INTEGRATED_CABINET&pwId=${plant.vendorPlantId}`,
    );
  });

  test.each([
    ['MWh', 8_400, 7_301_500, 10],
    ['Wh', 0.0084, 7.3015, 0.00001],
  ])('reads counters in %s', async (unit, today, lifetime, resolution) => {
    const summary = await summaryFor({ counters: { A: success(counters({ unit })) } });
    expect(summary.todayEnergyKwh).toBeCloseTo(today, 6);
    expect(summary.lifetimeEnergyKwh).toBeCloseTo(lifetime, 6);
    expect(summary.lifetimeResolutionKwh).toBeCloseTo(resolution, 10);
  });

  test('a unit that is not known is never guessed', async () => {
    const summary = await summaryFor({ counters: { A: success(counters({ unit: 'kvarh' })) } });
    expect(summary).toMatchObject({
      todayEnergyKwh: null,
      lifetimeEnergyKwh: null,
      refused: [
        { sentence: 'The lifetime energy is not known: proPvStatsTotal: the unit is not known.' },
        { field: 'today_energy_kwh' },
      ],
    });
  });
});

describe('energy of several inverters', () => {
  const both = { A: success(counters({})), B: success(counters({ today: '1.10' })) };

  test('is their sum, without digits that no counter has', async () => {
    const summary = await summaryFor({ ...twoInverters(1, 1), counters: both });
    expect(summary).toMatchObject({ todayEnergyKwh: 9.5, lifetimeEnergyKwh: 14_603 });
  });

  test('where one is away: what the plant says of today, and no lifetime that fell', async () => {
    const summary = await summaryFor({
      ...twoInverters(1, 0),
      counters: { A: success(counters({})), B: success(noCounters) },
      days: success(days([['2026-10-05', 9.3]])),
    });
    expect(summary).toMatchObject({ todayEnergyKwh: 9.3, lifetimeEnergyKwh: null, refused: [] });
    expect(summary.devices.map(({ powerW }) => powerW)).toEqual([3_100, 0]);
  });

  test('where one is away, its counter of an earlier day is not told as today', async () => {
    const summary = await summaryFor({
      ...twoInverters(1, 0),
      counters: { A: success(counters({})), B: success(counters({ today: '30' })) },
    });
    expect(summary.todayEnergyKwh).toBe(8.4);
  });

  test('where all are away: as it came', async () => {
    const summary = await summaryFor({
      ...twoInverters(0, 0),
      flow: success(flow({ status: '0' })),
      counters: both,
    });
    expect(summary).toMatchObject({ todayEnergyKwh: 9.5, powerW: 0 });
  });

  const row = (changes: Record<string, unknown> = {}) =>
    success({
      dataList: [
        { id: plant.vendorPlantId, productionToday: 8.1, productionTotal: 7_000.25, ...changes },
      ],
      total: 1,
    });

  test('of more than twenty is what the portal says of the plant, without a request for each', async () => {
    const inverters = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`S${i}`, 1]));
    const { adapter, asked } = plusPortal({
      devices: success(devices({ inverters })),
      days: success(days([['2026-10-05', 210]])),
      plants: row(),
    });
    const summary = await adapter.getPlantSummary(plant);
    expect(summary).toMatchObject({
      todayEnergyKwh: 210,
      lifetimeEnergyKwh: 7_000.25,
      lifetimeResolutionKwh: 0.01,
    });
    expect(summary.devices).toHaveLength(21);
    const names = asked.map(({ name }) => name);
    expect(names).toEqual(['login', 'flow', 'devices', 'curve', 'days', 'plants']);
  });

  test('of a plant without an inverter of its own is what the portal says of it', async () => {
    const none = success(devices({ inverters: {}, others: { D: 'DONGLE' } }));
    const summary = await summaryFor({ devices: none, plants: row() });
    expect(summary).toMatchObject({
      todayEnergyKwh: 8.1,
      lifetimeEnergyKwh: 7_000.25,
      devices: [],
      refused: [],
    });
  });

  test('that no counter and no series tells is that of the list, but never its lifetime, which would fall', async () => {
    const summary = await summaryFor({ counters: { A: success(noCounters) }, plants: row() });
    expect(summary).toMatchObject({
      todayEnergyKwh: 8.1,
      lifetimeEnergyKwh: null,
      refused: [],
    });
  });

  test('of a plant with a battery is never that of the list, which has the battery in it', async () => {
    const { adapter, asked } = plusPortal({
      devices: success(devices({ inverters: { A: 1 }, others: { B: 'BATTERY_RACK' } })),
      counters: { A: success(noCounters) },
      plants: row(),
    });
    expect((await adapter.getPlantSummary(plant)).todayEnergyKwh).toBeNull();
    expect(asked.map(({ name }) => name)).not.toContain('plants');
  });

  test('that cannot be is refused in the list, too', async () => {
    const impossible = summaryFor({
      counters: { A: success(noCounters) },
      plants: row({ productionToday: 6553.5 }),
    });
    expect(await failureOf(impossible)).toMatchObject({
      type: 'INVALID_DATA_FORMAT',
      scope: 'PLANT',
    });
  });

  test.each([
    ['0', 0],
    ['3', 0],
    ['1', null],
  ])(
    "a nought in the series is today's of a plant that is away (status %s)",
    async (status, today) => {
      const summary = await summaryFor({
        flow: success(flow({ status })),
        counters: { A: success(noCounters) },
        days: success(days([['2026-10-05', 0]])),
        plants: success({ dataList: [], total: 3 }),
      });
      expect(summary.todayEnergyKwh).toBe(today);
    },
  );

  test('asks three at once at most', async () => {
    const inverters = Object.fromEntries(['A', 'B', 'C', 'D'].map((sn) => [sn, 1]));
    const { adapter, asked } = plusPortal({
      devices: success(devices({ inverters })),
      counters: Object.fromEntries(Object.keys(inverters).map((sn) => [sn, success(counters({}))])),
    });
    expect((await adapter.getPlantSummary(plant)).todayEnergyKwh).toBe(33.6);
    expect(asked.filter(({ name }) => name.startsWith('counters'))).toHaveLength(4);
  });
});

describe('a part that is refused', () => {
  test.each([
    ['flow', 'power_w', 'The power is not known: flow: code B9999, an answer that is not known.'],
    [
      'devices',
      'devices',
      'The inverters and the lifetime energy are not known: all-status: code B9999, an answer that is not known.',
    ],
  ] as const)('%s costs %s and a sentence', async (part, field, sentence) => {
    const summary = await summaryFor({
      [part]: refusal('B9999'),
      days: success(days([['2026-10-05', 8.4]])),
    });
    expect(summary.todayEnergyKwh).toBe(8.4);
    expect(summary.refused).toEqual([{ field, sentence, type: 'VENDOR_ERROR' }]);
  });

  test('the right to the counters costs the lifetime; the plant itself has the day', async () => {
    const summary = await summaryFor({
      counters: { A: refusal('100025') },
      days: success(days([['2026-10-05', 8.4]])),
    });
    expect(summary).toMatchObject({ todayEnergyKwh: 8.4, powerW: 3_200, lifetimeEnergyKwh: null });
    expect(summary.refused.map(({ sentence }) => sentence)).toEqual([
      'The lifetime energy is not known: telecounting: code 100025, the account has no right to this.',
    ]);
  });

  test('the curve costs nothing while the flow has a time, and the time where it has none', async () => {
    const withTime = await summaryFor({ curve: refusal('S0327') });
    expect(withTime).toMatchObject({ lastSeenAt: '2026-10-05T13:24:41.000Z', refused: [] });
    const without = await summaryFor({
      curve: refusal('S0327'),
      flow: success(flow({ refreshTime: null })),
    });
    expect(without.lastSeenAt).toBeNull();
    expect(without.refused).toEqual([
      {
        field: 'last_seen_at',
        sentence:
          'The measurement time is not known: statisticsAndPreV2: code S0327, a parameter was refused.',
        type: 'UNKNOWN',
      },
    ]);
  });

  test('a request that nothing comes back for costs its part, a second one ends the poll', async () => {
    const once = await summaryFor({ flow: undefined });
    expect(once.refused).toMatchObject([{ field: 'power_w', type: 'NETWORK_TIMEOUT' }]);
    const { adapter, asked } = plusPortal({ flow: undefined, devices: undefined });
    expect((await failureOf(adapter.getPlantSummary(plant))).type).toBe('NETWORK_TIMEOUT');
    expect(asked.map(({ name }) => name)).toEqual(['login', 'flow', 'devices']);
  });

  test('all parts refused is the first refusal', async () => {
    const page = new HttpAnswer(502, '<html>');
    const error = await failureOf(
      summaryFor({ flow: page, devices: page, curve: page, days: page }),
    );
    expect(error).toMatchObject({ type: 'VENDOR_ERROR', message: 'flow: HTTP 502' });
  });
});

describe("today's energy", () => {
  const none = {
    counters: { A: success(noCounters) },
    plants: success({ dataList: [{ id: plant.vendorPlantId }], total: 1 }),
  };

  test.each([
    ['1', 3_200],
    ['0', 0],
    ['3', 0],
  ])('that nobody tells costs itself and a sentence (status %s)', async (status, powerW) => {
    const summary = await summaryFor({ ...none, flow: success(flow({ status })) });
    expect(summary).toMatchObject({
      todayEnergyKwh: null,
      powerW,
      refused: [
        {
          field: 'today_energy_kwh',
          sentence: "Today's energy is missing in the vendor's answers (proPvStatsToday).",
        },
      ],
    });
  });

  test('that nobody tells, of a plant of which nothing else is known, is INVALID_DATA_FORMAT', async () => {
    const unknown = flow({ status: '4294967295', pSystem: null });
    const error = await failureOf(
      summaryFor({ ...none, flow: success(unknown), curve: success(curve([])) }),
    );
    expect(error).toMatchObject({
      type: 'INVALID_DATA_FORMAT',
      message: "today's energy (proPvStatsToday) is missing",
    });
  });

  test.each(['-0.1', '6553.5', 'NaN'])('of %s is INVALID_DATA_FORMAT', async (today) => {
    const error = await failureOf(summaryFor({ counters: { A: success(counters({ today })) } }));
    expect(error.type).toBe('INVALID_DATA_FORMAT');
    expect(error.message).toContain('proPvStatsToday');
  });
});

describe('an empty flow', () => {
  const empty = { flow: success({}) };
  const list = (ids: unknown[], total: unknown = ids.length) =>
    success({ dataList: ids.map((id) => ({ id })), total });

  test('is a plant without a power where the account has the plant', async () => {
    const summary = await summaryFor({
      ...empty,
      plants: list([plant.vendorPlantId.toUpperCase()]),
    });
    expect(summary).toMatchObject({ powerW: null, todayEnergyKwh: 8.4, refused: [] });
  });

  test('is PLANT_NOT_FOUND where the whole list does not hold the plant', async () => {
    const { adapter, asked } = plusPortal({
      ...empty,
      plants: ({ current }: { current: number }) =>
        current === 1
          ? list(
              Array.from({ length: 100 }, (_, i) => `p-${i}`),
              101,
            )
          : list(['x'], 101),
    });
    const error = await failureOf(adapter.getPlantSummary(plant));
    expect(error).toMatchObject({ type: 'PLANT_NOT_FOUND', scope: 'PLANT' });
    expect(asked.map(({ name }) => name)).toEqual(['login', 'flow', 'plants', 'plants']);
  });

  test.each([
    ['is refused', refusal(100000)],
    ['ends before its total', list([], 3)],
    ['is empty', list([])],
  ])('is no word about the plant where the list %s', async (_, plants) => {
    expect((await summaryFor({ ...empty, plants })).todayEnergyKwh).toBe(8.4);
  });
});

describe('the measurement time', () => {
  test('is the newest point of the curve that has a value; later ones are forecasts', async () => {
    const points: [string, unknown][] = [
      ['2026-10-05 15:10:00', '2.9'],
      ['2026-10-05T15:15:00', 0],
      ['2026-10-05 15:20:00', null],
      ['2026-10-05 16:00:00', 3.3],
    ];
    expect((await summaryFor({ curve: success(curve(points)) })).lastSeenAt).toBe(
      '2026-10-05T13:15:00.000Z',
    );
  });

  test('reads the points under both names that were recorded', async () => {
    const statisticsList = [{ tp: '2026-10-05 15:05:00', power: 1 }];
    const dataList = [
      { item: 'pConsum', statisticsList: [{ tp: '2026-10-05 15:20:00', power: 1 }] },
      { item: 'pSystem', statisticsList },
    ];
    expect((await summaryFor({ curve: success({ dataList }) })).lastSeenAt).toBe(
      '2026-10-05T13:05:00.000Z',
    );
  });

  test('is asked for by the day, with the sign of the zone turned; yesterday where today has none', async () => {
    const { adapter, asked } = plusPortal({
      curve: ({ startTime }: { startTime: string }) =>
        success(curve(startTime.startsWith('2026-10-04') ? [['2026-10-04 18:55:00', 0.1]] : [])),
    });
    expect((await adapter.getPlantSummary(plant)).lastSeenAt).toBe('2026-10-04T16:55:00.000Z');
    expect(asked.filter(({ name }) => name === 'curve').map(({ json }) => json)).toEqual(
      ['2026-10-05', '2026-10-04'].map((date) => ({
        stationId: plant.vendorPlantId,
        items: ['pSystem'],
        timeScale: 5,
        timeZone: -2,
        startTime: `${date} 00:00:00`,
        endTime: `${date} 23:59:59`,
      })),
    );
  });

  test.each([1_791_206_700_000, '05.10.2026 15:24', 'soon'])(
    'in another form (%j) is named, never dropped in silence',
    async (time) => {
      const points = { dataList: [{ item: 'pSystem', powerData: [{ tp: time, power: 1 }] }] };
      const summary = await summaryFor({
        curve: success(points),
        flow: success(flow({ refreshTime: time })),
      });
      expect(summary.lastSeenAt).toBeNull();
      const fields = summary.refused.map(({ field }) => field);
      expect(fields).toEqual(['last_seen_at']);
    },
  );

  test.each([
    ['the panels have a power', {}, '2026-10-05T13:24:41.000Z'],
    ['a meter alone refreshes the flow', { pSystem: null }, null],
    ['the plant is away', { status: '0' }, null],
  ])('without a curve is when the flow was refreshed, if %s', async (_, changes, lastSeenAt) => {
    const summary = await summaryFor({ curve: success(curve([])), flow: success(flow(changes)) });
    expect(summary).toMatchObject({ lastSeenAt, refused: [] });
  });
});

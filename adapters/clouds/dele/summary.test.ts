import { describe, expect, test } from 'vitest';
import { AdapterError } from '../adapter-error.ts';
import { jsonResponse } from '../recorded/vendor-side.ts';
import {
  history,
  listed,
  measured,
  noon,
  noonS,
  plant,
  refused,
  row,
  scriptedVendor,
  usual,
} from '../../../test/support/scripted-dele.ts';

const summaryOf = async (...script: Parameters<typeof scriptedVendor>) =>
  scriptedVendor(...script).adapter.getPlantSummary(plant);

const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();

describe('getPlantSummary', () => {
  test('puts power, time, day, inverters and lifetime together', async () => {
    expect(await summaryOf()).toEqual({
      todayEnergyKwh: 3.7,
      powerW: 2480,
      lifetimeEnergyKwh: 674.6,
      lifetimeResolutionKwh: 0.01,
      lastSeenAt: iso(noonS - 120),
      devices: [
        {
          sn: 'SN1',
          powerW: 2507.4,
          todayEnergyKwh: 3.8,
          state: 'RUNNING',
          measuredAt: iso(noonS - 60),
        },
      ],
      refused: [],
    });
  });

  test('asks for the plant by number, and by text where a double would lose digits', async () => {
    const { adapter, sentTo } = scriptedVendor();
    await adapter.getPlantSummary(plant);
    expect(sentTo('station/latest')).toEqual([{ stationId: 40_760 }]);
    expect(sentTo('station/device')).toEqual([{ stationIds: [40_760], page: 1, size: 200 }]);
    const long = scriptedVendor();
    await long.adapter.getPlantSummary({ ...plant, vendorPlantId: '9007199254740993' });
    expect(long.sentTo('station/latest')).toEqual([{ stationId: '9007199254740993' }]);
  });

  test.each([
    ['a float', 1_776_490_767.5, '2026-04-18T05:39:27.500Z'],
    ['text', '1776490767', '2026-04-18T05:39:27.000Z'],
    ['null', null, iso(noonS - 60)],
    ['0', 0, iso(noonS - 60)],
  ])('reads the measurement time as %s; the inverters stand in for none', async (_, time, seen) => {
    const latest = { generationPower: 2480, lastUpdateTime: time };
    expect((await summaryOf({ 'station/latest': latest })).lastSeenAt).toBe(seen);
  });

  test('refuses a time in milliseconds, and nothing else with it', async () => {
    const latest = { generationPower: 2480, lastUpdateTime: noon.getTime() };
    const summary = await summaryOf({ 'station/latest': latest });
    expect(summary).toMatchObject({ powerW: 2480, todayEnergyKwh: 3.7 });
    expect(summary.refused.map(({ field }) => field)).toEqual(['last_seen_at']);
  });

  test.each([
    [null, null, 0],
    ['--', null, 0],
    ['2480.5', 2480.5, 0],
    [-12, -12, 0],
    [1e12, null, 1],
    ['NaN', null, 1],
    ['much', null, 1],
  ])('power %j is %j, refused %d times', async (generationPower, powerW, count) => {
    const latest = { generationPower, lastUpdateTime: noonS };
    const summary = await summaryOf({ 'station/latest': latest });
    expect(summary.powerW).toBe(powerW);
    expect(summary.refused.filter(({ field }) => field === 'power_w')).toHaveLength(count);
  });

  test('power is 0 while every inverter is offline, whatever the plant still shows', async () => {
    const offline = measured('SN1', usual, { deviceState: 3 });
    const summary = await summaryOf({ 'device/latest': { deviceDataList: [offline] } });
    expect(summary).toMatchObject({ powerW: 0, devices: [{ state: 'OFFLINE', powerW: 0 }] });
  });

  test('power is what it says while one of two inverters is offline', async () => {
    const summary = await summaryOf({
      'station/device': { total: 2, deviceListItems: [listed('SN1'), listed('SN2')] },
      'device/latest': {
        deviceDataList: [measured('SN1', usual), measured('SN2', usual, { deviceState: 3 })],
      },
    });
    expect(summary.powerW).toBe(2480);
  });

  test.each(['ALL_OFFLINE', 'all_offline'])('power is 0 when the plant says %s', async (status) => {
    const latest = { generationPower: 2480, lastUpdateTime: noonS, connectionStatus: status };
    expect((await summaryOf({ 'station/latest': latest })).powerW).toBe(0);
  });

  test.each(['NORMAL', 'PARTIAL_OFFLINE', 'PART_OFFLINE', null])(
    'power is what it says when the plant says %s',
    async (connectionStatus) => {
      const latest = { generationPower: 2480, lastUpdateTime: noonS, connectionStatus };
      expect((await summaryOf({ 'station/latest': latest })).powerW).toBe(2480);
    },
  );
});

describe('the energy of the day', () => {
  test('is asked a day late, and picked by its date', async () => {
    const { adapter, sentTo } = scriptedVendor();
    await adapter.getPlantSummary(plant);
    expect(sentTo('station/history')).toEqual([
      { stationId: 40_760, granularity: 2, startAt: '2026-04-18', endAt: '2026-04-19' },
    ]);
  });

  test.each([false, true])('is the same where endAt belongs to the span: %j', async (inclusive) => {
    const days = { '2026-04-17': 21.1, '2026-04-18': 3.7, '2026-04-19': 0.4 };
    const summary = await summaryOf({ 'station/history': history(days, { inclusive }) });
    expect(summary.todayEnergyKwh).toBe(3.7);
  });

  test('belongs to the day of the newest measurement, so a silent plant never gives an empty today', async () => {
    const summary = await summaryOf({
      'station/latest': { generationPower: 900, lastUpdateTime: noonS - 26 * 3600 },
      'station/history': history({ '2026-04-17': 21.1, '2026-04-18': 0 }),
    });
    expect(summary).toMatchObject({ todayEnergyKwh: 21.1, lastSeenAt: iso(noonS - 26 * 3600) });
  });

  test('is that of today when the measurement time lies ahead of the clock', async () => {
    const latest = { generationPower: 2480, lastUpdateTime: noonS + 86_400 };
    expect((await summaryOf({ 'station/latest': latest })).todayEnergyKwh).toBe(3.7);
  });

  test("repeats yesterday's value after midnight just as the vendor does", async () => {
    const now = new Date('2026-04-18T00:30:00Z');
    const summary = await summaryOf(
      {
        'station/latest': { generationPower: 0, lastUpdateTime: now.getTime() / 1000 - 60 },
        'station/history': history({ '2026-04-17': 21.1, '2026-04-18': 21.1 }),
      },
      { now },
    );
    expect(summary.todayEnergyKwh).toBe(21.1);
  });

  test('is that of the plant-local date, by text as by number', async () => {
    const rows = [{ ...row('2026-04-19', '0.70'), year: '2026', month: '4', day: '19' }];
    const { adapter } = scriptedVendor(
      {
        'station/latest': { generationPower: 10, lastUpdateTime: noonS + 4.5 * 3600 },
        'station/history': { total: '1', stationDataItems: rows },
      },
      { now: new Date('2026-04-18T15:00:00Z') },
    );
    const auckland = { ...plant, timezone: 'Pacific/Auckland' };
    expect((await adapter.getPlantSummary(auckland)).todayEnergyKwh).toBe(0.7);
  });

  test('is the higher of two rows for one date', async () => {
    const rows = [row('2026-04-18', 3.7), row('2026-04-18', null), row('2026-04-18', 3.1)];
    const summary = await summaryOf({ 'station/history': { total: 3, stationDataItems: rows } });
    expect(summary.todayEnergyKwh).toBe(3.7);
  });

  test.each([
    ['no row', {}],
    ['a row of nulls', { '2026-04-18': null }],
  ])('is what the inverters say where the history has %s for it', async (_, days) => {
    expect((await summaryOf({ 'station/history': history(days) })).todayEnergyKwh).toBe(3.8);
  });

  test('is not told where neither history nor inverters have it; power, time and lifetime are', async () => {
    const asleep = measured('SN1', usual, { collectionTime: noonS - 86_400 });
    const summary = await summaryOf({
      'station/history': history({}),
      'device/latest': { deviceDataList: [asleep] },
    });
    expect(summary).toMatchObject({
      todayEnergyKwh: null,
      powerW: 2480,
      lifetimeEnergyKwh: 674.6,
      lastSeenAt: iso(noonS - 120),
      refused: [
        {
          field: 'today_energy_kwh',
          sentence:
            "Today's energy is not known: station/history: the energy of 2026-04-18 is missing.",
        },
      ],
    });
  });

  test('is INVALID_DATA_FORMAT where it is missing and nothing else is known either', async () => {
    const call = summaryOf({
      'station/latest': { generationPower: null, lastUpdateTime: null },
      'station/history': history({}),
      'station/device': { total: 0, deviceListItems: [] },
    });
    await expect(call).rejects.toMatchObject({
      type: 'INVALID_DATA_FORMAT',
      message: 'station/history: the energy of 2026-04-18 is missing',
    });
  });

  test.each([
    ['an outage', refused('3501004'), 'VENDOR_ERROR'],
    ['a denial', refused('2101023'), 'AUTH_FAILED'],
    ['a parameter that is called wrong', refused('2101006'), 'UNKNOWN'],
  ])('behind %s is what the inverters say, with a sentence', async (_, answer, type) => {
    expect(await summaryOf({ 'station/history': answer })).toMatchObject({
      todayEnergyKwh: 3.8,
      powerW: 2480,
      refused: [{ field: 'today_energy_kwh', type }],
    });
  });

  test.each([
    ['no list', { total: 1 }],
    ['null for a list', { stationDataItems: null }],
    ['text for a list', { stationDataItems: 'none' }],
    ['a row without energy', { stationDataItems: [{ year: 2026, month: 4, day: 18 }] }],
    ['a row without a date', { stationDataItems: [{ generationValue: 1 }] }],
    ['a day that does not exist', { stationDataItems: [row('2026-02-30', 1)] }],
  ])('with %s is what the inverters say, with a sentence', async (_, answer) => {
    expect(await summaryOf({ 'station/history': answer })).toMatchObject({
      todayEnergyKwh: 3.8,
      refused: [{ field: 'today_energy_kwh', type: 'INVALID_DATA_FORMAT' }],
    });
  });

  test.each([
    ['an energy below 0', { stationDataItems: [row('2026-04-18', -1)] }],
    ['a sentinel', { stationDataItems: [row('2026-04-18', 429_496_729.5)] }],
    ['words', { stationDataItems: [row('2026-04-18', 'plenty')] }],
  ])('with %s is INVALID_DATA_FORMAT', async (_, answer) => {
    await expect(summaryOf({ 'station/history': answer })).rejects.toMatchObject({
      type: 'INVALID_DATA_FORMAT',
    });
  });
});

describe('the last day of a month', () => {
  const now = new Date('2026-04-30T10:00:00Z');
  const latest = { generationPower: 2480, lastUpdateTime: now.getTime() / 1000 - 60 };
  const closed = Object.fromEntries(
    Array.from({ length: 29 }, (_, i) => [`2026-04-${String(i + 1).padStart(2, '0')}`, 20.1]),
  );

  const lastDay = async (...args: Parameters<typeof history>) => {
    const vendor = scriptedVendor(
      {
        'station/latest': latest,
        'station/history': history(...args),
        'device/latest': refused('3501004'),
      },
      { now },
    );
    return { ...vendor, summary: vendor.adapter.getPlantSummary(plant) };
  };

  test('is the month less the days before it', async () => {
    const { summary, sentTo } = await lastDay(closed, { months: { '2026-04': 598.7 } });
    expect((await summary).todayEnergyKwh).toBe(15.8);
    expect(sentTo('station/history').map(({ startAt, endAt }) => [startAt, endAt])).toEqual([
      ['2026-04-30', '2026-05-01'],
      ['2026-04', '2026-04'],
      ['2026-04-01', '2026-04-30'],
    ]);
  });

  test('is the same where endAt belongs to the span', async () => {
    const { summary } = await lastDay(closed, { months: { '2026-04': 598.7 }, inclusive: true });
    expect((await summary).todayEnergyKwh).toBe(15.8);
  });

  test('is its own row as soon as there is one', async () => {
    const days = { ...closed, '2026-04-30': 16.2 };
    const { summary } = await lastDay(days, { months: { '2026-04': 598.7 }, month: '2026-05' });
    expect((await summary).todayEnergyKwh).toBe(16.2);
  });

  test('is 0 where rounding leaves a little less than nothing', async () => {
    const { summary } = await lastDay(closed, { months: { '2026-04': 581.5 } });
    expect((await summary).todayEnergyKwh).toBe(0);
  });

  test('of a plant that began within the month is the month less the days since', async () => {
    const days = { '2026-04-28': 10, '2026-04-29': 11 };
    const { summary } = await lastDay(days, { months: { '2026-04': 25.5 } });
    expect((await summary).todayEnergyKwh).toBe(4.5);
  });

  test.each([
    ['a hole among the days', { ...closed, '2026-04-11': null }, { '2026-04': 598.7 }],
    ['no month', closed, {}],
    ['a month without a value', closed, { '2026-04': null }],
    ['a month well below its days', closed, { '2026-04': 560 }],
  ])('is not told with %s', async (_, days, months) => {
    const { summary } = await lastDay(days, { months });
    expect(await summary).toMatchObject({
      todayEnergyKwh: null,
      powerW: 2480,
      refused: [{ field: 'lifetime_energy_kwh' }, { field: 'today_energy_kwh' }],
    });
  });

  test('is still told on the morning after, while the plant sleeps', async () => {
    const summary = await summaryOf(
      {
        'station/latest': { generationPower: 0, lastUpdateTime: now.getTime() / 1000 + 8 * 3600 },
        'station/history': history(closed, { months: { '2026-04': 598.7 } }),
      },
      { now: new Date('2026-05-01T01:00:00Z') },
    );
    expect(summary.todayEnergyKwh).toBe(15.8);
  });
});

describe('inverters', () => {
  const withDevices = (devices: readonly object[], data: readonly object[]) =>
    summaryOf({
      'station/device': { total: devices.length, deviceListItems: devices },
      'device/latest': { deviceDataList: data },
    });

  test('are told from loggers, meters and batteries, each once', async () => {
    const { devices } = await withDevices(
      [
        listed('LOG', { deviceType: 'COLLECTOR' }),
        listed('SN1'),
        listed('MET', { deviceType: 'METER' }),
        listed('SN1', { connectStatus: 0, collectionTime: noonS - 9_000 }),
        listed('MIC', { deviceType: 'micro_inverter' }),
        listed(''),
        { deviceType: 'INVERTER' },
      ],
      [measured('SN1', usual), measured('MIC', usual)],
    );
    expect(devices.map(({ sn }) => sn)).toEqual(['SN1', 'MIC']);
  });

  test('are asked ten at a time', async () => {
    const serials = Array.from({ length: 25 }, (_, i) => `SN${i}`);
    const { adapter, sentTo } = scriptedVendor({
      'station/device': { total: 25, deviceListItems: serials.map((sn) => listed(sn)) },
      'device/latest': ({ deviceList }) => ({
        deviceDataList: (deviceList as string[]).map((sn) => measured(sn, usual)),
      }),
    });
    const summary = await adapter.getPlantSummary(plant);
    expect(summary.devices).toHaveLength(25);
    expect(summary.lifetimeEnergyKwh).toBe(16_865);
    expect(
      sentTo('device/latest').map(({ deviceList }) => (deviceList as string[]).length),
    ).toEqual([10, 10, 5]);
  });

  test('on the second page are found', async () => {
    const { devices } = await summaryOf({
      'station/device': ({ page }) => ({
        total: 2,
        deviceListItems: [listed(page === 1 ? 'SN1' : 'SN2')],
      }),
      'device/latest': { deviceDataList: [measured('SN1', usual), measured('SN2', usual)] },
    });
    expect(devices.map(({ sn }) => sn)).toEqual(['SN1', 'SN2']);
  });

  test('of two answers for one serial number the newer counts', async () => {
    const { devices } = await withDevices(
      [listed('SN1')],
      [
        measured('SN1', { ...usual, DailyActiveProduction: ['3.9', 'kWh'] }),
        measured('SN1', usual, { collectionTime: noonS - 900 }),
      ],
    );
    expect(devices).toMatchObject([{ todayEnergyKwh: 3.9 }]);
  });

  test.each([
    ['deviceState 1', 1, 1, '2507.40', 'RUNNING'],
    ['deviceState 1 at 0 W', 1, 1, '0.00', 'STANDBY'],
    ['deviceState 2', 2, 1, '2507.40', 'FAULT'],
    ['deviceState 3', 3, 1, '2507.40', 'OFFLINE'],
    ['deviceState as text', '3', 1, '2507.40', 'OFFLINE'],
    ['no deviceState and connectStatus 0', null, 0, '2507.40', 'OFFLINE'],
    ['no deviceState and connectStatus 2', null, 2, '2507.40', 'FAULT'],
    ['neither', null, null, '2507.40', 'UNKNOWN'],
    ['a state that nobody knows', 9, 1, '2507.40', 'UNKNOWN'],
  ])('with %s', async (_, deviceState, connectStatus, power, state) => {
    const values = { ...usual, TotalActiveACOutputPower: [power, 'W'] } as const;
    const { devices } = await withDevices(
      [listed('SN1', { connectStatus })],
      [measured('SN1', values, { deviceState })],
    );
    expect(devices[0]?.state).toBe(state);
  });

  test('that did not answer are known by the list alone, and leave the lifetime untold', async () => {
    const {
      devices,
      lifetimeEnergyKwh,
      refused: dropped,
    } = await withDevices(
      [listed('SN1'), listed('SN2', { connectStatus: 0 })],
      [measured('SN1', usual)],
    );
    expect(devices[1]).toEqual({
      sn: 'SN2',
      powerW: 0,
      todayEnergyKwh: null,
      state: 'OFFLINE',
      measuredAt: iso(noonS),
    });
    expect(lifetimeEnergyKwh).toBeNull();
    expect(dropped).toEqual([]);
  });

  test.each([
    [{ totalsolarpower: ['2.6', 'KW'], TotalActiveACOutputPower: ['9', 'W'] }, 2600],
    [{ TotalDCInputPower: ['2600', 'W'] }, 2600],
    [{ TotalSolarPower: [null, 'W'], TotalActiveACOutputPower: [2507, 'W'] }, 2507],
    [{ TotalSolarPower: ['4294967295', 'W'], TotalActiveACOutputPower: [2507, 'W'] }, 2507],
    [{ TotalActiveACOutputPower: ['2507', 'furlong'] }, null],
    [{ TotalActiveACOutputPower: ['2507', ''] }, null],
    [{}, null],
  ] as const)('power of %j is %j W', async (values, powerW) => {
    const { devices } = await withDevices([listed('SN1')], [measured('SN1', values)]);
    expect(devices[0]?.powerW).toBe(powerW);
  });

  test('keep the energy of their last day to themselves', async () => {
    const { devices } = await withDevices(
      [listed('SN1')],
      [measured('SN1', usual, { collectionTime: noonS - 86_400 })],
    );
    expect(devices[0]?.todayEnergyKwh).toBeNull();
  });

  test.each([
    ['text', '2026-08-31 12:00:00'],
    ['milliseconds', noon.getTime()],
  ])('whose time comes as %s are named, for their energy has no day', async (_, time) => {
    const inverter = measured('SN1', usual, { collectionTime: time });
    const answers = { 'device/latest': { deviceDataList: [inverter] } };
    const sentence =
      'The measurement time of inverter SN1 is no epoch in seconds, so that the energy of its day is not used.';
    const nowhere = await summaryOf({
      ...answers,
      'station/latest': { generationPower: 2480, lastUpdateTime: null },
    });
    expect(nowhere).toMatchObject({
      lastSeenAt: null,
      todayEnergyKwh: 3.7,
      devices: [{ measuredAt: null, todayEnergyKwh: null }],
      refused: [{ field: 'last_seen_at', sentence }],
    });
    expect(await summaryOf(answers)).toMatchObject({
      lastSeenAt: iso(noonS - 120),
      refused: [{ field: 'devices', sentence }],
    });
  });

  test.each([
    [{ TotalActiveACOutputPower: ['620', 'W'], BatteryPower: ['640', 'W'] }, null],
    [
      {
        TotalActiveACOutputPower: ['620', 'W'],
        BatteryPower: ['640', 'W'],
        TotalSolarPower: ['0', 'W'],
      },
      0,
    ],
    [{ TotalActiveACOutputPower: ['620', 'W'], BatteryPower: ['0.00', 'W'] }, 620],
  ] as const)("of a hybrid give their panels' power alone: %j is %j W", async (values, powerW) => {
    const { devices } = await withDevices([listed('SN1')], [measured('SN1', values)]);
    expect(devices[0]?.powerW).toBe(powerW);
  });

  test.each([
    ['2101019', 'the token of a moment ago, so a lack of rights'],
    ['2101023', 'denied'],
    ['2101032', 'not found'],
  ])(
    'that may not be asked (%s, %s) cost the lifetime and a sentence, without a login',
    async (code) => {
      const { adapter, sentTo } = scriptedVendor({ 'station/device': refused(code) });
      const summary = await adapter.getPlantSummary(plant);
      expect(summary).toMatchObject({
        powerW: 2480,
        todayEnergyKwh: 3.7,
        lifetimeEnergyKwh: null,
        lifetimeResolutionKwh: null,
        devices: [],
        refused: [{ field: 'lifetime_energy_kwh' }],
      });
      expect(sentTo('account/token')).toHaveLength(1);
    },
  );

  test.each([
    ['an outage', refused('3201001', 500)],
    ['HTML', { status: 200, headers: {}, body: '<html></html>' }],
    ['another form', jsonResponse({ code: '1000000', success: true, deviceDataList: {} })],
  ])('behind %s cost the lifetime, with a sentence', async (_, answer) => {
    const summary = await summaryOf({ 'device/latest': answer });
    expect(summary).toMatchObject({ powerW: 2480, todayEnergyKwh: 3.7, lifetimeEnergyKwh: null });
    expect(summary.refused.map(({ field }) => field)).toEqual(['lifetime_energy_kwh']);
  });

  test('behind a rate limit end the summary: nothing more may be asked', async () => {
    const { adapter, sentTo } = scriptedVendor({ 'station/device': refused('2101002') });
    const error = await adapter.getPlantSummary(plant).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(AdapterError);
    expect(error).toMatchObject({ type: 'RATE_LIMIT_EXCEEDED', retryAfterMs: 10_000 });
    expect(sentTo('station/history')).toEqual([]);
  });
});

describe('the lifetime total', () => {
  const lifetimeOf = async (...totals: (readonly [unknown, unknown])[]) => {
    const serials = totals.map((_, i) => `SN${i}`);
    const summary = await summaryOf({
      'station/device': { total: totals.length, deviceListItems: serials.map((sn) => listed(sn)) },
      'device/latest': {
        deviceDataList: totals.map((total, i) =>
          measured(`SN${i}`, { ...usual, TotalActiveProduction: total }),
        ),
      },
    });
    return summary;
  };

  test.each([
    ['kWh', '12345.6', 12_345.6, 0.1],
    ['KWH', '12345', 12_345, 1],
    ['MWh', '12.345', 12_345, 1],
    ['GWh', '1.2', 1_200_000, 100_000],
    ['Wh', '12345678', 12_345.678, 0.001],
    ['kWh', 12_345.6, 12_345.6, 0.1],
  ])('in %s: %s', async (unit, value, energyKwh, resolutionKwh) => {
    expect(await lifetimeOf([value, unit])).toMatchObject({
      lifetimeEnergyKwh: energyKwh,
      lifetimeResolutionKwh: resolutionKwh,
      refused: [],
    });
  });

  test('is the sum over the inverters, as coarse as all of them together', async () => {
    expect(await lifetimeOf(['0.1', 'kWh'], ['0.2', 'kWh'], ['1.5', 'MWh'])).toMatchObject({
      lifetimeEnergyKwh: 1500.3,
      lifetimeResolutionKwh: 100.2,
    });
  });

  test.each([['0.00'], [null], [''], ['--']])(
    'is not told while one inverter shows %j, as micro-inverters do by night',
    async (value) => {
      expect(await lifetimeOf(['674.6', 'kWh'], [value, 'kWh'])).toMatchObject({
        lifetimeEnergyKwh: null,
        lifetimeResolutionKwh: null,
        refused: [],
      });
    },
  );

  test.each([
    ['no unit', ['674.6', '']],
    ['a unit of null', ['674.6', null]],
    ['a unit that nobody knows', ['674.6', 'constructor']],
    ['words', ['many', 'kWh']],
    ['a number beyond all', ['1e999', 'kWh']],
    ['less than nothing', ['-1', 'kWh']],
    ['the largest value of its register', ['429496729.5', 'kWh']],
  ] as const)('with %s is refused', async (_, total) => {
    const summary = await lifetimeOf(['674.6', 'kWh'], total);
    expect(summary.lifetimeEnergyKwh).toBeNull();
    expect(summary.refused.map(({ field }) => field)).toEqual(['lifetime_energy_kwh']);
  });
});

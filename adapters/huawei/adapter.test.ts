import { describe, expect, test } from 'vitest';
import type { AdapterErrorType } from '../../domain/plant.ts';
import { testAdapter, type RefusalCase } from '../../test/support/adapter-kit.ts';
import type { AdapterDeps } from '../contract.ts';
import { SessionStore } from '../session.ts';
import type { TransportResponse } from '../transport.ts';
import { jsonResponse } from '../vendor-side.ts';
import { huawei } from './adapter.ts';
import {
  errorOf,
  failure,
  inverter,
  kpi,
  kpiRow,
  live,
  loginOk,
  now,
  plant,
  running,
  scriptedVendor,
  success,
  summaryError,
  type Answer,
} from './scripted-vendor.ts';
import { huaweiVendor } from './vendor.ts';

const refused = (what: string, type: AdapterErrorType, answer: TransportResponse): RefusalCase => ({
  what,
  answer,
  type,
});
const page = (status: number): TransportResponse => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: '<html><body>Sign in</body></html>',
});
const bare = (status: number): TransportResponse => ({ status, headers: {}, body: '' });
const data = (value: unknown): TransportResponse => jsonResponse({ failCode: 0, data: value });

testAdapter({
  definition: huawei,
  vendor: huaweiVendor,
  canaries: {
    userName: 'canary-user',
    systemCode: 'Canary-5ystem-code',
    host: 'canary-host.fusionsolar.huawei.com',
  },
  without: {
    'alarm-page-2': 'the list of alarms has no pages',
    'mwh-unit': 'energies are kWh at any size',
  },
  refusals: [
    refused('failCode 401, no right to the interface', 'AUTH_FAILED', failure(401)),
    refused('failCode 20001', 'AUTH_FAILED', failure(20_001)),
    refused('failCode 20002', 'AUTH_FAILED', failure(20_002)),
    refused('failCode 20003', 'AUTH_FAILED', failure(20_003)),
    refused('failCode 30029', 'AUTH_FAILED', failure(30_029)),
    refused('failCode 20400', 'AUTH_FAILED', failure(20_400)),
    refused('failCode 20403', 'AUTH_FAILED', failure(20_403)),
    refused('failCode 305 again and again', 'AUTH_FAILED', failure(305)),
    refused('HTTP 401 without a body', 'AUTH_FAILED', bare(401)),
    refused('HTTP 403 without a body', 'AUTH_FAILED', bare(403)),
    refused('HTTP 401 without a code', 'AUTH_FAILED', jsonResponse({}, 401)),
    refused(
      'HTTP 403 with another errorCode',
      'AUTH_FAILED',
      jsonResponse({ errorCode: '49401000001' }, 403),
    ),
    {
      ...refused('failCode 407', 'RATE_LIMIT_EXCEEDED', failure(407)),
      retryAfterMs: 300_000,
    },
    {
      // The suite's clock shows 12:03:20Z.
      ...refused('failCode 20618, until midnight UTC', 'RATE_LIMIT_EXCEEDED', failure(20_618)),
      retryAfterMs: 43_000_000,
    },
    {
      ...refused(
        'HTTP 403 of the quota gateway',
        'RATE_LIMIT_EXCEEDED',
        jsonResponse({ errorCode: '49401021002', exceptionInfo: 'quotaControl' }, 403),
      ),
      retryAfterMs: 300_000,
    },
    {
      ...refused(
        'HTTP 403 of the quota gateway with its code as a number',
        'RATE_LIMIT_EXCEEDED',
        jsonResponse({ errorCode: 49_401_021_002 }, 403),
      ),
      retryAfterMs: 300_000,
    },
    refused('failCode 20007', 'PLANT_NOT_FOUND', failure(20_007)),
    refused('failCode 20008', 'PLANT_NOT_FOUND', failure(20_008)),
    refused('failCode 20010', 'PLANT_NOT_FOUND', failure(20_010)),
    refused('success without a row', 'PLANT_NOT_FOUND', data([])),
    refused('failCode 20004', 'VENDOR_ERROR', failure(20_004)),
    refused('failCode 20200', 'VENDOR_ERROR', failure(20_200)),
    refused('failCode 20009', 'VENDOR_ERROR', failure(20_009)),
    refused('failCode 20014', 'VENDOR_ERROR', failure(20_014)),
    refused('failCode 20025', 'VENDOR_ERROR', failure(20_025)),
    refused('a failCode that nobody knows', 'VENDOR_ERROR', failure(98_765)),
    refused(
      'failCode 0 with HTTP 409',
      'VENDOR_ERROR',
      jsonResponse({ failCode: 0, data: [] }, 409),
    ),
    refused(
      'HTTP 400 of the REST framework',
      'VENDOR_ERROR',
      jsonResponse({ exceptionId: 'framwork.remote.Paramerror', reasonArgs: ['pageSize'] }, 400),
    ),
    refused('a web page with HTTP 403', 'INVALID_DATA_FORMAT', page(403)),
    refused('no failCode', 'INVALID_DATA_FORMAT', jsonResponse({ success: true, data: [] })),
    refused('a failCode that is no code', 'INVALID_DATA_FORMAT', jsonResponse({ failCode: 'ok' })),
    refused('success with null', 'INVALID_DATA_FORMAT', data(null)),
    refused(
      'success with escaped JSON',
      'INVALID_DATA_FORMAT',
      data('{&quot;powerCurve&quot;:{}}'),
    ),
    refused('a row without its plant', 'INVALID_DATA_FORMAT', data([{ dataItemMap: kpi }])),
    { ...refused('a login with an empty body', 'AUTH_FAILED', bare(200)), to: 'login' },
    { ...refused('a login with failCode 20400', 'AUTH_FAILED', failure(20_400)), to: 'login' },
    { ...refused('a login with a page', 'INVALID_DATA_FORMAT', page(200)), to: 'login' },
    { ...refused('a login without a token', 'INVALID_DATA_FORMAT', data(null)), to: 'login' },
    { ...refused('a login with HTTP 503', 'VENDOR_ERROR', page(503)), to: 'login' },
    {
      ...refused('a login with failCode 407', 'RATE_LIMIT_EXCEEDED', failure(407)),
      to: 'login',
      retryAfterMs: 600_000,
    },
  ],
});

describe('getPlantSummary', () => {
  test('gives W, kWh and the step of the total, and no time', async () => {
    expect(await scriptedVendor().adapter.getPlantSummary(plant)).toEqual({
      todayEnergyKwh: 12.5,
      powerW: 1432,
      lifetimeEnergyKwh: 16770.25,
      lifetimeResolutionKwh: 0.01,
      lastSeenAt: null,
      devices: [
        { sn: 'HX01', powerW: 1432, todayEnergyKwh: 0.93, state: 'RUNNING', measuredAt: null },
      ],
      refused: [],
    });
  });

  test('reads the numbers of the manual, which are texts', async () => {
    const { adapter } = scriptedVendor({
      getStationRealKpi: [
        success([
          kpiRow({ day_power: '10.050', total_power: '16770.000', real_health_state: '3' }),
        ]),
      ],
      getDevList: [success([inverter('1001', '1', 'HX01')])],
      getDevRealKpi: [
        success([
          live('1001', {
            run_state: '1',
            inverter_state: '512.0',
            active_power: '0.180',
            day_cap: 'N/A',
          }),
        ]),
      ],
    });
    expect(await adapter.getPlantSummary(plant)).toMatchObject({
      todayEnergyKwh: 10.05,
      powerW: 180,
      lifetimeEnergyKwh: 16770,
      lifetimeResolutionKwh: 0.001,
      devices: [{ state: 'RUNNING', todayEnergyKwh: null }],
    });
  });

  test('adds inverters of both types and asks for no other device', async () => {
    const { adapter, bodies } = scriptedVendor({
      getDevList: [
        success([
          inverter(7, 47, null),
          inverter(2, 38, 'HX02'),
          inverter(1, 1, 'HX01'),
          { id: null, devTypeId: 62, esnCode: null },
        ]),
      ],
      getDevRealKpi: [
        ({ body }) =>
          success([
            live(JSON.parse(body ?? '').devTypeId === 1 ? 1 : 2, { ...running, active_power: 2.5 }),
          ]),
      ],
    });
    expect((await adapter.getPlantSummary(plant)).powerW).toBe(5000);
    expect(bodies('getDevRealKpi')).toEqual([
      { devIds: '1', devTypeId: 1 },
      { devIds: '2', devTypeId: 38 },
    ]);
  });

  test('asks for 101 inverters in two calls of at most 100 ids', async () => {
    const ids = Array.from({ length: 101 }, (_, index) => index + 1);
    const { adapter, bodies } = scriptedVendor({
      getDevList: [success(ids.map((id) => inverter(id, 1, `HX${id}`)))],
      getDevRealKpi: [
        ({ body }) =>
          success(
            String(JSON.parse(body ?? '').devIds)
              .split(',')
              .map((id) => live(Number(id), { ...running, active_power: 1 })),
          ),
      ],
    });
    expect((await adapter.getPlantSummary(plant)).powerW).toBe(101_000);
    const counts = bodies('getDevRealKpi').map(
      (body) => (body as { devIds: string }).devIds.split(',').length,
    );
    expect(counts).toEqual([100, 1]);
  });

  test('keeps every digit of device ids beyond 2^53, negative ones too', async () => {
    const answer = (data: string): TransportResponse => ({
      status: 200,
      headers: {},
      body: `{"failCode":0,"data":[${data}]}`,
    });
    const { adapter, bodies } = scriptedVendor({
      getDevList: [answer('{"id":-1000000035000000003,"devTypeId":1,"esnCode":"HX01"}')],
      getDevRealKpi: [answer('{"devId":-1000000035000000003,"dataItemMap":{"active_power":3}}')],
    });
    expect((await adapter.getPlantSummary(plant)).powerW).toBe(3000);
    expect(bodies('getDevRealKpi')).toEqual([{ devIds: '-1000000035000000003', devTypeId: 1 }]);
  });

  test('has no power while one inverter does not say its own', async () => {
    const { active_power: _, ...silent } = running;
    const { adapter } = scriptedVendor({
      getDevList: [success([inverter(1, 1, 'HX01'), inverter(2, 1, 'HX02')])],
      getDevRealKpi: [success([live(1, running), live(2, silent)])],
    });
    const summary = await adapter.getPlantSummary(plant);
    expect(summary.powerW).toBeNull();
    expect(summary.refused).toEqual([]);
    expect(summary.devices.map(({ powerW }) => powerW)).toEqual([1432, null]);
  });

  test('has no power where the plant lists no inverter', async () => {
    const { adapter } = scriptedVendor({ getDevList: [success([inverter(7, 62, 'HX09')])] });
    expect(await adapter.getPlantSummary(plant)).toMatchObject({ powerW: null, devices: [] });
  });

  test('counts an inverter that is off the grid as 0 W, whatever it still shows', async () => {
    const { adapter } = scriptedVendor({
      getDevRealKpi: [
        success([live(1001, { run_state: 0, active_power: 4.2, inverter_state: null })]),
      ],
    });
    const summary = await adapter.getPlantSummary(plant);
    expect(summary).toMatchObject({ powerW: 0, devices: [{ state: 'OFFLINE', powerW: 0 }] });
  });

  test('believes no inverter of a plant that the vendor calls disconnected', async () => {
    const { adapter } = scriptedVendor({
      getStationRealKpi: [success([kpiRow({ ...kpi, real_health_state: 1 })])],
    });
    const summary = await adapter.getPlantSummary(plant);
    expect(summary).toMatchObject({ powerW: 0, devices: [{ state: 'OFFLINE', powerW: 0 }] });
  });

  test('drops an impossible power and an impossible total, each with a sentence', async () => {
    const { adapter } = scriptedVendor({
      getStationRealKpi: [success([kpiRow({ ...kpi, total_power: -1 })])],
      getDevRealKpi: [success([live(1001, { ...running, active_power: 2_147_483.647 })])],
    });
    const summary = await adapter.getPlantSummary(plant);
    expect(summary).toMatchObject({
      powerW: null,
      lifetimeEnergyKwh: null,
      lifetimeResolutionKwh: null,
    });
    expect(summary.refused.map(({ field }) => field)).toEqual(['lifetime_energy_kwh', 'power_w']);
  });

  test.each([
    ['absent', {}],
    ['null', { day_power: null }],
    ['negative', { day_power: -0.1 }],
    ['a word', { day_power: 'NaN' }],
    ['not fitted', { day_power: 42_949_672.95 }],
  ])('refuses an energy of the day that is %s', async (_, items) => {
    const error = await summaryError({ getStationRealKpi: [success([kpiRow(items)])] });
    expect(error.type).toBe('INVALID_DATA_FORMAT');
  });

  test('finds its plant among others, and misses it where only others are', async () => {
    const other = { stationCode: 'NE=1', dataItemMap: { day_power: 99 } };
    const { adapter } = scriptedVendor({ getStationRealKpi: [success([other, kpiRow()])] });
    expect((await adapter.getPlantSummary(plant)).todayEnergyKwh).toBe(12.5);
    const error = await summaryError({ getStationRealKpi: [success([other])] });
    expect(error.type).toBe('PLANT_NOT_FOUND');
  });

  test('waits for each answer before it asks the next', async () => {
    let open = 0;
    const openWhenAsked: number[] = [];
    const slowly =
      (answer: TransportResponse): Answer =>
      async () => {
        openWhenAsked.push(open);
        open += 1;
        await new Promise((resolve) => setTimeout(resolve, 1));
        open -= 1;
        return answer;
      };
    const { adapter } = scriptedVendor({
      login: [slowly(loginOk)],
      getStationRealKpi: [slowly(success([kpiRow()]))],
      getDevList: [slowly(success([inverter(1, 1, 'HX01'), inverter(2, 38, 'HX02')]))],
      getDevRealKpi: [slowly(success([live(1, running)])), slowly(success([live(2, running)]))],
    });
    await adapter.getPlantSummary(plant);
    expect(openWhenAsked).toEqual([0, 0, 0, 0, 0]);
  });
});

describe('the list of inverters', () => {
  const lists = (paths: string[]): number => paths.filter((path) => path === 'getDevList').length;
  const later = (ms: number): Partial<AdapterDeps> => ({ now: new Date(now.getTime() + ms) });
  const sixHoursMs = 21_600_000;

  test('is asked once and again after more than six hours', async () => {
    const { adapter, again, paths } = scriptedVendor();
    await adapter.getPlantSummary(plant);
    await again(later(sixHoursMs)).getPlantSummary(plant);
    expect(lists(paths())).toBe(1);
    await again(later(sixHoursMs + 1)).getPlantSummary(plant);
    expect(lists(paths())).toBe(2);
  });

  test('is asked again after an inverter did not answer', async () => {
    const { adapter, again, paths } = scriptedVendor({ getDevRealKpi: [success([])] });
    await adapter.getPlantSummary(plant);
    await again().getPlantSummary(plant);
    expect(lists(paths())).toBe(2);
  });

  test('is asked again after the vendor knew none of its devices', async () => {
    const { adapter, again, paths } = scriptedVendor({ getDevRealKpi: [failure(20_008)] });
    expect(await errorOf(adapter.getPlantSummary(plant))).toMatchObject({
      type: 'PLANT_NOT_FOUND',
    });
    await errorOf(again().getPlantSummary(plant));
    expect(lists(paths())).toBe(2);
  });

  test('is asked again where it was empty', async () => {
    const { adapter, again, paths } = scriptedVendor({ getDevList: [success([])] });
    await adapter.getPlantSummary(plant);
    await again().getPlantSummary(plant);
    expect(lists(paths())).toBe(2);
  });

  test('is asked again by a clock more than six hours back', async () => {
    const { adapter, again, paths } = scriptedVendor();
    await adapter.getPlantSummary(plant);
    await again(later(-sixHoursMs - 1)).getPlantSummary(plant);
    expect(lists(paths())).toBe(2);
  });

  test('leaves out the inverters of other plants', async () => {
    const other = { id: 9, devTypeId: 1, esnCode: 'HX09', stationCode: 'NE=1' };
    const { adapter } = scriptedVendor({
      getDevList: [success([other, inverter(1001, 1, 'HX01')])],
    });
    expect((await adapter.getPlantSummary(plant)).devices).toMatchObject([{ sn: 'HX01' }]);
  });

  test('outlives a rate limit of the live values', async () => {
    const { adapter, again, paths } = scriptedVendor({ getDevRealKpi: [failure(407)] });
    await errorOf(adapter.getPlantSummary(plant));
    await errorOf(again().getPlantSummary(plant));
    expect(lists(paths())).toBe(1);
  });

  test('of one account is not that of another', async () => {
    const { adapter, again, paths } = scriptedVendor();
    await adapter.getPlantSummary(plant);
    await again({ session: new SessionStore() }).getPlantSummary(plant);
    expect(lists(paths())).toBe(2);
  });
});

describe('getDailyEnergySeries', () => {
  /** Midnight in Bogotá, which is UTC−5 all year. */
  const midnight = (date: string): number => Date.parse(`${date}T05:00:00Z`);
  const row = (date: string, items: object | null, stationCode = plant.vendorPlantId): object => ({
    stationCode,
    collectTime: midnight(date),
    dataItemMap: items,
  });

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

describe('getAlarmsSince', () => {
  const since = new Date('2026-05-01T00:00:00Z');
  const raiseTime = Date.parse('2026-05-02T10:00:00Z');
  const alarm = (over: object = {}): object => ({
    alarmId: 2062,
    alarmName: 'Low Insulation\u0000 Resistance',
    alarmCause: 'Earth fault',
    alarmType: 0,
    causeId: -1,
    devName: 'Inverter-1',
    devTypeId: 1,
    esnCode: 'HX01',
    lev: 2,
    raiseTime,
    stationCode: plant.vendorPlantId,
    status: 1,
    ...over,
  });
  const answers = (...rows: object[]): Record<string, Answer[]> => ({
    getAlarmList: [success(rows)],
  });

  test('asks for the time from since to now and gives the alarm in our words', async () => {
    const { adapter, bodies } = scriptedVendor(answers(alarm()));
    expect(await adapter.getAlarmsSince(plant, since)).toEqual({
      alarms: [
        {
          code: '2062',
          deviceSn: 'HX01',
          severity: 'HIGH',
          vendorLevel: '2',
          text: 'Low Insulation Resistance: Earth fault',
          startedAt: '2026-05-02T10:00:00.000Z',
          endedAt: null,
          open: true,
          communication: false,
        },
      ],
      complete: true,
    });
    expect(bodies('getAlarmList')).toEqual([
      {
        stationCodes: plant.vendorPlantId,
        beginTime: since.getTime(),
        endTime: now.getTime(),
        language: 'en_US',
      },
    ]);
  });

  test.each([
    [1, 'CRITICAL'],
    [2, 'HIGH'],
    [3, 'MEDIUM'],
    ['4', 'LOW'],
    [9, 'MEDIUM'],
    [null, 'MEDIUM'],
  ])('reads level %s as %s', async (lev, severity) => {
    const { alarms } = await scriptedVendor(answers(alarm({ lev }))).adapter.getAlarmsSince(
      plant,
      since,
    );
    expect(alarms[0]?.severity).toBe(severity);
  });

  test.each([
    [1, true],
    [2, true],
    [3, true],
    [4, true],
    ['5', false],
    [6, false],
    [7, true],
    [null, true],
  ])('reads status %s as open %s', async (status, open) => {
    const { alarms } = await scriptedVendor(answers(alarm({ status }))).adapter.getAlarmsSince(
      plant,
      since,
    );
    expect(alarms).toMatchObject([{ open, endedAt: null }]);
  });

  test('gives what is open from before since, not what was closed by then', async () => {
    const before = { raiseTime: since.getTime() - 1 };
    const { adapter } = scriptedVendor(
      answers(
        alarm({ alarmId: 1, ...before }),
        alarm({ alarmId: 2, status: 6, ...before }),
        alarm({ alarmId: 3, status: 6, raiseTime: since.getTime() }),
      ),
    );
    const { alarms } = await adapter.getAlarmsSince(plant, since);
    expect(alarms.map(({ code }) => code)).toEqual(['1', '3']);
  });

  test('merges the records of one code and device', async () => {
    const { adapter } = scriptedVendor(
      answers(
        alarm({ lev: 3, status: 6, raiseTime: raiseTime - 60_000 }),
        alarm({ lev: '1' }),
        alarm({ esnCode: 'HX02' }),
      ),
    );
    expect((await adapter.getAlarmsSince(plant, since)).alarms).toMatchObject([
      { deviceSn: 'HX01', severity: 'CRITICAL', open: true, startedAt: '2026-05-02T09:59:00.000Z' },
      { deviceSn: 'HX02', severity: 'HIGH' },
    ]);
  });

  test('knows 999999999 on a logger as an alarm of communication', async () => {
    const { adapter } = scriptedVendor(answers(alarm({ alarmId: 999_999_999, devTypeId: 62 })));
    expect((await adapter.getAlarmsSince(plant, since)).alarms).toMatchObject([
      { code: '999999999', communication: true },
    ]);
  });

  test('names a device without a serial number by its name, and none without both', async () => {
    const { adapter } = scriptedVendor(
      answers(alarm({ esnCode: null }), alarm({ alarmId: 3, esnCode: '', devName: null })),
    );
    const { alarms } = await adapter.getAlarmsSince(plant, since);
    expect(alarms.map(({ deviceSn }) => deviceSn)).toEqual(['Inverter-1', null]);
  });

  test('leaves out the alarms of other plants', async () => {
    const { adapter } = scriptedVendor(answers(alarm({ stationCode: 'NE=1' })));
    expect(await adapter.getAlarmsSince(plant, since)).toEqual({ alarms: [], complete: true });
  });

  test('refuses a raise time that is none', async () => {
    const { adapter } = scriptedVendor(answers(alarm({ raiseTime: raiseTime / 1000 })));
    const error = await errorOf(adapter.getAlarmsSince(plant, since));
    expect(error.type).toBe('INVALID_DATA_FORMAT');
  });
});

describe('testConnection', () => {
  test('logs in anew even with a session at hand', async () => {
    const { adapter, again, paths } = scriptedVendor();
    await adapter.getPlantSummary(plant);
    expect(await again().testConnection()).toMatchObject({ ok: true, errorType: null });
    expect(paths().filter((path) => path === 'login')).toHaveLength(2);
  });

  test('says why it failed and throws nothing', async () => {
    const refused = scriptedVendor({ login: [{ status: 200, headers: {}, body: '' }] });
    const result = await refused.adapter.testConnection();
    expect(result).toMatchObject({ ok: false, errorType: 'AUTH_FAILED' });
    expect(JSON.stringify(result)).not.toContain('Canary');
    const broken = scriptedVendor({}, { credentials: {} });
    expect(await broken.adapter.testConnection()).toMatchObject({
      ok: false,
      errorType: 'AUTH_FAILED',
      message: "the account's credentials lack host",
    });
  });

  test('ends without a throw when it is aborted', async () => {
    const { adapter } = scriptedVendor({}, { signal: AbortSignal.abort(new Error('cut off')) });
    expect(await adapter.testConnection()).toMatchObject({ ok: false, errorType: 'UNKNOWN' });
  });
});

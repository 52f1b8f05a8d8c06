import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Brand } from '../../../domain/plants/plant.ts';
import { runTestCommand } from '../../../test/support/command-line.ts';

/**
 * Answers of real vendors that were once pinned on the wrong party, cost too much or went missing in silence, each with what
 * `adapters replay` must print of it. A case replaces one answer of a plant of which everything else answers well.
 */

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'heliograph-answers-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Answers by the last step of their path. A string is a body that is no JSON; HTTP 200 unless `status` says otherwise. */
type Answers = Readonly<Record<string, object | string>>;
interface Printed {
  summary: Record<string, unknown>;
  days: unknown;
  alarms: unknown;
}

async function replay(brand: Brand, answers: Answers): Promise<Printed & { code: number }> {
  const vendor = vendors[brand];
  const exchanges = Object.entries({ ...vendor.answers, ...answers }).map(([path, body]) => ({
    request: { method: 'POST', path: `${vendor.base}${path}` },
    response: { status: 200, body },
  }));
  const file = join(folder, 'recording.json');
  writeFileSync(file, JSON.stringify({ vendor_plant_id: vendor.plantId, exchanges }));
  const { code, stdout } = await runTestCommand([
    'adapters',
    'replay',
    `--brand=${brand}`,
    '--now=2026-08-31T10:05:00Z',
    '--timezone=Europe/Amsterdam',
    file,
  ]);
  return { code, ...(JSON.parse(stdout) as Printed) };
}

const huaweiOk = (data: unknown) => ({ success: true, failCode: 0, message: null, data });
const solisOk = (data: unknown) => ({ success: true, code: '0', msg: 'success', data });
const goodweOk = (data: unknown) => ({ code: 0, msg: 'Successful', data });
const deleOk = (body: object) => ({ code: '1000000', msg: 'success', success: true, ...body });

const station = {
  dataTimestamp: '1788170400000',
  state: 1,
  power: 4.112,
  powerStr: 'kW',
  dayEnergy: 21.4,
  dayEnergyStr: 'kWh',
  allEnergy: 91.334,
  allEnergyStr: 'MWh',
  inverterCount: 1,
};
const kpiRow = (dataItemMap: object) => huaweiOk([{ stationCode: 'NE=1', dataItemMap }]);
const detail = (changes: { kpi?: object; powerflow?: object } = {}) =>
  goodweOk({
    info: { status: 1 },
    kpi: { pac: 2337, power: 9.4, total_power: 19248.5, ...changes.kpi },
    inverter: [
      {
        sn: 'GW1',
        status: 1,
        out_pac: changes.kpi === undefined ? 2337 : 620,
        eday: 9.4,
        invert_full: { last_time: 1788170400000 },
      },
    ],
    powerflow: changes.powerflow ?? null,
  });
const inverterValues = (values: Record<string, [unknown, string]>, collectionTime: unknown) =>
  deleOk({
    deviceDataList: [
      {
        deviceSn: 'SN1',
        deviceState: 1,
        collectionTime,
        dataList: Object.entries(values).map(([key, [value, unit]]) => ({ key, value, unit })),
      },
    ],
  });
const usualValues: Record<string, [unknown, string]> = {
  TotalActiveACOutputPower: ['2507.4', 'W'],
  DailyActiveProduction: ['5.40', 'kWh'],
  TotalActiveProduction: ['674.60', 'kWh'],
};

const vendors: Record<Brand, { base: string; plantId: string; answers: Answers }> = {
  HUAWEI: {
    base: '/thirdData/',
    plantId: 'NE=1',
    answers: {
      getStationRealKpi: kpiRow({ day_power: 12.5, total_power: 16770.25, real_health_state: 3 }),
      getDevList: huaweiOk([{ id: 7, devTypeId: 1, esnCode: 'EX1', stationCode: 'NE=1' }]),
      getDevRealKpi: huaweiOk([
        { devId: 7, dataItemMap: { run_state: 1, inverter_state: 512, active_power: 1.4 } },
      ]),
      getKpiStationDay: huaweiOk([]),
      getAlarmList: huaweiOk([]),
    },
  },
  SOLIS: {
    base: '/v1/api/',
    plantId: '1298491919448631809',
    answers: {
      stationDetail: solisOk(station),
      stationMonth: solisOk([{ dateStr: '2026-08-31', energy: 21.4, energyStr: 'kWh' }]),
      inverterList: solisOk({ page: { records: [{ sn: 'A1', state: 1 }] } }),
      alarmList: solisOk({ records: [] }),
    },
  },
  GOODWE: {
    base: '/api/',
    plantId: '5e3f0c1a-7b2d-4c8e-9f10-00000000aa01',
    answers: {
      'v3/PowerStation/GetMonitorDetailByPowerstationId': detail(),
      'v2/PowerStationMonitor/GetPowerStationPowerAndIncomeByDay': goodweOk([]),
      'PowerStationMonitor/QueryPowerStationMonitor': goodweOk({
        record: 1,
        list: [{ powerstation_id: '5e3f0c1a-7b2d-4c8e-9f10-00000000aa01' }],
      }),
      'SmartOperateMaintenance/GetPowerStationWariningInfoByMultiCondition': goodweOk({
        record: 0,
        list: [],
      }),
    },
  },
  DELE: {
    base: '/v1.0/',
    plantId: '40760',
    answers: {
      'station/latest': deleOk({ generationPower: 2480, lastUpdateTime: 1788170400 }),
      'station/device': deleOk({
        total: 1,
        deviceListItems: [{ deviceSn: 'SN1', deviceType: 'INVERTER', connectStatus: 1 }],
      }),
      'device/latest': inverterValues(usualValues, 1788170400),
      'station/history': deleOk({
        total: 1,
        stationDataItems: [{ year: 2026, month: 8, day: 31, generationValue: 5.3 }],
      }),
      'station/alertList': deleOk({ total: 0, stationAlertItems: [] }),
    },
  },
};

const noRight = {
  data: null,
  failCode: 401,
  message: 'Invalid access to current interface!',
};
const plantDetail = 'v3/PowerStation/GetMonitorDetailByPowerstationId';

test.each(['HUAWEI', 'SOLIS', 'GOODWE', 'DELE'] as const)('%s: all answers well', async (brand) => {
  const { code, summary } = await replay(brand, {});
  expect(code).toBe(0);
  expect(summary['refused']).toEqual([]);
  expect(summary['today_energy_kwh']).toBeGreaterThan(5);
  expect(summary['power_w']).toBeGreaterThan(1_000);
});

describe('a refusal is pinned on its party', () => {
  test.each([
    ['getDevRealKpi', noRight],
    ['getDevList', noRight],
    ['getDevRealKpi', { data: 'ACCESS_FREQUENCY_IS_TOO_HIGH', failCode: 407, success: false }],
  ])('HUAWEI %s %j: energies kept, power null, a sentence', async (path, answer) => {
    const { code, summary } = await replay('HUAWEI', { [path]: answer });
    expect(code).toBe(0);
    expect(summary).toMatchObject({
      today_energy_kwh: 12.5,
      lifetime_energy_kwh: 16770.25,
      power_w: null,
      refused: [
        {
          field: 'power_w',
          type: answer.failCode === 401 ? 'AUTH_FAILED' : 'RATE_LIMIT_EXCEEDED',
          sentence: expect.stringContaining(
            answer.failCode === 401 ? 'the account has no right to this interface' : 'too often',
          ),
        },
      ],
    });
  });

  test.each<[Brand, string, object, object]>([
    [
      'HUAWEI',
      'getStationRealKpi',
      { data: null, failCode: 20056, success: false },
      { type: 'AUTH_FAILED', scope: 'PLANT' },
    ],
    ['HUAWEI', 'getStationRealKpi', noRight, { type: 'AUTH_FAILED', scope: 'REQUEST' }],
    [
      'GOODWE',
      plantDetail,
      { code: 100002, data: null },
      { type: 'AUTH_FAILED', scope: 'PLANT', message: expect.stringContaining('out of reach') },
    ],
    [
      'GOODWE',
      'v3/Common/CrossLogin',
      { code: 100004, data: null },
      { type: 'AUTH_FAILED', scope: 'ACCOUNT', message: 'SEMS refuses this login (100004)' },
    ],
    [
      'SOLIS',
      'stationDetail',
      { success: true, code: '1', msg: '数据异常 请联系管理员', data: null },
      { type: 'VENDOR_ERROR', scope: 'CLOUD' },
    ],
  ])('%s %s %j', async (brand, path, answer, error) => {
    const { code, summary } = await replay(brand, { [path]: answer });
    expect(code).toBe(1);
    expect(summary).toMatchObject({ error });
  });

  test.each<[Brand, string, object]>([
    ['SOLIS', 'stationDetail', { success: false, code: 'I0000', msg: 'empty', data: null }],
    ['HUAWEI', 'getStationRealKpi', { success: false, failCode: 20014, data: null }],
    ['GOODWE', plantDetail, { code: 100004, msg: 'parameter error.', data: null }],
    ['DELE', 'station/latest', { code: '2101006', msg: 'x', success: false }],
  ])('%s: a bad request of ours is UNKNOWN, and about the request', async (brand, path, answer) => {
    const { summary } = await replay(brand, { [path]: answer });
    expect(summary).toMatchObject({ error: { type: 'UNKNOWN', scope: 'REQUEST' } });
  });
});

describe('a missing part costs that part', () => {
  test('HUAWEI getDevRealKpi rows without devId', async () => {
    const { summary } = await replay('HUAWEI', {
      getDevRealKpi: huaweiOk([{ sn: 'EX1', dataItemMap: { active_power: 45.5 } }]),
    });
    expect(summary).toMatchObject({
      power_w: 45_500,
      devices: [{ sn: 'EX1', power_w: 45_500 }],
      refused: [],
    });
  });

  test('HUAWEI disconnected, day_power null', async () => {
    const { summary } = await replay('HUAWEI', {
      getStationRealKpi: kpiRow({ real_health_state: 1, day_power: null, total_power: 2000.1 }),
    });
    expect(summary).toMatchObject({
      today_energy_kwh: null,
      power_w: 0,
      lifetime_energy_kwh: 2000.1,
      devices: [{ state: 'OFFLINE' }],
      refused: [{ field: 'today_energy_kwh' }],
    });
  });

  test.each<[Brand, string, object]>([
    ['SOLIS', 'stationDetail', solisOk({ ...station, dayEnergy: null })],
    ['GOODWE', plantDetail, detail({ kpi: { power: null } })],
  ])("%s: today's energy null, and all else known", async (brand, path, answer) => {
    const { code, summary } = await replay(brand, { [path]: answer });
    expect(code).toBe(0);
    expect(summary).toMatchObject({
      today_energy_kwh: null,
      lifetime_energy_kwh: expect.any(Number),
      refused: [{ field: 'today_energy_kwh' }],
    });
  });

  test.each([
    ['text', '2026-08-31 12:00:00'],
    ['epoch milliseconds', 1788170400000],
  ])('DELE lastUpdateTime null and collectionTime as %s: named', async (_, time) => {
    const { summary } = await replay('DELE', {
      'station/latest': deleOk({ generationPower: 2480, lastUpdateTime: null }),
      'device/latest': inverterValues(usualValues, time),
    });
    expect(summary).toMatchObject({
      last_seen_at: null,
      today_energy_kwh: 5.3,
      devices: [{ today_energy_kwh: null }],
      refused: [
        { field: 'last_seen_at', sentence: expect.stringContaining('time of inverter SN1') },
      ],
    });
  });

  test('SOLIS B0115 on stationDetail and stationMonth: what was refused', async () => {
    const offline = { success: true, code: 'B0115', msg: 'datalogger is offline', data: null };
    const { summary, days } = await replay('SOLIS', {
      stationDetail: offline,
      stationMonth: offline,
    });
    expect(summary).toMatchObject({
      today_energy_kwh: null,
      power_w: null,
      refused: [
        { field: 'power_w', sentence: expect.stringContaining('B0115') },
        { field: 'today_energy_kwh', sentence: expect.stringContaining('B0115') },
      ],
    });
    expect(days).toMatchObject({ error: { type: 'VENDOR_ERROR', scope: 'PLANT' } });
  });
});

describe("a battery's energy and power are not the panels'", () => {
  test('HUAWEI getKpiStationDay without inverter_power', async () => {
    const { days } = await replay('HUAWEI', {
      getKpiStationDay: huaweiOk([
        {
          stationCode: 'NE=1',
          collectTime: Date.parse('2026-08-30T00:00:00+02:00'),
          dataItemMap: { inverterYield: 4.8, PVYield: 1.6, dischargeCap: 3.4 },
        },
      ]),
    });
    expect(days).toEqual([{ date: '2026-08-30', energy_kwh: 1.6 }]);
  });

  test('HUAWEI by night', async () => {
    const night = { run_state: 1, inverter_state: 512, active_power: 0.62, mppt_power: 0.0 };
    const { summary } = await replay('HUAWEI', {
      getDevRealKpi: huaweiOk([{ devId: 7, dataItemMap: night }]),
    });
    expect(summary).toMatchObject({ power_w: 0, devices: [{ power_w: 0, state: 'STANDBY' }] });
  });

  test('GOODWE by night', async () => {
    const { summary } = await replay('GOODWE', {
      [plantDetail]: detail({
        kpi: { pac: 620 },
        powerflow: { pv: '0(W)', bettery: '640(W)', betteryStatus: 1 },
      }),
    });
    expect(summary).toMatchObject({ power_w: 0, devices: [{ power_w: 0, state: 'STANDBY' }] });
  });

  test("DELE: a hybrid's output is not its panels'", async () => {
    const { summary } = await replay('DELE', {
      'device/latest': inverterValues(
        { ...usualValues, BatteryPower: ['640', 'W'], TotalSolarPower: ['0', 'W'] },
        1788170400,
      ),
    });
    expect(summary).toMatchObject({ devices: [{ power_w: 0, state: 'STANDBY' }] });
  });

  test("SOLIS: a storage inverter's output is not its panels'", async () => {
    const hybrid = { sn: 'A1', state: 1, pac: 0.62, pacStr: 'kW', batteryPower: 0.65 };
    const { summary } = await replay('SOLIS', {
      stationDetail: solisOk({ ...station, inverterCount: 2 }),
      inverterList: solisOk({ page: { records: [hybrid] } }),
    });
    expect(summary).toMatchObject({ power_w: 4112, devices: [{ sn: 'A1', power_w: null }] });
  });
});

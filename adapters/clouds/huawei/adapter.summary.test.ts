import { describe, expect, test } from 'vitest';
import type { AdapterDeps } from '../contract.ts';
import { SessionStore } from '../session.ts';
import type { TransportResponse } from '../transport.ts';
import {
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
} from '../../../test/support/scripted-huawei.ts';

/** A body as it would be recorded, its numbers not yet read. */
const recorded = (row: string): TransportResponse => ({
  status: 200,
  headers: {},
  body: `{"failCode":0,"data":[${row}]}`,
});
const lists = (paths: string[]): number => paths.filter((path) => path === 'getDevList').length;
const later = (ms: number): Partial<AdapterDeps> => ({ now: new Date(now.getTime() + ms) });
const sixHoursMs = 21_600_000;

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
    expect(bodies('getDevRealKpi')).toEqual([
      { devIds: ids.slice(0, 100).join(','), devTypeId: 1 },
      { devIds: '101', devTypeId: 1 },
    ]);
  });

  test.each([
    ['an empty devId', { devId: '', sn: 'HX01' }],
    ['a devId that is none', { devId: 'N/A', esnCode: 'HX01' }],
    ['a devId of another list', { devId: 7, sn: 'HX01' }],
  ])('knows the inverter of a row with %s by its serial number', async (_, names) => {
    const { adapter } = scriptedVendor({
      getDevRealKpi: [success([{ ...names, dataItemMap: running }])],
    });
    expect(await adapter.getPlantSummary(plant)).toMatchObject({ powerW: 1432, refused: [] });
  });

  test('an accessory whose ids are empty costs nothing', async () => {
    const logger = { id: '', devTypeId: 62, esnCode: '', stationCode: '' };
    const { adapter } = scriptedVendor({
      getDevList: [success([inverter(1001, 1, 'HX01'), logger])],
    });
    expect(await adapter.getPlantSummary(plant)).toMatchObject({ powerW: 1432, refused: [] });
  });

  test('keeps every digit of device ids beyond 2^53, negative ones too', async () => {
    const { adapter, bodies } = scriptedVendor({
      getDevList: [recorded('{"id":-1000000035000000003,"devTypeId":1,"esnCode":"HX01"}')],
      getDevRealKpi: [recorded('{"devId":-1000000035000000003,"dataItemMap":{"active_power":3}}')],
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
    ['absent, and nothing else is there', {}],
    ['null, and nothing else is there', { day_power: null, total_power: null }],
    ['negative', { day_power: -0.1 }],
    ['a word', { day_power: 'NaN' }],
    ['not fitted', { day_power: 42_949_672.95 }],
  ])('refuses an energy of the day that is %s', async (_, items) => {
    const error = await summaryError({ getStationRealKpi: [success([kpiRow(items)])] });
    expect(error.type).toBe('INVALID_DATA_FORMAT');
  });

  test.each([
    ['a state', { real_health_state: 3 }, null],
    ['a lifetime', { day_power: '', total_power: 2000.1 }, 2000.1],
  ])(
    'without an energy of the day, but with %s, is a summary all the same',
    async (_, items, lifetimeEnergyKwh) => {
      const { adapter } = scriptedVendor({ getStationRealKpi: [success([kpiRow(items)])] });
      expect(await adapter.getPlantSummary(plant)).toMatchObject({
        todayEnergyKwh: null,
        lifetimeEnergyKwh,
        powerW: 1432,
        refused: [{ field: 'today_energy_kwh' }],
      });
    },
  );

  test('of a disconnected plant whose day is null has its lifetime, and 0 W', async () => {
    const items = { real_health_state: 1, day_power: null, total_power: 2000.1 };
    const { adapter } = scriptedVendor({ getStationRealKpi: [success([kpiRow(items)])] });
    expect(await adapter.getPlantSummary(plant)).toEqual({
      todayEnergyKwh: null,
      powerW: 0,
      lifetimeEnergyKwh: 2000.1,
      lifetimeResolutionKwh: 0.1,
      lastSeenAt: null,
      devices: [
        { sn: 'HX01', powerW: 0, todayEnergyKwh: 0.93, state: 'OFFLINE', measuredAt: null },
      ],
      refused: [
        {
          field: 'today_energy_kwh',
          sentence: "Today's energy is missing in the vendor's answer (day_power).",
        },
      ],
    });
  });

  test.each(['getDevList', 'getDevRealKpi'])(
    'keeps the energies where the account has no right to %s (failCode 401)',
    async (path) => {
      const { adapter } = scriptedVendor({ [path]: [failure(401)] });
      expect(await adapter.getPlantSummary(plant)).toMatchObject({
        todayEnergyKwh: 12.5,
        lifetimeEnergyKwh: 16770.25,
        powerW: null,
        refused: [
          {
            field: 'power_w',
            type: 'AUTH_FAILED',
            sentence: `Power is not known: ${path}: failCode 401, the account has no right to this interface.`,
          },
        ],
      });
    },
  );

  test('keeps its inverters while their list is refused', async () => {
    const { adapter, again } = scriptedVendor({
      getDevList: [success([inverter(1001, 1, 'HX01')]), failure(401)],
    });
    await adapter.getPlantSummary(plant);
    expect(await again(later(sixHoursMs + 1)).getPlantSummary(plant)).toMatchObject({
      powerW: 1432,
      refused: [],
    });
  });

  test.each([
    ['sn', 'HX01'],
    ['esnCode', 'HX01'],
    ['nothing', undefined],
  ])('knows a device that has no devId by %s', async (key, serial) => {
    const { adapter } = scriptedVendor({
      getDevRealKpi: [success([{ [key]: serial, dataItemMap: { active_power: 45.5 } }])],
    });
    expect(await adapter.getPlantSummary(plant)).toMatchObject({
      powerW: 45_500,
      devices: [{ sn: 'HX01', powerW: 45_500 }],
      refused: [],
    });
  });

  test('tells two devices without a devId apart by their serial numbers', async () => {
    const { adapter } = scriptedVendor({
      getDevList: [success([inverter(1, 1, 'HX01'), inverter(2, 1, 'HX02')])],
      getDevRealKpi: [
        success([
          { sn: 'HX02', dataItemMap: { active_power: 2 } },
          { sn: 'HX01', dataItemMap: { active_power: 1 } },
        ]),
      ],
    });
    const { devices } = await adapter.getPlantSummary(plant);
    expect(devices.map(({ powerW }) => powerW)).toEqual([1000, 2000]);
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
    expect(await adapter.getPlantSummary(plant)).toMatchObject({
      todayEnergyKwh: 12.5,
      powerW: null,
      refused: [{ field: 'power_w', type: 'PLANT_NOT_FOUND' }],
    });
    await again().getPlantSummary(plant);
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
    await adapter.getPlantSummary(plant);
    await again().getPlantSummary(plant);
    expect(lists(paths())).toBe(1);
  });

  test('of one account is not that of another', async () => {
    const { adapter, again, paths } = scriptedVendor();
    await adapter.getPlantSummary(plant);
    await again({ session: new SessionStore() }).getPlantSummary(plant);
    expect(lists(paths())).toBe(2);
  });
});

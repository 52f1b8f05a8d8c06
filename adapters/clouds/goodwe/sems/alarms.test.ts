import { describe, expect, test } from 'vitest';
import type { VendorAlarm } from '../../../../domain/plants/reading.ts';
import type { VendorAdapter } from '../../contract.ts';
import {
  type Answer,
  failureOf,
  now,
  plant,
  portal,
  success,
} from '../../../../test/support/scripted-goodwe.ts';

describe('alarms', () => {
  const since = new Date('2026-01-09T14:00:00Z');

  const record = (changes: Record<string, unknown>): Record<string, unknown> => ({
    stationId: plant.vendorPlantId,
    stationname: 'x',
    devicesn: '9500TEST0001',
    devicename: 'Inverter 1',
    warningid: '4f1d2a6e',
    warningname: 'Isolation Failure',
    status: 0,
    happentime: '01/10/2026 09:00:00',
    recoverytime: '',
    error_code: 'E-G3-12-0',
    is_add_task: 2,
    ...changes,
  });

  const numbered = (count: number, page: number): unknown[] =>
    Array.from({ length: count }, (_, index) => record({ warningid: `${page}-${index}` }));

  const ask = (answer: Answer): ReturnType<VendorAdapter['getAlarmsSince']> =>
    portal({ alarms: answer }).adapter.getAlarmsSince(plant, since);

  const page = (list: unknown, total: unknown = Array.isArray(list) ? list.length : 0): unknown =>
    success({ record: total, list });

  async function only(changes: Record<string, unknown>): Promise<VendorAlarm> {
    const { alarms, complete } = await ask(page([record(changes)]));
    expect(alarms).toHaveLength(1);
    expect(complete).toBe(true);
    return alarms[0] as VendorAlarm;
  }

  test('are asked for a month back, of all levels and states, by page', async () => {
    const { adapter, asked } = portal({ alarms: page([]) });
    expect(await adapter.getAlarmsSince(plant, since)).toEqual({ alarms: [], complete: true });
    expect(asked).toHaveLength(2);
    expect(asked[1]?.json).toMatchObject({
      stationid: plant.vendorPlantId,
      warninglevel: 7,
      status: '3',
      starttime: '12/13/2025 00:00:00',
      endtime: '01/11/2026 23:59:59',
      page_index: 1,
      page_size: 100,
    });
  });

  test("are told in UTC by the zone of the plant, with the vendor's code and words", async () => {
    expect(await only({ warninglevel: 1 })).toEqual({
      code: 'E-G3-12-0',
      deviceSn: '9500TEST0001',
      severity: 'HIGH',
      vendorLevel: '1',
      text: 'Isolation Failure',
      startedAt: '2026-01-10T08:00:00.000Z',
      endedAt: null,
      open: true,
      communication: false,
    } satisfies VendorAlarm);
  });

  test('follow the clock of the plant through its changes', async () => {
    const local = async (happentime: string, timezone: string): Promise<string | undefined> => {
      const { adapter } = portal({ alarms: page([record({ happentime })]) });
      const { alarms } = await adapter.getAlarmsSince({ ...plant, timezone }, since);
      return alarms[0]?.startedAt;
    };
    expect(await local('07/01/2025 12:00:00', 'Europe/Berlin')).toBe('2025-07-01T10:00:00.000Z');
    expect(await local('10/26/2025 02:30:00', 'Europe/Berlin')).toBe('2025-10-26T00:30:00.000Z');
    expect(await local('03/30/2025 02:30:00', 'Europe/Berlin')).toBe('2025-03-30T01:30:00.000Z');
    expect(await local('01/10/2026 09:00:00', 'America/Sao_Paulo')).toBe(
      '2026-01-10T12:00:00.000Z',
    );
    expect(await local('01/10/2026 09:00:00', 'Australia/Adelaide')).toBe(
      '2026-01-09T22:30:00.000Z',
    );
  });

  test.each([
    [{ status: 0, recoverytime: '' }, true, null],
    [{ status: '0', recoverytime: null }, true, null],
    [{ status: 0, recoverytime: '--' }, true, null],
    [{ status: 2, recoverytime: '' }, true, null],
    [{ status: 0, recoverytime: '01/01/0001 00:00:00' }, true, null],
    [{ status: 1, recoverytime: '' }, false, null],
    [{ status: '1', recoverytime: '01/10/2026 10:00:00' }, false, '2026-01-10T09:00:00.000Z'],
    [{ status: 0, recoverytime: '01/10/2026 10:00:00' }, false, '2026-01-10T09:00:00.000Z'],
  ])('%j: open is %s', async (changes, open, endedAt) => {
    expect(await only(changes)).toMatchObject({ open, endedAt });
  });

  test.each([
    [undefined, 'Isolation Failure', 'HIGH'],
    [1, 'Isolation Failure', 'HIGH'],
    [4, 'Isolation Failure', 'HIGH'],
    ['9', 'Isolation Failure', 'HIGH'],
    ['fault', 'Utility Loss', 'MEDIUM'],
    [undefined, 'Utility Loss', 'MEDIUM'],
    [2, 'Utility Loss', 'LOW'],
    ['Warning', 'Isolation Failure', 'LOW'],
    ['info', 'Isolation Failure', 'LOW'],
  ])('level %j of "%s" is %s', async (warninglevel, warningname, severity) => {
    const alarm = await only({ warninglevel, warningname });
    expect(alarm.severity).toBe(severity);
    expect(alarm.vendorLevel).toBe(warninglevel === undefined ? '' : String(warninglevel));
  });

  test.each([
    [{ error_code: 'e-g3-12-0' }, 'E-G3-12-0'],
    [{ error_code: 12 }, '12'],
    [{ error_code: 0, warning_code: 'W-1' }, 'W-1'],
    [{ error_code: '', warning_code: null, warningname: 'e-G3-12-0_warning' }, 'E-G3-12-0'],
  ])('%j has the code %s', async (changes, code) => {
    expect((await only(changes)).code).toBe(code);
  });

  test('of one code and device are one, open while one record is', async () => {
    const { alarms } = await ask(
      page([
        record({ happentime: '01/10/2026 12:00:00' }),
        record({
          error_code: 'e-G3-12-0',
          happentime: '01/10/2026 08:00:00',
          status: 1,
          recoverytime: '01/10/2026 09:00:00',
        }),
        record({ devicesn: 'B' }),
      ]),
    );
    expect(alarms.map(({ deviceSn, open, startedAt }) => [deviceSn, open, startedAt])).toEqual([
      ['B', true, '2026-01-10T08:00:00.000Z'],
      ['9500TEST0001', true, '2026-01-10T07:00:00.000Z'],
    ]);
  });

  test('over before `since` are not told, those over at `since` and later are, however early they began', async () => {
    const early = { happentime: '01/02/2026 09:00:00', status: 1 };
    const { alarms } = await ask(
      page([
        record({ ...early, error_code: 'A', recoverytime: '01/09/2026 14:59:59' }),
        record({ ...early, error_code: 'B', recoverytime: '01/09/2026 15:00:00' }),
        record({ ...early, error_code: 'C', recoverytime: '' }),
        record({ ...early, error_code: 'D', status: 0 }),
      ]),
    );
    expect(alarms.map(({ code }) => code)).toEqual(['D', 'B']);
  });

  test('of other plants of the account are not told', async () => {
    const { alarms } = await ask(
      page([
        record({ stationId: plant.vendorPlantId.toUpperCase(), error_code: 'OURS' }),
        record({ stationId: null, error_code: 'UNSAID' }),
        record({ stationId: '5e3f0c1a-7b2d-4c8e-9f10-00000000bb02', error_code: 'THEIRS' }),
      ]),
    );
    expect(alarms.map(({ code }) => code).toSorted()).toEqual(['OURS', 'UNSAID']);
  });

  test('with every fault of a battery in one text are no alarms', async () => {
    const everything =
      'Over Temperature/Under Temperature/Cell Voltage Differences/Over Total Voltage/Discharge Over Current/Charge Over Current/Under SOC/Under Total Voltage/Communication Fail/Output Short/SOC Too High/BMS Module Fault/BMS System Fault/BMS Internal Fault/TBD/TBD';
    expect((await ask(page([record({ warningname: everything })]))).alarms).toEqual([]);
    expect(
      (await ask(page([record({ warningname: 'Over Temperature/Fan' })]))).alarms,
    ).toHaveLength(1);
  });

  test('are cleaned of characters that no line of text may hold', async () => {
    expect(await only({ warningname: 'Iso\u0000lation\n Fail\u00a0ure' })).toMatchObject({
      text: 'Iso lation Fail ure',
    });
  });

  test('go on over the pages until as many came as there are', async () => {
    const byPage = ({ page_index }: Record<string, unknown>): unknown =>
      page([record({ error_code: `P${String(page_index)}` })], 3);
    const { adapter, asked } = portal({ alarms: byPage });
    const { alarms, complete } = await adapter.getAlarmsSince(plant, since);
    expect(alarms.map(({ code }) => code).toSorted()).toEqual(['P1', 'P2', 'P3']);
    expect(complete).toBe(true);
    expect(asked).toHaveLength(4);
  });

  test('go on while pages are full where nobody says how many there are', async () => {
    const byPage = ({ page_index }: Record<string, unknown>): unknown =>
      page(numbered(page_index === 1 ? 100 : 7, Number(page_index)), null);
    const { adapter, asked } = portal({ alarms: byPage });
    expect(await adapter.getAlarmsSince(plant, since)).toMatchObject({ complete: true });
    expect(asked).toHaveLength(3);
  });

  test('are incomplete where pages end before all came', async () => {
    const byPage = ({ page_index }: Record<string, unknown>): unknown =>
      page(page_index === 1 ? [record({})] : [], 5);
    expect(await ask(byPage)).toMatchObject({ complete: false, alarms: [{ code: 'E-G3-12-0' }] });
  });

  test('are incomplete where one moved to the next page while it was asked for', async () => {
    const pages = [['A', 'B'], ['B', 'C'], []];
    const byPage = ({ page_index }: Record<string, unknown>): unknown => {
      const codes = pages[Number(page_index) - 1] ?? [];
      return page(
        codes.map((code) => record({ warningid: code, error_code: code })),
        4,
      );
    };
    const { alarms, complete } = await ask(byPage);
    expect(alarms.map(({ code }) => code).toSorted()).toEqual(['A', 'B', 'C']);
    expect(complete).toBe(false);
  });

  test('are asked for no further where the portal gives the same page again', async () => {
    const { adapter, asked } = portal({ alarms: page([record({})], 5000) });
    expect(await adapter.getAlarmsSince(plant, since)).toMatchObject({ complete: false });
    expect(asked).toHaveLength(3);
  });

  test('are incomplete after ten pages', async () => {
    const byPage = ({ page_index }: Record<string, unknown>): unknown =>
      page(numbered(1, Number(page_index)), 5000);
    const { adapter, asked } = portal({ alarms: byPage });
    expect(await adapter.getAlarmsSince(plant, since)).toMatchObject({ complete: false });
    expect(asked).toHaveLength(11);
  });

  test('that began up to 59 days ago are asked for in two spans; what lies farther back is not proven', async () => {
    const { adapter, asked } = portal({ alarms: page([]) });
    const daysAgo = (days: number): Date => new Date(now.getTime() - days * 86_400_000);
    expect(await adapter.getAlarmsSince(plant, daysAgo(57))).toMatchObject({ complete: true });
    expect(asked.slice(1).map(({ json }) => [json['starttime'], json['endtime']])).toEqual([
      ['12/13/2025 00:00:00', '01/11/2026 23:59:59'],
      ['11/13/2025 00:00:00', '12/12/2025 23:59:59'],
    ]);
    expect(await adapter.getAlarmsSince(plant, daysAgo(58))).toMatchObject({ complete: false });
  });

  test.each([
    [null],
    [[]],
    [{}],
    [{ record: 2, list: null }],
    [{ record: 1, list: [{}] }],
    [{ record: 1, list: [record({ happentime: '' })] }],
    [{ record: 1, list: [record({ happentime: '2026-01-10 09:00:00' })] }],
    [{ record: 1, list: [record({ happentime: '25/01/2026 09:00:00' })] }],
    [{ record: 1, list: [record({ recoverytime: 'soon' })] }],
    [{ record: 1, list: [record({ error_code: '', warningname: '' })] }],
  ])('%j is INVALID_DATA_FORMAT, so that it resolves nothing', async (data) => {
    expect((await failureOf(ask(success(data)))).type).toBe('INVALID_DATA_FORMAT');
  });

  test('none is a complete answer without a list too', async () => {
    expect(await ask(success({ record: 0, list: null }))).toEqual({ alarms: [], complete: true });
  });
});

import { describe, expect, test } from 'vitest';
import type { VendorAlarm } from '../../../../domain/plants/reading.ts';
import { failureOf } from '../../../../test/support/scripted-goodwe.ts';
import {
  plant,
  plusPortal,
  type PlusScript,
  success,
} from '../../../../test/support/scripted-goodwe-plus.ts';

const since = new Date('2026-10-04T13:25:00Z');
const startedMs = Date.parse('2026-10-05T12:00:00Z');

const record = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  warningid: 'w',
  warning_code: 'E-G3-0-12',
  error_code: '4096',
  warningNameEn: 'Grid Waveform Abnormal',
  warningname: 'E-G3-0-12_warning',
  alarmLevel: 'Total_FaultLevel_Fault',
  warninglevel: 0,
  status: 0,
  devicesn: 'A',
  stationId: plant.vendorPlantId,
  happentime: String(startedMs),
  recoverytime: null,
  happentimes: '2026-10-05 14:00:00',
  stationTimeSpan: -2,
  ...changes,
});

const page = (dataList: unknown[], total: unknown = dataList.length) =>
  success({ dataList, total, current: 1, size: 100 });

/** Answers with the open records, and with those that are over. */
const listing = (open: unknown[], over: unknown[] = []): PlusScript => ({
  alarms: ({ status }: { status: number }) => page(status === 0 ? open : over),
});

const alarmsFor = async (script: PlusScript): Promise<readonly VendorAlarm[]> =>
  (await plusPortal(script).adapter.getAlarmsSince(plant, since)).alarms;

describe('alarms of SEMS+', () => {
  test('are what the record says, with times in UTC', async () => {
    expect(await alarmsFor(listing([record()]))).toEqual([
      {
        code: 'E-G3-0-12',
        deviceSn: 'A',
        severity: 'HIGH',
        vendorLevel: 'Total_FaultLevel_Fault',
        text: 'Grid Waveform Abnormal',
        startedAt: '2026-10-05T12:00:00.000Z',
        endedAt: null,
        open: true,
        communication: false,
      },
    ]);
  });

  test.each([
    ['Total_FaultLevel_Prompt', 'Isolation Failure', 'LOW'],
    ['Total_FaultLevel_alarm', 'Isolation Failure', 'MEDIUM'],
    ['Total_FaultLevel_Fault', 'Isolation Failure', 'HIGH'],
    ['Total_FaultLevel_Fault', 'Utility Loss', 'MEDIUM'],
    ['something new', 'Isolation Failure', 'HIGH'],
    [null, 'Isolation Failure', 'HIGH'],
  ])('level %s of %s is %s', async (alarmLevel, warningNameEn, severity) => {
    const [alarm] = await alarmsFor(listing([record({ alarmLevel, warningNameEn })]));
    expect(alarm?.severity).toBe(severity);
  });

  test('without words have their code, not the key of a translation', async () => {
    const [alarm] = await alarmsFor(listing([record({ warningNameEn: '' })]));
    expect(alarm?.text).toBe('E-G3-0-12');
  });

  test('that are over have the end that the portal tells', async () => {
    const over = record({ status: 1, recoverytime: startedMs + 66_843 });
    expect(await alarmsFor(listing([], [over]))).toMatchObject([
      { open: false, endedAt: '2026-10-05T12:01:06.843Z' },
    ]);
  });

  test('that are over without an end are not open', async () => {
    expect(await alarmsFor(listing([], [record({ status: 1 })]))).toMatchObject([
      { open: false, endedAt: null },
    ]);
  });

  test('that were over before `since` are not told; an old one that is on is', async () => {
    const old = startedMs - 40 * 86_400_000;
    const over = record({ status: 1, happentime: String(old), recoverytime: String(old + 1_000) });
    const open = record({ warning_code: 'W-1', happentime: String(old) });
    expect(await alarmsFor(listing([open], [over]))).toMatchObject([{ code: 'W-1', open: true }]);
  });

  test('of other plants are left out, as is a battery register with every bit set', async () => {
    const faults = `${Array.from({ length: 9 }, (_, i) => `Fault ${i}`).join('/')}/TBD`;
    const others = [record({ stationId: 'other' }), record({ warningNameEn: faults })];
    expect(await alarmsFor(listing(others))).toEqual([]);
  });

  test('asks for those that are on, page by page, and for the newest that are over', async () => {
    const { adapter, asked } = plusPortal({
      alarms: ({ status, pageIndex }: { status: number; pageIndex: number }) =>
        status === 1
          ? page([], 250)
          : page([record({ warningid: `w-${pageIndex}`, devicesn: `S${pageIndex}` })], 2),
    });
    const answer = await adapter.getAlarmsSince(plant, since);
    expect(answer.complete).toBe(true);
    expect(answer.alarms).toHaveLength(2);
    const calls = asked.filter(({ name }) => name === 'alarms').map(({ json }) => json);
    const stationIds = [plant.vendorPlantId];
    expect(calls).toEqual([
      { pageIndex: 1, pageSize: 100, stationIds, status: 0 },
      { pageIndex: 2, pageSize: 100, stationIds, status: 0 },
      { pageIndex: 1, pageSize: 100, stationIds, status: 1 },
    ]);
  });

  test('that do not come to an end are incomplete', async () => {
    const { adapter } = plusPortal({ alarms: page([record()], 900) });
    expect((await adapter.getAlarmsSince(plant, since)).complete).toBe(false);
  });

  test('that are none are none only of a plant that the account has', async () => {
    const script = {
      flow: success({}),
      plants: success({ dataList: [{ id: 'other' }], total: 1 }),
    };
    expect((await failureOf(alarmsFor(script))).type).toBe('PLANT_NOT_FOUND');
  });

  test.each([
    { happentime: null },
    { happentime: '2026-10-05 14:00:00' },
    { recoverytime: 'soon' },
    { warning_code: null, error_code: '0', warningname: '' },
  ])('%j is INVALID_DATA_FORMAT', async (changes) => {
    expect((await failureOf(alarmsFor(listing([record(changes)])))).type).toBe(
      'INVALID_DATA_FORMAT',
    );
  });
});

import { describe, expect, test } from 'vitest';
import {
  errorOf,
  now,
  plant,
  scriptedVendor,
  success,
  type Answer,
} from '../../../test/support/scripted-huawei.ts';

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

describe('getAlarmsSince', () => {
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

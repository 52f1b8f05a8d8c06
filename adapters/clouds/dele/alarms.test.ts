import { describe, expect, test } from 'vitest';
import {
  noon,
  noonS,
  plant,
  refused,
  scriptedVendor,
} from '../../../test/support/scripted-dele.ts';

const dayS = 86_400;
const since = new Date(noon.getTime() - dayS * 1000);
const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();

const alert = (more: Readonly<Record<string, unknown>> = {}) => ({
  alertId: '610042',
  alertCode: '2056',
  alertName: 'F56\u00a0DC_VoltLow_Fault',
  deviceSn: 'SN1',
  level: 1,
  impact: 1,
  alertStartTime: noonS - 3_600,
  alertEndTime: 0,
  status: 1,
  description: '',
  ...more,
});

const alarmsOf = (...stationAlertItems: object[]) =>
  scriptedVendor({
    'station/alertList': { total: stationAlertItems.length, stationAlertItems },
  }).adapter.getAlarmsSince(plant, since);

describe('getAlarmsSince', () => {
  test('says code, device, level, words and times', async () => {
    expect(await alarmsOf(alert())).toEqual({
      complete: true,
      alarms: [
        {
          code: '2056',
          deviceSn: 'SN1',
          severity: 'MEDIUM',
          vendorLevel: '1',
          text: 'F56 DC_VoltLow_Fault',
          startedAt: iso(noonS - 3_600),
          endedAt: null,
          open: true,
          communication: false,
        },
      ],
    });
  });

  test.each([
    [0, 0, 'LOW', '0'],
    [1, 1, 'MEDIUM', '1'],
    [2, 0, 'HIGH', '2'],
    ['2', '1', 'HIGH', '2'],
    [2, null, 'HIGH', '2'],
    [0, 2, 'CRITICAL', '0, impact 2'],
    [2, 3, 'CRITICAL', '2, impact 3'],
  ])('level %j with impact %j is %s', async (level, impact, severity, vendorLevel) => {
    const { alarms } = await alarmsOf(alert({ level, impact }));
    expect(alarms).toMatchObject([{ severity, vendorLevel }]);
  });

  test.each([
    ['status 1, no end', { status: 1, alertEndTime: 0 }, true, null],
    ['status as text', { status: '1', alertEndTime: '' }, true, null],
    ['an end of null', { alertEndTime: null }, true, null],
    ['status 1 with an end', { alertEndTime: noonS - 60 }, false, iso(noonS - 60)],
    ['status 0 with an end', { status: 0, alertEndTime: noonS - 60 }, false, iso(noonS - 60)],
    ['status 0 without one', { status: 0, alertEndTime: 0 }, false, null],
  ])('%s', async (_, more, open, endedAt) => {
    expect((await alarmsOf(alert(more))).alarms).toMatchObject([{ open, endedAt }]);
  });

  test('leaves out what had ended before, keeps what ended at the very start', async () => {
    const endAt = (alertEndTime: number) =>
      alert({ status: 0, alertEndTime, alertStartTime: 1.7e9 });
    expect((await alarmsOf(endAt(noonS - dayS - 1))).alarms).toEqual([]);
    expect((await alarmsOf(endAt(noonS - dayS))).alarms).toHaveLength(1);
  });

  test('merges records of one code and device: open, first start, worst level', async () => {
    const { alarms } = await alarmsOf(
      alert({ level: 0, impact: 0 }),
      alert({ status: 0, level: 2, alertStartTime: noonS - 7_200, alertEndTime: noonS - 7_000 }),
      alert({ deviceSn: 'SN2' }),
    );
    expect(alarms).toMatchObject([
      { deviceSn: 'SN1', severity: 'HIGH', startedAt: iso(noonS - 7_200), open: true },
      { deviceSn: 'SN2', severity: 'MEDIUM' },
    ]);
  });

  test.each([
    [{ alertName: null, description: 'DC bus low' }, 'DC bus low'],
    [{ alertName: '', description: null }, 'alarm 2056'],
    [{ alertName: 'a\u0000b\n\tc' }, 'a b c'],
  ])('has words even with %j', async (more, text) => {
    expect((await alarmsOf(alert(more))).alarms).toMatchObject([{ text }]);
  });

  test.each([
    [{ deviceSn: '' }, '2056', null],
    [{ deviceSn: null }, '2056', null],
    [{ deviceSn: 2_402_010_117, alertCode: 2056 }, '2056', '2402010117'],
  ])('with %j has code %s and device %j', async (more, code, deviceSn) => {
    expect((await alarmsOf(alert(more))).alarms).toMatchObject([{ code, deviceSn }]);
  });

  test.each([
    [
      'the hackathon form',
      { alertCode: 'E013', alertLevel: 'WARN', alertMsg: 'Battery low voltage' },
    ],
    ['levels of words', alert({ level: 'WARN' })],
    ['levels from 1 to 4', alert({ level: 4 })],
    ['no level', alert({ level: null })],
    ['a status of words', alert({ status: 'CLEARED' })],
    ['no status', alert({ status: null })],
    ['no code', alert({ alertCode: null })],
    ['an empty code', alert({ alertCode: ' ' })],
    ['no start', alert({ alertStartTime: 0 })],
    ['a start in milliseconds', alert({ alertStartTime: noon.getTime() })],
    ['an end in milliseconds', alert({ alertEndTime: noon.getTime() })],
  ])('%s is INVALID_DATA_FORMAT', async (_, item) => {
    await expect(alarmsOf(item)).rejects.toMatchObject({ type: 'INVALID_DATA_FORMAT' });
  });

  test.each([
    ['null and no total', { stationAlertItems: null }],
    ['nothing at all', {}],
    ['null with a total', { total: 3, stationAlertItems: null }],
  ])('a list of %s is not taken for "no alarms"', async (_, answer) => {
    const { adapter } = scriptedVendor({ 'station/alertList': answer });
    await expect(adapter.getAlarmsSince(plant, since)).rejects.toMatchObject({
      type: 'INVALID_DATA_FORMAT',
    });
  });

  test('of a plant that never sent anything there are none', async () => {
    const { adapter } = scriptedVendor({ 'station/alertList': refused('2101016') });
    expect(await adapter.getAlarmsSince(plant, since)).toEqual({ alarms: [], complete: true });
  });
});

describe('pages of alarms', () => {
  const pages = (sizes: readonly number[], total: unknown) => {
    let next = 0;
    return scriptedVendor({
      'station/alertList': ({ page }) => {
        const count = sizes[Number(page) - 1] ?? 0;
        const stationAlertItems = Array.from({ length: count }, () =>
          alert({ alertCode: (next += 1) }),
        );
        return { total, stationAlertItems };
      },
    });
  };

  test.each([
    ['one', [2], 2, 1, true],
    ['three, smaller than asked for', [2, 2, 1], 5, 3, true],
    ['two, with the total as text', [2, 1], '3', 2, true],
    ['two without a total, then an empty one', [2, 1, 0], null, 3, true],
    ['one that ends before its total', [2, 0], 9, 2, false],
  ])('%s', async (_, sizes, total, requests, complete) => {
    const { adapter, sentTo } = pages(sizes, total);
    const answer = await adapter.getAlarmsSince(plant, since);
    expect(answer.complete).toBe(complete);
    expect(answer.alarms).toHaveLength(sizes.reduce((sum, size) => sum + size, 0));
    expect(sentTo('station/alertList')).toHaveLength(requests);
  });

  test('end at the fifth, and the answer says that it is not complete', async () => {
    const { adapter, sentTo } = pages(
      Array.from({ length: 9 }, () => 5),
      45,
    );
    expect((await adapter.getAlarmsSince(plant, since)).complete).toBe(false);
    expect(sentTo('station/alertList')).toHaveLength(5);
  });

  test('with more than 50 alarms give the open ones, and are not complete', async () => {
    const { adapter } = pages([51], 51);
    const answer = await adapter.getAlarmsSince(plant, since);
    expect(answer).toMatchObject({ complete: false });
    expect(answer.alarms).toHaveLength(50);
  });
});

describe('spans of alarms', () => {
  const spansOf = async (days: number) => {
    const { adapter, sentTo } = scriptedVendor();
    const start = new Date(noon.getTime() - days * dayS * 1000);
    const { complete } = await adapter.getAlarmsSince(plant, start);
    const spans = sentTo('station/alertList').map(({ startTimestamp, endTimestamp }) => [
      (noonS - Number(startTimestamp)) / dayS,
      (noonS - Number(endTimestamp)) / dayS,
    ]);
    return { complete, spans };
  };

  test('are in seconds, up to now', async () => {
    expect(await spansOf(1)).toEqual({ complete: true, spans: [[1, 0]] });
    expect(await spansOf(179)).toEqual({ complete: true, spans: [[179, 0]] });
  });

  test('longer than the vendor allows are asked one after the other', async () => {
    expect(await spansOf(400)).toEqual({
      complete: true,
      spans: [
        [179, 0],
        [358, 179],
        [400, 358],
      ],
    });
  });

  test('beyond two years are not asked, and the answer says so', async () => {
    const { complete, spans } = await spansOf(800);
    expect(complete).toBe(false);
    expect(spans).toHaveLength(4);
  });

  test('of a start that is not before now are still one request', async () => {
    expect(await spansOf(-1)).toEqual({ complete: true, spans: [[0, 0]] });
  });
});

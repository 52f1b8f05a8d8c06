import { describe, expect, test } from 'vitest';
import { SessionStore } from '../session.ts';
import type { Transport } from '../transport.ts';
import { headerOf, jsonBodyOf, jsonResponse, pathOf } from '../recorded/vendor-side.ts';
import { solis } from './adapter.ts';

/** What goes over the wire: requests as SolisCloud wants them, pages and months followed. */

const now = new Date('2026-06-02T12:03:20Z');
const plant = { vendorPlantId: '1298491919448631809', timezone: 'Europe/Amsterdam' };

type Answer = (body: Record<string, unknown>, path: string) => unknown;

function scripted(answer: Answer) {
  const requests: { path: string; body: Record<string, unknown>; date: string | null }[] = [];
  const transport: Transport = async (request) => {
    const [path, body] = [pathOf(request), jsonBodyOf(request)];
    requests.push({ path, body, date: headerOf(request, 'date') });
    return jsonResponse({ success: true, code: '0', msg: 'success', data: answer(body, path) });
  };
  const adapter = solis.create({
    transport,
    credentials: { keyId: 'key', keySecret: 'secret' },
    session: new SessionStore(),
    now,
    signal: new AbortController().signal,
  });
  return { adapter, requests };
}

const station = { dayEnergy: 1, dayEnergyStr: 'kWh', state: 1 };
const alarm = (alarmCode: string) => ({
  alarmCode,
  alarmBeginTime: now.getTime() - 60_000,
  state: '0',
});
const since = new Date('2026-06-01T23:30:00Z');

describe('requests', () => {
  test('carry the date of the clock in GMT', async () => {
    const { adapter, requests } = scripted(() => station);
    await adapter.getPlantSummary(plant);
    expect(requests).toEqual([
      {
        path: '/v1/api/stationDetail',
        body: { id: plant.vendorPlantId },
        date: 'Tue, 02 Jun 2026 12:03:20 GMT',
      },
    ]);
  });

  test('ask for each month that the days touch, with the standard offset', async () => {
    const { adapter, requests } = scripted(({ month }) => [
      { dateStr: `${String(month)}-01`, energy: 1, energyStr: 'kWh' },
      { dateStr: `${String(month)}-31`, energy: 2, energyStr: 'kWh' },
    ]);
    const days = await adapter.getDailyEnergySeries(plant, '2026-05-30', '2026-06-01');
    expect(requests.map(({ body }) => [body['month'], body['timeZone']])).toEqual([
      ['2026-05', 1],
      ['2026-06', 1],
    ]);
    expect(days).toEqual([
      { date: '2026-05-31', energyKwh: 2 },
      { date: '2026-06-01', energyKwh: 1 },
    ]);
  });

  test('are answered by whole months: the days that were not asked for are not read', async () => {
    const { adapter } = scripted(() => [
      { dateStr: '2026-05-30', energy: -1, energyStr: null },
      { dateStr: '2026-05-31', energy: 2, energyStr: 'kWh' },
    ]);
    expect(await adapter.getDailyEnergySeries(plant, '2026-05-31', '2026-05-31')).toEqual([
      { date: '2026-05-31', energyKwh: 2 },
    ]);
  });

  test("ask for alarms a day around the plant's dates, for they have no zone", async () => {
    const { adapter, requests } = scripted(() => ({ records: [] }));
    await adapter.getAlarmsSince(plant, since);
    expect(requests[0]?.body).toEqual({
      pageNo: 1,
      pageSize: 100,
      stationId: plant.vendorPlantId,
      alarmBeginTime: '2026-06-01',
      alarmEndTime: '2026-06-03',
    });
  });
});

describe('pages', () => {
  const codesOf = async (answer: Answer) => {
    const { adapter, requests } = scripted(answer);
    const { alarms, complete } = await adapter.getAlarmsSince(plant, since);
    return {
      codes: alarms.map(({ code }) => code).toSorted(),
      complete,
      requests: requests.length,
    };
  };
  const page = (pageNo: unknown) => [alarm(`p${String(pageNo)}`)];

  test.each([
    ['flat, by the number of pages', (n: unknown) => ({ records: page(n), pages: 3, total: 3 })],
    ['nested, by the total', (n: unknown) => ({ page: { records: page(n), total: '3' } })],
    [
      'nested, both 0, by their size',
      (n: unknown) => ({ page: { records: n === 4 ? [] : page(n), total: 0, pages: 0, size: 1 } }),
    ],
  ])('%s: read to the end', async (_, form) => {
    const { codes, complete } = await codesOf(({ pageNo }) => form(pageNo));
    expect({ codes, complete }).toEqual({ codes: ['p1', 'p2', 'p3'], complete: true });
  });

  test('without any count a short page is the last', async () => {
    expect(await codesOf(({ pageNo }) => ({ records: page(pageNo) }))).toEqual({
      codes: ['p1'],
      complete: true,
      requests: 1,
    });
  });

  test('an empty page before the end leaves the answer incomplete', async () => {
    const answer = await codesOf(({ pageNo }) => ({
      records: pageNo === 1 ? page(1) : [],
      total: 3,
    }));
    expect(answer).toEqual({ codes: ['p1'], complete: false, requests: 2 });
  });

  test('ten pages are read and no more', async () => {
    const answer = await codesOf(({ pageNo }) => ({ records: page(pageNo), pages: 1_000 }));
    expect(answer).toMatchObject({ complete: false, requests: 10 });
    expect((await codesOf(({ pageNo }) => ({ records: page(pageNo), pages: 10 }))).complete).toBe(
      true,
    );
  });
});

describe('a summary', () => {
  const inverters = {
    page: {
      records: [
        { sn: 'A1', state: 1 },
        { sn: 'A2', state: 2 },
      ],
    },
  };

  test('asks for the inverters from two on', async () => {
    for (const [inverterCount, requestCount] of [
      [undefined, 1],
      [1, 1],
      [2, 2],
      ['2', 2],
    ] as const) {
      const { adapter, requests } = scripted((_, path) =>
        path.endsWith('stationDetail') ? { ...station, inverterCount } : inverters,
      );
      const { devices } = await adapter.getPlantSummary(plant);
      expect(requests).toHaveLength(requestCount);
      expect(devices).toHaveLength(requestCount === 2 ? 2 : 0);
    }
  });

  test('stands without the inverters when their list fails', async () => {
    const { adapter } = scripted((_, path) =>
      path.endsWith('stationDetail') ? { ...station, inverterCount: 2 } : null,
    );
    expect(await adapter.getPlantSummary(plant)).toMatchObject({
      todayEnergyKwh: 1,
      devices: [],
      refused: [{ field: 'devices', type: 'INVALID_DATA_FORMAT' }],
    });
  });
});

describe('code "1"', () => {
  const abnormal = { success: true, code: '1', msg: '数据异常 请联系管理员', data: null };
  const listing = (...ids: string[]) => ({
    success: true,
    code: '0',
    data: { page: { records: ids.map((id) => ({ id })), total: ids.length } },
  });
  /** Every path says "1" but for the account's list of plants. */
  const asked = (list: unknown) => {
    const paths: string[] = [];
    const session = new SessionStore();
    const transport: Transport = async (request) => {
      const path = pathOf(request);
      paths.push(path.slice(path.lastIndexOf('/') + 1));
      return jsonResponse(path.endsWith('userStationList') ? list : abnormal);
    };
    const at = (now: Date) =>
      solis.create({
        transport,
        credentials: { keyId: 'key', keySecret: 'secret' },
        session,
        now,
        signal: new AbortController().signal,
      });
    return { adapter: at(now), at, paths };
  };

  test.each([
    ['holds the plant', listing('1', plant.vendorPlantId)],
    ['says the same', abnormal],
    ['is empty', listing()],
    ['is cut off', { success: true, code: '0', data: { page: { records: [], total: 5 } } }],
  ])("is the vendor's trouble where the account's list %s", async (_, list) => {
    await expect(asked(list).adapter.getPlantSummary(plant)).rejects.toMatchObject({
      type: 'VENDOR_ERROR',
      scope: 'CLOUD',
      message: 'stationDetail: the vendor calls its data abnormal (code 1)',
    });
  });

  test('is PLANT_NOT_FOUND where the whole list lacks the plant; it is asked once an hour', async () => {
    const { adapter, at, paths } = asked(listing('1', '2'));
    const lacking = { type: 'PLANT_NOT_FOUND', scope: 'PLANT' };
    await expect(adapter.getPlantSummary(plant)).rejects.toMatchObject(lacking);
    await expect(adapter.getAlarmsSince(plant, since)).rejects.toMatchObject(lacking);
    expect(paths).toEqual(['stationDetail', 'userStationList', 'alarmList']);
    const later = at(new Date(now.getTime() + 3_600_001));
    await expect(later.getPlantSummary(plant)).rejects.toMatchObject(lacking);
    expect(paths.slice(3)).toEqual(['stationDetail', 'userStationList']);
  });

  test('of the list itself is no word about a plant in the connection test', async () => {
    expect(await asked(abnormal).adapter.testConnection()).toMatchObject({
      ok: false,
      errorType: 'VENDOR_ERROR',
    });
  });
});

describe('R0000 without words of a quota', () => {
  const noAuthority = { success: true, code: 'R0000', msg: 'no authority', data: null };
  const errorWith = async (list: unknown) => {
    const transport: Transport = async (request) =>
      jsonResponse(pathOf(request).endsWith('userStationList') ? list : noAuthority);
    const { signal } = new AbortController();
    const session = new SessionStore();
    const credentials = { keyId: 'key', keySecret: 'secret' };
    const adapter = solis.create({ transport, credentials, session, now, signal });
    return adapter.getPlantSummary(plant).catch((error: unknown) => error);
  };

  test.each([
    ['answers with the plant', { records: [{ id: plant.vendorPlantId }] }, 'REQUEST', false],
    ['is refused likewise', null, 'ACCOUNT', true],
  ])('where the list of plants %s', async (_, data, scope, certain) => {
    const list = data === null ? noAuthority : { success: true, code: '0', data };
    expect(await errorWith(list)).toMatchObject({ type: 'AUTH_FAILED', scope, certain });
  });
});

describe('a logger that is offline (B0115)', () => {
  const asked = (detail: unknown, month: unknown) => {
    const transport: Transport = async (request) =>
      jsonResponse(
        pathOf(request).endsWith('stationDetail')
          ? { success: true, code: 'B0115', msg: 'datalogger is offline', data: detail }
          : { success: true, code: '0', data: month },
      );
    const { signal } = new AbortController();
    const session = new SessionStore();
    const credentials = { keyId: 'key', keySecret: 'secret' };
    return solis.create({ transport, credentials, session, now, signal }).getPlantSummary(plant);
  };

  test('is a summary without a measurement time, and of today what the month has', async () => {
    const month = [{ dateStr: '2026-06-02', energy: 7.1, energyStr: 'kWh' }];
    expect(await asked(null, month)).toEqual({
      todayEnergyKwh: 7.1,
      powerW: 0,
      lifetimeEnergyKwh: null,
      lifetimeResolutionKwh: null,
      lastSeenAt: null,
      devices: [],
      refused: [],
    });
  });

  test('is no error either where the month has nothing, or fails', async () => {
    expect(await asked(null, [])).toMatchObject({ todayEnergyKwh: null, lastSeenAt: null });
    expect(await asked({}, null)).toMatchObject({ todayEnergyKwh: null, lastSeenAt: null });
  });

  test('on every endpoint is told as what it is: no power, no energy, no days, no alarms', async () => {
    const offline: Transport = async () =>
      jsonResponse({ success: true, code: 'B0115', msg: 'datalogger is offline', data: null });
    const adapter = solis.create({
      transport: offline,
      credentials: { keyId: 'key', keySecret: 'secret' },
      session: new SessionStore(),
      now,
      signal: new AbortController().signal,
    });
    expect(await adapter.getPlantSummary(plant)).toMatchObject({
      todayEnergyKwh: null,
      powerW: null,
      refused: [
        {
          field: 'power_w',
          sentence: 'Power is not known: stationDetail: the logger is offline (code B0115).',
        },
        {
          field: 'today_energy_kwh',
          sentence:
            "Today's energy is not known: stationMonth: the logger is offline (code B0115).",
        },
      ],
    });
    const refusal = { type: 'VENDOR_ERROR', scope: 'PLANT' };
    const days = adapter.getDailyEnergySeries(plant, '2026-06-01', '2026-06-02');
    await expect(days).rejects.toMatchObject(refusal);
    await expect(adapter.getAlarmsSince(plant, since)).rejects.toMatchObject(refusal);
  });

  test('gives its last values where they are told, without the stale power', async () => {
    const detail = { ...station, power: 3.2, powerStr: 'kW', dataTimestamp: '1780387200000' };
    expect(await asked(detail, [])).toMatchObject({
      todayEnergyKwh: 1,
      powerW: 0,
      lastSeenAt: '2026-06-02T08:00:00.000Z',
    });
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Brand } from '../../../domain/plants/plant.ts';
import { packagedFixturesDir } from './fixture-transport.ts';
import { RecordingError } from './recording.ts';
import { replayRecording } from './replay.ts';

const timezone = 'Europe/Amsterdam';
const now = new Date('2026-05-25T11:00:00Z');

const replay = (brand: Brand, recording: unknown) => {
  const text = typeof recording === 'string' ? recording : JSON.stringify(recording);
  return replayRecording({ brand, text, now, timezone });
};

const fixture = (brand: Brand, scenario: string): string =>
  readFileSync(join(packagedFixturesDir, brand.toLowerCase(), `${scenario}.json`), 'utf8');

const ok = (data: unknown) => ({ success: true, code: '0', msg: 'success', data });
const station = {
  id: '1298491919448631809',
  dataTimestamp: '1779703200000',
  state: 1,
  power: 4.112,
  powerStr: 'kW',
  dayEnergy: 21.4,
  dayEnergyStr: 'kWh',
  allEnergy: 91.334,
  allEnergyStr: 'MWh',
};
const stationDetail = {
  request: { method: 'POST', path: '/v1/api/stationDetail' },
  response: { status: 200, body: ok(station) },
};
const month = (name: string, energy: number) => ({
  request: { method: 'POST', path: '/v1/api/stationMonth', body: { id: '*', month: name } },
  response: { body: ok([{ dateStr: `${name}-24`, energy, energyStr: 'kWh' }]) },
});

describe('replayRecording', () => {
  test('takes a recording of SEMS+ for one, by its paths', async () => {
    const flow = { id: 'p-1', status: '1', pSystem: 2.28, refreshTime: '2026-05-25T12:56:00' };
    const day = { date: '2026-05-25', val: 12.34 };
    const days = {
      dataList: [{ item: 'proSystemTotalStats', unit: 'kWh', statisticsList: [day] }],
    };
    const { summary, vendorPlantId, notes } = await replay('GOODWE', {
      exchanges: [
        {
          request: { method: 'GET', path: 'stations/flow?stationId=p-1' },
          response: { body: { code: '00000', data: flow } },
        },
        {
          request: { method: 'POST', path: '/web/sems/sems-plant/api/stations/statistics' },
          response: { body: { code: '00000', data: days } },
        },
      ],
    });
    expect(vendorPlantId).toBe('p-1');
    expect(summary).toMatchObject({
      ok: { todayEnergyKwh: 12.34, powerW: 2_280, lastSeenAt: '2026-05-25T10:56:00.000Z' },
    });
    expect(notes).toContain(
      'POST /web/sems/sems-plant/api/v1/hems/power/statisticsAndPreV2: not recorded; taken for empty',
    );
  });

  test('gives what the adapter makes of the bodies as they are, without moving anything', async () => {
    const { summary, vendorPlantId, notes } = await replay('SOLIS', { exchanges: [stationDetail] });
    expect(summary).toMatchObject({
      ok: {
        todayEnergyKwh: 21.4,
        powerW: 4_112,
        lifetimeEnergyKwh: 91_334,
        lastSeenAt: '2026-05-25T10:00:00.000Z',
      },
    });
    expect(vendorPlantId).toBe('1298491919448631809');
    expect(notes).toEqual([
      'POST /v1/api/stationMonth: not recorded',
      'POST /v1/api/alarmList: not recorded',
    ]);
  });

  test('says of each call that is not recorded that it is not', async () => {
    const { summary, days, alarms } = await replay('SOLIS', {
      exchanges: [month('2026-05', 23.1)],
    });
    const message = 'no exchange is recorded for POST /v1/api/stationDetail';
    expect(summary).toEqual({ error: { type: 'NOT_RECORDED', message } });
    expect(alarms).toMatchObject({ error: { type: 'NOT_RECORDED' } });
    expect(days).toEqual({ ok: [{ date: '2026-05-24', energyKwh: 23.1 }] });
  });

  test("gives the error's type where the recorded answer is one", async () => {
    const refusal = { success: true, code: 'R0000', msg: 'too many request', data: null };
    const exchanges = [{ ...stationDetail, response: { body: refusal } }];
    expect((await replay('SOLIS', { exchanges })).summary).toMatchObject({
      error: { type: 'RATE_LIMIT_EXCEEDED' },
    });
  });

  test.each([
    ['/stationDetail', 'a leading path left out'],
    ['v1/api/stationDetail/', 'no slash before, one behind'],
    ['https://www.soliscloud.com:13333/v1/api/stationDetail?a=1', 'host and query'],
    ['/proxy/solis/v2/api/stationDetail', 'another base and version'],
  ])('finds the exchange by %s (%s)', async (path) => {
    for (const request of [{ path }, { url: path }, path, `POST ${path}`]) {
      const { summary } = await replay('SOLIS', { exchanges: [{ ...stationDetail, request }] });
      expect(summary).toMatchObject({ ok: { todayEnergyKwh: 21.4 } });
    }
  });

  test('takes an exchange for no other call and no other method', async () => {
    for (const request of [
      '/v1/api/detail',
      '/v1/api/xstationDetail',
      'GET /v1/api/stationDetail',
    ]) {
      const { summary } = await replay('SOLIS', { exchanges: [{ ...stationDetail, request }] });
      expect(summary).toMatchObject({ error: { type: 'NOT_RECORDED' } });
    }
  });

  test('of several exchanges takes the one that was asked most alike', async () => {
    const exchanges = [month('2026-04', 99), month('2026-05', 23.1)];
    expect((await replay('SOLIS', { exchanges })).days).toEqual({
      ok: [{ date: '2026-05-24', energyKwh: 23.1 }],
    });
  });

  test('never takes another page for the one that is asked', async () => {
    const alarm = { alarmCode: '1', alarmBeginTime: now.getTime() - 60_000, state: '0' };
    const page = (pageNo: number, code: string) => ({
      request: { path: '/alarmList', body: { pageNo, pageSize: 20 } },
      response: { body: ok({ records: [{ ...alarm, alarmCode: code }], total: 2, pages: 2 }) },
    });
    const both = await replay('SOLIS', [page(2, 'second'), page(1, 'first')]);
    expect(both.alarms).toMatchObject({ ok: { complete: true, alarms: [{}, {}] } });
    const second = await replay('SOLIS', [page(2, 'second')]);
    expect(second.alarms).toMatchObject({ error: { type: 'NOT_RECORDED' } });
  });

  test('takes like exchanges in their order, the last again and again, anew for each call', async () => {
    const expired = { response: { body: { failCode: 305, immediately: true } } };
    const kpi = { request: { method: 'POST', path: '/thirdData/getStationRealKpi' } };
    const dataItemMap = { day_power: '31.42', total_power: '87412.550', real_health_state: 3 };
    const body = { success: true, failCode: 0, data: [{ stationCode: 'NE=1', dataItemMap }] };
    const exchanges = [
      { ...kpi, ...expired },
      { ...kpi, response: { body } },
    ];
    const { summary } = await replay('HUAWEI', { exchanges });
    expect(summary).toMatchObject({ ok: { todayEnergyKwh: 31.42, lifetimeEnergyKwh: 87_412.55 } });
  });

  test('assumes a session where no login is recorded, and takes the recorded one where it is', async () => {
    const whole = await replay('HUAWEI', fixture('HUAWEI', 'ordinary-day'));
    expect(whole.summary).toHaveProperty('ok');
    expect(whole.notes).toContain('POST /thirdData/login: not recorded; a session is assumed');
    const login = { request: 'POST /thirdData/login', response: { status: 200, body: '' } };
    const refused = await replay('HUAWEI', { exchanges: [login] });
    expect(refused.summary).toMatchObject({ error: { type: 'AUTH_FAILED' } });
  });

  test("keeps an id's digits and takes the plant's id from the file before all else", async () => {
    const bare = `{"exchanges":[{"request":{"path":"/stationDetail"},"response":{"body":${JSON.stringify(
      ok(station),
    ).replace('"1298491919448631809"', '1298491919448631809')}}}]}`;
    expect((await replay('SOLIS', bare)).vendorPlantId).toBe('1298491919448631809');
    const given = bare.replace('{', '{"vendor_plant_id":1298491919448631811,');
    expect((await replay('SOLIS', given)).vendorPlantId).toBe('1298491919448631811');
    const asked = {
      request: { path: '/stationDetail', body: { id: '42' } },
      response: { text: '' },
    };
    expect((await replay('SOLIS', [asked])).vendorPlantId).toBe('42');
    const nothing = { request: '/stationDetail', response: { text: '<html>' } };
    expect((await replay('SOLIS', [nothing])).vendorPlantId).toBe('1');
  });

  test('reads raw texts, text bodies, headers of any case and vendors that never answered', async () => {
    const summaryOf = async (response: unknown) =>
      (await replay('SOLIS', [{ request: '/stationDetail', response }])).summary;
    const invalid = { error: { type: 'INVALID_DATA_FORMAT' } };
    expect(await summaryOf({ text: '<html></html>' })).toMatchObject(invalid);
    expect(await summaryOf({ body: '{"code":"0","data":{' })).toMatchObject(invalid);
    expect(await summaryOf({ body: JSON.stringify(ok(station)) })).toHaveProperty('ok');
    expect(await summaryOf({ hang: true })).toMatchObject({ error: { type: 'NETWORK_TIMEOUT' } });
    const tooMany = { status: '429', headers: { 'Retry-After': 30 } };
    expect(await summaryOf(tooMany)).toMatchObject({ error: { type: 'RATE_LIMIT_EXCEEDED' } });
  });

  test.each([
    ['no JSON', '{', 'not JSON'],
    ['no exchanges', '{}', 'fixtures/README.md'],
    ['an answer alone', JSON.stringify(ok(station)), 'fixtures/README.md'],
    ['exchanges without responses', '{"exchanges":[{"request":"/a"}]}', 'no exchange of the file'],
  ])('refuses a file with %s, saying what it looked for', async (_, text, why) => {
    const outcome = replay('SOLIS', text);
    await expect(outcome).rejects.toThrow(RecordingError);
    await expect(outcome).rejects.toThrow(why);
  });

  test.each(['SOLIS', 'HUAWEI', 'GOODWE', 'DELE'] as const)(
    'replays the ordinary day of %s whole',
    async (brand) => {
      const { summary, days, alarms } = await replay(brand, fixture(brand, 'ordinary-day'));
      expect([summary, days, alarms].every((call) => 'ok' in call)).toBe(true);
    },
  );
});

import { describe, expect, test } from 'vitest';
import { playing } from '../../../test/support/scenarios.ts';
import { createFixtureTransport } from './fixture-transport.ts';
import { SessionStore } from '../session.ts';
import type { Transport } from '../transport.ts';
import { dele } from '../dele/adapter.ts';
import { credentials } from '../../../test/support/scripted-dele.ts';
import { deleVendor } from './dele.ts';

/** The vendor's side and the scenarios that only this brand has; the common ones are in the kit. */

const since = (now: Date): Date => new Date(now.getTime() - 86_400_000);
const noon = new Date('2026-06-11T10:03:20Z');

function ask(scenario: string, now = noon) {
  const plant = {
    vendorPlantId: playing('DELE', scenario).vendorPlantId,
    timezone: 'Europe/Amsterdam',
  };
  const transport = vendorOf(plant.vendorPlantId, now);
  const signal = new AbortController().signal;
  const session = new SessionStore();
  return { plant, adapter: dele.create({ transport, credentials, session, now, signal }) };
}

function vendorOf(vendorPlantId: string, now = noon): Transport {
  const place = { timezone: 'Europe/Amsterdam', capacityKw: null, latitude: null, longitude: null };
  return createFixtureTransport({
    brand: 'DELE',
    vendor: deleVendor,
    plant: { vendorPlantId, ...place },
    knownCredentials: credentials,
    now,
  });
}

const summaryOf = (scenario: string, now = noon) => {
  const { adapter, plant } = ask(scenario, now);
  return adapter.getPlantSummary(plant);
};

describe('scenarios of this brand', () => {
  test.each(['2026-06-30', '2026-02-28', '2026-12-31'])(
    'month-end: %s, which has no row of its own, only grows and ends at its total',
    async (date) => {
      let beforeKwh = 0;
      for (let hour = 4; hour <= 21; hour += 1) {
        const now = new Date(`${date}T${String(hour).padStart(2, '0')}:03:20Z`);
        const { todayEnergyKwh } = await summaryOf('month-end', now);
        expect(todayEnergyKwh).toBeGreaterThanOrEqual(beforeKwh);
        beforeKwh = todayEnergyKwh ?? NaN;
      }
      const next = new Date(`${date}T23:30:00Z`);
      const { adapter, plant } = ask('month-end', next);
      const [day] = await adapter.getDailyEnergySeries(plant, date, date);
      // Month and days are rounded to 0.1 kWh each, so the difference may be off by a few tenths.
      expect(Math.abs(beforeKwh - (day?.energyKwh ?? 0))).toBeLessThan(1.6);
      expect(beforeKwh).toBeGreaterThan(30);
    },
  );

  test('end-at-inclusive: the same values as an ordinary day of that plant', async () => {
    const { adapter, plant } = ask('end-at-inclusive');
    const series = await adapter.getDailyEnergySeries(plant, '2026-06-09', '2026-06-10');
    expect(series.map(({ date }) => date)).toEqual(['2026-06-09', '2026-06-10']);
  });

  test('null-and-zero-days: a null stays null, a 0 stays 0', async () => {
    const { adapter, plant } = ask('null-and-zero-days');
    const series = await adapter.getDailyEnergySeries(plant, '2026-06-08', '2026-06-10');
    expect(series.map(({ energyKwh }) => energyKwh)).toEqual([0, null, expect.any(Number)]);
  });

  test('day-row-missing: the inverter stands in for the history', async () => {
    const summary = await summaryOf('day-row-missing');
    expect(summary.todayEnergyKwh).toBe(summary.devices[0]?.todayEnergyKwh);
    expect(summary.todayEnergyKwh).toBeGreaterThan(0);
  });

  test('duplicate-devices: one inverter, its newest answer', async () => {
    const { devices, lastSeenAt } = await summaryOf('duplicate-devices');
    expect(devices).toMatchObject([{ measuredAt: lastSeenAt }]);
  });

  test('micro-inverter-zero-at-night: a total of 0 is no total', async () => {
    expect((await summaryOf('micro-inverter-zero-at-night')).lifetimeEnergyKwh).toBeGreaterThan(0);
    const night = await summaryOf('micro-inverter-zero-at-night', new Date('2026-06-11T01:03:20Z'));
    expect(night).toMatchObject({ lifetimeEnergyKwh: null, refused: [] });
  });

  test('all-offline-stated: no power', async () => {
    expect((await summaryOf('all-offline-stated')).powerW).toBe(0);
  });

  test('solarman-null-code: answered in full', async () => {
    const { adapter, plant } = ask('solarman-null-code');
    expect((await adapter.getPlantSummary(plant)).refused).toEqual([]);
    expect(await adapter.getAlarmsSince(plant, since(noon))).toEqual({
      alarms: [],
      complete: true,
    });
    expect(await adapter.testConnection()).toMatchObject({ ok: true });
  });

  test('session-expired-as-500: renewed', async () => {
    expect((await summaryOf('session-expired-as-500')).powerW).toBeGreaterThan(1_000);
  });

  test.each([
    ['unit-missing', ['lifetime_energy_kwh']],
    ['devices-unavailable', ['lifetime_energy_kwh']],
    ['no-right-to-devices', ['lifetime_energy_kwh']],
    ['time-in-milliseconds', ['last_seen_at']],
  ] as const)('%s refuses %j and gives the rest', async (scenario, fields) => {
    const summary = await summaryOf(scenario);
    expect(summary.powerW).toBeGreaterThan(1_000);
    expect(summary.refused.map(({ field }) => field)).toEqual(fields);
  });

  test.each([
    ['session-expired-for-ever', 'AUTH_FAILED'],
    ['wrong-region', 'AUTH_FAILED'],
    ['allowance-used-up', 'RATE_LIMIT_EXCEEDED'],
    ['nothing-uploaded', 'INVALID_DATA_FORMAT'],
  ] as const)('%s is %s', async (scenario, type) => {
    await expect(summaryOf(scenario)).rejects.toMatchObject({ type });
  });

  test('invented-alarm-shape is INVALID_DATA_FORMAT', async () => {
    const { adapter, plant } = ask('invented-alarm-shape');
    await expect(adapter.getAlarmsSince(plant, since(noon))).rejects.toMatchObject({
      type: 'INVALID_DATA_FORMAT',
    });
  });

  test('no-plants: the connection test says so', async () => {
    expect(await ask('no-plants').adapter.testConnection()).toMatchObject({
      ok: false,
      errorType: 'PLANT_NOT_FOUND',
    });
  });

  test('fault-cycle-6min: one open CRITICAL alarm from minute 2 to minute 4 of each six', async () => {
    const openBySecond = async (second: number) => {
      const now = new Date(Date.parse('2026-06-11T10:00:00Z') + second * 1000);
      const { adapter, plant } = ask('fault-cycle-6min', now);
      const { alarms } = await adapter.getAlarmsSince(plant, since(now));
      return alarms.filter(({ open }) => open).map(({ severity }) => severity);
    };
    for (const second of [0, 119, 240, 359]) expect(await openBySecond(second)).toEqual([]);
    for (const second of [120, 239, 480]) expect(await openBySecond(second)).toEqual(['CRITICAL']);
  });
});

describe('the vendor of the fixtures', () => {
  const codeOf = async (
    path: string,
    body: Readonly<Record<string, unknown>>,
    options: { method?: 'GET' | 'POST'; token?: string | null; host?: string } = {},
  ): Promise<unknown> => {
    const { method = 'POST', host = 'eu1' } = options;
    const token = options.token === undefined ? await goodToken() : options.token;
    const headers = {
      'content-type': 'application/json',
      ...(token === null ? {} : { authorization: `bearer ${token}` }),
    };
    const url = `https://${host}-developer.deyecloud.com/v1.0/${path}`;
    const { signal } = new AbortController();
    const request = { method, url, headers, body: JSON.stringify(body) };
    const response = await vendorOf(playing('DELE', 'ordinary-day').vendorPlantId)(request, {
      signal,
    });
    const answer = JSON.parse(response.body) as { code?: unknown; status?: unknown };
    return answer.code ?? answer.status;
  };

  async function goodToken(): Promise<string> {
    const session = new SessionStore();
    const signal = new AbortController().signal;
    const transport = vendorOf(playing('DELE', 'ordinary-day').vendorPlantId);
    await dele.create({ transport, credentials, session, now: noon, signal }).testConnection();
    return session.current?.token ?? '';
  }

  const stationId = Number(playing('DELE', 'ordinary-day').vendorPlantId);
  const nowS = Math.floor(noon.getTime() / 1000);
  const history = { stationId, granularity: 2 };

  test.each([
    ['a good request', 'station/latest', { stationId }, {}, '1000000'],
    ['no token', 'station/latest', { stationId }, { token: null }, '2101017'],
    ['a wrong token', 'station/latest', { stationId }, { token: 'x' }, '2101019'],
    ['another region', 'station/latest', { stationId }, { host: 'us1' }, '2101019'],
    ['a GET', 'station/latest', { stationId }, { method: 'GET' }, 405],
    ['another plant', 'station/latest', { stationId: 1 }, {}, '2101031'],
    [
      'another plant of a list',
      'station/device',
      { stationIds: [1], page: 1, size: 9 },
      {},
      '2101031',
    ],
    ['a page of 201', 'station/list', { page: 1, size: 201 }, {}, '2101026'],
    [
      '11 inverters',
      'device/latest',
      { deviceList: Array.from({ length: 11 }, String) },
      {},
      '2101007',
    ],
    ['no inverters', 'device/latest', {}, {}, '2101005'],
    [
      'a date of another form',
      'station/history',
      { ...history, startAt: '2026/06/11', endAt: '2026/06/12' },
      {},
      '2101015',
    ],
    [
      'months as days',
      'station/history',
      { ...history, granularity: 3, startAt: '2026-06-01', endAt: '2026-06-01' },
      {},
      '2101015',
    ],
    [
      '32 days',
      'station/history',
      { ...history, startAt: '2026-05-10', endAt: '2026-06-11' },
      {},
      '2101012',
    ],
    [
      'alarms by milliseconds',
      'station/alertList',
      { stationId, startTimestamp: nowS * 1000, endTimestamp: nowS * 1000 },
      {},
      '2101012',
    ],
    [
      'alarms of 181 days',
      'station/alertList',
      { stationId, startTimestamp: nowS - 181 * 86_400, endTimestamp: nowS },
      {},
      '2101012',
    ],
  ] as const)('answers %s', async (_, path, body, options, code) => {
    expect(await codeOf(path, body, options)).toBe(code);
  });

  test.each([
    [{ appId: 'other' }, 'account/token: the credentials were refused (code 2101018)'],
    [{ appSecret: 'other' }, 'account/token: the credentials were refused'],
    [{ email: 'other' }, /^account\/token: the account is unknown here/],
    [{ password: 'other' }, 'account/token: wrong password'],
    [{ companyId: '7' }, 'account/token: code 2101020, the company id is wrong'],
    [{ host: 'us1' }, /^account\/token: the account is unknown here/],
  ])('refuses a login with %j', async (wrong, message) => {
    const adapter = dele.create({
      transport: vendorOf(playing('DELE', 'ordinary-day').vendorPlantId),
      credentials: { ...credentials, ...wrong },
      session: new SessionStore(),
      now: noon,
      signal: new AbortController().signal,
    });
    const result = await adapter.testConnection();
    expect(result).toMatchObject({ ok: false, errorType: 'AUTH_FAILED' });
    expect(result.message).toMatch(message);
  });
});

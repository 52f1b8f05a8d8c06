import { describe, expect, test } from 'vitest';
import {
  credentials,
  errorOf,
  failure,
  inverter,
  json,
  kpiRow,
  loginOk,
  now,
  plant,
  scriptedVendor,
  success,
  summaryError,
} from '../../../test/support/scripted-huawei.ts';

describe('login', () => {
  test('posts user name and system code to the cloud of the account and sends the token back', async () => {
    const { adapter, requests } = scriptedVendor();
    await adapter.getPlantSummary(plant);
    expect(requests[0]).toEqual({
      method: 'POST',
      url: 'https://eu5.fusionsolar.huawei.com/thirdData/login',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ userName: 'api-user', systemCode: 'Canary-5ecret' }),
    });
    expect(requests[1]?.url).toBe('https://eu5.fusionsolar.huawei.com/thirdData/getStationRealKpi');
    expect(requests.slice(1).map(({ headers }) => headers['xsrf-token'])).toEqual(
      Array(3).fill('x-first'),
    );
  });

  test('takes the token from Set-Cookie where the header is absent', async () => {
    const cookie = 'locale=en; Path=/, XSRF-TOKEN=x-cookie;Path=/;Secure';
    const { adapter, requests } = scriptedVendor({
      login: [json({ failCode: 0, data: null }, 200, { 'set-cookie': cookie })],
    });
    await adapter.getPlantSummary(plant);
    expect(requests[1]?.headers['xsrf-token']).toBe('x-cookie');
  });

  test.each(['EU5', 'eu5.fusionsolar.huawei.com', ' eu5 '])('reads the host "%s"', async (host) => {
    const { adapter, requests } = scriptedVendor({}, { credentials: { ...credentials, host } });
    await adapter.getPlantSummary(plant);
    expect(requests[0]?.url).toBe('https://eu5.fusionsolar.huawei.com/thirdData/login');
  });

  test.each([
    'evil.example',
    'eu5.fusionsolar.huawei.com.evil.example',
    'a/b',
    'user@evil',
    '-',
    '',
  ])('sends nothing to the host "%s", which is not Huawei\'s', async (host) => {
    const { adapter, requests } = scriptedVendor({}, { credentials: { ...credentials, host } });
    expect(await errorOf(adapter.getPlantSummary(plant))).toMatchObject({ type: 'AUTH_FAILED' });
    expect(requests).toEqual([]);
  });

  test('reads HTTP 200 with an empty body as refused credentials', async () => {
    const error = await summaryError({ login: [{ status: 200, headers: {}, body: ' ' }] });
    expect(error).toMatchObject({ type: 'AUTH_FAILED', sessionExpired: false });
  });

  test('names the host where the login is answered with a web page', async () => {
    const page = { status: 200, headers: {}, body: '\n<!DOCTYPE html><html></html>' };
    const error = await summaryError({ login: [page] });
    expect(error.type).toBe('INVALID_DATA_FORMAT');
    expect(error.message).toContain("check the account's host");
  });

  test('refuses a success without a token', async () => {
    const error = await summaryError({ login: [json({ failCode: 0, data: null })] });
    expect(error.type).toBe('INVALID_DATA_FORMAT');
  });

  test('keeps its session for later call chains of the account', async () => {
    const { adapter, again, paths } = scriptedVendor();
    await adapter.getPlantSummary(plant);
    await again().getPlantSummary(plant);
    expect(paths().filter((path) => path === 'login')).toHaveLength(1);
  });
});

describe('an expired session', () => {
  const expired = json({ failCode: 305, immediately: true, message: 'USER_MUST_RELOGIN' });
  const secondLogin = json({ failCode: 0, data: null }, 200, { 'xsrf-token': 'x-second' });

  test('is renewed once, and the call repeated with the new token', async () => {
    const { adapter, requests, paths } = scriptedVendor({
      login: [loginOk, secondLogin],
      getStationRealKpi: [expired, success([kpiRow()])],
    });
    expect((await adapter.getPlantSummary(plant)).todayEnergyKwh).toBe(12.5);
    expect(paths().slice(0, 4)).toEqual([
      'login',
      'getStationRealKpi',
      'login',
      'getStationRealKpi',
    ]);
    expect(requests[3]?.headers['xsrf-token']).toBe('x-second');
  });

  test('that a new login does not cure is AUTH_FAILED after two logins', async () => {
    const { adapter, paths } = scriptedVendor({
      login: [loginOk, secondLogin],
      getStationRealKpi: [expired],
    });
    const error = await errorOf(adapter.getPlantSummary(plant));
    expect(error).toMatchObject({ type: 'AUTH_FAILED', sessionExpired: false });
    expect(paths()).toEqual(['login', 'getStationRealKpi', 'login', 'getStationRealKpi']);
  });

  test('is the only refusal that logs in again', async () => {
    const { adapter, paths } = scriptedVendor({ getStationRealKpi: [failure(401)] });
    await errorOf(adapter.getPlantSummary(plant));
    expect(paths()).toEqual(['login', 'getStationRealKpi']);
  });

  test('is not renewed with credentials that the vendor refuses now', async () => {
    const error = await summaryError({
      login: [loginOk, { status: 200, headers: {}, body: '' }],
      getStationRealKpi: [expired],
    });
    expect(error.type).toBe('AUTH_FAILED');
  });
});

describe('refusals', () => {
  test('the code decides, not `success`', async () => {
    const error = await summaryError({
      getStationRealKpi: [json({ success: true, failCode: '20200', data: null })],
    });
    expect(error.type).toBe('VENDOR_ERROR');
    const { adapter } = scriptedVendor({
      getStationRealKpi: [json({ success: false, failCode: '0', data: [kpiRow()] })],
    });
    expect((await adapter.getPlantSummary(plant)).todayEnergyKwh).toBe(12.5);
  });

  test('the message names the path and the code, and repeats no word of the vendor', async () => {
    const body = { failCode: 20_403, message: 'user Canary-5ecret', data: 'Canary-5ecret' };
    const { message } = await summaryError({ getStationRealKpi: [json(body)] });
    expect(message).toMatch(/^getStationRealKpi: failCode 20403, /);
    expect(message).not.toContain('Canary');
  });

  const tooOften = json({
    data: 'ACCESS_FREQUENCY_IS_TOO_HIGH',
    failCode: 407,
    params: null,
    success: false,
  });
  test.each([
    ['login', 600_000],
    ['getStationRealKpi', 300_000],
  ])('407 on %s waits for the window of its quota', async (path, retryAfterMs) => {
    const error = await summaryError({ [path]: [tooOften] });
    expect(error).toMatchObject({ type: 'RATE_LIMIT_EXCEEDED', retryAfterMs });
  });

  test.each(['getDevList', 'getDevRealKpi'])(
    '407 on %s alone costs the power, and the path rests until its window ends',
    async (path) => {
      const { adapter, again, paths } = scriptedVendor({ [path]: [tooOften] });
      const after = (ms: number) => again({ now: new Date(now.getTime() + ms) });
      const count = () => paths().filter((one) => one === path).length;
      expect(await adapter.getPlantSummary(plant)).toMatchObject({
        todayEnergyKwh: 12.5,
        lifetimeEnergyKwh: 16770.25,
        powerW: null,
        refused: [
          {
            field: 'power_w',
            type: 'RATE_LIMIT_EXCEEDED',
            sentence: `Power is not known: ${path}: failCode 407, called too often.`,
          },
        ],
      });
      const resting = await after(299_999).getPlantSummary(plant);
      expect(resting.refused[0]?.sentence).toBe(
        `Power is not known: ${path}: called too often, so that it rests for another 1 s.`,
      );
      expect(count()).toBe(1);
      await after(300_000).getPlantSummary(plant);
      expect(count()).toBe(2);
    },
  );

  test.each([
    ['refused', json({}, 200), { type: 'INVALID_DATA_FORMAT' }],
    [
      'refused for its password',
      { status: 200, headers: {}, body: '' },
      { type: 'AUTH_FAILED', scope: 'ACCOUNT', certain: true },
    ],
  ])(
    'a login that is %s in the middle of a summary ends it, and is not tried again for the next part',
    async (_, refused, error) => {
      const { adapter, paths } = scriptedVendor({
        login: [loginOk, refused],
        getDevList: [json({ failCode: 305, immediately: true })],
      });
      expect(await errorOf(adapter.getPlantSummary(plant))).toMatchObject(error);
      expect(paths()).toEqual(['login', 'getStationRealKpi', 'getDevList', 'login']);
    },
  );

  test('a login that was called too often rests too, and with it everything that needs a session', async () => {
    const { adapter, again, paths } = scriptedVendor({ login: [tooOften] });
    await errorOf(adapter.getPlantSummary(plant));
    const error = await errorOf(again().getAlarmsSince(plant, now));
    expect(error).toMatchObject({ type: 'RATE_LIMIT_EXCEEDED', retryAfterMs: 600_000 });
    expect(paths()).toEqual(['login']);
  });

  test('407 on the alarms waits half an hour, on the series an hour', async () => {
    const { adapter } = scriptedVendor({ getAlarmList: [tooOften], getKpiStationDay: [tooOften] });
    expect((await errorOf(adapter.getAlarmsSince(plant, now))).retryAfterMs).toBe(1_800_000);
    const series = adapter.getDailyEnergySeries(plant, '2026-05-01', '2026-05-01');
    expect((await errorOf(series)).retryAfterMs).toBe(3_600_000);
  });
});

describe('abort', () => {
  test('stops the chain: nothing more is asked, and the reason is thrown', async () => {
    const controller = new AbortController();
    const reason = new Error('budget used up');
    const { adapter, paths } = scriptedVendor(
      {
        getDevList: [
          () => {
            controller.abort(reason);
            return success([inverter(1001, 1, 'HX01')]);
          },
        ],
      },
      { signal: controller.signal },
    );
    await expect(adapter.getPlantSummary(plant)).rejects.toBe(reason);
    expect(paths()).toEqual(['login', 'getStationRealKpi', 'getDevList']);
  });
});

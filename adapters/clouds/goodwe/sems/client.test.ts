import { describe, expect, test } from 'vitest';
import type { AdapterErrorType } from '../../../../domain/plants/plant.ts';
import { paths } from './client.ts';
import {
  type Answer,
  HttpAnswer,
  credentials,
  detailData,
  failureOf,
  loginOk,
  plant,
  portal,
  refusal,
  success,
  summaryFailure,
} from '../../../../test/support/scripted-goodwe.ts';

describe('session', () => {
  test('logs in at the portal with account and password, and sends the token back as it came, to the host that the login names', async () => {
    const { adapter, asked } = portal({ detail: success(detailData({})) });
    await adapter.getPlantSummary(plant);
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST https://www.semsportal.com/api/v3/Common/CrossLogin',
      'POST https://eu.semsportal.com/api/v3/PowerStation/GetMonitorDetailByPowerstationId',
    ]);
    expect(asked[0]?.json).toEqual({ account: credentials.account, pwd: credentials.password });
    expect(JSON.parse(asked[0]?.headers['Token'] ?? '')).toMatchObject({ client: 'ios' });
    expect(JSON.parse(asked[1]?.headers['Token'] ?? '')).toEqual(loginOk.data);
    expect(asked[1]?.json).toEqual({ powerStationId: plant.vendorPlantId });
  });

  test.each([
    ['https://au.semsportal.com/api', 'https://au.semsportal.com/api/'],
    ['http://au.semsportal.com:82/api/', 'https://au.semsportal.com/api/'],
    ['https://us-gateway.semsportal.com/web/sems', 'https://us.semsportal.com/api/'],
    [undefined, 'https://www.semsportal.com/api/'],
  ])('with api %s calls go to %s', async (api, base) => {
    const { adapter, asked } = portal({
      login: { ...loginOk, api },
      detail: success(detailData({})),
    });
    await adapter.getPlantSummary(plant);
    expect(asked[1]?.url).toBe(`${base}${paths.detail}`);
  });

  test('takes the api host from inside data where it stands there', async () => {
    const { adapter, asked } = portal({
      login: { code: '00000', data: { ...loginOk.data, api: 'https://hk.semsportal.com/api/' } },
      detail: success(detailData({})),
    });
    await adapter.getPlantSummary(plant);
    expect(asked[1]?.url).toBe(`https://hk.semsportal.com/api/${paths.detail}`);
  });

  test.each([
    'https://semsportal.com.example.net/api/',
    'https://notsemsportal.com/api',
    'nonsense',
  ])('sends no token to %s', async (api) => {
    const { adapter, asked } = portal({ login: { ...loginOk, api } });
    expect((await failureOf(adapter.getPlantSummary(plant))).type).toBe('INVALID_DATA_FORMAT');
    expect(asked).toHaveLength(1);
  });

  test.each([0, '0', '00000'])('takes code %j of a login for a success', async (code) => {
    const { adapter } = portal({ login: { ...loginOk, code }, detail: success(detailData({})) });
    expect((await adapter.getPlantSummary(plant)).todayEnergyKwh).toBe(9.4);
  });

  test.each([
    ['null', null],
    ['only the agreement', { agreement_agreement: 0 }],
    ['agreement and api', { agreement: true, api: 'https://au-gateway.semsportal.com/web/sems' }],
    ['an empty token', { ...loginOk.data, token: '' }],
  ])('a login that succeeds with %s instead of a token is AUTH_FAILED', async (_, data) => {
    const error = await summaryFailure({ login: { code: 0, msg: 'Successful', data } });
    expect(error.type).toBe('AUTH_FAILED');
    expect(error.sessionExpired).toBe(false);
  });

  test.each([
    [
      'a gateway',
      { agreement: true, api: 'https://eu-gateway.semsportal.com/sems/' },
      'login: accepted, but without a token; the account was moved to SEMS+: set portal to SEMS_PLUS',
    ],
    [
      'nothing',
      { agreement_agreement: 0 },
      'login: accepted, but without a token; sign in to the portal once and accept what it asks, or set portal to SEMS_PLUS if the account was moved',
    ],
  ])('a login without a token that names %s says what to do', async (_, data, message) => {
    const error = await summaryFailure({ login: { code: 0, msg: 'Successful', data } });
    expect(error).toMatchObject({ type: 'AUTH_FAILED', scope: 'ACCOUNT', message });
  });

  test.each([100005, '100005', 100004, 100002, 100001])(
    'a login refused with %j is AUTH_FAILED, after one request',
    async (code) => {
      const { adapter, asked } = portal({ login: refusal(code) });
      const error = await failureOf(adapter.getPlantSummary(plant));
      expect(error.type).toBe('AUTH_FAILED');
      expect(error.sessionExpired).toBe(false);
      expect(asked).toHaveLength(1);
    },
  );

  test('100002 brings one new login, and the question again with its token', async () => {
    const { adapter, asked } = portal({
      login: (_: unknown, count: number) => ({
        ...loginOk,
        data: { ...loginOk.data, token: `t-${count}` },
      }),
      detail: (_: unknown, count: number) =>
        count === 1 ? refusal(100002) : success(detailData({})),
    });
    expect((await adapter.getPlantSummary(plant)).todayEnergyKwh).toBe(9.4);
    expect(asked).toHaveLength(4);
    expect(JSON.parse(asked[3]?.headers['Token'] ?? '')).toMatchObject({ token: 't-2' });
  });

  test('100002 again after the new login is AUTH_FAILED, and ends it', async () => {
    const { adapter, asked } = portal({ detail: refusal('100002') });
    const error = await failureOf(adapter.getPlantSummary(plant));
    expect(error).toMatchObject({ type: 'AUTH_FAILED', sessionExpired: false });
    expect(asked).toHaveLength(4);
  });

  test('100001 after the login is AUTH_FAILED at once', async () => {
    const { adapter, asked } = portal({ detail: refusal(100001) });
    expect((await failureOf(adapter.getPlantSummary(plant))).type).toBe('AUTH_FAILED');
    expect(asked).toHaveLength(2);
  });

  test('two questions at once share one login', async () => {
    const { adapter, asked } = portal({
      detail: success(detailData({})),
      daySeries: success([]),
    });
    await Promise.all([
      adapter.getPlantSummary(plant),
      adapter.getDailyEnergySeries(plant, '2026-01-08', '2026-01-09'),
    ]);
    expect(asked.filter(({ url }) => url.endsWith(paths.login))).toHaveLength(1);
  });

  test('asked nothing any more once it is aborted', async () => {
    const { adapter, asked, abort } = portal({
      detail: () => {
        abort.abort(new Error('the budget is used up'));
        return refusal(100002);
      },
    });
    await expect(adapter.getPlantSummary(plant)).rejects.toThrow('the budget is used up');
    expect(asked).toHaveLength(2);
  });
});

describe('refusals', () => {
  const cases: [string, Answer, AdapterErrorType, number?][] = [
    ['GY0429', { code: 'GY0429', description: 'x', traceId: 'y' }, 'RATE_LIMIT_EXCEEDED', 300_000],
    ['HTTP 429', new HttpAnswer(429, 'no'), 'RATE_LIMIT_EXCEEDED', 300_000],
    [
      'HTTP 429 with Retry-After: 30',
      new HttpAnswer(429, '', { 'retry-after': '30' }),
      'RATE_LIMIT_EXCEEDED',
      30_000,
    ],
    [
      'HTTP 429 with a date',
      new HttpAnswer(429, '', { 'retry-after': 'Sat, 10 Jan 2026 14:57:00 GMT' }),
      'RATE_LIMIT_EXCEEDED',
      120_000,
    ],
    ['100000 with hasError', refusal(100000), 'VENDOR_ERROR'],
    [
      '100000 although it says Successful',
      { code: '100000', msg: 'Successful', hasError: false, data: detailData({}) },
      'VENDOR_ERROR',
    ],
    [
      '100004 for data',
      { code: '100004', translationCode: 'parameter_error', errorMsg: 'x' },
      'UNKNOWN',
    ],
    ['a code that is not known', refusal('B9999'), 'VENDOR_ERROR'],
    ['HTTP 500', new HttpAnswer(500, '<html>'), 'VENDOR_ERROR'],
    [
      'HTTP 502 with JSON of a success',
      new HttpAnswer(502, JSON.stringify(success({}))),
      'VENDOR_ERROR',
    ],
    [
      'HTTP 404 for a path that moved',
      new HttpAnswer(404, '{"error_msg":"404 Route Not Found"}'),
      'VENDOR_ERROR',
    ],
    ['HTTP 403', new HttpAnswer(403, '{}'), 'AUTH_FAILED'],
    ['HTTP 401', new HttpAnswer(401, ''), 'AUTH_FAILED'],
    [
      'a firewall page with HTTP 403',
      new HttpAnswer(403, '<html><body>blocked</body></html>'),
      'INVALID_DATA_FORMAT',
    ],
    [
      'HTML',
      new HttpAnswer(200, '<!DOCTYPE html>', { 'content-type': 'text/html' }),
      'INVALID_DATA_FORMAT',
    ],
    ['an empty body', new HttpAnswer(200, ''), 'INVALID_DATA_FORMAT'],
    ['half a JSON', new HttpAnswer(200, '{"code":"0","data":{"kpi":{"po'), 'INVALID_DATA_FORMAT'],
    ['JSON without a code', { data: detailData({}) }, 'INVALID_DATA_FORMAT'],
    ['a code that is an object', { code: {}, data: detailData({}) }, 'INVALID_DATA_FORMAT'],
  ];

  test.each(cases)('%s', async (_, answer, type, retryAfterMs) => {
    const error = await summaryFailure({ detail: answer });
    expect(error).toMatchObject({ type, sessionExpired: false });
    expect(error.retryAfterMs).toBe(retryAfterMs);
  });

  test('a success is one whatever msg and hasError say', async () => {
    const { adapter } = portal({
      detail: { code: 0, msg: 'system error', hasError: true, data: detailData({}) },
    });
    expect((await adapter.getPlantSummary(plant)).todayEnergyKwh).toBe(9.4);
  });

  test('no message repeats credentials, token, a URL or what the vendor wrote', async () => {
    const script = {
      detail: { code: 'not a code: t-1 canary-5a1f', msg: 'secret words', data: null },
    };
    const { message } = await summaryFailure(script);
    expect(message).toBe(
      'GetMonitorDetailByPowerstationId: code unreadable, an answer that is not known',
    );
  });
});

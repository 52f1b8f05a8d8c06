import { describe, expect, test } from 'vitest';
import type { AdapterErrorType, FailureScope } from '../../../../domain/plants/plant.ts';
import { type Answer, failureOf, HttpAnswer } from '../../../../test/support/scripted-goodwe.ts';
import {
  flow,
  loginData,
  plant,
  plusPortal,
  refusal,
  success,
} from '../../../../test/support/scripted-goodwe-plus.ts';
import { hashedPassword, plusPaths, signature } from './client.ts';

describe('login', () => {
  test('signs and hashes as the web portal does', () => {
    expect(hashedPassword('heliograph')).toBe('MTUwOTcyNDBkNjU1ZTY3N2ZlYjg0ZTI2ZGJlZGVkZGE=');
    expect(signature(1_760_000_000_000, 'u-1', 't-1')).toBe(
      'MTlhNTJkOWQ4ZWM5NjExNDBlZTU2OGYwNTA3ZDg3NGQ2MzZlNTQyMGI0OWYyOGExY2NhNGZiYTFlY2I2Y2EyOEAxNzYwMDAwMDAwMDAw',
    );
  });

  test('says who it is, and sends the hashed password with the three flags', async () => {
    const { adapter, asked } = plusPortal();
    await adapter.getPlantSummary(plant);
    const [login, first] = asked;
    expect(login?.url).toBe(
      'https://semsplus.goodwe.com/web/sems/sems-user/api/v1/auth/cross-login',
    );
    expect(login?.json).toEqual({
      account: 'somebody@example.invalid',
      pwd: 'MTUwOTcyNDBkNjU1ZTY3N2ZlYjg0ZTI2ZGJlZGVkZGE=',
      agreement: 1,
      isLocal: false,
      isChinese: false,
    });
    expect(JSON.parse(login?.headers['Token'] ?? '')).toEqual({
      uid: '',
      timestamp: 0,
      token: '',
      client: 'semsPlusWeb',
      version: '',
      language: 'en',
    });
    expect(login?.headers['X-Signature']).toBe(signature(1_791_206_700_000, '', ''));
    expect(first?.method).toBe('GET');
    expect(first?.url).toBe(
      `https://eu-gateway.semsportal.com/web/sems/${plusPaths.flow}?stationId=${plant.vendorPlantId}`,
    );
  });

  test('sends the whole of the answer back with every call, and signs with its token', async () => {
    const { adapter, asked } = plusPortal();
    await adapter.getPlantSummary(plant);
    const calls = asked.slice(1);
    expect(calls.map(({ name }) => name)).toEqual(['flow', 'devices', 'counters A', 'curve']);
    for (const { headers } of calls) {
      expect(JSON.parse(headers['Token'] ?? '')).toEqual(loginData);
      expect(headers['X-Signature']).toBe(signature(1_791_206_700_000, 'u-1', 't-1'));
    }
  });

  test.each([
    'https://eu-gateway.semsportal.com.example.net/web/sems',
    'https://hz-gateway.sems.com.cn/web/sems',
    'nonsense',
  ])('sends no token to %s', async (api) => {
    const { adapter, asked } = plusPortal({ login: success({ ...loginData, api }) });
    expect((await failureOf(adapter.getPlantSummary(plant))).type).toBe('INVALID_DATA_FORMAT');
    expect(asked).toHaveLength(1);
  });

  test('of an account that the classic portal serves says what to do', async () => {
    const { adapter } = plusPortal({
      login: success({ ...loginData, api: 'https://eu.semsportal.com/api/' }),
    });
    expect(await adapter.testConnection()).toEqual({
      ok: false,
      errorType: 'AUTH_FAILED',
      message: 'login: accepted, but the account is not served by SEMS+: set portal to SEMS',
    });
  });

  const refused: [string, Answer, AdapterErrorType, string][] = [
    ['100004', refusal('100004'), 'AUTH_FAILED', 'SEMS+ refuses this login (100004)'],
    ['100005', refusal(100005), 'AUTH_FAILED', 'login: code 100005, wrong account or password'],
    [
      'C0602',
      refusal('C0602'),
      'VENDOR_ERROR',
      'login: code C0602, SEMS+ calls the login abnormal',
    ],
    [
      'success without a token',
      success({ agreement: true, api: loginData.api }),
      'AUTH_FAILED',
      'login: accepted, but without a token; sign in to SEMS+ once and accept what it asks',
    ],
  ];
  test.each(refused)(
    '%s is told after one request, and only once',
    async (_, login, type, message) => {
      const { adapter, asked } = plusPortal({ login });
      const error = await failureOf(adapter.getPlantSummary(plant));
      expect(error).toMatchObject({ type, scope: 'ACCOUNT', certain: true, message });
      expect(asked).toHaveLength(1);
    },
  );

  test('tells which host serves the account', async () => {
    const { message } = await plusPortal().adapter.testConnection();
    expect(message).toBe('logged in; the account is served by eu-gateway.semsportal.com');
  });
});

describe('session', () => {
  test.each(['C0602', '100002', 'C0607', 'Z0100', 'A0301'])(
    '%s brings one new login, and the question again with its token',
    async (code) => {
      const { adapter, asked } = plusPortal({
        login: (_: unknown, count: number) => success({ ...loginData, token: `t-${count}` }),
        flow: (_: unknown, count: number) => (count === 1 ? refusal(code) : success(flow({}))),
      });
      expect((await adapter.getPlantSummary(plant)).powerW).toBe(3_200);
      const logins = asked.filter(({ name }) => name === 'login');
      expect(logins).toHaveLength(2);
      expect(JSON.parse(asked[3]?.headers['Token'] ?? '')).toMatchObject({ token: 't-2' });
    },
  );

  test('C0602 again after the new login is about the plant, and ends the poll', async () => {
    const { adapter, asked } = plusPortal({ flow: refusal('C0602') });
    expect(await failureOf(adapter.getPlantSummary(plant))).toMatchObject({
      type: 'AUTH_FAILED',
      scope: 'PLANT',
      certain: false,
      sessionExpired: false,
    });
    expect(asked.map(({ name }) => name)).toEqual(['login', 'flow', 'login', 'flow']);
  });

  test('a new login that fails ends the poll, instead of one more login for every part', async () => {
    const { adapter, asked } = plusPortal({
      login: (_: unknown, count: number) => (count === 1 ? success(loginData) : refusal('C0602')),
      flow: refusal('C0602'),
    });
    expect((await failureOf(adapter.getPlantSummary(plant))).type).toBe('VENDOR_ERROR');
    expect(asked.map(({ name }) => name)).toEqual(['login', 'flow', 'login']);
  });
});

describe('refusals of a question', () => {
  const cases: [string, Answer, AdapterErrorType, FailureScope, number?][] = [
    ['GY0429', refusal('GY0429'), 'RATE_LIMIT_EXCEEDED', 'ACCOUNT', 300_000],
    [
      'HTTP 429 with Retry-After: 30',
      new HttpAnswer(429, '', { 'retry-after': '30' }),
      'RATE_LIMIT_EXCEEDED',
      'ACCOUNT',
      30_000,
    ],
    ['100001', refusal('100001'), 'AUTH_FAILED', 'ACCOUNT'],
    ['100025', refusal('100025'), 'AUTH_FAILED', 'REQUEST'],
    ['100004, a parameter of ours', refusal('100004'), 'UNKNOWN', 'REQUEST'],
    ['S0327, a range that is not allowed', refusal('S0327'), 'UNKNOWN', 'REQUEST'],
    ['P0214, a parameter that is missing', refusal('P0214'), 'UNKNOWN', 'REQUEST'],
    ['100000', refusal(100000), 'VENDOR_ERROR', 'CLOUD'],
    ['a code that is not known', refusal('B9999'), 'VENDOR_ERROR', 'CLOUD'],
    [
      'HTTP 404 for a path that is gone',
      new HttpAnswer(404, '{"error_msg":"404 Route Not Found"}'),
      'VENDOR_ERROR',
      'CLOUD',
    ],
    ['HTML', new HttpAnswer(200, '<!DOCTYPE html>'), 'INVALID_DATA_FORMAT', 'CLOUD'],
    ['JSON without a code', { data: {} }, 'INVALID_DATA_FORMAT', 'CLOUD'],
  ];

  test.each(cases)('%s', async (_, answer, type, scope, retryAfterMs) => {
    const { adapter } = plusPortal({ alarms: answer });
    const error = await failureOf(adapter.getAlarmsSince(plant, new Date(0)));
    expect(error).toMatchObject({ type, scope, sessionExpired: false, retryAfterMs });
  });

  test('an account or a cloud that refuses ends a summary after one question; a path does not', async () => {
    const ended = plusPortal({ flow: refusal('GY0429') });
    expect((await failureOf(ended.adapter.getPlantSummary(plant))).type).toBe(
      'RATE_LIMIT_EXCEEDED',
    );
    expect(ended.asked).toHaveLength(2);
    const goesOn = plusPortal({ flow: refusal('B9999') });
    expect((await goesOn.adapter.getPlantSummary(plant)).todayEnergyKwh).toBe(8.4);
  });
});

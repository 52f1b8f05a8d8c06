import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SessionStore } from '../session.ts';
import { jsonResponse } from '../recorded/vendor-side.ts';
import {
  credentials,
  noonS,
  plant,
  refused,
  scriptedVendor,
} from '../../../test/support/scripted-dele.ts';

const passwordHash = createHash('sha256').update('password').digest('hex');
/** An expired token, as it has come. */
const spring = jsonResponse(
  {
    timestamp: 1_779_703_200_000,
    status: 500,
    error: 'Internal Server Error',
    exception: 'java.lang.reflect.UndeclaredThrowableException',
    path: '/v1.0/station/latest',
  },
  500,
);
const latest = { generationPower: 2480, lastUpdateTime: noonS };

describe('the login', () => {
  test('sends the app by query and the password as the hex of its SHA-256', async () => {
    const { adapter, requests, sentTo } = scriptedVendor(
      {},
      { credentials: { ...credentials, appId: 'a&b' } },
    );
    await adapter.getAlarmsSince(plant, new Date(0));
    expect(requests[0]).toMatchObject({
      method: 'POST',
      url: 'https://eu1-developer.deyecloud.com/v1.0/account/token?appId=a%26b',
      headers: { 'content-type': 'application/json' },
    });
    expect(requests[0]?.headers).not.toHaveProperty('authorization');
    expect(sentTo('account/token')).toEqual([
      {
        appSecret: 'app secret',
        email: 'plants@example.com',
        password: passwordHash,
        companyId: '0',
      },
    ]);
    expect(passwordHash).toMatch(/^5e884898da28[0-9a-f]{52}$/);
  });

  test('gives the token that every later call carries, on the same host', async () => {
    const { adapter, requests } = scriptedVendor(
      {},
      { credentials: { ...credentials, host: ' US1 ' } },
    );
    await adapter.getPlantSummary(plant);
    const [, ...calls] = requests;
    expect(calls).toHaveLength(4);
    for (const { url, headers } of calls) {
      expect(url).toMatch(
        /^https:\/\/us1-developer\.deyecloud\.com\/v1\.0\/(station|device)\/\w+$/,
      );
      expect(headers).toMatchObject({ authorization: 'bearer a-token' });
    }
  });

  test.each(['eu1', 'us1', 'india', 'india-developer.deyecloud.com'])(
    'knows the host %s',
    async (host) => {
      const { adapter } = scriptedVendor({}, { credentials: { ...credentials, host } });
      expect(await adapter.testConnection()).toMatchObject({ ok: true });
    },
  );

  test.each([
    'eu2',
    'https://eu1-developer.deyecloud.com',
    'eu1-developer.deyecloud.com.example',
    'eu1/x',
    '',
  ])('sends nothing to the host %j', async (host) => {
    const { adapter, requests } = scriptedVendor({}, { credentials: { ...credentials, host } });
    await expect(adapter.getPlantSummary(plant)).rejects.toMatchObject({ type: 'AUTH_FAILED' });
    expect(requests).toEqual([]);
  });

  test.each(['appId', 'appSecret', 'email', 'password'])(
    'sends nothing without %s',
    async (field) => {
      const { adapter, requests } = scriptedVendor(
        {},
        { credentials: { ...credentials, [field]: ' ' } },
      );
      await expect(adapter.getPlantSummary(plant)).rejects.toMatchObject({
        type: 'AUTH_FAILED',
        message: `the account's credentials lack ${field}`,
      });
      expect(requests).toEqual([]);
    },
  );

  test.each([
    [undefined, '0'],
    ['', '0'],
    ['0', '0'],
    [' 10001 ', '10001'],
  ])('takes the company %j for %s', async (companyId, sent) => {
    const { companyId: _, ...others } = credentials;
    const given = companyId === undefined ? others : { ...others, companyId };
    const { adapter, sentTo } = scriptedVendor({}, { credentials: given });
    await adapter.testConnection();
    expect(sentTo('account/token')).toMatchObject([{ companyId: sent }]);
  });

  test('a password that is wrong is told in our words, which hold nothing of the vendor', async () => {
    const words = 'Incorrect password for plants@example.com';
    const answer = jsonResponse({ error: words, error_description: '', code: words, param: null });
    const { adapter, sentTo } = scriptedVendor({ 'account/token': answer });
    await expect(adapter.getPlantSummary(plant)).rejects.toMatchObject({
      type: 'AUTH_FAILED',
      message: 'account/token: wrong password',
    });
    expect(sentTo('account/token')).toHaveLength(1);
  });

  test('a refusal is no expired session, whatever its code: it is not tried again', async () => {
    const { adapter, sentTo } = scriptedVendor({ 'account/token': refused('2101019') });
    const error = await adapter.getPlantSummary(plant).catch((one: unknown) => one);
    expect(error).toMatchObject({ type: 'AUTH_FAILED', sessionExpired: false });
    expect(sentTo('account/token')).toHaveLength(1);
  });

  test('trouble of the token service pauses nobody', async () => {
    const words = 'An unhappened error of the clock';
    const answer = jsonResponse({ error: words, code: words, param: null });
    const { adapter } = scriptedVendor({ 'account/token': answer });
    await expect(adapter.getPlantSummary(plant)).rejects.toMatchObject({ type: 'VENDOR_ERROR' });
  });
});

describe('the session', () => {
  test.each([
    ['2101017', refused('2101017')],
    ['2101018', refused('2101018')],
    ['2101019', refused('2101019')],
    ['HTTP 500 with UndeclaredThrowableException', spring],
    ['HTTP 401', { status: 401, headers: {}, body: '' }],
    ['words about the token', jsonResponse({ error: 'invalid_token', error_description: '' }, 401)],
  ])('that expired (%s) is renewed once', async (_, expired) => {
    const { adapter, sentTo } = scriptedVendor({
      'account/token': [{ accessToken: 'old' }, { accessToken: 'new' }],
      'station/latest': [expired, latest],
    });
    expect(await adapter.getPlantSummary(plant)).toMatchObject({ powerW: 2480 });
    expect(sentTo('account/token')).toHaveLength(2);
    expect(sentTo('station/latest')).toHaveLength(2);
  });

  test('that is called expired again is AUTH_FAILED, after one login and no more', async () => {
    const { adapter, sentTo } = scriptedVendor({ 'station/latest': spring });
    const error = await adapter.getPlantSummary(plant).catch((one: unknown) => one);
    expect(error).toMatchObject({ type: 'AUTH_FAILED', sessionExpired: false });
    expect(sentTo('account/token')).toHaveLength(2);
    expect(sentTo('station/latest')).toHaveLength(2);
  });

  test('is kept from call to call', async () => {
    const session = new SessionStore();
    const [first, second] = [scriptedVendor({}, { session }), scriptedVendor({}, { session })];
    await first.adapter.getPlantSummary(plant);
    await second.adapter.getPlantSummary(plant);
    expect(second.sentTo('account/token')).toEqual([]);
  });
});

describe('an answer', () => {
  test.each([
    ['the Solarman variant, code null', { code: null, success: true }],
    ['the Solarman variant, code empty', { code: '', success: true }],
    ['a code as number', { code: 1_000_000 }],
    ['success false beside code 1000000: the code decides', { success: false }],
  ])('of %s is good', async (_, envelope) => {
    const { adapter } = scriptedVendor({ 'station/latest': { ...latest, ...envelope } });
    expect(await adapter.getPlantSummary(plant)).toMatchObject({ powerW: 2480 });
  });

  test.each([
    ['no code and no success', { code: null, success: null }, 'INVALID_DATA_FORMAT'],
    ['no code and success as text', { code: null, success: 'true' }, 'INVALID_DATA_FORMAT'],
    ['no code and success false', { code: null, success: false }, 'VENDOR_ERROR'],
    ['words for a code', { code: 'OK' }, 'VENDOR_ERROR'],
    ['an object for a code', { code: {}, success: null }, 'INVALID_DATA_FORMAT'],
  ])('of %s is not', async (_, envelope, type) => {
    const { adapter } = scriptedVendor({ 'station/latest': { ...latest, ...envelope } });
    await expect(adapter.getPlantSummary(plant)).rejects.toMatchObject({ type });
  });

  test('an unknown code of the vendor is named by its digits alone', async () => {
    const answer = refused('2109999');
    const { adapter } = scriptedVendor({ 'station/latest': answer });
    await expect(adapter.getPlantSummary(plant)).rejects.toMatchObject({
      type: 'VENDOR_ERROR',
      message: 'station/latest: code 2109999, the vendor failed',
    });
  });
});

describe('testConnection', () => {
  test('logs in anew, though a session stands', async () => {
    const session = new SessionStore();
    const vendor = scriptedVendor({}, { session });
    await vendor.adapter.getPlantSummary(plant);
    await vendor.adapter.testConnection();
    expect(vendor.sentTo('account/token')).toHaveLength(2);
  });

  test.each([[{ total: 0, stationList: [] }], [{ total: 0, stationList: null }]])(
    'says of an account that shows no plants (%j) what to check',
    async (answer) => {
      const { adapter } = scriptedVendor({ 'station/list': answer });
      expect(await adapter.testConnection()).toEqual({
        ok: false,
        errorType: 'PLANT_NOT_FOUND',
        message: 'logged in, but the account shows no plants: check companyId',
      });
    },
  );
});

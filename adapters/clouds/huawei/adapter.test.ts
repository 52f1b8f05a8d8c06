import { describe, expect, test } from 'vitest';
import type { AdapterErrorType, FailureScope } from '../../../domain/plants/plant.ts';
import { testAdapter, type RefusalCase } from '../../../test/support/adapter-kit.ts';
import { testParts } from '../../../test/support/adapter-kit-parts.ts';
import type { TransportResponse } from '../transport.ts';
import { jsonResponse } from '../recorded/vendor-side.ts';
import { huawei } from './adapter.ts';
import { failure, kpi, plant, scriptedVendor } from '../../../test/support/scripted-huawei.ts';
import { huaweiVendor } from '../recorded/huawei.ts';

/** What each type is about, but for the codes that say otherwise. */
const scopes: Partial<Record<AdapterErrorType, FailureScope>> = {
  AUTH_FAILED: 'ACCOUNT',
  RATE_LIMIT_EXCEEDED: 'REQUEST',
  PLANT_NOT_FOUND: 'PLANT',
  UNKNOWN: 'REQUEST',
  VENDOR_ERROR: 'CLOUD',
};
const refusal = (
  what: string,
  type: AdapterErrorType,
  answer: TransportResponse,
  scope = scopes[type],
): RefusalCase => ({ what, answer, type, ...(scope === undefined ? {} : { scope }) });
const page = (status: number): TransportResponse => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: '<html><body>Sign in</body></html>',
});
const bare = (status: number): TransportResponse => ({ status, headers: {}, body: '' });
const answered = (value: unknown): TransportResponse => jsonResponse({ failCode: 0, data: value });

const canaries = {
  userName: 'canary-user',
  systemCode: 'Canary-5ystem-code',
  host: 'canary-host.fusionsolar.huawei.com',
};

testAdapter({
  definition: huawei,
  vendor: huaweiVendor,
  canaries,
  without: {
    'alarm-page-2': 'the list of alarms has no pages',
    'mwh-unit': 'energies are kWh at any size',
  },
  refusals: [
    refusal('failCode 401, no right to the interface', 'AUTH_FAILED', failure(401), 'REQUEST'),
    refusal('failCode 20056, not authorised', 'AUTH_FAILED', failure(20_056), 'PLANT'),
    refusal('failCode 20001', 'AUTH_FAILED', failure(20_001)),
    refusal('failCode 20002', 'AUTH_FAILED', failure(20_002)),
    refusal('failCode 20003', 'AUTH_FAILED', failure(20_003)),
    refusal('failCode 30029', 'AUTH_FAILED', failure(30_029)),
    refusal('failCode 20400', 'AUTH_FAILED', failure(20_400)),
    refusal('failCode 20403', 'AUTH_FAILED', failure(20_403)),
    refusal('failCode 305 again and again', 'AUTH_FAILED', failure(305)),
    refusal('HTTP 401 without a body', 'AUTH_FAILED', bare(401)),
    refusal('HTTP 403 without a body', 'AUTH_FAILED', bare(403)),
    refusal('HTTP 401 without a code', 'AUTH_FAILED', jsonResponse({}, 401)),
    refusal(
      'HTTP 403 with another errorCode',
      'AUTH_FAILED',
      jsonResponse({ errorCode: '49401000001' }, 403),
    ),
    {
      ...refusal('failCode 407', 'RATE_LIMIT_EXCEEDED', failure(407)),
      retryAfterMs: 300_000,
    },
    {
      // The suite's clock shows 12:03:20Z.
      ...refusal('failCode 20618, until midnight UTC', 'RATE_LIMIT_EXCEEDED', failure(20_618)),
      retryAfterMs: 43_000_000,
    },
    {
      ...refusal(
        'HTTP 403 of the quota gateway',
        'RATE_LIMIT_EXCEEDED',
        jsonResponse({ errorCode: '49401021002', exceptionInfo: 'quotaControl' }, 403),
      ),
      retryAfterMs: 300_000,
    },
    {
      ...refusal(
        'HTTP 403 of the quota gateway with its code as a number',
        'RATE_LIMIT_EXCEEDED',
        jsonResponse({ errorCode: 49_401_021_002 }, 403),
      ),
      retryAfterMs: 300_000,
    },
    refusal('failCode 20007', 'PLANT_NOT_FOUND', failure(20_007)),
    refusal('failCode 20008', 'PLANT_NOT_FOUND', failure(20_008)),
    refusal('failCode 20010', 'PLANT_NOT_FOUND', failure(20_010)),
    refusal('success without a row', 'PLANT_NOT_FOUND', answered([])),
    refusal('failCode 20004', 'VENDOR_ERROR', failure(20_004)),
    refusal('failCode 20200', 'VENDOR_ERROR', failure(20_200)),
    refusal('failCode 20009', 'UNKNOWN', failure(20_009)),
    refusal('failCode 20014', 'UNKNOWN', failure(20_014)),
    refusal('failCode 20025', 'UNKNOWN', failure(20_025)),
    refusal('a failCode that nobody knows', 'VENDOR_ERROR', failure(98_765)),
    refusal(
      'failCode 0 with HTTP 409',
      'VENDOR_ERROR',
      jsonResponse({ failCode: 0, data: [] }, 409),
    ),
    refusal(
      'HTTP 400 of the REST framework',
      'UNKNOWN',
      jsonResponse({ exceptionId: 'framwork.remote.Paramerror', reasonArgs: ['pageSize'] }, 400),
    ),
    refusal('a web page with HTTP 403', 'INVALID_DATA_FORMAT', page(403)),
    refusal('no failCode', 'INVALID_DATA_FORMAT', jsonResponse({ success: true, data: [] })),
    refusal('a failCode that is no code', 'INVALID_DATA_FORMAT', jsonResponse({ failCode: 'ok' })),
    refusal('success with null', 'INVALID_DATA_FORMAT', answered(null)),
    refusal(
      'success with escaped JSON',
      'INVALID_DATA_FORMAT',
      answered('{&quot;powerCurve&quot;:{}}'),
    ),
    refusal('a row without its plant', 'INVALID_DATA_FORMAT', answered([{ dataItemMap: kpi }])),
    { ...refusal('a login with an empty body', 'AUTH_FAILED', bare(200)), to: 'login' },
    { ...refusal('a login with failCode 20400', 'AUTH_FAILED', failure(20_400)), to: 'login' },
    { ...refusal('a login with a page', 'INVALID_DATA_FORMAT', page(200)), to: 'login' },
    { ...refusal('a login without a token', 'INVALID_DATA_FORMAT', answered(null)), to: 'login' },
    { ...refusal('a login with HTTP 503', 'VENDOR_ERROR', page(503)), to: 'login' },
    {
      ...refusal('a login with failCode 407', 'RATE_LIMIT_EXCEEDED', failure(407)),
      to: 'login',
      retryAfterMs: 600_000,
    },
  ],
});

testParts({
  definition: huawei,
  vendor: huaweiVendor,
  canaries,
  mainPath: 'getStationRealKpi',
  alarmsPath: 'getAlarmList',
  parts: [
    { path: 'getDevList', costs: 'power_w' },
    { path: 'getDevRealKpi', costs: 'power_w' },
  ],
  plantRefused: failure(20_056),
  pathRefused: failure(401),
  badRequest: failure(20_014),
  todayEnergy: { path: 'getStationRealKpi', at: ['data', 0, 'dataItemMap', 'day_power'] },
  hybridAtNight: {
    edit(path, set) {
      if (!path.endsWith('getDevRealKpi')) return;
      const night = { run_state: 1, inverter_state: 512, active_power: 0.62, mppt_power: 0 };
      set(['data', 0, 'dataItemMap'], night);
    },
  },
});

describe('testConnection', () => {
  test('logs in anew even with a session at hand', async () => {
    const { adapter, again, paths } = scriptedVendor();
    await adapter.getPlantSummary(plant);
    expect(await again().testConnection()).toMatchObject({ ok: true, errorType: null });
    expect(paths().filter((path) => path === 'login')).toHaveLength(2);
  });

  test('says why it failed and throws nothing', async () => {
    const refused = scriptedVendor({ login: [{ status: 200, headers: {}, body: '' }] });
    const result = await refused.adapter.testConnection();
    expect(result).toMatchObject({ ok: false, errorType: 'AUTH_FAILED' });
    expect(JSON.stringify(result)).not.toContain('Canary');
    const broken = scriptedVendor({}, { credentials: {} });
    expect(await broken.adapter.testConnection()).toMatchObject({
      ok: false,
      errorType: 'AUTH_FAILED',
      message: "the account's credentials lack host",
    });
  });

  test('ends without a throw when it is aborted', async () => {
    const { adapter } = scriptedVendor({}, { signal: AbortSignal.abort(new Error('cut off')) });
    expect(await adapter.testConnection()).toMatchObject({ ok: false, errorType: 'UNKNOWN' });
  });
});

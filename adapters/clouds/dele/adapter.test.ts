import { testAdapter } from '../../../test/support/adapter-kit.ts';
import { testParts } from '../../../test/support/adapter-kit-parts.ts';
import { jsonResponse } from '../recorded/vendor-side.ts';
import { dele } from './adapter.ts';
import { deleVendor } from '../recorded/dele.ts';

const canaries = {
  appId: 'canary-app-id',
  appSecret: 'canary-app-secret',
  email: 'canary@example.com',
  password: 'canary-password',
  companyId: 'canary-company',
  host: 'india',
};

const refused = (code: string | null, status = 200) =>
  jsonResponse({ code, msg: 'as the vendor words it', success: false, requestId: '1' }, status);
const tokenRefusal = (words: string, status = 200) =>
  jsonResponse({ error: words, error_description: '', code: words, param: null }, status);

testAdapter({
  definition: dele,
  vendor: deleVendor,
  canaries,
  refusals: [
    {
      what: '2101002',
      answer: refused('2101002'),
      type: 'RATE_LIMIT_EXCEEDED',
      retryAfterMs: 10_000,
    },
    {
      what: '2101010',
      answer: refused('2101010'),
      type: 'RATE_LIMIT_EXCEEDED',
      retryAfterMs: 3_600_000,
    },
    {
      what: '2101002 with Retry-After',
      answer: { ...refused('2101002'), headers: { 'retry-after': '7' } },
      type: 'RATE_LIMIT_EXCEEDED',
      retryAfterMs: 7_000,
    },
    { what: '2101017, twice', answer: refused('2101017'), type: 'AUTH_FAILED', scope: 'ACCOUNT' },
    { what: '2101018, twice', answer: refused('2101018'), type: 'AUTH_FAILED' },
    { what: '2101019, twice', answer: refused('2101019'), type: 'AUTH_FAILED' },
    { what: '2101023', answer: refused('2101023'), type: 'AUTH_FAILED', scope: 'PLANT' },
    { what: '2101025', answer: refused('2101025'), type: 'AUTH_FAILED', scope: 'REQUEST' },
    { what: '2101025 as HTTP 500', answer: refused('2101025', 500), type: 'AUTH_FAILED' },
    { what: '2101009', answer: refused('2101009'), type: 'AUTH_FAILED', scope: 'ACCOUNT' },
    { what: '2101024', answer: refused('2101024'), type: 'PLANT_NOT_FOUND', scope: 'PLANT' },
    { what: '2101031', answer: refused('2101031'), type: 'PLANT_NOT_FOUND', scope: 'PLANT' },
    { what: '2101006', answer: refused('2101006'), type: 'UNKNOWN', scope: 'REQUEST' },
    { what: '3201001 as HTTP 500', answer: refused('3201001', 500), type: 'VENDOR_ERROR' },
    { what: '3501004', answer: refused('3501004'), type: 'VENDOR_ERROR', scope: 'CLOUD' },
    {
      what: 'a code that nobody knows',
      answer: refused('9999999'),
      type: 'VENDOR_ERROR',
      scope: 'CLOUD',
    },
    { what: 'a refusal without a code', answer: refused(null), type: 'VENDOR_ERROR' },
    {
      what: 'success with a code that refuses',
      answer: jsonResponse({ code: '3501004', success: true, generationPower: 1 }),
      type: 'VENDOR_ERROR',
    },
    {
      what: 'a Spring error body inside HTTP 200',
      answer: jsonResponse({ status: 500, error: 'Internal Server Error', path: '/v1.0' }),
      type: 'VENDOR_ERROR',
    },
    {
      what: 'a Spring error body that names a token in its words',
      answer: jsonResponse({ status: 500, error: 'Unexpected token', path: '/v1.0' }, 500),
      type: 'VENDOR_ERROR',
    },
    { what: 'HTTP 401 without a body, twice', answer: bare(401), type: 'AUTH_FAILED' },
    { what: 'HTTP 403 without a body', answer: bare(403), type: 'AUTH_FAILED' },
    { what: 'HTTP 500 with a list', answer: jsonResponse([], 500), type: 'VENDOR_ERROR' },
    {
      what: 'HTTP 404 with JSON',
      answer: jsonResponse({ status: 404 }, 404),
      type: 'VENDOR_ERROR',
    },
    {
      what: 'a page with HTTP 403',
      answer: { ...bare(403), body: '<html></html>' },
      type: 'INVALID_DATA_FORMAT',
    },
    {
      what: 'code 1000000 without the plant in it',
      answer: jsonResponse({ code: '1000000', msg: 'success', success: true }),
      type: 'INVALID_DATA_FORMAT',
    },
    {
      what: 'a wrong password',
      to: 'login',
      answer: tokenRefusal('Incorrect password'),
      type: 'AUTH_FAILED',
    },
    {
      what: 'a wrong password with a count',
      to: 'login',
      answer: tokenRefusal('Incorrect password, 4 attempts left', 401),
      type: 'AUTH_FAILED',
    },
    {
      what: 'an account of another region',
      to: 'login',
      answer: tokenRefusal('account does not exist'),
      type: 'AUTH_FAILED',
    },
    { what: '2101018 at the login', to: 'login', answer: refused('2101018'), type: 'AUTH_FAILED' },
    { what: '2101025 at the login', to: 'login', answer: refused('2101025'), type: 'AUTH_FAILED' },
    {
      what: 'the token service being away',
      to: 'login',
      answer: tokenRefusal('Service Unavailable'),
      type: 'VENDOR_ERROR',
    },
    {
      what: 'a login without a token',
      to: 'login',
      answer: jsonResponse({ code: '1000000', success: true, accessToken: null }),
      type: 'INVALID_DATA_FORMAT',
    },
    {
      what: 'a login called too often',
      to: 'login',
      answer: refused('2101002'),
      type: 'RATE_LIMIT_EXCEEDED',
      retryAfterMs: 10_000,
    },
  ],
});

testParts({
  definition: dele,
  vendor: deleVendor,
  canaries,
  mainPath: 'station/latest',
  alarmsPath: 'station/alertList',
  parts: [
    { path: 'station/device', costs: 'lifetime_energy_kwh' },
    { path: 'device/latest', costs: 'lifetime_energy_kwh' },
    { path: 'station/history', costs: 'today_energy_kwh' },
  ],
  plantRefused: refused('2101023'),
  pathRefused: refused('2101019'),
  badRequest: refused('2101006'),
  measuredAt: { path: 'station/latest', at: ['lastUpdateTime'], unit: 's' },
  todayEnergy: { path: 'station/history', at: ['stationDataItems', 0, 'generationValue'] },
  hybridAtNight: {
    edit(path, set) {
      if (path.endsWith('station/latest')) set(['generationPower'], 0);
      if (!path.endsWith('device/latest')) return;
      set(
        ['deviceDataList', 0, 'dataList'],
        [
          { key: 'TotalActiveACOutputPower', value: '620', unit: 'W' },
          { key: 'BatteryPower', value: '640', unit: 'W' },
        ],
      );
    },
  },
});

function bare(status: number) {
  return { status, headers: {}, body: '' };
}

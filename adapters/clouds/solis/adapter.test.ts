import { testAdapter } from '../../../test/support/adapter-kit.ts';
import { testParts } from '../../../test/support/adapter-kit-parts.ts';
import type { TransportResponse } from '../transport.ts';
import { jsonResponse } from '../recorded/vendor-side.ts';
import { solis } from './adapter.ts';
import { solisVendor } from '../recorded/solis.ts';

const said = (code: unknown, msg = 'failed', success = false): TransportResponse =>
  jsonResponse({ success, code, msg, data: null });

const canaries = { keyId: '1300386381676canary', keySecret: 'canary-secret-of-solis' };

testAdapter({
  definition: solis,
  vendor: solisVendor,
  canaries,
  without: { 'session-expired-then-ok': 'requests are signed, there is no session' },
  refusals: [
    {
      what: 'HTTP 401',
      answer: { ...said(''), status: 401 },
      type: 'AUTH_FAILED',
      scope: 'ACCOUNT',
    },
    {
      what: 'HTTP 403',
      answer: { ...said('Z0001'), status: 403 },
      type: 'AUTH_FAILED',
      scope: 'ACCOUNT',
    },
    {
      what: 'HTTP 403 with a page of what stands before the cloud',
      answer: { ...said(''), status: 403, body: '<html>Access denied</html>' },
      type: 'INVALID_DATA_FORMAT',
      scope: 'CLOUD',
    },
    { what: 'HTTP 408', answer: { ...said(''), status: 408 }, type: 'UNKNOWN', scope: 'CLOUD' },
    {
      what: 'HTTP 404 with text',
      answer: { ...said(''), status: 404, body: 'Not Found' },
      type: 'INVALID_DATA_FORMAT',
    },
    { what: 'HTTP 400 with code 0', answer: { ...said('0'), status: 400 }, type: 'VENDOR_ERROR' },
    { what: 'HTTP 400 with I0012', answer: { ...said('I0012'), status: 400 }, type: 'AUTH_FAILED' },
    { what: 'HTTP 502 with JSON', answer: { ...said('0'), status: 502 }, type: 'VENDOR_ERROR' },
    {
      what: 'I0012',
      answer: said('I0012', 'wrong account or password'),
      type: 'AUTH_FAILED',
      scope: 'ACCOUNT',
    },
    { what: 'B0011', answer: said('B0011', 'no such user'), type: 'AUTH_FAILED', scope: 'ACCOUNT' },
    {
      what: 'R0000 without words of a quota',
      answer: said('R0000', 'no authority', true),
      type: 'AUTH_FAILED',
      // The list of plants says the same: it is the key's account that has no authority.
      scope: 'ACCOUNT',
    },
    { what: 'R0000 without words', answer: jsonResponse({ code: 'R0000' }), type: 'AUTH_FAILED' },
    {
      what: 'R0000 with the quota of a day',
      answer: said('R0000', 'No authority too many request 200 times in 1DAYS', true),
      type: 'RATE_LIMIT_EXCEEDED',
      retryAfterMs: 3_600_000,
    },
    {
      what: 'R0000 with a quota and no window',
      answer: said('R0000', 'Too Many Requests', true),
      type: 'RATE_LIMIT_EXCEEDED',
      retryAfterMs: 60_000,
    },
    {
      what: 'R0000 with a quota in Chinese',
      answer: said('R0000', '请求过于频繁', true),
      type: 'RATE_LIMIT_EXCEEDED',
      retryAfterMs: 60_000,
    },
    { what: '"1"', answer: said('1', '数据异常 请联系管理员', true), type: 'VENDOR_ERROR' },
    {
      what: '1 as a number',
      answer: said(1, '数据异常 请联系管理员', true),
      type: 'VENDOR_ERROR',
    },
    {
      what: 'B0049',
      answer: said('B0049', 'logger absent'),
      type: 'PLANT_NOT_FOUND',
      scope: 'PLANT',
    },
    {
      what: 'B0600',
      answer: said('B0600', 'collector data abnormal', true),
      type: 'VENDOR_ERROR',
      scope: 'CLOUD',
    },
    {
      what: 'a code that nobody knows',
      answer: said('Q7777'),
      type: 'VENDOR_ERROR',
      scope: 'CLOUD',
    },
    {
      what: 'no code',
      answer: jsonResponse({ success: true, data: {} }),
      type: 'INVALID_DATA_FORMAT',
    },
    {
      what: 'success without data',
      answer: said('0', 'success', true),
      type: 'INVALID_DATA_FORMAT',
    },
  ],
});

testParts({
  definition: solis,
  vendor: solisVendor,
  canaries,
  mainPath: 'stationDetail',
  alarmsPath: 'alarmList',
  parts: [{ path: 'inverterList', costs: 'devices', scenario: 'one-inverter-dead' }],
  pathRefused: said('R0000', 'no authority', true),
  badRequest: said('I0000', 'parameters are empty'),
  measuredAt: { path: 'stationDetail', at: ['data', 'dataTimestamp'], unit: 'ms' },
  todayEnergy: { path: 'stationDetail', at: ['data', 'dayEnergy'] },
  hybridAtNight: {
    scenario: 'one-inverter-dead',
    edit(path, set) {
      if (path.endsWith('stationDetail')) set(['data', 'power'], 0);
      if (!path.endsWith('inverterList')) return;
      set(['data', 'page', 'records', 0, 'pac'], 0.62);
      set(['data', 'page', 'records', 0, 'batteryPower'], 0.65);
    },
  },
});

import type { TransportRequest, TransportResponse } from '../transport.ts';
import {
  derivedToken,
  headerOf,
  jsonBodyOf,
  jsonResponse,
  pathOf,
  type VendorContext,
  type VendorSide,
} from './vendor-side.ts';

/** FusionSolar as the fixture transport plays it: what it refuses, and how it says so (README.md, "Errors"). */
export const huaweiVendor: VendorSide = { login, check, plantNotFound, plantIdOf };

/** The manual's limit of ids in one call. */
const idsMax = 100;
/** Epochs in seconds are below; the vendor takes them for a time in 1970, of which it has no data. */
const epochMsMin = Date.UTC(2000, 0);

function login(request: TransportRequest, context: VendorContext): TransportResponse | null {
  if (pathOf(request) !== '/thirdData/login') return null;
  const { knownCredentials: known } = context;
  if (isWrongHost(request, context)) return webPage;
  const body = jsonBodyOf(request);
  if (request.method !== 'POST' || body['userName'] === undefined) return parameterError;
  if (body['userName'] !== known['userName'] || body['systemCode'] !== known['systemCode']) {
    return { status: 200, headers: { 'content-type': 'application/json' }, body: '' };
  }
  const token = tokenFor(context);
  const message = 'Northbound API Reference: https://support.example/northbound';
  return jsonResponse({ data: null, success: true, failCode: 0, params: {}, message }, 200, {
    'xsrf-token': token,
    'set-cookie': `XSRF-TOKEN=${token};Path=/;Secure`,
  });
}

function check(request: TransportRequest, context: VendorContext): TransportResponse | null {
  if (isWrongHost(request, context)) return webPage;
  if (request.method !== 'POST') return parameterError;
  if (headerOf(request, 'content-type')?.startsWith('application/json') !== true) {
    return parameterError;
  }
  if (headerOf(request, 'xsrf-token') !== tokenFor(context)) {
    return jsonResponse({ failCode: 305, immediately: true, message: 'USER_MUST_RELOGIN' });
  }
  return checkParameters(request, context);
}

function checkParameters(
  request: TransportRequest,
  context: VendorContext,
): TransportResponse | null {
  const body = jsonBodyOf(request);
  const path = pathOf(request);
  const ids = path.endsWith('/getDevRealKpi') ? body['devIds'] : body['stationCodes'];
  if (typeof ids !== 'string') return parameterError;
  if (ids === '') return refusal(20_010, request, context);
  if (ids.split(',').length > idsMax) return refusal(20_014, request, context);
  if (path.endsWith('/getDevRealKpi') && !Number.isInteger(body['devTypeId'])) {
    return parameterError;
  }
  if (path.endsWith('/getKpiStationDay') && Number(body['collectTime']) < epochMsMin) {
    return jsonResponse({ ...envelope(request, context), data: [] });
  }
  if (path.endsWith('/getAlarmList')) {
    const [beginTime, endTime] = [Number(body['beginTime']), Number(body['endTime'])];
    if (!(beginTime >= epochMsMin && beginTime <= endTime)) {
      return refusal(20_023, request, context);
    }
    if (typeof body['language'] !== 'string') return refusal(20_027, request, context);
  }
  return null;
}

function plantNotFound(request: TransportRequest, context: VendorContext): TransportResponse {
  return refusal(20_007, request, context);
}

/** Device calls name no plant. */
function plantIdOf(request: TransportRequest): string | null {
  const stationCodes = jsonBodyOf(request)['stationCodes'];
  return typeof stationCodes === 'string' ? stationCodes : null;
}

function tokenFor({ knownCredentials }: VendorContext): string {
  return `x-${derivedToken(knownCredentials, 'HUAWEI xsrf-token')}`;
}

/** An account lives on one sub-domain. Books without a host (the scenario of a wrong password) accept any. */
function isWrongHost(request: TransportRequest, { knownCredentials }: VendorContext): boolean {
  const known = knownCredentials['host']?.trim().toLowerCase();
  if (known === undefined) return false;
  const { hostname } = new URL(request.url);
  return hostname !== known && hostname !== `${known}.fusionsolar.huawei.com`;
}

function refusal(
  failCode: number,
  request: TransportRequest,
  context: VendorContext,
): TransportResponse {
  return jsonResponse({ ...envelope(request, context), success: false, failCode });
}

function envelope(request: TransportRequest, { now }: VendorContext) {
  const params = { ...jsonBodyOf(request), currentTime: now.getTime() };
  return { success: true, failCode: 0, message: null, data: null as unknown, params };
}

/** The REST framework's refusal of a request that it cannot read; the spelling is the vendor's. */
const parameterError = jsonResponse(
  {
    exceptionId: 'framwork.remote.Paramerror',
    exceptionType: 'ROA_EXFRAME_EXCEPTION',
    descArgs: null,
    reasonArgs: ['the parameters'],
    detailArgs: null,
    adviceArgs: null,
  },
  400,
);

/** What a sub-domain on which the account does not live answers: its sign-in page. */
const webPage: TransportResponse = {
  status: 200,
  headers: { 'content-type': 'text/html;charset=UTF-8' },
  body: '<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>\n',
};

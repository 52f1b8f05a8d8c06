import { createHash } from 'node:crypto';
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

/** DeyeCloud as the fixture transport plays it: what it refuses, and how it says so (README.md, "Errors"). */
export const deleVendor: VendorSide = { login, check, plantNotFound, plantIdOf };

const tokenPath = '/v1.0/account/token';
const pageSizeMax = 200;
const serialsMax = 10;
const historyDaysMax = 31;
const alertSpanSMax = 180 * 86_400;
/** Epochs in milliseconds are above; the vendor takes them for seconds and finds the span too long. */
const epochSMax = 1e11;

function login(request: TransportRequest, context: VendorContext): TransportResponse | null {
  if (pathOf(request) !== tokenPath) return null;
  const { knownCredentials: known } = context;
  const body = jsonBodyOf(request);
  if (request.method !== 'POST') return methodNotAllowed(request, context);
  const appId = new URL(request.url).searchParams.get('appId');
  if (differs(appId, known['appId'])) return refusal('2101018', 'auth appId not found', context);
  if (differs(body['appSecret'], known['appSecret'])) return tokenRefusal('Bad client credentials');
  if (!isAtHome(request, context) || differs(body['email'], known['email'])) {
    return tokenRefusal('account does not exist');
  }
  if (known['password'] !== undefined && body['password'] !== sha256Hex(known['password'])) {
    return tokenRefusal('Incorrect password');
  }
  if (differs(body['companyId'], known['companyId'] === '' ? '0' : known['companyId'])) {
    return refusal('2101020', 'auth invalid orgId', context);
  }
  return jsonResponse({
    ...envelope(context),
    accessToken: tokenOf(context),
    tokenType: 'bearer',
    refreshToken: derivedToken(known, 'DELE refresh token'),
    expiresIn: '5183999',
    scope: 'all',
    uid: 100_001,
  });
}

function check(request: TransportRequest, context: VendorContext): TransportResponse | null {
  if (request.method !== 'POST') return methodNotAllowed(request, context);
  const authorization = headerOf(request, 'authorization');
  if (authorization === null) return refusal('2101017', 'auth token not found', context);
  const token = /^bearer (\S+)$/i.exec(authorization)?.[1];
  if (token !== tokenOf(context) || !isAtHome(request, context)) {
    return refusal('2101019', 'auth invalid token', context);
  }
  if (headerOf(request, 'content-type')?.startsWith('application/json') !== true) {
    return refusal('2101008', 'invalid param type', context);
  }
  return checkParameters(pathOf(request), jsonBodyOf(request), context);
}

function checkParameters(
  path: string,
  body: Readonly<Record<string, unknown>>,
  context: VendorContext,
): TransportResponse | null {
  if (body['size'] !== undefined && !(Number(body['size']) <= pageSizeMax)) {
    return refusal('2101026', 'page too big', context);
  }
  switch (path) {
    case '/v1.0/station/history':
      return checkHistory(body, context);
    case '/v1.0/station/alertList': {
      const [start, end] = [Number(body['startTimestamp']), Number(body['endTimestamp'])];
      if (!(start <= end && end < epochSMax && end - start <= alertSpanSMax)) {
        return refusal('2101012', 'should be within 180 days', context);
      }
      return null;
    }
    case '/v1.0/device/latest': {
      const serials = body['deviceList'];
      if (!Array.isArray(serials)) return refusal('2101005', 'param not exist', context);
      return serials.length > serialsMax ? refusal('2101007', 'list too long', context) : null;
    }
    default:
      return null;
  }
}

function checkHistory(
  body: Readonly<Record<string, unknown>>,
  context: VendorContext,
): TransportResponse | null {
  const [startAt, endAt] = [String(body['startAt']), String(body['endAt'])];
  const form = body['granularity'] === 3 ? /^\d{4}-\d\d$/ : /^\d{4}-\d\d-\d\d$/;
  if (!form.test(startAt) || !form.test(endAt)) {
    return refusal('2101015', 'time format error', context);
  }
  if (startAt > endAt) {
    return refusal('2101014', 'start time should be earlier than end time', context);
  }
  const days = (Date.parse(endAt) - Date.parse(startAt)) / 86_400_000;
  return days > historyDaysMax ? refusal('2101012', 'should be within 31 days', context) : null;
}

function plantNotFound(_request: TransportRequest, context: VendorContext): TransportResponse {
  return refusal('2101031', 'station not found', context);
}

/** Device calls name no plant, lists name none yet. */
function plantIdOf(request: TransportRequest): string | null {
  const { stationId, stationIds } = jsonBodyOf(request) as {
    stationId?: unknown;
    stationIds?: unknown;
  };
  const id = stationId ?? (Array.isArray(stationIds) ? (stationIds as unknown[])[0] : undefined);
  return typeof id === 'string' || typeof id === 'number' ? String(id) : null;
}

function tokenOf({ knownCredentials }: VendorContext): string {
  return derivedToken(knownCredentials, 'DELE access token');
}

/** Whether the field is wrong. A field that the vendor does not know is accepted: a scenario of one wrong field knows only that one. */
function differs(given: unknown, known: string | undefined): boolean {
  return known !== undefined && given !== known;
}

/** An account lives in one region. */
function isAtHome(request: TransportRequest, { knownCredentials }: VendorContext): boolean {
  const host = knownCredentials['host']?.trim().toLowerCase();
  if (host === undefined) return true;
  const { hostname } = new URL(request.url);
  return hostname === host || hostname === `${host}-developer.deyecloud.com`;
}

function refusal(code: string, msg: string, context: VendorContext): TransportResponse {
  return jsonResponse({ ...envelope(context), code, msg, success: false });
}

/** The token service has an envelope of its own. */
function tokenRefusal(words: string): TransportResponse {
  return jsonResponse({ error: words, error_description: '', code: words, param: null });
}

function methodNotAllowed(request: TransportRequest, { now }: VendorContext): TransportResponse {
  const [timestamp, status, path] = [now.getTime(), 405, pathOf(request)];
  return jsonResponse({ timestamp, status, error: 'Method Not Allowed', path }, status);
}

function envelope({ now }: VendorContext) {
  const requestId = sha256Hex(now.toISOString()).slice(0, 16);
  return { code: '1000000', msg: 'success', success: true, requestId };
}

function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

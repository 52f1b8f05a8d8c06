import {
  headerOf,
  jsonBodyOf,
  jsonResponse,
  pathOf,
  type VendorContext,
  type VendorSide,
} from './vendor-side.ts';
import type { TransportRequest, TransportResponse } from '../transport.ts';
import { contentType, signedHeaders } from '../solis/signing.ts';

/** How far a request's date may be off (SolisCloud Platform API Document V2.0). */
const clockSkewMsMax = 900_000;

/** SolisCloud's side: it checks the clock and the signature of every request, and has no logins. */
export const solisVendor: VendorSide = {
  check(request, context) {
    if (request.method !== 'POST') return jsonResponse({ error: 'Method Not Allowed' }, 405);
    const date = headerOf(request, 'date') ?? '';
    const skewMs = Math.abs(Date.parse(date) - context.now.getTime());
    // Also where the date is none: NaN is not at most anything.
    if (!(skewMs <= clockSkewMsMax)) return jsonResponse({ error: 'Request Timeout' }, 408);
    return isSigned(request, context, date) ? null : wrongSign();
  },
  plantNotFound() {
    return jsonResponse({ success: true, code: '1', msg: '数据异常 请联系管理员', data: null });
  },
  plantIdOf(request) {
    const { id, stationId } = jsonBodyOf(request) as { id?: unknown; stationId?: unknown };
    const asked = id ?? stationId;
    return typeof asked === 'string' || typeof asked === 'number' ? String(asked) : null;
  },
};

function isSigned(request: TransportRequest, context: VendorContext, date: string): boolean {
  const { keyId = '', keySecret = '' } = context.knownCredentials as {
    keyId?: string;
    keySecret?: string;
  };
  const expected = signedHeaders({ keyId, keySecret }, pathOf(request), request.body ?? '', date);
  return (
    headerOf(request, 'content-type') === contentType &&
    headerOf(request, 'content-md5') === expected['Content-MD5'] &&
    headerOf(request, 'authorization') === expected['Authorization']
  );
}

function wrongSign(): TransportResponse {
  return jsonResponse({ success: false, code: 'Z0001', msg: 'wrong sign', data: null }, 403);
}

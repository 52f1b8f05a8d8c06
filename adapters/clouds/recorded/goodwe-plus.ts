import type { Credentials } from '../contract.ts';
import { countersPath, hashedPassword, plusPaths, signature } from '../goodwe/sems-plus/client.ts';
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

/** The region that the simulated accounts live in: calls to any other host have no session there. */
const gatewayHost = 'eu-gateway.semsportal.com';
const base = '/web/sems';

const loginPath = `${base}/${plusPaths.login}`;
const methodByPath: ReadonlyMap<string, TransportRequest['method']> = new Map([
  [plusPaths.plants, 'POST'],
  [plusPaths.flow, 'GET'],
  [plusPaths.devices, 'GET'],
  [plusPaths.days, 'POST'],
  [plusPaths.curve, 'POST'],
  [plusPaths.alarms, 'POST'],
]);
const countersOfAny = new RegExp(`^${countersPath('SN').replace('SN', '[^/]+')}$`);

/** When every simulated session was opened: fixed, so that nothing has to be remembered. */
const openedAtMs = 1_767_225_600_000;

/** How far a request's signature may lie from the clock; the vendor's own tolerance is not known. */
const signatureToleranceMs = 300_000;

/** One portal's side. */
export type PortalSide = Required<Omit<VendorSide, 'choicesFor'>>;

/** Whether a recorded path, which may be cut at either end of its beginning, is one of SEMS+. */
export function isPathOfSemsPlus(path: string): boolean {
  const known = [plusPaths.login, ...methodByPath.keys()];
  return (
    /\/(sems-plant|sems-alarm|sems-user)\/|\/telecounting$/.test(path) ||
    known.some((one) => one.endsWith(path.replace(/^\//, '')) && path.length > 1)
  );
}

/** Whether the request is for SEMS+ rather than for the classic portal. */
export function isForSemsPlus(request: TransportRequest): boolean {
  return pathOf(request).startsWith(`${base}/`);
}

/** SEMS+'s side of the fixture transport. The code of a wrong password is not known: it is the classic portal's here. */
export const semsPlusVendor: PortalSide = {
  login(request, { knownCredentials, now }) {
    if (pathOf(request) !== loginPath) return null;
    if (request.method !== 'POST') return routeNotFound();
    const isOurs = tokenOf(request)['client'] === 'semsPlusWeb' && isSigned(request, now, '', '');
    if (!isOurs) return refusal('100004', 'parameter_error', 'parameter error.');
    const { account, pwd, agreement, isLocal, isChinese } = jsonBodyOf(request);
    const password = hashedPassword(knownCredentials['password'] ?? '');
    if (account !== knownCredentials['account'] || pwd !== password) {
      return refusal('100005', 'email_or_password_error', 'Email or password error.');
    }
    const session = sessionOf(knownCredentials);
    if (knownCredentials['portal'] === 'SEMS') {
      return success({ ...session, api: 'https://eu.semsportal.com/api/' });
    }
    const isWhole = agreement === 1 && isLocal === false && isChinese === false;
    return success(isWhole ? session : { agreement: true, api: session['api'] });
  },

  check(request, context) {
    const path = pathOf(request).slice(base.length + 1);
    const method = methodByPath.get(path) ?? (countersOfAny.test(path) ? 'GET' : null);
    if (method !== request.method) return routeNotFound();
    return isInSession(request, context)
      ? null
      : refusal('C0602', 'account_login_abnormal', '账号登录异常');
  },

  // Only the empty flow is known; what the other paths say is inferred (goodwe/README.md).
  plantNotFound(request) {
    switch (pathOf(request).slice(base.length + 1)) {
      case plusPaths.flow:
        return success({});
      case plusPaths.devices:
        return success({ total: 0, deviceDetailList: [] });
      case plusPaths.alarms:
        return success({ dataList: [], current: 1, total: 0, size: 100 });
      case plusPaths.days:
      case plusPaths.curve:
        return success({ dataList: [] });
      default:
        return success([]);
    }
  },

  plantIdOf(request) {
    const query = new URL(request.url).searchParams;
    const { stationId, stationIds } = jsonBodyOf(request);
    const [first]: unknown[] = Array.isArray(stationIds) ? stationIds : [];
    const id = query.get('stationId') ?? query.get('pwId') ?? stationId ?? first;
    return typeof id === 'string' && id !== '' ? id : null;
  },
};

function sessionOf(credentials: Credentials): Record<string, string> {
  return {
    uid: '3b9f1c64-52e7-4d0a-8c1b-6f2e9d7a4051',
    timestamp: String(openedAtMs),
    token: derivedToken(credentials, 'goodwe-plus').slice(0, 32),
    client: 'semsPlusWeb',
    version: '',
    language: 'en',
    api: `https://${gatewayHost}${base}`,
    region: 'eu',
    uuid: '0d5e7a92-1c48-4b3f-9a66-e1f08c2d7b35',
  };
}

function isInSession(request: TransportRequest, { knownCredentials, now }: VendorContext): boolean {
  if (new URL(request.url).host !== gatewayHost) return false;
  const given = tokenOf(request);
  const session = sessionOf(knownCredentials);
  const isWhole = Object.entries(session).every(([field, value]) => given[field] === value);
  return isWhole && isSigned(request, now, session['uid'] ?? '', session['token'] ?? '');
}

/** Whether `X-Signature` is of these fields and of about now. */
function isSigned(request: TransportRequest, now: Date, uid: string, token: string): boolean {
  const given = headerOf(request, 'X-Signature') ?? '';
  const atMs = Number(Buffer.from(given, 'base64').toString().split('@')[1]);
  return (
    Math.abs(atMs - now.getTime()) <= signatureToleranceMs && given === signature(atMs, uid, token)
  );
}

/** The `Token` header, which is JSON; empty where it is none. */
function tokenOf(request: TransportRequest): Record<string, unknown> {
  return jsonBodyOf({ ...request, body: headerOf(request, 'Token') });
}

const traceId = '5dcbeb0e53b529989f3da469620fffa6';

function success(data: unknown): TransportResponse {
  return jsonResponse({ code: '00000', description: '成功', traceId, data });
}

function refusal(code: string, translationCode: string, description: string): TransportResponse {
  return jsonResponse({ code, translationCode, description, errorMsg: description, traceId });
}

function routeNotFound(): TransportResponse {
  return jsonResponse({ error_msg: '404 Route Not Found' }, 404);
}

import type { Credentials } from '../contract.ts';
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
import { isForSemsPlus, isPathOfSemsPlus, semsPlusVendor, type PortalSide } from './goodwe-plus.ts';
import { paths } from '../goodwe/sems/client.ts';

/** The region that the simulated accounts live in: calls to any other host have no session there. */
const apiHost = 'eu.semsportal.com';

/** Every version of the login that the portal serves. */
const loginPath = /^\/api\/v[123]\/Common\/CrossLogin$/i;
const knownPaths = new Set<string>(Object.values(paths).map((path) => `/api/${path}`));

/** When every simulated session was opened: fixed, so that nothing has to be remembered. */
const openedAtMs = 1_767_225_600_000;

/** The vendor's side of the fixture transport: which portal answers is decided by what is asked. */
export const goodweVendor: VendorSide = {
  login: (request, context) => portalOf(request).login(request, context),
  check: (request, context) => portalOf(request).check(request, context),
  plantNotFound: (request, context) => portalOf(request).plantNotFound(request, context),
  plantIdOf: (request) => portalOf(request).plantIdOf(request),
  choicesFor: (recorded) => (recorded.some(isPathOfSemsPlus) ? { portal: 'SEMS_PLUS' } : {}),
};

function portalOf(request: TransportRequest): PortalSide {
  return isForSemsPlus(request) ? semsPlusVendor : semsVendor;
}

/** SEMS's side. Its refusals are recorded ones: HTTP 200 with a code, but for unknown paths. */
const semsVendor: PortalSide = {
  login(request, { knownCredentials }) {
    if (!loginPath.test(pathOf(request))) return null;
    if (request.method !== 'POST') return routeNotFound();
    if (typeof tokenOf(request)['version'] !== 'string') return refusal(100000, 'ver is not fund');
    const { account, pwd } = jsonBodyOf(request);
    if (account !== knownCredentials['account'] || pwd !== knownCredentials['password']) {
      return refusal(100005, 'Email or password error.');
    }
    // So the portal answers for accounts that were moved to SEMS+.
    if (knownCredentials['portal'] === 'SEMS_PLUS') return success({ agreement_agreement: 0 });
    return jsonResponse({
      hasError: false,
      code: 0,
      msg: '操作成功',
      data: sessionOf(knownCredentials),
      components: {
        para: null,
        langVer: 179,
        timeSpan: 0,
        api: `http://${apiHost}:82/api/Auth/GetTokenV2`,
        msgSocketAdr: `https://eu-xxzx.semsportal.com`,
      },
      api: `https://${apiHost}/api/`,
    });
  },

  check(request, context) {
    if (request.method !== 'POST' || !knownPaths.has(pathOf(request))) return routeNotFound();
    const { token } = tokenOf(request);
    if (typeof token !== 'string' || token === '')
      return refusal(100001, 'No access, please login.');
    return isInSession(request, context)
      ? null
      : refusal(100002, 'The authorization has expired, please log in again.');
  },

  // Only the empty success for a plant's detail is recorded; what the other paths say is inferred (README.md).
  plantNotFound(request) {
    switch (pathOf(request)) {
      case `/api/${paths.detail}`:
        return success({});
      case `/api/${paths.daySeries}`:
        return success([]);
      case `/api/${paths.alarms}`:
        return refusal(100004, 'parameter error.');
      default:
        return success({ record: 0, list: [] });
    }
  },

  plantIdOf(request) {
    const { powerStationId, powerstation_id, stationid } = jsonBodyOf(request);
    const id = powerStationId ?? powerstation_id ?? stationid;
    return typeof id === 'string' && id !== '' ? id : null;
  },
};

function sessionOf(credentials: Credentials): Record<string, unknown> {
  return {
    uid: '7c1e52aa-0d43-4f8e-9a51-c2b7d6f08e14',
    timestamp: openedAtMs,
    token: derivedToken(credentials, 'goodwe').slice(0, 32),
    client: 'ios',
    version: '',
    language: 'en',
  };
}

function isInSession(request: TransportRequest, { knownCredentials }: VendorContext): boolean {
  if (new URL(request.url).host !== apiHost) return false;
  const given = tokenOf(request);
  const session = sessionOf(knownCredentials);
  return ['uid', 'timestamp', 'token'].every((field) => given[field] === session[field]);
}

/** The `Token` header, which is JSON; empty where it is none. */
function tokenOf(request: TransportRequest): Record<string, unknown> {
  return jsonBodyOf({ ...request, body: headerOf(request, 'Token') });
}

function success(data: unknown): TransportResponse {
  return jsonResponse({ language: 'en', hasError: false, msg: '操作成功', code: '0', data });
}

function refusal(code: number, msg: string): TransportResponse {
  return jsonResponse({ language: 'en', hasError: true, msg, code, data: null });
}

function routeNotFound(): TransportResponse {
  return jsonResponse({ error_msg: '404 Route Not Found' }, 404);
}

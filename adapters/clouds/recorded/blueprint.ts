import {
  derivedToken,
  headerOf,
  jsonBodyOf,
  jsonResponse,
  pathOf,
  type VendorContext,
  type VendorSide,
} from './vendor-side.ts';

/** The vendor's side: it knows one user, hands out one token, and refuses every other. */
export const blueprintVendor: VendorSide = {
  login(request, context) {
    if (pathOf(request) !== '/login') return null;
    const { user, password } = jsonBodyOf(request);
    const { knownCredentials: known } = context;
    if (user !== known['user'] || password !== known['password']) {
      return jsonResponse({ code: 403, data: null });
    }
    return jsonResponse({ code: 0, data: { token: tokenOf(context) } });
  },
  check(request, context) {
    const isKnown = headerOf(request, 'authorization') === `bearer ${tokenOf(context)}`;
    return isKnown ? null : jsonResponse({ code: 401, data: null });
  },
  plantNotFound: () => jsonResponse({ code: 404, data: null }),
  plantIdOf(request) {
    const { id } = jsonBodyOf(request);
    return typeof id === 'string' ? id : null;
  },
};

function tokenOf({ knownCredentials }: VendorContext): string {
  return derivedToken(knownCredentials, 'blueprint');
}

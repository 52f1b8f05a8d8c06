import { AdapterError, badRequest, type Refusal } from '../../adapter-error.ts';
import { codeName, refusalOf, type CallKind } from '../refusals.ts';

/** Codes by which the gateway says that the session is gone: expired, replaced by another login, or of another region. */
const sessionCodes = new Set(['C0602', '100002', 'C0607', 'Z0100', 'A0301']);

/** Codes of a request that the gateway could not read. */
const badRequestCodes = new Set(['100004', 'S0327', 'P0214']);

/**
 * What a code other than success means at SEMS+; codes that mean the same at both portals are told by `refusalOf`.
 *
 * @returns AdapterError: a code of `sessionCodes` for a data call as an expired session.
 */
export function plusRefusalOf(what: string, code: string | number, kind: CallKind): AdapterError {
  const name = codeName(code);
  const refused = ([type, scope, words]: Refusal, more = {}): AdapterError =>
    new AdapterError(type, scope, `${what}: code ${name}, ${words}`, more);
  if (kind === 'login') {
    // Seen for good credentials: nothing says whether it is about the account, its region or the moment.
    if (name === 'C0602')
      return refused(['VENDOR_ERROR', 'ACCOUNT', 'SEMS+ calls the login abnormal']);
    if (name !== '100004') return refusalOf(what, code, kind);
    return new AdapterError('AUTH_FAILED', 'ACCOUNT', 'SEMS+ refuses this login (100004)');
  }
  if (sessionCodes.has(name)) {
    return refused(['AUTH_FAILED', 'ACCOUNT', 'the session is gone'], { sessionExpired: true });
  }
  if (badRequestCodes.has(name))
    return badRequest(`${what}: code ${name}, a parameter was refused`);
  if (name === '100025') {
    return refused(['AUTH_FAILED', 'REQUEST', 'the account has no right to this']);
  }
  return refusalOf(what, code, kind);
}

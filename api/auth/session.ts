import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';

import type { ApiDeps } from '../deps.ts';
import type { ApiEnv } from '../env.ts';
import { issueSession, type SessionStart, sessionTtlS, type SignedIn } from './tokens.ts';

/** The session of the pages: a signed cookie that scripts cannot read and other sites cannot use. */

type SessionDeps = Pick<ApiDeps, 'jwtKey' | 'clock' | 'publicUrl'>;

/** Whether people come by https. */
export function isSecure(deps: Pick<ApiDeps, 'publicUrl'>): boolean {
  return deps.publicUrl?.startsWith('https://') === true;
}

/** Browsers accept `__Host-` cookies only over https and only for this host. */
function cookieName(deps: SessionDeps): string {
  return isSecure(deps) ? '__Host-heliograph' : 'heliograph';
}

/** Begins a session, or renews it with the `start` that it had. */
export async function setSession(
  c: Context<ApiEnv>,
  deps: SessionDeps,
  who: SignedIn,
  start?: SessionStart,
): Promise<void> {
  const value = await issueSession(deps, who, deps.clock(), start);
  setCookie(c, cookieName(deps), value, {
    path: '/',
    httpOnly: true,
    // Lax, not Strict, so that a link to a plant in a mail opens signed in. `guard.ts` protects writes.
    sameSite: 'Lax',
    secure: isSecure(deps),
    maxAge: sessionTtlS,
  });
}

export function clearSession(c: Context<ApiEnv>, deps: SessionDeps): void {
  deleteCookie(c, cookieName(deps), { path: '/', secure: isSecure(deps) });
}

export function readSession(c: Context<ApiEnv>, deps: SessionDeps): string | undefined {
  return getCookie(c, cookieName(deps));
}

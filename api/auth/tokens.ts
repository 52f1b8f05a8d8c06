import { sign, verify } from 'hono/jwt';
import { z } from 'zod';

/** Signs and reads tokens: JWT, HS256, with two audiences; a token of one is invalid for the other. */

/** Lifetime of a bearer token; then the program signs in again. */
export const tokenTtlS = 15 * 60;
/** An unused session ends after this time. */
const sessionIdleS = 60 * 60;
/** A session ends this long after its sign-in, even if it is in use. */
export const sessionTtlS = 12 * 60 * 60;
/** A session's cookie is renewed when it is older than this, not with every request. */
const sessionRenewAfterS = 5 * 60;

const claimsSchema = z.object({
  aud: z.enum(['api', 'pages']),
  sub: z.string().regex(/^\d+$/).transform(Number),
  /** `users.session_version` at the sign-in. */
  sv: z.int(),
  iat: z.int(),
  exp: z.int(),
  /** When the person signed in, s. */
  auth_time: z.int(),
  /** Of a session that a one-time link began. */
  via: z.literal('LINK').optional(),
});

type Claims = z.output<typeof claimsSchema>;

export interface TokenKey {
  jwtKey: string;
}

export interface SignedIn {
  userId: number;
  sessionVersion: number;
}

/** Who signs in as this user. */
export function signedInAs(user: { id: number; session_version: number }): SignedIn {
  return { userId: user.id, sessionVersion: user.session_version };
}

/** A token for programs, and its end. */
export async function issueToken(
  key: TokenKey,
  who: SignedIn,
  nowMs: number,
): Promise<{ token: string; expiresAt: Date }> {
  const iat = Math.floor(nowMs / 1000);
  const exp = iat + tokenTtlS;
  const token = await signed(key, who, { aud: 'api', iat, exp, auth_time: iat });
  return { token, expiresAt: new Date(exp * 1000) };
}

/** How a session began; a renewal keeps it. */
export interface SessionStart {
  /** When the person signed in, s; absent: now. */
  atS?: number;
  isByLink: boolean;
}

/** The value of a session cookie. */
export async function issueSession(
  key: TokenKey,
  who: SignedIn,
  nowMs: number,
  start: SessionStart = { isByLink: false },
): Promise<string> {
  const iat = Math.floor(nowMs / 1000);
  const authTimeS = start.atS ?? iat;
  const exp = Math.min(iat + sessionIdleS, authTimeS + sessionTtlS);
  const via = start.isByLink ? ({ via: 'LINK' } as const) : {};
  return signed(key, who, { aud: 'pages', iat, exp, auth_time: authTimeS, ...via });
}

/** How the session of these claims began. */
export function startOf(claims: Claims): Required<SessionStart> {
  return { atS: claims.auth_time, isByLink: claims.via === 'LINK' };
}

async function signed(
  { jwtKey }: TokenKey,
  { userId, sessionVersion }: SignedIn,
  claims: Omit<Claims, 'sub' | 'sv'>,
): Promise<string> {
  const who = { sub: String(userId), sv: sessionVersion };
  return sign({ iss: issuer, ...who, ...claims }, jwtKey, 'HS256');
}

const issuer = 'heliograph';

/** The content of a token with valid signature, audience and time; null for any other. */
export async function readToken(
  key: TokenKey,
  token: string,
  audience: Claims['aud'],
  nowMs: number,
): Promise<Claims | null> {
  let payload: unknown;
  try {
    // The code below checks times by the given clock.
    payload = await verify(token, key.jwtKey, {
      alg: 'HS256',
      iss: issuer,
      aud: audience,
      exp: false,
      iat: false,
      nbf: false,
    });
  } catch {
    return null;
  }
  const claims = claimsSchema.safeParse(payload);
  if (!claims.success) return null;
  return claims.data.exp > nowMs / 1000 ? claims.data : null;
}

/** Whether the session's cookie is old enough to be renewed. */
export function isRenewalDue(claims: Claims, nowMs: number): boolean {
  return nowMs / 1000 - claims.iat >= sessionRenewAfterS;
}

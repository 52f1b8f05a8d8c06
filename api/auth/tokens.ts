import { sign, verify } from 'hono/jwt';
import { z } from 'zod';

/** Tokens: JWT, HS256, of two audiences that never stand for each other. */

/** A bearer token lives this long; then the program signs in again. */
export const tokenTtlS = 15 * 60;
/** A session that is not used for so long ends. */
const sessionIdleS = 60 * 60;
/** A session ends so long after its sign-in, however much it was used. */
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
});

type Claims = z.output<typeof claimsSchema>;

export interface TokenKey {
  jwtKey: string;
}

export interface SignedIn {
  userId: number;
  sessionVersion: number;
}

/** A token for programs, and when it ends. */
export async function issueToken(
  key: TokenKey,
  who: SignedIn,
  nowMs: number,
): Promise<{ token: string; expiresAt: Date }> {
  const nowS = Math.floor(nowMs / 1000);
  const exp = nowS + tokenTtlS;
  const token = await signed(key, {
    aud: 'api',
    sub: String(who.userId),
    sv: who.sessionVersion,
    iat: nowS,
    exp,
    auth_time: nowS,
  });
  return { token, expiresAt: new Date(exp * 1000) };
}

/** The value of a session cookie. @param authTimeS when the person signed in; now unless the session is renewed. */
export async function issueSession(
  key: TokenKey,
  who: SignedIn,
  nowMs: number,
  authTimeS: number = Math.floor(nowMs / 1000),
): Promise<string> {
  const nowS = Math.floor(nowMs / 1000);
  return signed(key, {
    aud: 'pages',
    sub: String(who.userId),
    sv: who.sessionVersion,
    iat: nowS,
    exp: Math.min(nowS + sessionIdleS, authTimeS + sessionTtlS),
    auth_time: authTimeS,
  });
}

async function signed(key: TokenKey, claims: Record<string, string | number>): Promise<string> {
  return sign({ iss: issuer, ...claims }, key.jwtKey, 'HS256');
}

const issuer = 'heliograph';

/** What a token says, where its signature, audience and time are right; null for any other. */
export async function readToken(
  key: TokenKey,
  token: string,
  audience: Claims['aud'],
  nowMs: number,
): Promise<Claims | null> {
  let payload: unknown;
  try {
    // Times are judged below, by the given clock.
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

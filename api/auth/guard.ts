import type { Context, MiddlewareHandler } from 'hono';

import type { UserRow } from '../../db/people/users.ts';
import type { Role } from '../../db/tables.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiEnv, Identity, Person } from '../env.ts';
import { Problem } from '../problem.ts';
import { findPerson } from './people.ts';
import { readSession, setSession } from './session.ts';
import { linkTtlMs } from './sign-in.ts';
import { isRenewalDue, readToken, signedInAs, startOf } from './tokens.ts';

/** Identifies the person of a request and checks their role. */

const rank = { CUSTOMER: 0, OPERATOR: 1, ADMIN: 2 } as const satisfies Record<Role, number>;

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export function personOf(user: UserRow): Person {
  return {
    userId: user.id,
    email: user.email,
    role: user.role,
    customerId: user.customer_id,
    mustChangePassword: user.must_change_password,
  };
}

/** Gives every request its `identify`: the person of its bearer token, else of its session cookie. */
export function identification(deps: ApiDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    let identity: Promise<Identity | null> | null = null;
    c.set('identify', () => (identity ??= identified(c, deps)));
    await next();
  };
}

async function identified(c: Context<ApiEnv>, deps: ApiDeps): Promise<Identity | null> {
  const authorization = c.req.header('authorization');
  if (authorization !== undefined) {
    // A request with a token is judged by the token alone.
    const token = /^Bearer ([\w.~+/-]+=*)$/i.exec(authorization)?.[1];
    const user = token === undefined ? undefined : await userOf(deps, token, 'api');
    return user === undefined
      ? null
      : { person: personOf(user.row), by: 'TOKEN', mayChoosePassword: false };
  }
  const session = readSession(c, deps);
  const user = session === undefined ? undefined : await userOf(deps, session, 'pages');
  if (user === undefined) return null;
  const start = startOf(user.claims);
  if (isRenewalDue(user.claims, deps.clock()))
    await setSession(c, deps, signedInAs(user.row), start);
  const mayChoosePassword = start.isByLink && deps.clock() < start.atS * 1_000 + linkTtlMs;
  return { person: personOf(user.row), by: 'SESSION', mayChoosePassword };
}

async function userOf(deps: ApiDeps, token: string, audience: 'api' | 'pages') {
  const claims = await readToken(deps, token, audience, deps.clock());
  if (claims === null) return undefined;
  const row = await findPerson(deps, { userId: claims.sub, sessionVersion: claims.sv });
  return row === undefined ? undefined : { row, claims };
}

/**
 * Admits people who are signed in with at least this role, and sets `person`. Refuses people who must change their password
 * first. Throws Problem: 401, 403.
 */
export function requireRole(role: Role): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const person = await signedIn(c);
    if (person.mustChangePassword)
      throw new Problem(
        'password-change-required',
        'Call POST /api/v1/auth/change-password first.',
      );
    if (rank[person.role] < rank[role])
      throw new Problem('role-not-sufficient', `This needs the role ${role}.`);
    c.set('person', person);
    await next();
  };
}

/** Admits everybody who is signed in, even before the password is changed: for changing it, and for signing out. */
export function requirePerson(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    c.set('person', await signedIn(c));
    await next();
  };
}

async function signedIn(c: Context<ApiEnv>): Promise<Person> {
  const identity = await c.get('identify')();
  if (identity === null)
    throw new Problem(
      'not-signed-in',
      'This needs a bearer token from POST /api/v1/auth/login, or a session.',
    );
  return identity.person;
}

/**
 * Refuses writes that another site makes a browser send (CSRF). It admits programs with a bearer token, and programs other than
 * browsers that send neither `Sec-Fetch-Site` nor `Origin` nor a cookie.
 */
export function sameOriginWrites(deps: Pick<ApiDeps, 'publicUrl'>): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (!safeMethods.has(c.req.method) && !isOwnWrite(c, deps.publicUrl))
      throw new Problem('cross-site-request', 'Only our own pages may send writes.');
    await next();
  };
}

function isOwnWrite(c: Context<ApiEnv>, publicUrl: string | null): boolean {
  if (c.req.header('authorization') !== undefined) return true;
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = c.req.header('origin');
  if (origin !== undefined) return origin === ownOrigin(c, publicUrl);
  return c.req.header('cookie') === undefined;
}

function ownOrigin(c: Context<ApiEnv>, publicUrl: string | null): string {
  return new URL(publicUrl ?? c.req.url).origin;
}

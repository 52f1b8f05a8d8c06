import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';

import type { ApiDeps } from '../deps.ts';
import type { ApiEnv } from '../env.ts';
import { isSecure } from './session.ts';

/**
 * Known devices: a browser that signed somebody in keeps a signed cookie. Guesses from elsewhere do not lock that person out
 * there, because its own attempts are counted apart. A new password ends the knowledge of all devices.
 */

type DeviceDeps = Pick<ApiDeps, 'jwtKey' | 'publicUrl'>;
/** Whose device it is; the password's hash takes part in the signature. */
interface Owner {
  id: number;
  password_hash: string;
}

const keptS = 180 * 24 * 60 * 60;
const idBytes = 16;

function cookieName(deps: DeviceDeps): string {
  return isSecure(deps) ? '__Host-heliograph-device' : 'heliograph-device';
}

/** Remembers the device of a request that signed this person in. */
export function knowDevice(c: Context<ApiEnv>, deps: DeviceDeps, owner: Owner): void {
  const known = deviceOf(deps, owner, readDevice(c, deps));
  const id = known ?? randomBytes(idBytes).toString('base64url');
  setCookie(c, cookieName(deps), `${id}.${signature(deps, owner, id).toString('base64url')}`, {
    path: '/',
    httpOnly: true,
    sameSite: 'Strict',
    secure: isSecure(deps),
    maxAge: keptS,
  });
}

function readDevice(c: Context<ApiEnv>, deps: DeviceDeps): string | undefined {
  return getCookie(c, cookieName(deps));
}

/** Where an attempt to sign in comes from. */
export interface Origin {
  /** An IPv4 address, or the /64 of an IPv6 one. */
  address: string;
  /** The cookie of a known device, as it came: see `deviceOf`. */
  device?: string | undefined;
  requestId?: string;
}

export function originOf(c: Context<ApiEnv>, deps: DeviceDeps): Origin {
  return {
    address: c.get('address'),
    device: readDevice(c, deps),
    requestId: c.get('requestId'),
  };
}

/** The id of the device if the cookie is one of this person's; else null. */
export function deviceOf(
  deps: Pick<ApiDeps, 'jwtKey'>,
  owner: Owner,
  cookie: string | undefined,
): string | null {
  const [, id, mac] = /^([\w-]{22})\.([\w-]{43})$/.exec(cookie ?? '') ?? [];
  if (id === undefined || mac === undefined) return null;
  const given = Buffer.from(mac, 'base64url');
  return timingSafeEqual(given, signature(deps, owner, id)) ? id : null;
}

function signature({ jwtKey }: Pick<ApiDeps, 'jwtKey'>, owner: Owner, id: string): Buffer {
  return createHmac('sha256', jwtKey)
    .update(`heliograph device\n${owner.id}\n${owner.password_hash}\n${id}`)
    .digest();
}

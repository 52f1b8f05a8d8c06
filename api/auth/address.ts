import { isIP, isIPv6 } from 'node:net';

import type { Context } from 'hono';

import type { ApiEnv } from '../env.ts';

/**
 * The origin of a request, as rate limits count it: an IPv4 address, or the first 64 bits of an IPv6 one, because one household
 * or server has all addresses below them.
 *
 * @param trustedProxies number of proxies that append to X-Forwarded-For; the outermost one's entry is used, and the socket's
 * address if that is no address.
 */
export function addressOf(c: Context<ApiEnv>, trustedProxies: number): string {
  const socket = c.env?.incoming?.socket.remoteAddress ?? 'none';
  if (trustedProxies === 0) return counted(socket);
  const hops = (c.req.header('x-forwarded-for') ?? '').split(',').map((hop) => hop.trim());
  const hop = withoutPort(hops.at(-trustedProxies) ?? '');
  return counted(isIP(hop) === 0 ? socket : hop);
}

/** Some proxies append the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  return hop.replace(/^\[(.*)\](?::\d+)?$/, '$1').replace(/^(\d+(?:\.\d+){3}):\d+$/, '$1');
}

function counted(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail = ''] = plain.split('%')[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const groups = plain.includes('::')
    ? [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
    : left;
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

import type { Context } from 'hono';
import { describe, expect, test } from 'vitest';

import type { ApiEnv } from '../env.ts';
import { addressOf } from './address.ts';

function from(remoteAddress: string, forwarded?: string): Context<ApiEnv> {
  return {
    env: { incoming: { socket: { remoteAddress } } },
    req: { header: () => forwarded },
  } as unknown as Context<ApiEnv>;
}

describe('the address of a request', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s counts as %s', (given, counted) => {
    expect(addressOf(from(given), 0)).toBe(counted);
  });

  test("is the socket's, whatever a header claims, unless proxies are trusted", () => {
    expect(addressOf(from('192.0.2.1', '203.0.113.9'), 0)).toBe('192.0.2.1');
  });

  test('is what the outermost trusted proxy wrote, not what came before it', () => {
    expect(addressOf(from('10.0.0.1', '6.6.6.6, 203.0.113.9'), 1)).toBe('203.0.113.9');
    expect(addressOf(from('10.0.0.1', '6.6.6.6, 203.0.113.9, 10.0.0.2'), 2)).toBe('203.0.113.9');
    expect(addressOf(from('10.0.0.1'), 1)).toBe('10.0.0.1');
  });
});

import { describe, expect, test } from 'vitest';

import { addressProblem, parseAddress, parseCidr, parseNetworks } from './network.ts';

describe('an address', () => {
  test.each([
    ['0.0.0.0', 0xffff_0000_0000n],
    ['10.1.2.3', 0xffff_0a01_0203n],
    ['::', 0n],
    ['::1', 1n],
    ['1::', 1n << 112n],
    ['fe80::1:2', (0xfe80n << 112n) | 0x1_0002n],
    ['1:2:3:4:5:6:7:8', 0x0001_0002_0003_0004_0005_0006_0007_0008n],
    ['::ffff:10.1.2.3', 0xffff_0a01_0203n],
    ['::FFFF:a01:203', 0xffff_0a01_0203n],
    ['64:ff9b::169.254.169.254', 0xffff_a9fe_a9fen],
    ['1:2:3:4:5:6:1.2.3.4', 0x0001_0002_0003_0004_0005_0006_0102_0304n],
  ])('%s is read', (text, address) => {
    expect(parseAddress(text)).toBe(address);
  });

  test.each([
    '',
    'localhost',
    '10.1.2',
    '10.1.2.256',
    '10.1.2.03',
    '0x7f.0.0.1',
    '2130706433',
    '1.2.3.4.5',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '12345::',
    'g::',
    '1.2.3.4::',
    '::1.2.3',
    '::1.2.3.4:1',
    'fe80::1%eth0',
  ])('%j is none', (text) => {
    expect(parseAddress(text)).toBeNull();
  });
});

describe('a network', () => {
  test.each([
    ['10.1.2.3/16', 0xffff_0a01_0000n, 112],
    ['10.1.2.3', 0xffff_0a01_0203n, 128],
    [' fd00::/8 ', 0xfdn << 120n, 8],
    ['0.0.0.0/0', 0xffff_0000_0000n, 96],
    ['::/0', 0n, 0],
  ])('%s is read', (text, first, prefix) => {
    expect(parseCidr(text)).toEqual({ text: text.trim(), first, prefix });
  });

  test.each(['10.1.0.0/33', '::/129', '10.1.0.0/', '10.1.0.0/a', '10.1.0.0/8/8', 'site/24', '/8'])(
    '%s is none, and the sentence names it',
    (text) => {
      expect(parseCidr(text)).toEqual({ problem: expect.stringContaining(text) });
    },
  );

  test('a list takes spaces and empty entries, and names the one that is wrong', () => {
    expect(parseNetworks(' 127.0.0.1 ,, ::1/128,').map(({ text }) => text)).toEqual([
      '127.0.0.1',
      '::1/128',
    ]);
    expect(() => parseNetworks('10.0.0.0/8,10.0.0/8')).toThrow('10.0.0/8 is no network');
  });
});

describe('which addresses gateways may have', () => {
  const everything = parseNetworks('0.0.0.0/0,::/0');

  test.each([
    ['169.254.169.254', 'a metadata service'],
    ['100.100.100.200', 'a metadata service'],
    ['168.63.129.16', 'a metadata service'],
    ['fd00:ec2::254', 'a metadata service'],
    ['::ffff:169.254.169.254', 'a metadata service'],
    ['64:ff9b::a9fe:a9fe', 'a metadata service'],
    ['169.254.1.1', 'a link-local address'],
    ['fe80::1', 'a link-local address'],
    ['224.0.0.1', 'a multicast address'],
    ['239.255.255.255', 'a multicast address'],
    ['ff02::1', 'a multicast address'],
    ['0.0.0.0', 'no address of a device'],
    ['255.255.255.255', 'no address of a device'],
    ['::', 'no address of a device'],
    ['gateway', 'is no IP address'],
  ])('%s is refused even when all networks are listed', (address, why) => {
    expect(addressProblem(address, everything)).toContain(why);
  });

  test.each([
    ['127.0.0.1', 'a loopback address'],
    ['::1', 'a loopback address'],
    ['::ffff:127.0.0.1', 'a loopback address'],
    ['10.0.0.1', 'a private address'],
    ['172.31.255.255', 'a private address'],
    ['192.168.1.1', 'a private address'],
    ['100.64.0.1', 'a private address'],
    ['fd12::1', 'a private address'],
  ])('%s needs its network in GATEWAY_NETWORKS', (address, why) => {
    expect(addressProblem(address, [])).toContain(why);
    expect(addressProblem(address, [])).toContain('GATEWAY_NETWORKS');
    expect(addressProblem(address, everything)).toBeNull();
  });

  test.each(['8.8.8.8', '172.32.0.1', '2001:db8::1', '128.0.0.1'])(
    '%s needs no entry',
    (address) => {
      expect(addressProblem(address, [])).toBeNull();
    },
  );

  test('a network opens its own addresses only', () => {
    const networks = parseNetworks('10.1.0.0/16');
    expect(addressProblem('10.1.255.255', networks)).toBeNull();
    expect(addressProblem('10.2.0.0', networks)).toContain('a private address');
    expect(addressProblem('127.0.0.1', networks)).toContain('a loopback address');
  });
});

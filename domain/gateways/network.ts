/** Which addresses gateways may have: no metadata services, and private networks only where they are listed. */

/** A block of addresses: `10.1.0.0/16`, `fd00::/8`. */
export interface Cidr {
  /** As it was given. */
  text: string;
  /** The first address, as a number of 128 bits; IPv4 as IPv6 writes it (::ffff:a.b.c.d). */
  first: bigint;
  /** Of 128. */
  prefix: number;
}

/** Where IPv4 lies in IPv6: ::ffff:0:0/96. */
const mapped = 0xffff_0000_0000n;
/** Addresses through which a translator (NAT64) reaches IPv4: 64:ff9b::/96. */
const translated = 0x64_ff9bn << 96n;
const low32 = 0xffff_ffffn;
const digits = /^(?:0|[1-9]\d{0,2})$/;
const group = /^[\da-f]{1,4}$/i;

/**
 * An address as a number of 128 bits; null if the text is none. IPv4 inside IPv6 (mapped or translated) is read as that IPv4
 * address, because it leads there.
 */
export function parseAddress(text: string): bigint | null {
  const isV6 = text.includes(':');
  const address = isV6 ? parseV6(text) : parseV4(text);
  if (address === null) return null;
  if (!isV6) return mapped | address;
  return (address & ~low32) === translated ? mapped | (address & low32) : address;
}

function parseV4(text: string): bigint | null {
  const bytes = text.split('.');
  if (bytes.length !== 4 || !bytes.every((one) => digits.test(one) && Number(one) <= 255))
    return null;
  return bytes.reduce((all, one) => (all << 8n) | BigInt(one), 0n);
}

function parseV6(text: string): bigint | null {
  const [left, right, ...more] = text.split('::');
  if (left === undefined || more.length > 0) return null;
  const before = groupsOf(left, right === undefined);
  const after = right === undefined ? [] : groupsOf(right, true);
  if (before === null || after === null) return null;
  const missing = 8 - before.length - after.length;
  if (right === undefined ? missing !== 0 : missing < 1) return null;
  const groups = [...before, ...Array.from({ length: missing }, () => 0n), ...after];
  return groups.reduce((all, one) => (all << 16n) | one, 0n);
}

/** Groups of 16 bits; at the end of an address the last two may be written as IPv4. Null: they are none. */
function groupsOf(text: string, isEnd: boolean): bigint[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const last = parts.at(-1) ?? '';
  const groups: bigint[] = [];
  if (last.includes('.')) {
    const v4 = isEnd ? parseV4(last) : null;
    if (v4 === null) return null;
    parts.pop();
    groups.push(v4 >> 16n, v4 & 0xffffn);
  }
  if (!parts.every((one) => group.test(one))) return null;
  return [...parts.map((one) => BigInt(`0x${one}`)), ...groups];
}

/** A block of addresses, or a sentence that says what is wrong with the text. */
export function parseCidr(text: string): Cidr | { problem: string } {
  const [address, length, ...more] = text.trim().split('/');
  const first = address === undefined ? null : parseAddress(address);
  if (address === undefined || first === null || more.length > 0)
    return { problem: `${text} is no network: write it as 10.1.0.0/16, fd00::/8 or one address` };
  const bits = address.includes(':') ? 128 : 32;
  const given = length === undefined ? bits : digits.test(length) ? Number(length) : -1;
  if (given < 0 || given > bits)
    return { problem: `${text} is no network: after the slash stands a number from 0 to ${bits}` };
  const prefix = given + 128 - bits;
  return {
    text: text.trim(),
    first: (first >> BigInt(128 - prefix)) << BigInt(128 - prefix),
    prefix,
  };
}

/** Networks in a list with commas. @throws RangeError that names the entry that is no network. */
export function parseNetworks(text: string): Cidr[] {
  return text
    .split(',')
    .filter((one) => one.trim() !== '')
    .map((one) => {
      const network = parseCidr(one);
      if ('problem' in network) throw new RangeError(network.problem);
      return network;
    });
}

function isIn(address: bigint, { first, prefix }: Cidr): boolean {
  return (address ^ first) >> BigInt(128 - prefix) === 0n;
}

/** Never dialled, whatever is listed. */
const refused: readonly (readonly [what: string, networks: readonly Cidr[]])[] = [
  [
    'a metadata service',
    // AWS, Azure, GCP and others; Alibaba; Azure's wire server; Oracle; AWS and GCP over IPv6.
    parseNetworks(
      '169.254.169.254,100.100.100.200,168.63.129.16,192.0.0.192,fd00:ec2::254,fd20:ce::254',
    ),
  ],
  ['a link-local address', parseNetworks('169.254.0.0/16,fe80::/10')],
  ['a multicast address', parseNetworks('224.0.0.0/4,ff00::/8')],
  ['no address of a device', parseNetworks('0.0.0.0/8,240.0.0.0/4,::')],
];

/** Dialled where `GATEWAY_NETWORKS` lists them. */
const listed: readonly (readonly [what: string, networks: readonly Cidr[]])[] = [
  ['a loopback address', parseNetworks('127.0.0.0/8,::1')],
  [
    'a private address',
    parseNetworks(
      '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,198.18.0.0/15,fc00::/7,fec0::/10',
    ),
  ],
];

/**
 * Why no gateway may be dialled at this address, as a clause for people; null: it may.
 *
 * @param networks the loopback and private networks that are open to gateways.
 */
export function addressProblem(address: string, networks: readonly Cidr[]): string | null {
  const parsed = parseAddress(address);
  if (parsed === null) return `${address} is no IP address`;
  const never = refused.find(([, blocks]) => blocks.some((block) => isIn(parsed, block)));
  if (never !== undefined) return `${address} is ${never[0]}: gateways are not dialled there`;
  const kept = listed.find(([, blocks]) => blocks.some((block) => isIn(parsed, block)));
  if (kept === undefined || networks.some((block) => isIn(parsed, block))) return null;
  return `${address} is ${kept[0]} outside of GATEWAY_NETWORKS: add its network there if gateways stand in it`;
}

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { decodePoint, inOrder, rawValue } from './decode.ts';
import {
  type ByteOrder,
  byteOrders,
  type DataPoint,
  type PointType,
  registersOf,
} from './point.ts';
import { sunSpecSentinels } from './sunspec.ts';

const bytesOf = (hex: string) =>
  Uint8Array.from(hex.replaceAll(' ', '').match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));

function pointOf(type: PointType, changes: Partial<DataPoint> = {}): DataPoint {
  return {
    key: 'value',
    name: 'value',
    function: 3,
    address: 0,
    documented: null,
    sunspec: null,
    type,
    order: 'ABCD',
    registers: registersOf(type) ?? changes.registers ?? 4,
    bit: null,
    scale: 1,
    offset: 0,
    unit: null,
    kind: 'GAUGE',
    range: { min: null, max: null },
    sentinels: [],
    maxRatePerHour: null,
    ...changes,
  };
}

const good = (value: number | string) => ({ value, quality: { quality: 'GOOD' } });
const missing = { value: null, quality: { quality: 'MISSING', why: 'SENTINEL' } };
const bad = (why: string) => ({ value: null, quality: { quality: 'BAD', why } });
const decode = (
  type: PointType,
  hex: string,
  changes?: Partial<DataPoint>,
  factor: number | null = null,
) => decodePoint(pointOf(type, changes), bytesOf(hex), factor);

/** Where each byte of a value goes, written out by hand. A is the most significant. */
const layouts: Readonly<Record<2 | 4 | 8, Partial<Record<ByteOrder, string>>>> = {
  2: { ABCD: 'AB', CDAB: 'AB', BADC: 'BA', DCBA: 'BA', CDABGHEF: 'AB', EFGHABCD: 'AB' },
  4: { ABCD: 'ABCD', CDAB: 'CDAB', BADC: 'BADC', DCBA: 'DCBA' },
  8: {
    ABCD: 'ABCDEFGH',
    CDAB: 'GHEFCDAB',
    BADC: 'BADCFEHG',
    DCBA: 'HGFEDCBA',
    CDABGHEF: 'CDABGHEF',
    EFGHABCD: 'EFGHABCD',
  },
};

/** Writes a value as a device of this order does. */
function written(big: Uint8Array, order: ByteOrder): Uint8Array {
  const letters = layouts[big.length as 2 | 4 | 8][order] ?? '';
  return Uint8Array.from(letters, (letter) => big[(letter.codePointAt(0) ?? 0) - 65] ?? 0);
}

const writers = {
  int16: [2, (view, value) => view.setInt16(0, Number(value)), fc.bigInt(-0x8000n, 0x7fffn)],
  uint16: [2, (view, value) => view.setUint16(0, Number(value)), fc.bigInt(0n, 0xffffn)],
  int32: [
    4,
    (view, value) => view.setInt32(0, Number(value)),
    fc.bigInt(-(2n ** 31n), 2n ** 31n - 1n),
  ],
  uint32: [4, (view, value) => view.setUint32(0, Number(value)), fc.bigInt(0n, 2n ** 32n - 1n)],
  acc32: [4, (view, value) => view.setUint32(0, Number(value)), fc.bigInt(0n, 2n ** 32n - 1n)],
  int64: [8, (view, value) => view.setBigInt64(0, value), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)],
  uint64: [8, (view, value) => view.setBigUint64(0, value), fc.bigInt(0n, 2n ** 64n - 1n)],
  acc64: [8, (view, value) => view.setBigUint64(0, value), fc.bigInt(0n, 2n ** 64n - 1n)],
} as const satisfies Partial<
  Record<
    PointType,
    readonly [2 | 4 | 8, (view: DataView, value: bigint) => void, fc.Arbitrary<bigint>]
  >
>;

describe('a value', () => {
  const cases = Object.entries(writers).flatMap(([type, [length]]) =>
    byteOrders
      .filter((order) => order.length === 4 || length === 8)
      .map((order) => ({ type: type as keyof typeof writers, order })),
  );

  test.each(cases)('of type $type in order $order is read as it was written', ({ type, order }) => {
    const [length, write, values] = writers[type];
    fc.assert(
      fc.property(values, (value) => {
        const big = new Uint8Array(length);
        write(new DataView(big.buffer), value);
        const bytes = written(big, order);
        expect(inOrder(bytes, order)).toEqual(big);
        expect(BigInt(rawValue(pointOf(type, { order }), bytes) ?? Number.NaN)).toBe(value);
        expect(decodePoint(pointOf(type, { order }), bytes, null).value).toBe(Number(value));
      }),
    );
  });

  test.each(byteOrders)('of float64 in order %s is read as it was written', (order) => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const big = new Uint8Array(8);
        new DataView(big.buffer).setFloat64(0, value);
        expect(decodePoint(pointOf('float64', { order }), written(big, order), null).value).toBe(
          value,
        );
      }),
    );
  });

  test.each(['ABCD', 'CDAB', 'BADC', 'DCBA'] as const)(
    'of float32 in order %s is read as it was written',
    (order) => {
      fc.assert(
        fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
          const big = new Uint8Array(4);
          new DataView(big.buffer).setFloat32(0, value);
          expect(decodePoint(pointOf('float32', { order }), written(big, order), null).value).toBe(
            value,
          );
        }),
      );
    },
  );

  test('is scaled without the noise of binary fractions', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1e9, max: 1e9 }),
        fc.integer({ min: 0, max: 6 }),
        (raw, places) => {
          const view = new DataView(new ArrayBuffer(4));
          view.setInt32(0, raw);
          const scale = Number(`1e-${places}`);
          const { value } = decodePoint(
            pointOf('int32', { scale }),
            new Uint8Array(view.buffer),
            null,
          );
          expect(value).toBe(Number(`${raw}e-${places}`));
        },
      ),
    );
    expect(decode('uint16', '0003', { scale: 0.1 })).toEqual(good(0.3));
    expect(decode('uint16', '04D2', { scale: 0.1, offset: -100 })).toEqual(good(23.4));
  });

  test('beyond 2⁵³ keeps its digits until it is scaled', () => {
    expect(decode('uint64', '0020000000000001', { scale: 0.001 })).toEqual(
      good(9_007_199_254_740.992),
    );
    expect(rawValue(pointOf('uint64'), bytesOf('0020000000000001'))).toBe(9007199254740993n);
  });

  test('of another length than its type is BAD', () => {
    expect(decode('int32', '0001')).toEqual(bad('LENGTH'));
    expect(decode('uint16', '00010002')).toEqual(bad('LENGTH'));
  });

  test('outside of its range is BAD, at its ends it is not', () => {
    const range = { min: -5, max: 5 };
    expect(decode('int16', '0005', { range })).toEqual(good(5));
    expect(decode('int16', '0006', { range })).toEqual(bad('RANGE'));
    expect(decode('int16', 'FFFA', { range })).toEqual(bad('RANGE'));
  });

  test('that is no number is MISSING, one that is infinite BAD', () => {
    for (const hex of ['7FC00000', 'FFC00000', '7F800001'])
      expect(decode('float32', hex)).toEqual(missing);
    expect(decode('float32', '7F800000')).toEqual(bad('RANGE'));
    expect(decode('float64', 'FFF0000000000000')).toEqual(bad('RANGE'));
  });

  test('of a coil or of a bit in a register is 0 or 1', () => {
    expect(decode('bit', '01', { function: 1 })).toEqual(good(1));
    expect(decode('bit', '8000', { bit: 15 })).toEqual(good(1));
    expect(decode('bit', '8000', { bit: 0 })).toEqual(good(0));
    expect(decode('bit', '0080', { bit: 15, order: 'BADC' })).toEqual(good(1));
  });

  test('of bcd is its digits, and BAD with a digit above 9', () => {
    expect(decode('bcd', '1234 5678', { registers: 2 })).toEqual(good(12345678));
    expect(decode('bcd', '5678 1234', { registers: 2, order: 'CDAB' })).toEqual(good(12345678));
    expect(decode('bcd', '12A4', { registers: 1 })).toEqual(bad('RANGE'));
  });
});

describe('a sentinel', () => {
  test('none is assumed for a type: FFFF FE0C is −500', () => {
    expect(decode('int32', 'FFFFFE0C')).toEqual(good(-500));
    expect(decode('uint16', 'FFFF')).toEqual(good(65535));
  });

  test('goes before scale: 0xFFFF with scale factor −1 is MISSING, not 6553.5 V', () => {
    const sentinels = sunSpecSentinels('uint16');
    expect(decode('uint16', 'FFFF', { sentinels }, -1)).toEqual(missing);
    expect(decode('uint16', '0900', { sentinels }, -1)).toEqual(good(230.4));
  });

  test('of 32 bits: 0x7FFFFFFF / 10 is MISSING, not 214,748,364.7 W', () => {
    const sentinels = [{ bits: 0x7fffffffn, mask: null }];
    expect(decode('int32', '7FFFFFFF', { sentinels, scale: 0.1 })).toEqual(missing);
    expect(decode('int32', 'FFFF7FFF', { sentinels, order: 'CDAB' })).toEqual(missing);
  });

  test('may be a pattern in one half', () => {
    const sentinels = [{ bits: 0x80000000n, mask: 0xffff0000n }];
    expect(decode('int32', '80001234', { sentinels })).toEqual(missing);
    expect(decode('int32', '00018000', { sentinels })).toEqual(good(0x18000));
  });

  test.each([
    ['int16', '8000'],
    ['sunssf', '8000'],
    ['uint16', 'FFFF'],
    ['enum16', 'FFFF'],
    ['bitfield16', 'FFFF'],
    ['bitfield16', '8001'],
    ['acc16', '0000'],
    ['int32', '80000000'],
    ['uint32', 'FFFFFFFF'],
    ['enum32', 'FFFFFFFF'],
    ['bitfield32', 'FFFFFFFF'],
    ['acc32', '00000000'],
    ['float32', '7FC00000'],
    ['int64', '8000000000000000'],
    ['uint64', 'FFFFFFFFFFFFFFFF'],
    ['bitfield64', 'FFFFFFFFFFFFFFFF'],
    ['acc64', '0000000000000000'],
    ['float64', '7FF8000000000000'],
    ['ipaddr', '00000000'],
    ['eui48', 'FFFFFFFFFFFFFFFF'],
  ] as const)('of SunSpec for %s is %s', (type, hex) => {
    expect(decode(type, hex, { sentinels: sunSpecSentinels(type) })).toEqual(missing);
  });
});

describe('a scale factor', () => {
  test('is a power of ten from −10 to 10', () => {
    expect(decode('int16', '03D6', {}, 1)).toEqual(good(9820));
    expect(decode('int16', '0001', {}, -10)).toEqual(good(1e-10));
    expect(decode('int16', '0001', {}, 11)).toEqual(bad('RANGE'));
    expect(decode('int16', '0001', {}, -32768)).toEqual(missing);
  });
});

describe('a text', () => {
  const text = (hex: string, changes: Partial<DataPoint> = {}) =>
    decode('string', hex, { registers: bytesOf(hex).length / 2, ...changes });

  test('ends before NUL, 0xFF and spaces', () => {
    expect(text('4142 4300 5858')).toEqual(good('ABC'));
    expect(text('4142 4320 2020')).toEqual(good('ABC'));
    expect(text('4142 43FF FFFF')).toEqual(good('ABC'));
  });

  test('ignores the order of words, not that of the bytes in a word', () => {
    expect(text('4142 4344', { order: 'CDAB' })).toEqual(good('ABCD'));
    expect(text('4241 4443', { order: 'BADC' })).toEqual(good('ABCD'));
    expect(text('4241 4443', { order: 'DCBA' })).toEqual(good('ABCD'));
  });

  test('has no control characters, and is read as UTF-8 or Latin-1', () => {
    expect(text('411B 4207')).toEqual(good('AB'));
    expect(text('C3A9 4100')).toEqual(good('éA'));
    expect(text('E941 4200')).toEqual(good('éAB'));
  });

  test('that is empty is MISSING', () => {
    for (const hex of ['0000 0000', 'FFFF FFFF', '2020 2020', '0041 4200'])
      expect(text(hex)).toEqual(missing);
  });

  test('may be an address', () => {
    expect(decode('ipaddr', 'C0A80105')).toEqual(good('192.168.1.5'));
    expect(decode('eui48', '0000001E42A1B2C3')).toEqual(good('00:1e:42:a1:b2:c3'));
    expect(decode('ipv6addr', 'FE800000000000000000000000000001')).toEqual(
      good('fe80:0000:0000:0000:0000:0000:0000:0001'),
    );
  });
});

import { describe, expect, test } from 'vitest';

import { frameOf, reactTo, type Request, takeRequests } from './answer.ts';
import { type Behaviour, behaviourAt } from './behaviour.ts';
import { Device } from './registers.ts';

/** Bytes as they stand in data sheets and bug reports. */
const bytes = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('requests from a stream', () => {
  test('are taken whole, and what is left waits for its rest', () => {
    const two = bytes('0001 0000 0006 01 03 9c40 0002  0002 0000 0006 01 04 0000 000e');
    const taken = takeRequests(two.subarray(0, 20));
    expect(taken?.requests).toEqual([
      { transaction: 1, unitId: 1, function: 3, address: 40_000, count: 2 },
    ]);
    expect(takeRequests(Buffer.concat([taken?.rest ?? bytes(''), two.subarray(20)]))).toEqual({
      requests: [{ transaction: 2, unitId: 1, function: 4, address: 0, count: 14 }],
      rest: bytes(''),
    });
  });

  test.each([
    ['another protocol', '0001 0007 0006 01 03 0000 0001'],
    ['a length that no frame has', '0001 0000 0000 01 03 0000 0001'],
    ['RTU on the port', '01 03 00 34 00 02 84 05'],
  ])('%s is no Modbus TCP', (_, text) => {
    expect(takeRequests(bytes(text))).toBeNull();
  });
});

test('an answer and an exception are framed as the protocol says', () => {
  const request = { transaction: 0x1234, unitId: 7, function: 3 };
  expect(frameOf(request, bytes('0102 0304'))).toEqual(bytes('1234 0000 0007 07 03 04 0102 0304'));
  expect(frameOf(request, 2)).toEqual(bytes('1234 0000 0003 07 83 02'));
});

describe('a device', () => {
  const model = {
    ranges: [
      {
        function: 3 as const,
        address: 100,
        registers: 10,
        fill: 0x8000,
        fields: [
          { address: 100, type: 'i32' as const, value: -2 },
          { address: 102, type: 'f32' as const, value: ({ powerW }: { powerW: number }) => powerW },
          { address: 104, type: 'u64' as const, value: 2n ** 53n + 1n },
          { address: 108, type: 'text' as const, registers: 1, value: 'AB' },
        ],
      },
    ],
    bits: [{ function: 1 as const, address: 10, bits: [true, false, true] }],
    registersMax: 8,
  };
  const device = new Device(model, (nowMs) => ({ powerW: nowMs, todayKwh: 0, lifetimeKwh: 0 }));
  const read = (code: number, address: number, count: number, isSwapped = false, nowMs = 5_000) => {
    const answer = device.read({ function: code, address, count }, nowMs, isSwapped);
    return typeof answer === 'number' ? answer : answer.toString('hex');
  };

  test('keeps each value in its registers, the most significant word first', () => {
    expect(read(3, 100, 2)).toBe('fffffffe');
    expect(read(3, 102, 2)).toBe('459c4000');
    expect(read(3, 104, 4)).toBe('0020000000000001');
    expect(read(3, 108, 2)).toBe('41428000');
  });

  test('moves with the clock, at most once a second', () => {
    expect(read(3, 102, 2, false, 5_999)).toBe('459c4000');
    expect(read(3, 102, 2, false, 6_000)).toBe('45bb8000');
  });

  test('swaps the words of numbers, and back', () => {
    expect(read(3, 100, 2, true)).toBe('fffeffff');
    expect(read(3, 104, 4, true)).toBe('0001000000000020');
    expect(read(3, 108, 1, true)).toBe('4142');
    expect(read(3, 100, 2)).toBe('fffffffe');
  });

  test.each([
    ['a function that it lacks', 4, 100, 1, 1],
    ['no reading function', 6, 100, 1, 1],
    ['an address before its range', 3, 99, 2, 2],
    ['an end behind its range', 3, 109, 2, 2],
    ['more than it gives at once', 3, 100, 9, 2],
    ['more than the protocol allows', 3, 100, 126, 3],
    ['nothing', 3, 100, 0, 3],
    ['bits behind its range', 1, 12, 2, 2],
  ])('refuses %s', (_, code, address, count, exception) => {
    expect(read(code, address, count)).toBe(exception);
  });

  test('packs bits with the lowest first', () => {
    expect(read(1, 10, 3)).toBe('05');
    expect(read(1, 11, 2)).toBe('02');
  });

  test('has no field outside of its range', () => {
    const wrong = {
      function: 3 as const,
      address: 0,
      registers: 1,
      fields: [{ address: 0, type: 'u32' as const, value: 1 }],
    };
    expect(
      () => new Device({ ranges: [wrong] }, () => ({ powerW: 0, todayKwh: 0, lifetimeKwh: 0 })),
    ).toThrow('the field at 0 is outside of 0 … 0');
  });
});

describe('each behaviour spoils the answer in its own way', () => {
  const device = new Device(
    {
      ranges: [
        {
          function: 3,
          address: 0,
          registers: 4,
          fields: [{ address: 0, type: 'u32', value: 0x01020304 }],
        },
      ],
    },
    () => ({ powerW: 0, todayKwh: 0, lifetimeKwh: 0 }),
  );
  const request: Request = { transaction: 1, unitId: 9, function: 3, address: 0, count: 2 };
  const react = (behaviour: Behaviour, change: Partial<Request> = {}) => {
    const reaction = reactTo({ ...request, ...change }, device, {
      behaviour,
      refused: { from: 1, to: 1 },
      nowMs: 0,
    });
    return reaction.kind === 'ANSWER' ? reaction.frame.toString('hex') : reaction.kind;
  };

  test.each<[Behaviour, string]>([
    ['GOOD', '00010000000709030401020304'],
    ['SILENT', 'SILENCE'],
    ['CLOSES', 'CLOSE'],
    ['BUSY', '000100000003098306'],
    ['TARGET_SILENT', '00010000000309830b'],
    ['REFUSES_RANGE', '000100000003098302'],
    ['WRONG_UNIT', '0001000000070a030401020304'],
    ['FOREIGN_ID', '11120000000709030401020304'],
    ['WRONG_LENGTH', '00010000000709030601020304'],
    ['SHORT', '0001000000050903020102'],
    ['WORD_ORDER', '00010000000709030403040102'],
  ])('%s', (behaviour, expected) => {
    expect(react(behaviour)).toBe(expected);
  });

  test('a refused range leaves the others alone', () => {
    expect(react('REFUSES_RANGE', { address: 2 })).toBe('00010000000709030400000000');
  });

  test('an answer that is late comes after all clients have given up', () => {
    expect(
      reactTo(request, device, { behaviour: 'LATE', refused: undefined, nowMs: 0 }),
    ).toMatchObject({
      kind: 'ANSWER',
      afterMs: 3_000,
    });
  });

  test('a unit that is not there is answered by the gateway', () => {
    expect(
      reactTo(request, undefined, { behaviour: 'GOOD', refused: undefined, nowMs: 0 }),
    ).toMatchObject({
      frame: bytes('0001 0000 0003 09 83 0b'),
    });
  });
});

test('a temper takes its minutes in turn, from its start', () => {
  const temper = { minutes: ['BUSY', 'SILENT'] as const };
  const at = (minutes: number) => behaviourAt(temper, 1_000_000, 1_000_000 + minutes * 60_000);
  expect([at(0), at(0.99), at(1), at(2), at(3)]).toEqual([
    'BUSY',
    'BUSY',
    'SILENT',
    'BUSY',
    'SILENT',
  ]);
  expect(behaviourAt({ minutes: [] }, 0, 5)).toBe('GOOD');
});

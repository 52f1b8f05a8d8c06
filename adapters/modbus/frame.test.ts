import { describe, expect, test } from 'vitest';

import type { LengthFault } from '../../domain/gateways/gateway.ts';
import { exceptionText } from '../../domain/gateways/exceptions.ts';
import { type FrameRequest, judgeAnswer, writeRequest } from './frame.ts';

const request: FrameRequest = {
  transactionId: 0x1234,
  unitId: 2,
  function: 3,
  address: 0x9c40,
  count: 2,
};
const strict = { anyTransactionId: false, lengthFault: null };
const right = [0x12, 0x34, 0, 0, 0, 7, 2, 3, 4, 0xde, 0xad, 0xbe, 0xef];

function judge(
  bytes: readonly number[],
  tolerances: { anyTransactionId: boolean; lengthFault: LengthFault | null } = strict,
  of: Partial<FrameRequest> = {},
) {
  return judgeAnswer(Uint8Array.from(bytes), bytes.length, {
    request: { ...request, ...of },
    tolerances,
  });
}

/** The right answer with some bytes replaced. */
function changed(bytes: Readonly<Record<number, number>>, from: readonly number[] = right) {
  return from.map((byte, place) => bytes[place] ?? byte);
}

test('a request is twelve bytes', () => {
  const bytes = new Uint8Array(12);
  writeRequest(bytes, {
    transactionId: 0xfedc,
    unitId: 255,
    function: 4,
    address: 0xabcd,
    count: 125,
  });
  expect([...bytes]).toEqual([0xfe, 0xdc, 0, 0, 0, 6, 255, 4, 0xab, 0xcd, 0, 125]);
});

describe('an answer', () => {
  test('is one when all its bytes are there, and not before', () => {
    for (let received = 0; received < right.length; received += 1)
      expect(judge(right.slice(0, received))).toEqual({ kind: 'MORE' });
    expect(judge(right)).toEqual({ kind: 'ANSWER' });
  });

  test('brings coils as eight to a byte', () => {
    const coils = [0x12, 0x34, 0, 0, 0, 5, 2, 1, 2, 0xff, 1];
    expect(judge(coils, strict, { function: 1, count: 9 })).toEqual({ kind: 'ANSWER' });
    expect(judge(coils, strict, { function: 1, count: 17 })).toMatchObject({ of: 'LENGTH' });
  });

  test('may be an exception', () => {
    const exception = [0x12, 0x34, 0, 0, 0, 3, 2, 0x83, 11];
    expect(judge(exception)).toEqual({ kind: 'EXCEPTION', code: 11 });
    expect(judge(exception.slice(0, 8))).toEqual({ kind: 'MORE' });
  });
});

describe('what is not the answer', () => {
  test.each([
    ['transaction id', { 0: 0x11 }, 'FOREIGN', 'the transaction id is 4404 instead of 4660'],
    ['protocol id', { 3: 1 }, 'OTHER', 'the protocol id is 1 instead of 0'],
    [
      'length 0xFFFF',
      { 4: 0xff, 5: 0xff },
      'LENGTH',
      'the length is 65535; from 3 to 254 is allowed',
    ],
    ['length 0', { 5: 0 }, 'LENGTH', 'the length is 0; from 3 to 254 is allowed'],
    ['length 255', { 5: 255 }, 'LENGTH', 'the length is 255; from 3 to 254 is allowed'],
    ['length of another count', { 5: 5 }, 'LENGTH', 'the length is 5 instead of 7'],
    ['unit', { 6: 3 }, 'FOREIGN', 'the unit is 3 instead of 2'],
    ['function', { 7: 4 }, 'FOREIGN', 'the function is 4 instead of 3'],
    ['exception of another function', { 7: 0x84 }, 'FOREIGN', 'the function is 132 instead of 3'],
    ['byte count', { 8: 2 }, 'LENGTH', 'the byte count is 2 instead of 4'],
  ] as const)('a wrong %s is named', (_, bytes, of, message) => {
    expect(judge(changed(bytes))).toEqual({ kind: 'PROBLEM', of, message });
  });

  test('a wrong field is found as soon as it has come', () => {
    for (const place of [0, 2, 4, 6, 7, 8]) {
      const bytes = changed({ [place]: 0x55 }).slice(0, place + (place < 6 ? 2 : 1));
      expect(judge(bytes), `byte ${place}`).toMatchObject({ kind: 'PROBLEM' });
    }
  });

  test('an exception of another length', () => {
    expect(judge([0x12, 0x34, 0, 0, 0, 4, 2, 0x83])).toMatchObject({
      message: 'the length is 4 instead of 3',
    });
  });

  test('the exception 0', () => {
    expect(judge([0x12, 0x34, 0, 0, 0, 3, 2, 0x83, 0])).toMatchObject({
      of: 'OTHER',
      message: 'the exception code is 0, which is none',
    });
  });

  test('bytes after the end', () => {
    expect(judge([...right, 0])).toMatchObject({
      of: 'LENGTH',
      message: "1 bytes follow after the answer's end",
    });
  });

  test.each([
    ['values', [2, 3, 4, 0xde, 0xad, 0xbe, 0xef, 1, 2]],
    ['an exception', [2, 0x83, 2, 0x30, 0xf1]],
  ])('%s in a frame of a serial line is told as such', (_, bytes) => {
    expect(judge(bytes)).toMatchObject({
      of: 'OTHER',
      message: expect.stringContaining('Modbus RTU'),
    });
  });

  test.each([
    ['another function', [2, 4, 4, 0]],
    ['another byte count', [2, 3, 2, 0]],
    ['two bytes', [2, 3]],
  ])('%s is not taken for a serial line', (_, bytes) => {
    expect(judge(bytes)).toMatchObject({ of: 'FOREIGN' });
  });
});

describe('a tolerance accepts what it names and nothing else', () => {
  const anyId = { anyTransactionId: true, lengthFault: null };

  test('another transaction id', () => {
    expect(judge(changed({ 0: 0, 1: 0 }), anyId)).toEqual({ kind: 'ANSWER' });
    for (const place of [2, 4, 5, 6, 7, 8])
      expect(judge(changed({ 0: 0, 1: 0, [place]: 0x55 }), anyId)).toMatchObject({
        kind: 'PROBLEM',
      });
  });

  test.each([
    ['COUNTS_HEADER', 13],
    ['LEAVES_OUT_UNIT', 6],
  ] as const)('a length that %s', (lengthFault, length) => {
    const tolerances = { anyTransactionId: false, lengthFault };
    for (let given = 0; given <= 0xff; given += 1)
      expect(judge(changed({ 5: given }), tolerances).kind, `length ${given}`).toBe(
        given === length || given === 7 ? 'ANSWER' : 'PROBLEM',
      );
    expect(judge(changed({ 0: 0 }), tolerances)).toMatchObject({ of: 'FOREIGN' });
  });

  test('the length of the shortest and of the longest answer', () => {
    const shortest = [0x12, 0x34, 0, 0, 0, 2, 2, 0x83, 6];
    const leavesOut = { anyTransactionId: false, lengthFault: 'LEAVES_OUT_UNIT' as const };
    expect(judge(shortest, leavesOut)).toEqual({ kind: 'EXCEPTION', code: 6 });
    const longest = [0x12, 0x34, 0, 0, 1, 3, 2, 3, 250, ...Array.from({ length: 250 }, () => 1)];
    const counts = { anyTransactionId: false, lengthFault: 'COUNTS_HEADER' as const };
    expect(judge(longest, counts, { count: 125 })).toEqual({ kind: 'ANSWER' });
    expect(judge(longest, strict, { count: 125 })).toMatchObject({ of: 'LENGTH' });
  });
});

test('an exception has a name where the standard gives one', () => {
  expect(exceptionText(2)).toBe('exception 2 (illegal data address)');
  expect(exceptionText(200)).toBe('exception 200 (not in the standard)');
});

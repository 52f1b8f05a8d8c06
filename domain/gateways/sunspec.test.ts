import { describe, expect, test } from 'vitest';

import type { UnitPoint } from './point.ts';
import {
  discoverSunSpec,
  inListOrder,
  type ReadRegisters,
  resolvePoints,
  type SunSpecLayout,
} from './sunspec.ts';

/** A unit with these registers; others are refused with exception 2. */
function unitOf(registers: Readonly<Record<number, readonly number[]>>): {
  read: ReadRegisters;
  asked: number[];
} {
  const image = new Map<number, number>();
  for (const [start, words] of Object.entries(registers))
    for (const [index, word] of words.entries()) image.set(Number(start) + index, word);
  const asked: number[] = [];
  const read: ReadRegisters = async (address, count) => {
    asked.push(address);
    const words = Array.from({ length: count }, (_, index) => image.get(address + index));
    if (words.includes(undefined)) return { kind: 'EXCEPTION', code: 2 };
    return {
      kind: 'ANSWER',
      bytes: Uint8Array.from(words.flatMap((word = 0) => [word >> 8, word & 255])),
    };
  };
  return { read, asked };
}

const mark = [0x5375, 0x6e53];
const end = [0xffff, 0];
const model = (id: number, length: number) => [id, length, ...Array.from({ length }, () => 0)];

describe('discovery', () => {
  test.each([40_000, 0, 50_000])('finds a device at %d', async (base) => {
    const { read } = unitOf({ [base]: [...mark, ...model(1, 66), ...model(103, 50), ...end] });
    expect(await discoverSunSpec(read)).toEqual({
      base,
      models: [
        { id: 1, address: base + 2, length: 66 },
        { id: 103, address: base + 70, length: 50 },
      ],
      problems: [],
    });
  });

  test('takes model 1 of 65 registers', async () => {
    const { read } = unitOf({ 40_000: [...mark, ...model(1, 65), ...model(111, 60), ...end] });
    expect(await discoverSunSpec(read)).toMatchObject({
      models: [{ length: 65 }, { id: 111, address: 40_069 }],
      problems: [],
    });
  });

  test('stops at model 1 of length 15, and does not land at 44126', async () => {
    const { read, asked } = unitOf({
      40_000: [...mark, 1, 15, ...Array.from({ length: 5_000 }, () => 0x0ff0)],
    });
    const found = await discoverSunSpec(read);
    expect(found).toMatchObject({
      base: 40_000,
      models: [],
      problems: [expect.stringContaining('model 1 length 15 at 40002, expected 65/66')],
    });
    expect(asked).toEqual([40_000, 40_002]);
  });

  test('of a device without an end model ends with what was found', async () => {
    const { read } = unitOf({ 40_000: [...mark, ...model(1, 66), ...model(103, 50)] });
    expect(await discoverSunSpec(read)).toMatchObject({
      models: [{ id: 1 }, { id: 103 }],
      problems: [expect.stringMatching(/refuses 40122 \(exception 2\) and has no end model/)],
    });
  });

  test('takes an end model without its length', async () => {
    const { read } = unitOf({ 40_000: [...mark, ...model(1, 66), 0xffff] });
    expect(await discoverSunSpec(read)).toMatchObject({ models: [{ id: 1 }], problems: [] });
  });

  test('does not walk through endless zeros', async () => {
    const { read, asked } = unitOf({
      40_000: [...mark, ...model(1, 66), ...Array.from({ length: 20_000 }, () => 0)],
    });
    expect(await discoverSunSpec(read)).toMatchObject({
      models: [{ id: 1 }],
      problems: [expect.stringContaining('model 0 at 40070')],
    });
    expect(asked).toHaveLength(3);
  });

  test('refuses a model that would end beyond 65535', async () => {
    const { read } = unitOf({ 40_000: [...mark, ...model(1, 66), 103, 60_000] });
    expect(await discoverSunSpec(read)).toMatchObject({
      models: [{ id: 1 }],
      problems: [expect.stringContaining('beyond 65535')],
    });
  });

  test('keeps a model of another length than the standard has, and says so', async () => {
    const { read } = unitOf({
      40_000: [...mark, ...model(1, 66), ...model(103, 52), ...model(64_001, 4), ...end],
    });
    expect(await discoverSunSpec(read)).toMatchObject({
      models: [{ id: 1 }, { id: 103, length: 52 }, { id: 64_001 }],
      problems: ['model 103 at 40070 has length 52, expected 50'],
    });
  });

  test('tells of each base why there is no device', async () => {
    const { read } = unitOf({ 0: [1, 2] });
    expect(await discoverSunSpec(read)).toEqual({
      problems: [
        '40000: the device refuses it (exception 2)',
        '0: there is 0001 0002 instead of "SunS" (5375 6E53)',
        '50000: the device refuses it (exception 2)',
      ],
      failure: null,
    });
  });

  test('goes on to the next base where the first is silent, and fails where all are', async () => {
    const failure = { reason: 'TIMEOUT', message: 'no answer within 1 s' } as const;
    const { read } = unitOf({ 50_000: [...mark, ...model(1, 66), ...end] });
    const slow: ReadRegisters = async (address, count) =>
      address < 50_000 ? { kind: 'FAILED', failure } : read(address, count);
    expect(await discoverSunSpec(slow)).toMatchObject({ base: 50_000, models: [{ id: 1 }] });
    expect(await discoverSunSpec(async () => ({ kind: 'FAILED', failure }))).toMatchObject({
      failure,
    });
  });
});

describe('a SunSpec point', () => {
  const place = {
    models: [203],
    occurrence: 0,
    offset: 18,
    scaleFactorOffset: 22,
    block: null,
    type: null,
  };
  const point = (changes: Partial<UnitPoint> = {}): UnitPoint => ({
    unitId: 1,
    key: 'w',
    name: 'w',
    function: 3,
    address: null,
    documented: null,
    sunspec: [place],
    type: 'int16',
    order: 'ABCD',
    registers: 1,
    bit: null,
    scale: 1,
    offset: 0,
    unit: 'W',
    kind: 'GAUGE',
    range: { min: null, max: null },
    sentinels: [],
    maxRatePerHour: null,
    ...changes,
  });
  const layout: SunSpecLayout = {
    base: 40_000,
    models: [
      { id: 1, address: 40_002, length: 65 },
      { id: 113, address: 40_069, length: 60 },
      { id: 203, address: 40_200, length: 105 },
      { id: 203, address: 40_400, length: 105 },
      { id: 160, address: 40_600, length: 28 },
    ],
    problems: [],
  };
  const resolve = (one: UnitPoint) => resolvePoints([one], new Map([[1, layout]]));

  test('is in the model that its unit has, the second meter too', () => {
    expect(resolve(point()).points).toMatchObject([
      { address: 40_218, scaleFactorAddress: 40_222, index: 0 },
    ]);
    expect(resolve(point({ sunspec: [{ ...place, occurrence: 1 }] })).points).toMatchObject([
      { address: 40_418 },
    ]);
    expect(resolve(point({ sunspec: [{ ...place, occurrence: 2 }] })).missing).toMatchObject([
      { reason: 'NO_MODEL' },
    ]);
  });

  test('has the type of the model that the unit has', () => {
    const places = [
      { ...place, models: [103], offset: 14, scaleFactorOffset: 15 },
      { ...place, models: [113], offset: 22, scaleFactorOffset: null, type: 'float32' as const },
    ];
    const { points, list } = resolve(point({ sunspec: places }));
    expect(points).toMatchObject([
      { address: 40_091, type: 'float32', registers: 2, scaleFactorAddress: null },
    ]);
    expect(list).toMatchObject([{ type: 'float32', sentinels: [{ bits: 0x7fc00000n }] }]);
  });

  test('of a repeating block ends with its model', () => {
    const input = (index: number) =>
      point({
        sunspec: [
          {
            ...place,
            models: [160],
            offset: 21,
            scaleFactorOffset: 4,
            block: { length: 20, index },
          },
        ],
      });
    expect(resolve(input(0)).points).toMatchObject([
      { address: 40_621, scaleFactorAddress: 40_604 },
    ]);
    expect(resolve(input(1)).missing).toMatchObject([
      { message: 'model 160 has length 28 and ends before offset 41' },
    ]);
  });

  test('that its unit does not have leaves the poll whole', () => {
    const resolved = resolvePoints(
      [point({ sunspec: [{ ...place, models: [701] }] }), point({ unitId: 2 }), point()],
      new Map([[1, layout]]),
    );
    expect(resolved.missing.map(({ reason }) => reason)).toEqual(['NO_MODEL', 'NOT_DISCOVERED']);
    const bits = { kind: 'BITS', bytes: Uint8Array.of(0, 1), scaleFactor: 0 } as const;
    expect(inListOrder(resolved, [bits])).toEqual([
      { kind: 'ABSENT' },
      { kind: 'NOT_ANSWERED' },
      bits,
    ]);
  });
});

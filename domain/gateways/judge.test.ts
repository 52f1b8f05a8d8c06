import { describe, expect, test } from 'vitest';

import { judgePoll } from './judge.ts';
import type { UnitPoint } from './point.ts';
import type { RawPoint, RawPoll } from './reading.ts';

const float = (key: string, range: UnitPoint['range'], unitId = 1): UnitPoint => ({
  unitId,
  key,
  name: key,
  function: 4,
  address: 0,
  documented: null,
  sunspec: null,
  type: 'float32',
  order: 'ABCD',
  registers: 2,
  bit: null,
  scale: 1,
  offset: 0,
  unit: 'V',
  kind: 'GAUGE',
  range,
  sentinels: [],
  maxRatePerHour: null,
});
const points = [
  float('voltage_l1_v', { min: 0, max: 500 }),
  float('voltage_l2_v', { min: 0, max: 500 }),
  float('power_w', { min: -20_000, max: 20_000 }),
  float('frequency_hz', { min: 40, max: 70 }),
];
const measured = [231.4, 230.9, 7_654, 50.02];

/** The bytes of a float, its words in the order ABCD or turned to CDAB. */
function bits(value: number, isTurned: boolean): RawPoint {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  const sent = isTurned ? Buffer.concat([bytes.subarray(2), bytes.subarray(0, 2)]) : bytes;
  return { kind: 'BITS', bytes: new Uint8Array(sent), scaleFactor: null };
}
const pollOf = (raws: readonly RawPoint[]): RawPoll => ({
  points: raws,
  failure: null,
  isBackOff: false,
  startedAtMs: 0,
  measuredAtMs: 10,
  requests: 1,
});
const judge = (raws: readonly RawPoint[], list: readonly UnitPoint[] = points) =>
  judgePoll(list, pollOf(raws), {}, 10);

describe('a device that turns the words of its values', () => {
  test('has no value stored, and the reason says so', () => {
    const turned = judge(measured.map((value) => bits(value, true)));
    expect(turned).toMatchObject({
      outcome: 'FAILED',
      reason: 'WORD_ORDER',
      values: [null, null, null, null],
    });
  });

  test('does not spoil the values of another unit', () => {
    const list = [...points, float('power_w', { min: 0, max: 1e6 }, 2)];
    const raws = [...measured.map((value) => bits(value, true)), bits(1_200, false)];
    expect(judge(raws, list)).toMatchObject({
      outcome: 'PARTIAL',
      reason: 'WORD_ORDER',
      values: [null, null, null, null, 1_200],
    });
  });

  test('is told from one that has a single value out of its range', () => {
    const raws = [999, 230.9, 7_654, 50.02].map((value) => bits(value, false));
    const judged = judge(raws);
    expect(judged).toMatchObject({ outcome: 'OK', reason: null });
    expect(judged.values[0]).toBeNull();
    expect(judged.values.slice(1)).not.toContain(null);
  });

  test('zeros at night are zeros', () => {
    expect(judge([0, 0, 0, 50].map((value) => bits(value, false)))).toMatchObject({
      outcome: 'OK',
      reason: null,
      values: [0, 0, 0, 50],
    });
  });
});

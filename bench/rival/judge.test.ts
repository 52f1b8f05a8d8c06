import { describe, expect, test } from 'vitest';

import {
  driftMs,
  judge,
  type JudgedPlant,
  type JudgedSlot,
  percentiles,
  recoveryMs,
} from './judge.ts';
import { parseVendorLog, type VendorCall } from './vendor-log.ts';

const intervalMs = 10_000;
const plant: JudgedPlant = { id: 'p', vendorPlantId: 'v', intervalMs, phaseMs: 0 };

function call(beganAtMs: number, more: Partial<VendorCall> = {}): VendorCall {
  return { plant: 'v', beganAtMs, endedAtMs: beganAtMs + 100, isAnswered: true, ...more };
}

function judged(calls: readonly VendorCall[], rows: readonly number[] = [], toMs = 50_000) {
  return judge({
    plants: [plant],
    fromMs: 0,
    toMs,
    calls: calls.toSorted((a, b) => a.beganAtMs - b.beganAtMs),
    rows: new Map([['p', new Set(rows)]]),
  });
}

/** One call 20 ms after each of the slots 0 … 40 s. */
const punctual = [0, 10, 20, 30, 40].map((s) => call(s * 1_000 + 20));

describe('the judge', () => {
  test('finds nothing against one punctual poll a slot', () => {
    expect(judged(punctual).verdict).toEqual({
      slots_due: 5,
      polled: 5,
      polled_late: 0,
      recorded: 0,
      lost: 0,
      doubled: 0,
      overlapping: 0,
      lateness: { p50_ms: 20, p99_ms: 20, max_ms: 20 },
      answers: 5,
      answers_per_s: 0.1,
    });
  });

  test('judges slots only whose whole interval lies in the window', () => {
    expect(judged(punctual, [], 49_999).verdict.slots_due).toBe(4);
    expect(judged(punctual, [], 50_000).verdict.slots_due).toBe(5);
  });

  test('tells the last slots apart, which count for recovery alone', () => {
    const { slots, verdict } = judged(punctual, [], 49_999);
    expect(slots.map(({ isWhole }) => isWhole)).toEqual([true, true, true, true, false]);
    expect(slots.at(-1)?.lateMs).toBe(20);
    expect(verdict).toMatchObject({ polled: 4, lost: 0, doubled: 0 });
    expect(judged(punctual, [], 41_999).slots).toHaveLength(4);
  });

  test('takes the grid from the plant, not from the first call', () => {
    const shifted = judge({
      plants: [{ ...plant, phaseMs: 3_000 }],
      fromMs: 0,
      toMs: 23_000,
      calls: [call(3_050), call(13_700)],
      rows: new Map(),
    });
    expect(shifted.slots).toEqual([
      { plantId: 'p', slotMs: 3_000, lateMs: 50, isWhole: true },
      { plantId: 'p', slotMs: 13_000, lateMs: 700, isWhole: true },
    ]);
  });

  test('calls a slot lost that nobody asked for and no row speaks of', () => {
    const { verdict } = judged(punctual.filter((_, n) => n !== 2));
    expect(verdict).toMatchObject({ polled: 4, lost: 1, recorded: 0 });
  });

  test('calls it recorded where a row of just that slot speaks of it', () => {
    const without = punctual.filter((_, n) => n !== 2);
    expect(judged(without, [20_000]).verdict).toMatchObject({ lost: 0, recorded: 1 });
    expect(judged(without, [20_001, 10_000]).verdict).toMatchObject({ lost: 1, recorded: 0 });
  });

  test('does not take rows for polls: a lost slot with calls of another plant stays lost', () => {
    const calls = punctual.map((one, n) => (n === 2 ? { ...one, plant: 'other' } : one));
    expect(judged(calls).verdict).toMatchObject({ polled: 4, lost: 1 });
  });

  test('calls two answers in one interval doubled', () => {
    expect(judged([...punctual, call(25_000)]).verdict).toMatchObject({ doubled: 1, lost: 0 });
  });

  test('does not call a second attempt after a failure doubled', () => {
    const failed = call(20_020, { isAnswered: false });
    const calls = [...punctual.filter((_, n) => n !== 2), failed, call(25_100)];
    expect(judged(calls).verdict).toMatchObject({ polled: 5, doubled: 0, lost: 0 });
  });

  test('lets an answer too many make up for one slot before it, once', () => {
    const calls = [...punctual.filter((_, n) => n !== 2), call(31_000)];
    expect(judged(calls).verdict).toMatchObject({ polled: 4, polled_late: 1, lost: 0, doubled: 0 });
    expect(judged([...calls, call(32_000)]).verdict).toMatchObject({ polled_late: 1, doubled: 1 });
  });

  test('lets an answer too many make up for a slot before the window, whose poll was late when it began', () => {
    const behind = [call(-19_900), call(-9_900, { isAnswered: false }), call(2_000)];
    expect(judged([...behind, ...punctual]).verdict).toMatchObject({
      slots_due: 5,
      polled: 5,
      polled_late: 0,
      doubled: 0,
    });
    // Nobody was at work then: nothing is made up for.
    expect(judged([...punctual, call(2_000)]).verdict.doubled).toBe(1);
  });

  test('lets no answer make up for a slot that comes after it', () => {
    const calls = [...punctual.filter((_, n) => n !== 2), call(11_000)];
    expect(judged(calls).verdict).toMatchObject({ polled_late: 0, lost: 1, doubled: 1 });
  });

  test('calls a request overlapping that begins while another is open', () => {
    const long = call(10_020, { endedAtMs: 20_030 });
    const calls = [...punctual.filter((_, n) => n !== 1), long];
    expect(judged(calls).verdict.overlapping).toBe(1);
    const touching = call(10_020, { endedAtMs: 20_020 });
    expect(judged([...punctual.filter((_, n) => n !== 1), touching]).verdict.overlapping).toBe(0);
  });

  test('remembers the longest of the open requests', () => {
    const long = call(0, { endedAtMs: 45_000 });
    expect(judged([long, ...punctual]).verdict.overlapping).toBe(5);
  });

  test('holds a request that died with its worker against nobody', () => {
    const dead = call(10_020, { endedAtMs: null, isAnswered: false });
    const calls = [...punctual.filter((_, n) => n !== 1), dead, call(12_000)];
    expect(judged(calls).verdict).toMatchObject({ overlapping: 0, doubled: 0, polled: 5, lost: 0 });
  });

  test('calls a slot lost whose only request was in vain and of which no row speaks', () => {
    const failed = call(20_020, { isAnswered: false });
    const calls = [...punctual.filter((_, n) => n !== 2), failed];
    expect(judged(calls).verdict).toMatchObject({ slots_due: 5, polled: 4, recorded: 0, lost: 1 });
    expect(judged(calls, [20_000]).verdict).toMatchObject({ polled: 5, recorded: 0, lost: 0 });
  });

  test('lets a second attempt in the next interval answer for the slot', () => {
    const failed = call(29_000, { isAnswered: false });
    const calls = [...punctual.filter((_, n) => n !== 2), failed, call(34_000)];
    expect(judged(calls).verdict).toMatchObject({ polled: 5, polled_late: 0, lost: 0, doubled: 0 });
  });

  test('measures from the first request of the slot, answered or not', () => {
    const failed = call(20_500, { isAnswered: false });
    const calls = [...punctual.filter((_, n) => n !== 2), failed, call(25_100)];
    expect(judged(calls).verdict.lateness).toEqual({ p50_ms: 20, p99_ms: 500, max_ms: 500 });
  });
});

describe('percentiles', () => {
  test('are values that were there', () => {
    const values = Array.from({ length: 200 }, (_, n) => n + 1);
    expect(percentiles(values)).toEqual({ p50_ms: 100, p99_ms: 198, max_ms: 200 });
    expect(percentiles([7])).toEqual({ p50_ms: 7, p99_ms: 7, max_ms: 7 });
    expect(percentiles([])).toBeNull();
  });
});

/** Ten slots a second for 40 s; `late` says how late the slot at so many ms is. */
function slotsOf(late: (slotMs: number) => number | null): JudgedSlot[] {
  return Array.from({ length: 400 }, (_, n) => ({
    plantId: `p${n % 100}`,
    slotMs: n * 100,
    lateMs: late(n * 100),
    isWhole: true,
  }));
}

describe('recovery', () => {
  const faultAtMs = 10_000;

  test('is 0 where nothing was ever unwell', () => {
    expect(
      recoveryMs(
        slotsOf(() => 30),
        faultAtMs,
      ),
    ).toBe(0);
  });

  test('ends with the last slot of the outage', () => {
    const slots = slotsOf((at) => (at >= faultAtMs && at < 16_000 ? null : 30));
    expect(recoveryMs(slots, faultAtMs)).toBe(6_000);
  });

  test('counts slots that were polled, but late', () => {
    const slots = slotsOf((at) => (at >= faultAtMs && at < 16_000 ? 101 : 30));
    expect(recoveryMs(slots, faultAtMs)).toBe(6_000);
    expect(
      recoveryMs(
        slotsOf((at) => (at >= faultAtMs ? 100 : 30)),
        faultAtMs,
      ),
    ).toBe(0);
  });

  test('measures lateness against twice what it was before', () => {
    const slots = slotsOf((at) => (at < faultAtMs ? 300 : at < 16_000 ? 601 : 599));
    expect(recoveryMs(slots, faultAtMs)).toBe(6_000);
  });

  test('waits for a relapse to be over', () => {
    const slots = slotsOf((at) =>
      (at >= faultAtMs && at < 12_000) || (at >= 20_000 && at < 21_000) ? null : 30,
    );
    expect(recoveryMs(slots, faultAtMs)).toBe(11_000);
  });

  test('forgives a slot here and there, and one at the very end', () => {
    const slots = slotsOf((at) => (at % 4_000 === 0 || at === 39_900 ? null : 30));
    expect(recoveryMs(slots, faultAtMs)).toBe(0);
  });

  test('never comes where nobody polls any more', () => {
    expect(
      recoveryMs(
        slotsOf((at) => (at >= faultAtMs ? null : 30)),
        faultAtMs,
      ),
    ).toBeNull();
  });
});

describe('drift', () => {
  const cycles = 500;
  const slots = (late: (cycle: number) => number | null, count = cycles): JudgedSlot[] =>
    ['a', 'b'].flatMap((plantId) =>
      Array.from({ length: count }, (_, n) => ({
        plantId,
        slotMs: n * 1_000,
        lateMs: late(n),
        isWhole: true,
      })),
    );

  test('is 0 on a grid, and what a sleep adds to itself where there is none', () => {
    expect(
      driftMs(
        slots(() => 12),
        cycles,
      ),
    ).toBe(0);
    expect(
      driftMs(
        slots((cycle) => 12 + cycle),
        cycles,
      ),
    ).toBe(450);
  });

  test('says nothing of too few cycles', () => {
    expect(
      driftMs(
        slots(() => 12, 499),
        cycles,
      ),
    ).toBeNull();
  });
});

describe('the vendor’s log', () => {
  test('gives calls in the order of their beginning, with their ends', () => {
    const log =
      'B 0.1 1000 v\nB 0.2 1010 w\nE 0.2 1020 FAILED\nE 0.1 1100 ANSWERED\nB 1.1 1200 v\n';
    expect(parseVendorLog(log)).toEqual([
      { plant: 'v', beganAtMs: 1_000, endedAtMs: 1_100, isAnswered: true },
      { plant: 'w', beganAtMs: 1_010, endedAtMs: 1_020, isAnswered: false },
      { plant: 'v', beganAtMs: 1_200, endedAtMs: null, isAnswered: false },
    ]);
  });

  test('leaves out a last line that was cut', () => {
    expect(parseVendorLog('B 0.1 1000 v\nE 0.1 11')).toHaveLength(1);
    expect(parseVendorLog('B 0.1 1000 v\nE 0.1 11')[0]?.endedAtMs).toBeNull();
  });

  test('refuses what is no line of it', () => {
    expect(() => parseVendorLog('hello\n')).toThrow('not a line');
    expect(() => parseVendorLog('E 0.9 1000 ANSWERED\n')).toThrow('not a line');
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid } from './slots.ts';
import {
  catchUpWaitMsMax,
  fnv1a32,
  isLate,
  isOnGrid,
  lastSlotAtOrBefore,
  lateSlots,
  missedRowsMax,
  nextSlotAfter,
  phaseMs,
} from './slots.ts';

const tenMinutes = 600_000;
const grid: Grid = { intervalMs: tenMinutes, phaseMs: 1_234 };

/** Any grid that the database allows (1 s … 86,400 s), at any instant that a plant can live to see. */
const grids = fc.integer({ min: 1, max: 86_400 }).chain((intervalS) =>
  fc.record({
    intervalMs: fc.constant(intervalS * 1_000),
    phaseMs: fc.integer({ min: 0, max: intervalS * 1_000 - 1 }),
  }),
);
const instants = fc.integer({ min: -86_400_000, max: 4_102_444_800_000 });

describe('fnv1a32', () => {
  test.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
  ])('gives the published value for %j', (text, hash) => {
    expect(fnv1a32(text)).toBe(hash);
  });

  test('hashes the UTF-8 bytes that the host would encode, lone surrogates included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        let hash = 0x811c9dc5n;
        for (const byte of new TextEncoder().encode(text)) {
          hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
        }
        expect(fnv1a32(text)).toBe(Number(hash));
      }),
      {
        examples: [...'\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\u{10000}', '\ud800', '\udfff'].map(
          (text) => [text],
        ),
      },
    );
  });
});

describe('phaseMs', () => {
  test('is the hash of the id modulo the interval', () => {
    expect(phaseMs('foobar', tenMinutes)).toBe(0xbf9cf968 % tenMinutes);
  });

  test('lies inside the interval', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1_000, max: 86_400_000 }), (id, intervalMs) => {
        const phase = phaseMs(id, intervalMs);
        expect(phase).toBeGreaterThanOrEqual(0);
        expect(phase).toBeLessThan(intervalMs);
      }),
    );
  });
});

describe('the grid', () => {
  test('next slot is strictly after the instant, last slot is the instant itself when it is a slot', () => {
    const slot = 3 * tenMinutes + 1_234;
    expect(nextSlotAfter(grid, slot)).toBe(slot + tenMinutes);
    expect(nextSlotAfter(grid, slot - 1)).toBe(slot);
    expect(lastSlotAtOrBefore(grid, slot)).toBe(slot);
    expect(lastSlotAtOrBefore(grid, slot - 1)).toBe(slot - tenMinutes);
    expect(isOnGrid(grid, slot)).toBe(true);
    expect(isOnGrid(grid, slot + 1)).toBe(false);
  });

  test('every instant lies between two neighbouring slots of phase + n × interval', () => {
    fc.assert(
      fc.property(grids, instants, (anyGrid, at) => {
        const last = lastSlotAtOrBefore(anyGrid, at);
        const next = nextSlotAfter(anyGrid, at);
        expect(last <= at && at < next).toBe(true);
        expect(next - last).toBe(anyGrid.intervalMs);
        expect(Number.isInteger((last - anyGrid.phaseMs) / anyGrid.intervalMs)).toBe(true);
        expect(isOnGrid(anyGrid, last) && isOnGrid(anyGrid, next)).toBe(true);
      }),
    );
  });

  test('never drifts: a loop that wakes late, by less than an interval, still takes every slot in turn', () => {
    fc.assert(
      fc.property(
        grids,
        instants,
        fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 50 }),
        (anyGrid, start, delays) => {
          const first = nextSlotAfter(anyGrid, start);
          let slot = first;
          for (const delay of delays) {
            const wokeAt = slot + Math.floor(delay * anyGrid.intervalMs);
            const next = nextSlotAfter(anyGrid, wokeAt);
            expect(next).toBe(slot + anyGrid.intervalMs);
            slot = next;
          }
          expect(slot).toBe(first + delays.length * anyGrid.intervalMs);
        },
      ),
    );
  });
});

describe('lateSlots', () => {
  const from = lastSlotAtOrBefore(grid, 1_800_000_000_000);

  test('is null while no new slot is due', () => {
    expect(lateSlots(grid, from, from)).toBeNull();
    expect(lateSlots(grid, from, from + tenMinutes - 1)).toBeNull();
  });

  test('misses nothing when one slot is due', () => {
    expect(lateSlots(grid, from, from + tenMinutes)).toEqual({
      catchUp: from + tenMinutes,
      missedCount: 0,
      missedFromMs: null,
      missedToMs: null,
      overflowCount: 0,
      overflowFromMs: null,
    });
  });

  test('polls the newest of 20 and misses 19', () => {
    expect(lateSlots(grid, from, from + 20 * tenMinutes + 5)).toMatchObject({
      catchUp: from + 20 * tenMinutes,
      missedCount: 19,
      missedFromMs: from + tenMinutes,
      missedToMs: from + 19 * tenMinutes,
      overflowCount: 0,
    });
  });

  test('gives exactly 10,000 misses a row each, and no more', () => {
    const at = from + (missedRowsMax + 1) * tenMinutes;
    expect(lateSlots(grid, from, at)).toMatchObject({
      missedCount: missedRowsMax,
      missedFromMs: from + tenMinutes,
      overflowCount: 0,
      overflowFromMs: null,
    });
    expect(lateSlots(grid, from, at + tenMinutes)).toMatchObject({
      missedCount: missedRowsMax,
      missedFromMs: from + 2 * tenMinutes,
      overflowCount: 1,
      overflowFromMs: from + tenMinutes,
    });
  });

  test('every due slot is polled, a row of its own, or counted in the overflow, once', () => {
    fc.assert(
      fc.property(
        grids,
        instants,
        fc.nat({ max: 30_000 }),
        fc.nat(),
        (anyGrid, start, n, extra) => {
          const now = start + n * anyGrid.intervalMs + (extra % anyGrid.intervalMs);
          const due =
            (lastSlotAtOrBefore(anyGrid, now) - lastSlotAtOrBefore(anyGrid, start)) /
            anyGrid.intervalMs;
          const late = lateSlots(anyGrid, start, now);
          if (late === null) {
            expect(due).toBe(0);
            return;
          }
          expect(1 + late.missedCount + late.overflowCount).toBe(due);
          expect(late.catchUp <= now && nextSlotAfter(anyGrid, late.catchUp) > now).toBe(true);
          const oldest = late.overflowFromMs ?? late.missedFromMs ?? late.catchUp;
          expect(oldest).toBe(nextSlotAfter(anyGrid, start));
          if (late.missedFromMs !== null && late.missedToMs !== null) {
            expect(late.missedToMs).toBe(late.catchUp - anyGrid.intervalMs);
            expect(late.missedToMs - late.missedFromMs).toBe(
              (late.missedCount - 1) * anyGrid.intervalMs,
            );
            expect(late.missedFromMs).toBe(oldest + late.overflowCount * anyGrid.intervalMs);
          }
        },
      ),
    );
  });
});

describe('catching up', () => {
  const slot = lastSlotAtOrBefore(grid, 1_800_000_000_000);

  test('a slot is not late at exactly a tenth of the interval, late 1 ms after', () => {
    expect(isLate(grid, slot, slot + 60_000)).toBe(false);
    expect(isLate(grid, slot, slot + 60_001)).toBe(true);
  });

  test('waits at most a sixth of the interval', () => {
    expect(catchUpWaitMsMax(grid, slot + 60_001)).toBe(100_000);
  });

  test('begins before the next slot, whenever it wakes', () => {
    expect(catchUpWaitMsMax(grid, slot + tenMinutes - 1)).toBe(0);
    fc.assert(
      fc.property(grids, instants, (anyGrid, now) => {
        const wait = catchUpWaitMsMax(anyGrid, now);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(anyGrid.intervalMs / 6);
        expect(now + wait).toBeLessThan(nextSlotAfter(anyGrid, now));
      }),
    );
  });

  test('spreads nothing over less than a second: such plants poll at once', () => {
    expect(catchUpWaitMsMax({ intervalMs: 6_000, phaseMs: 0 }, 6_500)).toBe(1_000);
    expect(catchUpWaitMsMax({ intervalMs: 5_000, phaseMs: 0 }, 5_500)).toBe(0);
  });
});

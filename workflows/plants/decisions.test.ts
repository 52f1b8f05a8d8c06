import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  dueSlotPoll,
  isBurst,
  isRunFull,
  type Known,
  lagOf,
  nextDue,
  nextSlot,
  offGridStart,
  postponedMs,
  stateOfPlan,
  wokenEarlyMs,
} from './decisions.ts';
import type { LoopState } from './messages.ts';

const minuteMs = 60_000;
const grid = { intervalMs: 10 * minuteMs, phaseMs: 3 * minuteMs };

/** Active, polled up to the slot at 3 min; the next ones are at 13 and 23 min. */
function loopState(changes: Partial<LoopState> = {}): LoopState {
  return {
    name: 'Canal House',
    integrationStatus: 'ACTIVE',
    revision: 1,
    grid,
    periodFromMs: 3 * minuteMs,
    lastSlotMs: 3 * minuteMs,
    nextClosing: null,
    closedDate: null,
    standing: null,
    lastPoll: null,
    ...changes,
  };
}

function known(changes: Partial<Known> = {}): Known {
  return {
    state: loopState(),
    missedClosings: [],
    isStartDue: false,
    isAsked: false,
    earlyMs: 500,
    ...changes,
  };
}

const closing = (atMs: number) => ({ date: '2026-06-01', atMs });

describe('what is due next', () => {
  test('a slot, woken before it', () => {
    expect(nextDue(known(), 4 * minuteMs)).toEqual({ kind: 'SLOT', atMs: 13 * minuteMs - 500 });
  });

  test('a closing before the slot that wakes after it, and the slot before a later closing', () => {
    const at = (atMs: number) =>
      nextDue(known({ state: loopState({ nextClosing: closing(atMs) }) }), 4 * minuteMs).kind;
    expect(at(13 * minuteMs - 500)).toBe('CLOSING');
    expect(at(13 * minuteMs - 499)).toBe('SLOT');
  });

  test('a closing that no worker made before the next one', () => {
    const missedClosings = [closing(minuteMs)];
    const state = loopState({ nextClosing: closing(12 * minuteMs) });
    expect(nextDue(known({ state, missedClosings }), 4 * minuteMs)).toMatchObject({
      kind: 'CLOSING',
      atMs: minuteMs,
    });
  });

  test('a START at once, and a request at once; but a due slot comes first', () => {
    const [before, due] = [4 * minuteMs, 13 * minuteMs];
    expect(nextDue(known({ isStartDue: true }), before)).toEqual({ kind: 'START', atMs: before });
    expect(nextDue(known({ isAsked: true }), before)).toEqual({ kind: 'MANUAL', atMs: before });
    expect(nextDue(known({ isStartDue: true }), due).kind).toBe('SLOT');
    expect(nextDue(known({ isAsked: true }), due).kind).toBe('SLOT');
  });

  test('nothing but closings for a plant that is not polled', () => {
    const state = loopState({ integrationStatus: 'DISABLED_BY_OPERATOR' });
    const paused = known({ state, isStartDue: true, isAsked: true });
    expect(nextDue(paused, 20 * minuteMs)).toEqual({ kind: 'NOTHING' });
    const closes = { ...paused, state: { ...state, nextClosing: closing(minuteMs) } };
    expect(nextDue(closes, 20 * minuteMs).kind).toBe('CLOSING');
  });
});

describe('the poll of a slot', () => {
  test('is none before its time, and SCHEDULE on it and within a tenth of the interval', () => {
    expect(dueSlotPoll(loopState(), 13 * minuteMs - 501, 500)).toBeNull();
    for (const nowMs of [13 * minuteMs - 500, 14 * minuteMs])
      expect(dueSlotPoll(loopState(), nowMs, 500)).toEqual({
        slotMs: 13 * minuteMs,
        trigger: 'SCHEDULE',
        missed: null,
        isPostponed: false,
      });
  });

  test('waits where it is late, and is CATCH_UP', () => {
    expect(dueSlotPoll(loopState(), 14 * minuteMs + 1, 0)).toMatchObject({
      trigger: 'CATCH_UP',
      isPostponed: true,
    });
  });

  test('is at once for intervals so short that waiting spreads nothing', () => {
    const state = loopState({ grid: { intervalMs: 5_000, phaseMs: 0 }, periodFromMs: 1 });
    expect(dueSlotPoll({ ...state, lastSlotMs: 0 }, 5_600, 0)).toMatchObject({
      trigger: 'CATCH_UP',
      isPostponed: false,
    });
  });

  test('names the older slots, of which each becomes MISSED', () => {
    expect(dueSlotPoll(loopState(), 33 * minuteMs, 0)).toEqual({
      slotMs: 33 * minuteMs,
      trigger: 'CATCH_UP',
      missed: { rows: { fromMs: 13 * minuteMs, toMs: 23 * minuteMs }, overflow: null },
      isPostponed: false,
    });
  });

  test('property: after it no slot up to now is without a poll or a MISSED row', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3_600 }),
        fc.integer({ min: 0, max: 400 }),
        fc.integer({ min: 0, max: 3_600_000 }),
        (intervalS, slots, restMs) => {
          const intervalMs = intervalS * 1_000;
          const one = { intervalMs, phaseMs: 0 };
          const state = loopState({ grid: one, lastSlotMs: intervalMs, periodFromMs: 1 });
          const nowMs = intervalMs * (slots + 2) + (restMs % intervalMs);
          const due = dueSlotPoll(state, nowMs, 0);
          const rows = due?.missed?.rows ?? null;
          const missed = rows === null ? 0 : (rows.toMs - rows.fromMs) / intervalMs + 1;
          expect(missed + 1).toBe(slots + 1);
          expect(nextSlot({ ...state, lastSlotMs: due?.slotMs ?? null })).toBeGreaterThan(nowMs);
        },
      ),
    );
  });

  test('property: a late loop begins before its next slot', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 6, max: 3_600 }),
        fc.integer({ min: 0, max: 3_600_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (intervalS, lateMs, share) => {
          const one = { intervalMs: intervalS * 1_000, phaseMs: 0 };
          const nowMs = one.intervalMs * 7 + (lateMs % one.intervalMs);
          const waitMs = postponedMs(one, nowMs, share);
          expect(nowMs + waitMs).toBeLessThanOrEqual(one.intervalMs * 8);
        },
      ),
    );
  });
});

test('a poll wakes early by half a second, an eighth of a short interval, and a part of the lag', () => {
  const early = (intervalMs: number, lagMs: number, earlyMsMax = 500) =>
    wokenEarlyMs({ intervalMs, phaseMs: 0 }, { lagMs, earlyMsMax });
  expect(early(600_000, 0)).toBe(500);
  expect(early(2_000, 0)).toBe(250);
  expect(early(600_000, 2_500)).toBe(3_000);
  expect(early(4_000, 2_500)).toBe(1_000 + 500);
  expect(early(600_000, 0, 0)).toBe(0);
});

test('lag is what the clock is ahead of the loop, within limits', () => {
  expect(lagOf(null, 5_000)).toBe(0);
  expect(lagOf(4_000, 5_000)).toBe(0);
  expect(lagOf(6_000, 5_000)).toBe(1_000);
  expect(lagOf(60_000, 5_000)).toBe(2_500);
});

test('a poll off the grid is always after the last one', () => {
  expect(offGridStart(loopState({ lastSlotMs: 1_000 }), 900)).toBe(1_001);
  expect(offGridStart(loopState({ lastSlotMs: null }), 900)).toBe(900);
});

test('eleven requests are a burst', () => {
  expect([isBurst(10), isBurst(11)]).toEqual([false, true]);
});

test('a run is full after its polls, 500 messages, or when its history is long', () => {
  const run = { polls: 15, messages: 499, isHistoryLong: false };
  expect(isRunFull(run, 16)).toBe(false);
  for (const full of [{ polls: 16 }, { messages: 500 }, { isHistoryLong: true }])
    expect(isRunFull({ ...run, ...full }, 16)).toBe(true);
});

test('a look keeps the newest slot, also where its row is still on its way', () => {
  const plan = {
    kind: 'PLAN' as const,
    name: 'Canal House',
    brand: 'SOLIS' as const,
    integrationStatus: 'ACTIVE' as const,
    revision: 2,
    ...grid,
    lastSlotMs: 3 * minuteMs,
    periodFromMs: 3 * minuteMs,
    startDue: false,
    nextClosing: null,
    missedClosings: [],
  };
  const before = loopState({ lastSlotMs: 13 * minuteMs, closedDate: '2026-05-31' });
  expect(stateOfPlan(plan, before)).toMatchObject({
    lastSlotMs: 13 * minuteMs,
    closedDate: '2026-05-31',
    revision: 2,
  });
  expect(stateOfPlan({ ...plan, lastSlotMs: null }, null).lastSlotMs).toBeNull();
});

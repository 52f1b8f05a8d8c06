/**
 * The grid on which a plant is due: `phase + n × interval` in integer milliseconds since the epoch. A slot is a number, not
 * "now plus the interval", so that no restart, deploy, time change or late poll can move it.
 *
 * Workflows import this file: it stays free of imports and of everything that the host may answer differently on replay.
 */

export interface Grid {
  intervalMs: number;
  /** 0 ≤ phaseMs < intervalMs. */
  phaseMs: number;
}

/** Slots that nobody polled, as the ledger takes them: a row each for those in `rows`, one row for all of `overflow`. */
export interface MissedSlots {
  rows: { fromMs: number; toMs: number } | null;
  overflow: { slotMs: number; slots: number } | null;
}

/** The slots that fell due while no loop polled: the newest is polled late, the others are recorded as MISSED. */
export interface LateSlots {
  /** The newest due slot. */
  catchUp: number;
  /** How many of the older slots get a row each: the newest of them, at most `missedRowsMax`. */
  missedCount: number;
  /** The first and last slot of those rows; null when there are none. */
  missedFromMs: number | null;
  missedToMs: number | null;
  /** How many still older slots share one more row, whose slot is `overflowFromMs`; mostly 0. */
  overflowCount: number;
  overflowFromMs: number | null;
}

/** Ten weeks at ten minutes. An older list of misses is of no use; one row has their number. */
export const missedRowsMax = 10_000;
/** A slot is late, and not merely delayed by a busy worker, when more than this part of the interval has passed. */
const lateIntervalPart = 1 / 10;
/** Late loops spread their first poll over this part of the interval, so that a returning fleet does not poll all at once. */
export const catchUpIntervalPart = 1 / 6;
/** Below this a spread has no effect: plants with such short intervals poll at once. */
const catchUpSpreadMsMin = 1_000;

const fnvOffsetBasis = 0x811c9dc5;
const fnvPrime = 0x01000193;

/** FNV-1a, 32 bits, over the UTF-8 bytes of `text` (lone surrogates as U+FFFD). Unsigned. */
export function fnv1a32(text: string): number {
  let hash = fnvOffsetBasis;
  for (const character of text) {
    for (const byte of utf8Bytes(character.codePointAt(0) ?? 0)) {
      hash = Math.imul(hash ^ byte, fnvPrime);
    }
  }
  return hash >>> 0;
}

/** A workflow's sandbox may lack TextEncoder, so this writes out the four lengths. */
function utf8Bytes(codePoint: number): number[] {
  if (codePoint < 0x80) return [codePoint];
  if (codePoint < 0x800) return [0xc0 | (codePoint >> 6), continuation(codePoint)];
  if (codePoint >= 0xd800 && codePoint <= 0xdfff) return [0xef, 0xbf, 0xbd];
  if (codePoint < 0x1_0000) {
    return [0xe0 | (codePoint >> 12), continuation(codePoint >> 6), continuation(codePoint)];
  }
  return [
    0xf0 | (codePoint >> 18),
    continuation(codePoint >> 12),
    continuation(codePoint >> 6),
    continuation(codePoint),
  ];
}

function continuation(bits: number): number {
  return 0x80 | (bits & 0x3f);
}

/** Where in its interval a plant is due: its id, hashed, so that a fleet spreads evenly and each plant keeps its place. */
export function phaseMs(plantId: string, intervalMs: number): number {
  return fnv1a32(plantId) % intervalMs;
}

/** How long after the last slot `atMs` is, ms; 0 on the slot itself. Also correct before the epoch. */
function sinceSlotMs(grid: Grid, atMs: number): number {
  const rest = (atMs - grid.phaseMs) % grid.intervalMs;
  return rest < 0 ? rest + grid.intervalMs : rest;
}

/** The first slot strictly after `atMs`. */
export function nextSlotAfter(grid: Grid, atMs: number): number {
  return atMs - sinceSlotMs(grid, atMs) + grid.intervalMs;
}

/** The newest slot that is due at `atMs`. */
export function lastSlotAtOrBefore(grid: Grid, atMs: number): number {
  return atMs - sinceSlotMs(grid, atMs);
}

export function isOnGrid(grid: Grid, atMs: number): boolean {
  return sinceSlotMs(grid, atMs) === 0;
}

/** The slots due in (`fromExclusiveMs`, `nowMs`]; null if there are none. */
export function lateSlots(grid: Grid, fromExclusiveMs: number, nowMs: number): LateSlots | null {
  const first = nextSlotAfter(grid, fromExclusiveMs);
  const catchUp = lastSlotAtOrBefore(grid, nowMs);
  if (catchUp < first) return null;
  const olderCount = (catchUp - first) / grid.intervalMs;
  const missedCount = Math.min(olderCount, missedRowsMax);
  const overflowCount = olderCount - missedCount;
  return {
    catchUp,
    missedCount,
    missedFromMs: missedCount === 0 ? null : catchUp - missedCount * grid.intervalMs,
    missedToMs: missedCount === 0 ? null : catchUp - grid.intervalMs,
    overflowCount,
    overflowFromMs: overflowCount === 0 ? null : first,
  };
}

/** The late slots that are not polled any more; null where there are none. */
export function missedOf(late: LateSlots): MissedSlots | null {
  const { missedFromMs: fromMs, missedToMs: toMs, overflowFromMs, overflowCount } = late;
  if (fromMs === null || toMs === null) return null;
  const overflow =
    overflowFromMs === null ? null : { slotMs: overflowFromMs, slots: overflowCount };
  return { rows: { fromMs, toMs }, overflow };
}

/** Whether a slot is late by more than a tenth of the interval: only then is its poll a CATCH_UP. */
export function isLate(grid: Grid, slotMs: number, nowMs: number): boolean {
  return nowMs - slotMs > grid.intervalMs * lateIntervalPart;
}

/** The longest time that a late loop may wait before it polls, ms, so that it begins before its next slot. 0: at once. */
export function catchUpWaitMsMax(grid: Grid, nowMs: number): number {
  const spreadMs = Math.floor(grid.intervalMs * catchUpIntervalPart);
  if (spreadMs < catchUpSpreadMsMin) return 0;
  return Math.min(spreadMs, nextSlotAfter(grid, nowMs) - nowMs - 1);
}

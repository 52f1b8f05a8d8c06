import { type Grid, lastSlotAtOrBefore, nextSlotAfter } from '../slots.ts';

/** Which slots of a gateway are due, and which of them nobody polls any more. */

/** A time in which a gateway is due on one grid, and up to which slot it has rows. */
export interface DueSpan {
  grid: Grid;
  fromMs: number;
  /** The end, not included; null: open. */
  toMs: number | null;
  /** Slots up to here have a row. */
  doneMs: number;
}

/** Slots that follow each other on a grid. */
export interface SlotRun {
  firstMs: number;
  count: number;
  intervalMs: number;
}

const dayMs = 86_400_000;
/** A slot needs so much time until the next one to be polled, ms; of short intervals this part. */
const leftMsMin = 1_000;
const leftIntervalPart = 0.2;
/** The deadline of a poll: this part of the interval, and never more than so many ms. */
const deadlineIntervalPart = 0.8;
const deadlineMsMax = 10_000;

/** The first slot of the span that has no row yet; null: none before its end. */
export function nextDue({ grid, fromMs, toMs, doneMs }: DueSpan): number | null {
  const slotMs = nextSlotAfter(grid, Math.max(doneMs, fromMs - 1));
  return toMs !== null && slotMs >= toMs ? null : slotMs;
}

/** The slots of the span up to `nowMs` that have no row; null: none. */
export function dueSlots(span: DueSpan, nowMs: number): SlotRun | null {
  const firstMs = nextDue(span);
  if (firstMs === null) return null;
  const { grid, toMs } = span;
  const lastMs = lastSlotAtOrBefore(grid, toMs === null ? nowMs : Math.min(nowMs, toMs - 1));
  if (lastMs < firstMs) return null;
  const { intervalMs } = grid;
  return { firstMs, count: (lastMs - firstMs) / intervalMs + 1, intervalMs };
}

/** The newest slot of a run. */
export function lastOf({ firstMs, count, intervalMs }: SlotRun): number {
  return firstMs + (count - 1) * intervalMs;
}

/** A run without its newest slot; null: it has no other. */
export function withoutLast(run: SlotRun): SlotRun | null {
  return run.count === 1 ? null : { ...run, count: run.count - 1 };
}

/** Cuts a run at a time: the slots up to it, and those after it. */
export function cutAfter(run: SlotRun, atMs: number): [SlotRun | null, SlotRun | null] {
  const { firstMs, intervalMs } = run;
  const before = Math.max(0, Math.min(run.count, Math.floor((atMs - firstMs) / intervalMs) + 1));
  const after = run.count - before;
  return [
    before === 0 ? null : { ...run, count: before },
    after === 0 ? null : { ...run, firstMs: firstMs + before * intervalMs, count: after },
  ];
}

/** Cuts a run at each UTC midnight, so that no row of missed slots reaches into the next day's partition. */
export function byDay(run: SlotRun): SlotRun[] {
  const days: SlotRun[] = [];
  for (let rest: SlotRun | null = run; rest !== null;) {
    const midnightMs = (Math.floor(rest.firstMs / dayMs) + 1) * dayMs;
    const [today, later]: [SlotRun | null, SlotRun | null] = cutAfter(rest, midnightMs - 1);
    if (today !== null) days.push(today);
    rest = later;
  }
  return days;
}

/** What a poll of a slot may take from now on, ms; null: too little time is left before the next slot. */
export function deadlineOf(grid: Grid, slotMs: number, nowMs: number): number | null {
  const { intervalMs } = grid;
  const leftMs = slotMs + intervalMs - nowMs;
  if (leftMs < Math.min(leftMsMin, intervalMs * leftIntervalPart)) return null;
  return Math.min(intervalMs * deadlineIntervalPart, deadlineMsMax, leftMs);
}

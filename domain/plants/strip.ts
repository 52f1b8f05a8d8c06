import type { Outcome } from './plant.ts';
import { type Grid, lastSlotAtOrBefore } from '../slots.ts';

/** The newest slots of a plant as a strip of ticks, which shows whether each was polled on time. */

export const stripSlots = 24;
/** A poll up to this late is on time, even for a very short interval. */
const lateMsMin = 30_000;
const lateIntervalPart = 1 / 10;

/** A span in which a plant was due, on its grid: from `fromMs` to before `toMs`, or to now. */
export interface SlotPeriod extends Grid {
  fromMs: number;
  toMs: number | null;
}

/** `due`: no row yet, and not late yet. `missed`: no row, or one that says so. */
export type TickKind = 'ok' | 'late' | 'failed' | 'skipped' | 'missed' | 'due';

export interface StripTick {
  slotMs: number;
  kind: TickKind;
  /** How late the poll began, ms; null if there was no poll. */
  lateMs: number | null;
}

/** A row of the ledger, as far as a tick needs it. */
export interface SlotRow {
  slotMs: number;
  outcome: Outcome;
  lateMs: number | null;
}

/** A poll that began more than this after its slot was late, ms: 30 s, or a tenth of the interval if that is longer. */
export function lateAfterMs(intervalMs: number): number {
  return Math.max(lateMsMin, intervalMs * lateIntervalPart);
}

interface DueSlot {
  slotMs: number;
  intervalMs: number;
}

/** The newest due slots, newest first. @param periods newest first. */
function dueSlots(periods: readonly SlotPeriod[], nowMs: number): DueSlot[] {
  const slots: DueSlot[] = [];
  for (const period of periods) {
    const lastMs = period.toMs === null ? nowMs : Math.min(nowMs, period.toMs - 1);
    const { intervalMs } = period;
    let slotMs = lastSlotAtOrBefore(period, lastMs);
    for (; slotMs >= period.fromMs && slots.length < stripSlots; slotMs -= intervalMs)
      slots.push({ slotMs, intervalMs });
  }
  return slots;
}

/** The oldest slot of the strip, ms; null for a plant that was never due. @param periods newest first. */
export function stripFrom(periods: readonly SlotPeriod[], nowMs: number): number | null {
  return dueSlots(periods, nowMs).at(-1)?.slotMs ?? null;
}

/**
 * The strip, oldest slot first. A slot without a row is missed as soon as it is late, even if nothing wrote a MISSED row.
 *
 * @param periods newest first.
 * @param rows of the ledger since `stripFrom`, any order; rows that are no slots are ignored.
 */
export function stripTicks(
  periods: readonly SlotPeriod[],
  rows: readonly SlotRow[],
  nowMs: number,
): StripTick[] {
  const rowAt = new Map(rows.map((row) => [row.slotMs, row]));
  return dueSlots(periods, nowMs)
    .map(({ slotMs, intervalMs }): StripTick => {
      const row = rowAt.get(slotMs);
      const limitMs = lateAfterMs(intervalMs);
      if (row === undefined)
        return { slotMs, kind: nowMs - slotMs > limitMs ? 'missed' : 'due', lateMs: null };
      return { slotMs, kind: kindOf(row, limitMs), lateMs: row.lateMs };
    })
    .reverse();
}

function kindOf({ outcome, lateMs }: SlotRow, limitMs: number): TickKind {
  switch (outcome) {
    case 'OK':
    case 'PARTIAL':
      return (lateMs ?? 0) > limitMs ? 'late' : 'ok';
    case 'FAILED':
      return 'failed';
    case 'SKIPPED_LOCKED':
    case 'SKIPPED_INACTIVE':
      return 'skipped';
    case 'MISSED':
      return 'missed';
  }
}

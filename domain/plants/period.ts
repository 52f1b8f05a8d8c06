import {
  type Grid,
  lateSlots,
  missedOf,
  type MissedSlots,
  nextSlotAfter,
  phaseMs,
} from '../slots.ts';

/** When a plant is due, and from when on: the rule by which one period follows another. */

/** The grid of a plant from `fromMs` on. Only a period whose reason is ACTIVE has due slots. */
export interface PlantPeriod<Reason extends string = string> extends Grid {
  fromMs: number;
  reason: Reason;
}

/** What ends the open period at `atMs`. */
export interface PeriodChange {
  atMs: number;
  /** The due slots of the old period that nobody polled, with the old interval; null: none. */
  missed: (MissedSlots & { intervalMs: number }) | null;
}

/**
 * The period that holds now: the open one, or another where people changed activity or interval.
 *
 * @param lastSlotMs the newest slot with a row; null before the first.
 * @returns `change` null while the open period holds.
 */
export function periodNow<Reason extends string>(
  wanted: { id: string; intervalMs: number; reason: Reason },
  open: PlantPeriod<Reason> | undefined,
  lastSlotMs: number | null,
  nowMs: number,
): { period: PlantPeriod<Reason>; change: PeriodChange | null } {
  const { intervalMs, reason } = wanted;
  const isActive = reason === 'ACTIVE';
  if (open?.reason === reason && (!isActive || open.intervalMs === intervalMs))
    return { period: open, change: null };
  const grid = { intervalMs, phaseMs: phaseMs(wanted.id, intervalMs) };
  // A poll wakes before its slot, so its row may exist before the slot itself. It belongs to the period that ends.
  const atMs = Math.max(nowMs, (lastSlotMs ?? -1) + 1);
  const fromMs = isActive ? nextSlotAfter(grid, atMs) : atMs;
  const missed = neverPolled(open, lastSlotMs, atMs);
  return { period: { fromMs, ...grid, reason }, change: { atMs, missed } };
}

/** A loop that starts with empty state has polled none of the old grid's last slots, and will not. */
function neverPolled(
  open: PlantPeriod | undefined,
  lastSlotMs: number | null,
  atMs: number,
): PeriodChange['missed'] {
  if (open?.reason !== 'ACTIVE') return null;
  // A slot at `atMs` itself does not belong to the closed period.
  const late = lateSlots(open, Math.max(lastSlotMs ?? 0, open.fromMs - 1), atMs - 1);
  if (late === null) return null;
  const { rows, overflow = null } = missedOf(late) ?? {};
  // The newest slot is not polled either.
  const fromMs = rows?.fromMs ?? late.catchUp;
  return { intervalMs: open.intervalMs, rows: { fromMs, toMs: late.catchUp }, overflow };
}

import type { ReadingView } from '../../../db/gateways/readings.ts';
import type { Html } from '../../pages/components.ts';
import { strip, type Tick, type TickKind } from '../../pages/strip.ts';

/** The last slots of a gateway as ticks. */

/** Number of slots of a strip. */
export const gatewayStripSlots = 40;

/** A row of the ledger as a strip needs it. */
export type StripRow = Pick<
  ReadingView,
  'read_at' | 'outcome' | 'reason' | 'slots_missed' | 'late_ms'
>;

/** A poll that began later than this after its slot counts as late in a strip, ms. */
const lateMsMin = 1_000;

/** @param rows oldest first; a row of n missed slots is n ticks. */
export function slotStrip(
  rows: readonly StripRow[],
  { intervalMs, timezone, href }: { intervalMs: number; timezone: string; href: string },
): Html {
  const ticks = rows.flatMap((row) => ticksOf(row, intervalMs)).slice(-gatewayStripSlots);
  return strip(ticks, { count: gatewayStripSlots, timezone, href });
}

function ticksOf(row: StripRow, intervalMs: number): Tick[] {
  const slotMs = row.read_at.getTime();
  if (row.outcome !== 'MISSED') return [{ slotMs, kind: kindOf(row) }];
  // Only the newest ones can be shown.
  const shown = Math.min(row.slots_missed, gatewayStripSlots);
  const firstMs = slotMs + (row.slots_missed - shown) * intervalMs;
  return Array.from({ length: shown }, (_, index): Tick => ({
    slotMs: firstMs + index * intervalMs,
    kind: 'missed',
  }));
}

function kindOf({ outcome, late_ms: lateMs }: StripRow): TickKind {
  switch (outcome) {
    case 'OK':
      return lateMs !== null && lateMs > lateMsMin ? 'late' : 'ok';
    case 'PARTIAL':
      return 'partial';
    case 'FAILED':
      return 'failed';
    case 'SKIPPED_LOCKED':
      return 'skipped';
    case 'MISSED':
      return 'missed';
  }
}

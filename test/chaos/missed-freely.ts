/**
 * How many slots may be missed for no reason that the run knows: a slot is missed where the machine pauses for a moment. More
 * than this is no such moment.
 */
export function missedFreelyMax(slotsDue: number): number {
  return Math.max(5, Math.round(slotsDue / 500));
}

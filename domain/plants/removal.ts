import { localTimeText } from '../wording.ts';
import { dayMs } from '../zone.ts';

/** A removed plant: nothing polls it, and what is known of it is kept for a while. */

/** How long ledger, days and alerts of a removed plant are kept at least, ms. */
export const removedKeptMs = 30 * dayMs;

/** Why a removed plant shows nothing new. */
export function removedSentence(removedAtMs: number, timezone: string): string {
  return `Removed ${localTimeText(removedAtMs, timezone)}: nothing polls it; its ledger and its days are kept.`;
}

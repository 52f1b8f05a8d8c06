import type { PlantRow } from '../../db/plants/plants.ts';
import type { BookedPoll } from '../../domain/plants/changes.ts';
import { PlainError } from '../../domain/plain-error.ts';

/** What the stored row of a plant says to the steps of a poll. */

export function gone(plantId: string): PlainError {
  return new PlainError(`plant ${plantId} is no longer there`);
}

/** The plant's newest poll if the alert step of this slot, or of a later one, is committed; else null. */
export function bookedPoll(row: PlantRow, slotMs: number): BookedPoll | null {
  return row.last_slot !== null && row.last_slot.getTime() >= slotMs ? row.last_poll : null;
}

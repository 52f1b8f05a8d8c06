import { type Fact, type Look, type Services, valueOf } from '../diagnosis.ts';
import { countMissedRows, readBrandPolling } from '../../db/plants/operations.ts';
import { countMissedSlots, type SlotCount } from '../../db/ledger/missed.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import { type PollingPulse, readLateness, readPulse } from '../../db/plants/polling.ts';
import { dayMs, hourMs, minuteMs } from '../../domain/zone.ts';

/** Figures of polling, which the status command, the System page and the diagnosis share. */

/** A slot that is due for a shorter time is not missed: its poll may run. */
const slotGraceMs = 2 * minuteMs;

export const pulse: Fact<PollingPulse> = ({ db, clock }) => readPulse(db, clock());

/** Lateness of scheduled polls in the last hour, ms; null: there was none. */
export const lateness: Fact<{ p50: number; p99: number } | null> = ({ db, clock }) =>
  readLateness(db, clock() - hourMs);

/** Due and missed slots of the last 24 h. */
export const slotCount: Fact<SlotCount> = ({ db, clock }) =>
  countMissedSlots(db, plantLedger, { fromMs: clock() - dayMs, toMs: clock() - slotGraceMs });

/**
 * The missed slots of `slotCount`, with their row (`written`) and without. The rows of the others are written when their
 * plants are polled again.
 */
export const missedSlots: Fact<{ written: number; unwritten: number }> = async (
  { db, clock },
  look,
) => {
  const { missed } = valueOf(await look(slotCount));
  const written = Math.min(missed, await countMissedRows(db, clock() - dayMs));
  return { written, unwritten: missed - written };
};

/** The polls of each brand in the last hour, and the number of its ACTIVE plants that are not polled in time. */
export const brandPolling = async ({ db }: Services, look: Look) => {
  const { byBrand } = valueOf(await look(pulse));
  return (await readBrandPolling(db)).map((row) => ({
    ...row,
    active_plants: byBrand[row.brand]?.active ?? 0,
    not_polled: byBrand[row.brand]?.unpolled ?? 0,
  }));
};

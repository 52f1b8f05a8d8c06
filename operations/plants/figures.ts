import { type Fact, valueOf } from '../diagnosis.ts';
import {
  type BrandPolling,
  countMissedRows,
  readBrandPolling,
} from '../../db/plants/operations.ts';
import { countMissedSlots, type SlotCount } from '../../db/ledger/missed.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import { type PollingPulse, readLateness, readPulse } from '../../db/plants/polling.ts';
import { dayMs, hourMs, minuteMs } from '../../domain/zone.ts';

/** Figures of polling. The status command, the System page and the rules of the diagnosis read the same ones. */

/** A slot without a row is not missed so soon: its poll may be under way. */
const slotGraceMs = 2 * minuteMs;

export const pulse: Fact<PollingPulse> = ({ db, clock }) => readPulse(db, clock());

/** Of scheduled polls of the last hour, ms; null where none was. */
export const lateness: Fact<{ p50: number; p99: number } | null> = ({ db, clock }) =>
  readLateness(db, clock() - hourMs);

/** Of the last 24 h. */
export const slotCount: Fact<SlotCount> = ({ db, clock }) =>
  countMissedSlots(db, plantLedger, { fromMs: clock() - dayMs, toMs: clock() - slotGraceMs });

export interface MissedSlots {
  /** With a row that says so. */
  written: number;
  /** Their rows are written when their plants are polled again. */
  unwritten: number;
}

/** Slots of the last 24 h that nobody polled: together as many as `slotCount` has. */
export const missedSlots: Fact<MissedSlots> = async ({ db, clock }, look) => {
  const { missed } = valueOf(await look(slotCount));
  const written = Math.min(missed, await countMissedRows(db, clock() - dayMs));
  return { written, unwritten: missed - written };
};

export type BrandStatus = { active_plants: number; not_polled: number } & BrandPolling;

/** The polls of each brand in the last hour, and how many of its ACTIVE plants are not polled in time. */
export const brandPolling: Fact<BrandStatus[]> = async ({ db }, look) => {
  const [{ byBrand }, rows] = [valueOf(await look(pulse)), await readBrandPolling(db)];
  return rows.map((row) => ({
    ...row,
    active_plants: byBrand[row.brand]?.active ?? 0,
    not_polled: byBrand[row.brand]?.unpolled ?? 0,
  }));
};

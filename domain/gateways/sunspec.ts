import type { DataPoint, UnitPoint } from './point.ts';

/** SunSpec: which models a unit has and where, and the addresses of points that are given by model and offset. */

/** Where SunSpec lets a device begin, in the order in which they are tried, as sent. */
export const sunSpecBases = [40_000, 0, 50_000] as const;

/** A block of registers of one model. Offsets count from the register with its id. */
export interface SunSpecModel {
  id: number;
  /** Of the register with the model's id, as sent. */
  address: number;
  /** Registers after id and length. */
  length: number;
}

/** What discovery found in one unit. Plain JSON. */
export interface SunSpecLayout {
  /** The address of "SunS". */
  base: number;
  /** In the order of the device; several devices in one unit follow each other, each with its model 1. */
  models: SunSpecModel[];
  /** Sentences about what does not fit the standard; the models before it are kept. */
  problems: string[];
}

/** A point with the address that its unit has for it. */
export interface ResolvedPoint extends UnitPoint {
  address: number;
  /** Where its scale factor is read, by the same function; null: it has none. */
  scaleFactorAddress: number | null;
  /** Its place in the gateway's list of points. */
  index: number;
}

/** A point that its unit does not have. */
export interface MissingPoint {
  index: number;
  unitId: number;
  key: string;
  /** Why, in a sentence. */
  message: string;
}

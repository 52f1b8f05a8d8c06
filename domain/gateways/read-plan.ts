/** Which requests bring the points of a gateway: few, none larger than the unit bears, none across what it refuses. */

import type { Quirks } from './gateway.ts';
import type { ReadFunction, UnitPoint } from './point.ts';

/** A point whose registers are known: as given, or found by SunSpec discovery. */
export interface ResolvedPoint extends UnitPoint {
  /** As sent. */
  address: number;
  /** Of its SunSpec scale factor (one register, int16), as sent; null: it has none. Same unit, same function. */
  scaleFactorAddress: number | null;
}

/** Registers, or coils for functions 1 and 2, of one unit: `count` from `address`. */
export interface ReadRange {
  unitId: number;
  function: ReadFunction;
  /** As sent. */
  address: number;
  count: number;
}

/**
 * A range that a unit refused with an exception. With code 1 the unit refuses the function: the range is then all of its
 * addresses.
 */
export interface Refusal extends ReadRange {
  /** 1, 2 or 3. */
  code: number;
  /** How often it was refused. From two on it is learned: the plan keeps away from it. One is a suspicion, not worth storing. */
  times: number;
  /** When it was refused last, ms since the epoch. A day later it is asked for again. */
  atMs: number;
}

/** What polls of one host and port learned about its units. A value: it is replaced, never changed. */
export interface Learned {
  refusals: readonly Refusal[];
}

export const nothingLearned: Learned = { refusals: [] };

/** What is taken out of the answer to a request. */
export interface RequestPart {
  /** Index of the point in the list that was planned. */
  point: number;
  /** First register, or coil, of the value. */
  address: number;
  /** Registers, or coils, of the value. */
  count: number;
  /** Register of the scale factor, where the same answer brings it. */
  scaleFactorAddress: number | null;
}

/**
 * One request. VALUES brings values, with their scale factors where they fit. Where they do not, the same factors are read
 * before and after the values: their parts then name the factor's register as `address`.
 */
export interface ReadRequest extends ReadRange {
  role: 'VALUES' | 'FACTORS_BEFORE' | 'FACTORS_AFTER';
  parts: readonly RequestPart[];
}

export interface ReadPlan {
  /** In the order in which they are sent, unit by unit. */
  requests: readonly ReadRequest[];
  /** Points that are not asked for, because the unit is known to refuse them. */
  refused: readonly { point: number; code: number }[];
  /** Points that no request can bring: longer than the most registers of one request, or beyond address 65535. */
  unreadable: readonly number[];
  /** When the next refusal is a day old and the plan must be made again, ms since the epoch; Infinity: never. */
  validUntilMs: number;
}

export type QuirksOf = (unitId: number) => Quirks;

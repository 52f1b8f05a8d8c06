import type { AlertsChanges, Booked } from '../domain/plants/changes.ts';
import type { Reading, VendorFailure } from '../domain/plants/reading.ts';
import type { Heard } from './vendor.ts';

/** What the checks of a simulation are told, and how they say that an invariant is broken. */

/** An invariant does not hold. */
export class Violation extends Error {
  readonly plantId: string;
  readonly trace: readonly string[];

  constructor(plantId: string, message: string, trace: readonly string[]) {
    super(message);
    this.name = 'Violation';
    this.plantId = plantId;
    this.trace = trace;
  }
}

/** Throws the Violation. */
export type Fail = (message: string) => never;

/** A failed attempt, and the pause after it, ms; null: no other attempt followed. */
export interface FailedAttempt {
  failure: VendorFailure;
  waitedMs: number | null;
}

/** What the snapshot step made of a reading. `heard` is what the vendor said, from the vendor's side. */
export interface Snapshot {
  slotMs: number;
  nowMs: number;
  reading: Reading;
  booked: Booked;
  heard: Heard | null;
}

/** What a poll decided. */
export interface Polled {
  slotMs: number;
  nowMs: number;
  result: { kind: 'READING'; reading: Reading } | { kind: 'FAILURE'; failure: VendorFailure };
  booked: Booked | null;
  heard: Heard | null;
  changes: AlertsChanges;
  attempts: number;
  failed: readonly FailedAttempt[];
  areCredentialsCurrent: boolean;
}

export interface Counts {
  polls: number;
  evaluations: number;
  closings: number;
  /** Number of false values that no guard can detect. */
  beyondGuards: number;
}

import type { Checkpoint } from '../../activities/deps.ts';
import type { StepPath } from './chaos-plan.ts';

/** What is promised of faults, for the system tests and for `npm run chaos`. */

/** A workflow task of 10 s is what a local step dies with; a heartbeat of 10 s is what tells of a regular one's death. */
export const nextAttemptMsMax: Readonly<Record<StepPath, number>> = {
  LOCAL: 15_000,
  REGULAR: 25_000,
};
/** Behind these the slot is claimed: the vendor must not be asked again. */
export const claimed: ReadonlySet<Checkpoint> = new Set([
  'after snapshot commit',
  'after alerts commit',
  'after ledger commit',
]);
/** What Redis may add to a poll, and what a timer on a busy machine adds to that. */
export const lockMsMax = 50;
export const timerMs = 25;

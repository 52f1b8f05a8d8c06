import type { Closing, MissedSlots, Plan } from '../../activities/plants/contract.ts';
import type { Trigger } from '../../domain/plants/plant.ts';
import {
  catchUpWaitMsMax,
  type Grid,
  isLate,
  lateSlots,
  missedOf,
  nextSlotAfter,
} from '../../domain/slots.ts';
import type { LoopState } from './messages.ts';

/**
 * What a plant's loop does next, and when: pure functions of what the loop knows. The workflow calls them through `loop.ts`,
 * and so does the simulation. Instants are integer ms since the epoch.
 */

/** A poll wakes at most this part of its interval before its slot, so that a short interval leaves room for the poll before. */
const wokenEarlyPart = 1 / 8;
/** A loop's lag counts up to this part of its interval. */
const lagPart = 1 / 4;
/** A loop's lag counts up to this, so that a worker with a wrong clock moves polls little. */
const lagMsMax = 2_500;
/** More unserved requests than this are a burst. */
const burstRequests = 10;
/** Temporal takes 10,000 signals and 2,000 updates a run. A new run begins long before, so that a pause is still heard. */
const messagesPerRunMax = 500;

export type Due =
  | { kind: 'SLOT' | 'START' | 'MANUAL'; atMs: number }
  | { kind: 'CLOSING'; atMs: number; closing: Closing }
  | { kind: 'NOTHING' };

/** What decides when the loop acts next. */
export interface Known {
  state: LoopState;
  /** Closings that no worker made, the oldest first. */
  missedClosings: readonly Closing[];
  /** True until the first poll after an activation. */
  isStartDue: boolean;
  /** True while somebody waits for a poll. */
  isAsked: boolean;
  /** See `wokenEarlyMs`. */
  earlyMs: number;
}

/** The earliest of closing, slot, START poll and requested poll. A paused plant has closings only. */
export function nextDue(known: Known, nowMs: number): Due {
  const { state, missedClosings, isStartDue, isAsked, earlyMs } = known;
  const closing = missedClosings[0] ?? state.nextClosing;
  let due: Due =
    closing === null ? { kind: 'NOTHING' } : { kind: 'CLOSING', atMs: closing.atMs, closing };
  if (state.integrationStatus !== 'ACTIVE') return due;
  const slotMs = nextSlot(state);
  const wakeMs = slotMs - earlyMs;
  if (due.kind === 'NOTHING' || wakeMs < due.atMs) due = { kind: 'SLOT', atMs: wakeMs };
  if (isStartDue && slotMs > nowMs) return { kind: 'START', atMs: nowMs };
  if (isAsked && due.atMs > nowMs) return { kind: 'MANUAL', atMs: nowMs };
  return due;
}

/** The first slot without a poll, due or not. */
export function nextSlot(state: LoopState): number {
  return nextSlotAfter(state.grid, answeredUntil(state));
}

function answeredUntil({ lastSlotMs, periodFromMs }: LoopState): number {
  return Math.max(lastSlotMs ?? 0, periodFromMs - 1);
}

/** How long before its slot a poll wakes, ms. `earlyMsMax` 0: on the slot, but for the lag. */
export function wokenEarlyMs(
  { intervalMs }: Grid,
  { lagMs, earlyMsMax }: { lagMs: number; earlyMsMax: number },
): number {
  const countedLagMs = Math.min(lagMs, Math.floor(intervalMs * lagPart));
  return countedLagMs + Math.min(earlyMsMax, Math.floor(intervalMs * wokenEarlyPart));
}

/**
 * How far a loop's time is behind the worker's clock at the end of a poll, ms. A workflow's time stands still while its task
 * waits for a busy worker, but its timers run from the end of the task: without this the next poll would be late by as much.
 */
export function lagOf(endedAtMs: number | null, nowMs: number): number {
  return endedAtMs === null ? 0 : Math.min(lagMsMax, Math.max(0, endedAtMs - nowMs));
}

/** The poll of the newest due slot. */
export interface SlotPoll {
  slotMs: number;
  trigger: Extract<Trigger, 'SCHEDULE' | 'CATCH_UP'>;
  /** The older due slots, which become MISSED; null: none. */
  missed: MissedSlots | null;
  /** The slot is late: the loop waits before it polls, so that a fleet that returns makes no storm. */
  isPostponed: boolean;
}

/** null where no slot is due. */
export function dueSlotPoll(state: LoopState, nowMs: number, earlyMs: number): SlotPoll | null {
  const { grid } = state;
  const late = lateSlots(grid, answeredUntil(state), nowMs + earlyMs);
  if (late === null) return null;
  const isLateNow = isLate(grid, late.catchUp, nowMs);
  const isCatchUp = isLateNow || late.missedCount > 0;
  return {
    slotMs: late.catchUp,
    trigger: isCatchUp ? 'CATCH_UP' : 'SCHEDULE',
    missed: missedOf(late),
    isPostponed: isLateNow && catchUpWaitMsMax(grid, nowMs) > 0,
  };
}

/** How long a late loop waits before it polls, ms. `share`, of 0 … 1, differs from loop to loop. */
export function postponedMs(grid: Grid, nowMs: number, share: number): number {
  return Math.max(1, Math.floor(share * catchUpWaitMsMax(grid, nowMs)));
}

/** The start of a START or requested poll, which is its key in the ledger: always after the last poll's. */
export function offGridStart({ lastSlotMs }: LoopState, nowMs: number): number {
  return Math.max(nowMs, (lastSlotMs ?? 0) + 1);
}

/** Requests that come faster than polls can serve them wait for the burst's end and share one poll. */
export function isBurst(requests: number): boolean {
  return requests > burstRequests;
}

/** A run ends after a number of polls or messages; a short one is quickly replayed by a worker that starts cold. */
export function isRunFull(
  run: { polls: number; messages: number; isHistoryLong: boolean },
  pollsMax: number,
): boolean {
  return run.polls >= pollsMax || run.messages >= messagesPerRunMax || run.isHistoryLong;
}

/** The loop's state after a look at PostgreSQL. `before`: null at the loop's start. */
export function stateOfPlan(
  plan: Extract<Plan, { kind: 'PLAN' }>,
  before: LoopState | null,
): LoopState {
  return {
    name: plan.name,
    integrationStatus: plan.integrationStatus,
    revision: plan.revision,
    grid: { intervalMs: plan.intervalMs, phaseMs: plan.phaseMs },
    periodFromMs: plan.periodFromMs,
    // The row of the newest poll may still be on its way to the ledger.
    lastSlotMs: Math.max(plan.lastSlotMs ?? 0, before?.lastSlotMs ?? 0) || null,
    nextClosing: plan.nextClosing,
    closedDate: before?.closedDate ?? null,
    standing: before?.standing ?? null,
    lastPoll: before?.lastPoll ?? null,
  };
}

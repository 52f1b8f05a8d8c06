import type { GatewayStatus } from './gateway.ts';
import {
  type GatewayOutcome,
  type GatewayTrigger,
  isSuccess,
  type PollFailure,
} from './reading.ts';
import { disabledFacts, factsAfterProbe, returnedFacts } from './disable.ts';

/**
 * What is known of a gateway between two polls, and how a poll changes it. Its walker keeps the facts in memory while it holds
 * the lease and stores them with every row. Instants are integer milliseconds since the epoch.
 */

/** A point that the newest successful poll found BAD. */
export interface BadPoint {
  /** For how many successful polls in a row. */
  polls: number;
  /** Why, as `qualityCode` has it. */
  code: number;
}

/** A gateway's status with its reason, as the rules last decided it. */
export interface Standing {
  status: GatewayStatus;
  /** One word; null while ONLINE. */
  reason: string | null;
  /** The reason as a sentence for people; null while ONLINE. */
  message: string | null;
  /** Since when the status holds. */
  sinceMs: number;
}

export interface GatewayFacts {
  standing: Standing;
  /** When the newest poll began. */
  lastPolledAtMs: number | null;
  /** When the newest successful read was answered. A failed poll never moves it. */
  lastSeenAtMs: number | null;
  /** Polls on slots that failed since the last successful read. Those that a back-off refused do not count. */
  consecutiveFailures: number;
  /** When the first of them began. */
  failingSinceMs: number | null;
  /** Why the newest of them failed; null after a success, or when it is not known any more. */
  lastFailure: PollFailure | null;
  /** Outcomes of the last 20 polls on slots, the newest last: O OK, P PARTIAL, F FAILED (also by a back-off). */
  recent: string;
  /** Points that the newest successful poll found BAD, by `pointIdOf`. */
  badPoints: Readonly<Record<string, BadPoint>>;
  /** Successful polls in a row in which a unit was silent while another one answered, by unit id. */
  silentUnits: Readonly<Record<string, number>>;
  /** Since when failures have switched it off; null: they have not. */
  disabledAtMs: number | null;
  /** While it is switched off: when it is probed next, how many probes failed, and how many of the newest were good. */
  nextProbeAtMs: number | null;
  probes: number;
  goodProbes: number;
}

/** A gateway's open period, and why people paused it. */
export interface GatewayPlan {
  /** Of the open period: ACTIVE, PAUSED, DISABLED, HALTED, REMOVED. */
  reason: string;
  /** When that period began. */
  fromMs: number;
  intervalMs: number;
  /** What the person said who paused it. */
  pauseReason: string | null;
}

/** A poll, as far as the facts follow from it. */
export interface PollEnd {
  trigger: GatewayTrigger;
  outcome: GatewayOutcome;
  failure: PollFailure | null;
  /** The poll failed without touching the device, because its socket waits after earlier failures. */
  isBackOff: boolean;
  startedAtMs: number;
  /** When the last answer came; of a failure when it was given up. */
  measuredAtMs: number;
  /** The points in the order of the map. */
  points: readonly { unitId: number; key: string }[];
  /** By point, as `qualityCode` gives them; null when all are GOOD, and of a failed poll. */
  quality: readonly number[] | null;
}

/** How many outcomes `recent` holds. */
export const recentPollsMax = 20;

/** Codes of `qualityCode` from which on the device refused the point: EXCEPTION n is 100 + n. */
export const refusedFrom = 101;
/** MISSING(NOT_ANSWERED), and MISSING(SENTINEL), which is an answer. */
const notAnswered = 1;
const sentinel = 2;
/** The exceptions by which a gateway says that the unit behind it does not answer. */
const unitIsSilent: ReadonlySet<number> = new Set([notAnswered, 110, 111]);

/** A gateway of which nothing is known yet. */
export function newFacts(atMs: number): GatewayFacts {
  return {
    standing: { status: 'WAITING', reason: null, message: null, sinceMs: atMs },
    lastPolledAtMs: null,
    lastSeenAtMs: null,
    consecutiveFailures: 0,
    failingSinceMs: null,
    lastFailure: null,
    recent: '',
    badPoints: {},
    silentUnits: {},
    disabledAtMs: null,
    nextProbeAtMs: null,
    probes: 0,
    goodProbes: 0,
  };
}

/** The key of a point in `badPoints`. @example pointIdOf({ unitId: 1, key: 'ac_power_w' }) is '1/ac_power_w' */
export function pointIdOf({ unitId, key }: { unitId: number; key: string }): string {
  return `${unitId}/${key}`;
}

/** The inverse of `pointIdOf`. */
export function pointOfId(id: string): { unitId: string; key: string } {
  const [unitId = '', ...key] = id.split('/');
  return { unitId, key: key.join('/') };
}

/**
 * The facts after a poll. A slot that was MISSED or SKIPPED_LOCKED changes nothing: nobody asked the device. A MANUAL poll
 * that fails is no failure of a slot; one that succeeds ends the failures.
 */
export function factsAfterPoll(before: GatewayFacts, poll: PollEnd): GatewayFacts {
  if (poll.outcome === 'MISSED' || poll.outcome === 'SKIPPED_LOCKED') return before;
  const polled = { ...before, lastPolledAtMs: poll.startedAtMs };
  const after = isSuccess(poll.outcome) ? afterSuccess(polled, poll) : afterFailure(polled, poll);
  return before.disabledAtMs === null ? after : factsAfterProbe(after, poll);
}

/**
 * The facts once the gateway's plan is known: a period that is DISABLED and the facts agree, whoever has decided it.
 * Called when a plan is loaded or has changed.
 */
export function factsUnderPlan(
  facts: GatewayFacts,
  { reason, fromMs }: Pick<GatewayPlan, 'reason' | 'fromMs'>,
): GatewayFacts {
  if (reason === 'DISABLED' && facts.disabledAtMs === null) return disabledFacts(facts, fromMs);
  if (reason === 'ACTIVE' && facts.disabledAtMs !== null) return returnedFacts(facts);
  return facts;
}

function afterSuccess(before: GatewayFacts, poll: PollEnd): GatewayFacts {
  // The failures that switched it off are told until it is back.
  const isOver = before.disabledAtMs === null;
  return {
    ...before,
    lastSeenAtMs: Math.max(before.lastSeenAtMs ?? -Infinity, poll.measuredAtMs),
    consecutiveFailures: isOver ? 0 : before.consecutiveFailures,
    failingSinceMs: isOver ? null : before.failingSinceMs,
    lastFailure: isOver ? null : before.lastFailure,
    recent: recentWith(before, poll.outcome === 'OK' ? 'O' : 'P'),
    badPoints: badPointsAfter(before, poll),
    silentUnits: silentUnitsAfter(before, poll),
  };
}

function afterFailure(before: GatewayFacts, poll: PollEnd): GatewayFacts {
  if (poll.trigger === 'MANUAL' || before.disabledAtMs !== null)
    return { ...before, lastFailure: poll.failure };
  if (poll.isBackOff) {
    // Why the socket waits is worth more than that it waits.
    const lastFailure = before.lastFailure ?? poll.failure;
    return { ...before, lastFailure, recent: recentWith(before, 'F') };
  }
  return {
    ...before,
    consecutiveFailures: before.consecutiveFailures + 1,
    failingSinceMs: before.failingSinceMs ?? poll.startedAtMs,
    lastFailure: poll.failure,
    recent: recentWith(before, 'F'),
  };
}

/** While it is switched off, probes are no polls on slots. */
function recentWith({ recent, disabledAtMs }: GatewayFacts, outcome: 'O' | 'P' | 'F'): string {
  return disabledAtMs === null ? `${recent}${outcome}`.slice(-recentPollsMax) : recent;
}

function badPointsAfter(
  before: GatewayFacts,
  { points, quality }: PollEnd,
): typeof before.badPoints {
  if (quality === null) return noneOf(before.badPoints);
  const after: Record<string, BadPoint> = {};
  for (const [index, point] of points.entries()) {
    const id = pointIdOf(point);
    const code = quality[index] ?? 0;
    const known = before.badPoints[id];
    // Silence says nothing about the point: what was BAD stays so.
    if (code === notAnswered && known !== undefined) after[id] = known;
    if (code > sentinel) after[id] = { polls: (known?.polls ?? 0) + 1, code };
  }
  return after;
}

/** A unit is silent if none of its points is answered while one of another unit is. */
function silentUnitsAfter(
  before: GatewayFacts,
  { points, quality }: PollEnd,
): typeof before.silentUnits {
  if (quality === null) return noneOf(before.silentUnits);
  const answering = new Set<number>();
  for (const [index, { unitId }] of points.entries())
    if (!unitIsSilent.has(quality[index] ?? 0)) answering.add(unitId);
  const after: Record<string, number> = {};
  for (const { unitId } of points)
    if (!answering.has(unitId)) after[unitId] = (before.silentUnits[unitId] ?? 0) + 1;
  return after;
}

/** Nothing, as the same object where there was nothing before: an ordinary poll makes no garbage. */
function noneOf<T>(before: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  for (const _ in before) return {};
  return before;
}

import { durationText, sentenceOf } from '../wording.ts';
import {
  type GatewayFacts,
  type GatewayPlan,
  pointOfId,
  recentPollsMax,
  refusedFrom,
  type Standing,
} from './facts.ts';
import type { GatewayStatus } from './gateway.ts';
import { failureSentence } from './failure-words.ts';
import { qualityOf } from './reading.ts';

/** The status of a gateway with its reason: the first that holds of PAUSED, DISABLED, WAITING, OFFLINE, DEGRADED, ONLINE. */

/** Limits are multiples of the interval and this, which a slow poll may take. */
const graceMs = 5_000;
/** Intervals without a successful read: inclusive while WAITING, exclusive for the others. */
const waitingIntervals = 5;
const offlineIntervals = 5;
const degradedIntervals = 2;
/** Failed polls that OFFLINE needs besides, so that an outage of ours alarms nobody. */
const offlineFailures = 'FFF';
/** More failed polls than this among the last 20 (20 %) are too many. */
const failedOfRecentMax = recentPollsMax * 0.2;

/** @returns the standing now; `sinceMs` changes only with the status. */
export function standingOf(facts: GatewayFacts, plan: GatewayPlan, nowMs: number): Standing {
  const decided = decide(facts, plan, nowMs);
  const { status, sinceMs } = facts.standing;
  return { ...decided, sinceMs: decided.status === status ? sinceMs : nowMs };
}

type Decided = Omit<Standing, 'sinceMs'>;

const online: Decided = { status: 'ONLINE', reason: null, message: null };

function decide(facts: GatewayFacts, plan: GatewayPlan, nowMs: number): Decided {
  if (plan.reason !== 'ACTIVE' && plan.reason !== 'DISABLED') return paused(plan);
  if (plan.reason === 'DISABLED') return disabled(facts);
  if (isWaiting(facts, plan, nowMs)) return waiting(facts);
  if (isStale(facts, plan, nowMs)) return kept(facts);
  return (
    offline(facts, plan, nowMs) ??
    late(facts, plan, nowMs) ??
    failing(facts) ??
    refused(facts) ??
    online
  );
}

/**
 * Whether the status is old news: the gateway is due, and no poll of ours began for more than two intervals and 5 s. The
 * status then stays as it was.
 */
export function isStale(
  { lastPolledAtMs }: Pick<GatewayFacts, 'lastPolledAtMs'>,
  { reason, fromMs, intervalMs }: Pick<GatewayPlan, 'reason' | 'fromMs' | 'intervalMs'>,
  nowMs: number,
): boolean {
  const polledMs = Math.max(lastPolledAtMs ?? -Infinity, fromMs);
  return reason === 'ACTIVE' && nowMs - polledMs > degradedIntervals * intervalMs + graceMs;
}

/** No read has succeeded since the gateway became due, which is at most five intervals ago. */
function isWaiting(
  facts: GatewayFacts,
  { fromMs, intervalMs }: GatewayPlan,
  nowMs: number,
): boolean {
  const { lastSeenAtMs, standing } = facts;
  if (nowMs - fromMs > waitingIntervals * intervalMs) return false;
  if (lastSeenAtMs === null) return true;
  // A new interval begins a new period too; only after a pause an old read says nothing.
  const wasPolled = !fromWaiting.has(standing.status);
  if (wasPolled || lastSeenAtMs >= fromMs) return false;
  return nowMs - lastSeenAtMs > degradedIntervals * intervalMs + graceMs;
}

const fromWaiting: ReadonlySet<GatewayStatus> = new Set<GatewayStatus>([
  'PAUSED',
  'DISABLED',
  'WAITING',
]);

function paused({ reason, pauseReason }: GatewayPlan): Decided {
  const because = pauseReason === null ? '.' : `: ${sentenceOf(pauseReason)}`;
  const messages: Readonly<Record<string, string>> = {
    HALTED: 'All polling is stopped; heliograph polling start --all lifts the stop.',
    REMOVED: 'Removed.',
  };
  return { status: 'PAUSED', reason, message: messages[reason] ?? `Paused by a person${because}` };
}

function disabled({ lastFailure, consecutiveFailures }: GatewayFacts): Decided {
  const reason = lastFailure?.reason ?? 'FAILURES';
  const last = lastFailure === null ? '' : ` The last one: ${failureSentence(lastFailure)}`;
  const message = `Switched off after ${consecutiveFailures} failed polls in a row; it is probed, and returns by itself.${last}`;
  return { status: 'DISABLED', reason, message };
}

function waiting({ lastFailure }: GatewayFacts): Decided {
  const message = 'Waiting for the first successful read.';
  if (lastFailure === null) return { status: 'WAITING', reason: 'NO_READ_YET', message };
  const { reason } = lastFailure;
  return { status: 'WAITING', reason, message: `${message} ${failureSentence(lastFailure)}` };
}

/** Nobody polls: what was true then stays, but a gateway that became due is no longer paused. */
function kept({ standing: { status, reason, message } }: GatewayFacts): Decided {
  if (status !== 'PAUSED' && status !== 'DISABLED') return { status, reason, message };
  return {
    status: 'WAITING',
    reason: 'NO_READ_YET',
    message: 'Waiting for the first successful read.',
  };
}

/** Since when no read has succeeded; of a gateway that never answered since it is due. */
function unseenMs({ lastSeenAtMs }: GatewayFacts, { fromMs }: GatewayPlan, nowMs: number): number {
  return nowMs - (lastSeenAtMs ?? fromMs);
}

function offline(facts: GatewayFacts, plan: GatewayPlan, nowMs: number): Decided | null {
  const limitMs = offlineIntervals * plan.intervalMs + graceMs;
  if (unseenMs(facts, plan, nowMs) <= limitMs || !facts.recent.endsWith(offlineFailures))
    return null;
  const { reason, sentence } = lastFailureOf(facts);
  const message = `No successful read for more than ${durationText(limitMs)}: ${sentence}`;
  return { status: 'OFFLINE', reason, message };
}

function late(facts: GatewayFacts, plan: GatewayPlan, nowMs: number): Decided | null {
  const limitMs = degradedIntervals * plan.intervalMs + graceMs;
  if (unseenMs(facts, plan, nowMs) <= limitMs) return null;
  const { reason, sentence } = lastFailureOf(facts);
  const message = `The last successful read is older than ${durationText(limitMs)}: ${sentence}`;
  return { status: 'DEGRADED', reason, message };
}

function lastFailureOf({ lastFailure }: GatewayFacts): { reason: string; sentence: string } {
  return lastFailure === null
    ? { reason: 'NO_READ', sentence: 'no poll has succeeded since.' }
    : { reason: lastFailure.reason, sentence: failureSentence(lastFailure) };
}

function failing({ recent, lastFailure }: GatewayFacts): Decided | null {
  let failed = 0;
  for (const outcome of recent) if (outcome === 'F') failed += 1;
  if (failed <= failedOfRecentMax) return null;
  const last = lastFailure === null ? '' : ` The last one: ${failureSentence(lastFailure)}`;
  const message = `${failed} of the last ${recent.length} polls failed.${last}`;
  return { status: 'DEGRADED', reason: 'FAILING_POLLS', message };
}

/** A point that the device refuses has no value, while the others go on. */
function refused({ badPoints }: GatewayFacts): Decided | null {
  const points: string[] = [];
  for (const id in badPoints) if ((badPoints[id]?.code ?? 0) >= refusedFrom) points.push(id);
  const [first] = points;
  if (first === undefined) return null;
  const { unitId, key } = pointOfId(first);
  const quality = qualityOf(badPoints[first]?.code ?? refusedFrom);
  const code = 'code' in quality ? ` (exception ${quality.code})` : '';
  const more = points.length === 1 ? '' : ` and ${points.length - 1} more`;
  const message = `The device refuses ${key} of unit ${unitId}${code}${more}.`;
  return { status: 'DEGRADED', reason: 'POINT_REFUSED', message };
}

import { sentenceOf } from '../wording.ts';
import {
  type GatewayFacts,
  type GatewayPlan,
  pointOfId,
  recentPollsMax,
  refusedFrom,
  type Standing,
} from './facts.ts';
import type { GatewayStatus } from './gateway.ts';
import { failureSentence, isFailureReason } from './failure-words.ts';
import { type PollFailure, qualityOf } from './reading.ts';

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

function disabled(facts: GatewayFacts): Decided {
  return { status: 'DISABLED', ...lastFailureOf(facts) };
}

function waiting({ lastFailure }: GatewayFacts): Decided {
  return lastFailure === null
    ? noReadYet
    : { status: 'WAITING', reason: lastFailure.reason, message: failureSentence(lastFailure) };
}

const noReadYet: Decided = {
  status: 'WAITING',
  reason: 'NO_READ_YET',
  message: 'Waiting for the first successful read.',
};

/** Nobody polls: what was true then stays, but a gateway that became due is no longer paused. */
function kept({ standing: { status, reason, message } }: GatewayFacts): Decided {
  return status === 'PAUSED' || status === 'DISABLED' ? noReadYet : { status, reason, message };
}

/** Since when no read has succeeded; of a gateway that never answered since it is due. */
function unseenMs({ lastSeenAtMs }: GatewayFacts, { fromMs }: GatewayPlan, nowMs: number): number {
  return nowMs - (lastSeenAtMs ?? fromMs);
}

function offline(facts: GatewayFacts, plan: GatewayPlan, nowMs: number): Decided | null {
  const limitMs = offlineIntervals * plan.intervalMs + graceMs;
  if (unseenMs(facts, plan, nowMs) <= limitMs || !facts.recent.endsWith(offlineFailures))
    return null;
  return { status: 'OFFLINE', ...lastFailureOf(facts) };
}

function late(facts: GatewayFacts, plan: GatewayPlan, nowMs: number): Decided | null {
  const limitMs = degradedIntervals * plan.intervalMs + graceMs;
  if (unseenMs(facts, plan, nowMs) <= limitMs) return null;
  return { status: 'DEGRADED', ...lastFailureOf(facts) };
}

/** Where a status follows from failures, its reason is the newest failure. `lastFailureIn` is the inverse. */
function lastFailureOf({ lastFailure }: GatewayFacts): { reason: string; message: string } {
  return lastFailure === null
    ? { reason: 'NO_READ', message: 'No poll has succeeded since.' }
    : { reason: lastFailure.reason, message: failureSentence(lastFailure) };
}

/** The failure that is the reason of a standing; null: it has another one. */
export function lastFailureIn({ reason, message }: Standing): PollFailure | null {
  return isFailureReason(reason) ? { reason, message: message ?? '' } : null;
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

import type { StoredState } from '../../db/gateways/state.ts';
import type { GatewayAlertsBefore } from '../../domain/gateways/alerts.ts';
import {
  factsAfterPoll,
  type GatewayFacts,
  type GatewayPlan,
  newFacts,
  type PollEnd,
} from '../../domain/gateways/facts.ts';
import type { PollFailure } from '../../domain/gateways/reading.ts';
import { standingOf } from '../../domain/gateways/status.ts';
import { dayMs } from '../../domain/zone.ts';

/** Facts of gateways for tests: one that is polled every 10 s and answers, of which each test changes what it is about. */

export const noonMs = Date.parse('2026-06-10T12:00:00Z');
export const intervalMs = 10_000;

export const refused: PollFailure = {
  reason: 'CONNECTION_REFUSED',
  message: '10.0.0.5:502 refuses the connection.',
};

/** Two units with two points each. */
export const points = [
  { unitId: 1, key: 'power_w' },
  { unitId: 1, key: 'energy_kwh' },
  { unitId: 2, key: 'power_w' },
  { unitId: 2, key: 'energy_kwh' },
];

export function samplePlan(different: Partial<GatewayPlan> = {}): GatewayPlan {
  return { reason: 'ACTIVE', fromMs: noonMs - dayMs, intervalMs, pauseReason: null, ...different };
}

/** Seen at noon, ONLINE for an hour. */
export function sampleFacts(different: Partial<GatewayFacts> = {}): GatewayFacts {
  return {
    ...newFacts(noonMs),
    standing: { status: 'ONLINE', reason: null, message: null, sinceMs: noonMs - 3_600_000 },
    lastPolledAtMs: noonMs,
    lastSeenAtMs: noonMs,
    recent: 'O'.repeat(20),
    ...different,
  };
}

/** A poll that begins at `startedAtMs` and is answered at once. */
export function samplePoll(startedAtMs: number, different: Partial<PollEnd> = {}): PollEnd {
  return {
    trigger: 'SCHEDULE',
    outcome: 'OK',
    failure: null,
    isBackOff: false,
    startedAtMs,
    measuredAtMs: startedAtMs,
    points,
    quality: null,
    ...different,
  };
}

export function failedPoll(startedAtMs: number, different: Partial<PollEnd> = {}): PollEnd {
  return samplePoll(startedAtMs, { outcome: 'FAILED', failure: refused, ...different });
}

/** The facts after polls, with the standing that follows from each. */
export function afterPolls(
  before: GatewayFacts,
  polls: readonly PollEnd[],
  plan = samplePlan(),
): GatewayFacts {
  let facts = before;
  for (const poll of polls) {
    facts = factsAfterPoll(facts, poll);
    facts = { ...facts, standing: standingOf(facts, plan, poll.measuredAtMs) };
  }
  return facts;
}

/** `count` failed polls, one each interval from `fromMs` on. */
export function failedPolls(count: number, fromMs: number, everyMs = intervalMs): PollEnd[] {
  return Array.from({ length: count }, (_, index) => failedPoll(fromMs + index * everyMs));
}

export function sampleAlertsBefore(
  different: Partial<GatewayAlertsBefore> = {},
): GatewayAlertsBefore {
  return {
    facts: sampleFacts(),
    plan: samplePlan(),
    priority: 'NORMAL',
    timezone: 'UTC',
    alertsSilencedUntilMs: null,
    active: [],
    ended: [],
    ...different,
  };
}

/** The facts as a walker stores them. */
export function storedState(facts: GatewayFacts): StoredState {
  const { standing, lastFailure: _, disabledAtMs: __, ...columns } = facts;
  return {
    ...columns,
    status: standing.status,
    statusReason: standing.reason,
    statusMessage: standing.message,
    statusSinceMs: standing.sinceMs,
    lastSlotMs: facts.lastPolledAtMs,
    counters: {},
    lastReading: null,
  };
}

import { minuteMs } from '../zone.ts';
import type { GatewayFacts, GatewayPlan, PollEnd } from './facts.ts';
import { isSuccess } from './reading.ts';

/**
 * When failures switch a gateway off, how it is probed then, and when it comes back. Failures in a row decide, never a share
 * of all polls that there ever were.
 */

/** How many failures in a row, and over how long, switch a gateway off: both are needed. */
export interface DisableLimits {
  failures: number;
  overMs: number;
}

export const disableLimitsDefault: DisableLimits = { failures: 10, overMs: 10 * minuteMs };

/**
 * Whether its failures switch a gateway off. The time counts up to the newest poll, so that a span in which nobody polled
 * decides nothing.
 */
export function mustDisable(
  facts: Pick<GatewayFacts, 'consecutiveFailures' | 'failingSinceMs' | 'lastPolledAtMs'>,
  { reason }: Pick<GatewayPlan, 'reason'>,
  limits: DisableLimits,
): boolean {
  const { consecutiveFailures, failingSinceMs, lastPolledAtMs } = facts;
  if (reason !== 'ACTIVE' || failingSinceMs === null || lastPolledAtMs === null) return false;
  return consecutiveFailures >= limits.failures && lastPolledAtMs - failingSinceMs >= limits.overMs;
}

/** Gateways of the whole fleet that were polled lately, and how many of them fail now. */
export interface FleetPulse {
  polled: number;
  failing: number;
}

/** A gateway that was not polled within this says nothing about our network. */
export const pulseWindowMs = 10 * minuteMs;
/** A gateway whose newest two polls failed is failing: one lost poll is weather. */
export const failingEnd = 'FF';
/** More than this part of the gateways, and at least so many, fail together: the cause is on our side. */
const togetherPart = 0.2;
const togetherMin = 5;

/** Whether so many gateways fail together that it must be our network. Then none is switched off. */
export function isOurNetwork({ polled, failing }: FleetPulse): boolean {
  return failing >= togetherMin && failing > polled * togetherPart;
}

/**
 * For so long after our network is well again it still speaks for gateways that fail: many of them are polled again only
 * after their interval.
 */
export const networkHoldMs = 10 * minuteMs;

/** What the problem of our network says. */
export function networkSentence({ polled, failing }: FleetPulse): string {
  return `${failing} of ${polled} gateways that were polled in the last ${pulseWindowMs / minuteMs} min fail together: check the network between this host and the sites. No gateway is switched off meanwhile.`;
}

/** The first probe comes a minute after a gateway was switched off; each failed one doubles the wait, up to an hour. */
const firstWaitMs = minuteMs;
const waitMsMax = 60 * minuteMs;
/** One good answer may be chance: the second one is asked for so soon after the first. */
const confirmAfterMs = 10_000;
/** Good probes in a row that bring a gateway back. */
const goodProbesToReturn = 2;

/** How long to wait for the next probe after `failed` probes that failed: 1, 2, 4 … 60 min. */
export function probeWaitMs(failed: number): number {
  return Math.min(firstWaitMs * 2 ** failed, waitMsMax);
}

/** The facts of a gateway that is switched off at `atMs`. */
export function disabledFacts(facts: GatewayFacts, atMs: number): GatewayFacts {
  const nextProbeAtMs = atMs + probeWaitMs(0);
  return { ...facts, disabledAtMs: atMs, nextProbeAtMs, probes: 0, goodProbes: 0 };
}

/**
 * The facts of a gateway that is switched off after a probe, or after a poll that a person asked for: a good one counts as a
 * good probe, a bad one of a person counts nothing.
 *
 * @param facts with what the poll says of the device.
 */
export function factsAfterProbe(facts: GatewayFacts, poll: PollEnd): GatewayFacts {
  if (isSuccess(poll.outcome)) {
    const goodProbes = facts.goodProbes + 1;
    return { ...facts, goodProbes, nextProbeAtMs: poll.measuredAtMs + confirmAfterMs };
  }
  if (poll.trigger !== 'PROBE') return facts;
  // Nobody was asked: another gateway of the socket has just failed.
  if (poll.isBackOff) return { ...facts, nextProbeAtMs: poll.startedAtMs + firstWaitMs };
  const probes = facts.probes + 1;
  const nextProbeAtMs = poll.startedAtMs + probeWaitMs(probes);
  return { ...facts, probes, goodProbes: 0, nextProbeAtMs };
}

/** Whether its probes bring a gateway back. */
export function mayReturn({ disabledAtMs, goodProbes }: GatewayFacts): boolean {
  return disabledAtMs !== null && goodProbes >= goodProbesToReturn;
}

/** The facts of a gateway that is polled again: its failures are over, whoever brought it back. */
export function returnedFacts(facts: GatewayFacts): GatewayFacts {
  return {
    ...facts,
    consecutiveFailures: 0,
    failingSinceMs: null,
    lastFailure: null,
    recent: '',
    disabledAtMs: null,
    nextProbeAtMs: null,
    probes: 0,
    goodProbes: 0,
  };
}

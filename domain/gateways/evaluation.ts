import type { AlertChange } from '../alerts.ts';
import {
  badPollsMax,
  decideGatewayAlerts,
  type GatewayAlertsBefore,
  type GatewayAlertType,
  silentPollsMax,
} from './alerts.ts';
import {
  disabledFacts,
  type DisableLimits,
  mayReturn,
  mustDisable,
  returnedFacts,
} from './disable.ts';
import { factsUnderPlan, type GatewayFacts, type GatewayPlan } from './facts.ts';
import { standingOf } from './status.ts';

/** The judgement of one gateway outside of its polls, and which polls give reason to it. */

/** DISABLE: its failures switch it off. RETURN: its probes bring it back. */
export type GatewayChange = 'DISABLE' | 'RETURN';

export interface JudgedGateway {
  /** Null: it is polled, or not, as before. */
  change: GatewayChange | null;
  /** With the standing that follows. */
  facts: GatewayFacts;
  plan: GatewayPlan;
  alerts: AlertChange<GatewayAlertType>[];
}

/** Judges a gateway by what is stored of it: whether it is switched off or comes back, and then its alerts. */
export function judgeGateway(
  before: GatewayAlertsBefore,
  now: { nowMs: number; isOurNetwork: boolean; limits: DisableLimits },
): JudgedGateway {
  const known = factsUnderPlan(before.facts, before.plan);
  const change = changeOf(known, before.plan, now);
  const { facts, plan } = changed(known, before.plan, change, now.nowMs);
  const standing = standingOf(facts, plan, now.nowMs);
  const after = { ...facts, standing };
  const alerts = decideGatewayAlerts({ ...before, facts: after, plan }, standing, now);
  return { change, facts: after, plan, alerts };
}

function changeOf(
  facts: GatewayFacts,
  plan: GatewayPlan,
  { isOurNetwork, limits }: { isOurNetwork: boolean; limits: DisableLimits },
): GatewayChange | null {
  if (plan.reason === 'DISABLED') return mayReturn(facts) ? 'RETURN' : null;
  return mustDisable(facts, plan, limits) && !isOurNetwork ? 'DISABLE' : null;
}

function changed(
  facts: GatewayFacts,
  plan: GatewayPlan,
  change: GatewayChange | null,
  nowMs: number,
): { facts: GatewayFacts; plan: GatewayPlan } {
  switch (change) {
    case null:
      return { facts, plan };
    case 'DISABLE':
      return {
        facts: disabledFacts(facts, nowMs),
        plan: { ...plan, reason: 'DISABLED', fromMs: nowMs },
      };
    case 'RETURN':
      return { facts: returnedFacts(facts), plan: { ...plan, reason: 'ACTIVE', fromMs: nowMs } };
  }
}

/**
 * Whether alerts, or whether the gateway is polled at all, may change between two states of its facts. Cheap: called after
 * every poll.
 */
export function needsEvaluation(
  before: GatewayFacts,
  after: GatewayFacts,
  plan: Pick<GatewayPlan, 'reason'>,
  limits: DisableLimits,
): boolean {
  if (before === after) return false;
  if (before.standing.status !== after.standing.status) return true;
  if (mayReturn(after) || (!mustDisable(before, plan, limits) && mustDisable(after, plan, limits)))
    return true;
  return (
    hasCrossed(before.badPoints, after.badPoints, ({ polls }) => polls >= badPollsMax) ||
    hasCrossed(before.silentUnits, after.silentUnits, (polls) => polls >= silentPollsMax)
  );
}

/** Whether another set of the parts has an alert. */
function hasCrossed<T>(
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
  isAlert: (one: T) => boolean,
): boolean {
  if (before === after) return false;
  const has = (of: Readonly<Record<string, T>>, id: string): boolean => {
    const one = of[id];
    return one !== undefined && isAlert(one);
  };
  for (const id in before) if (has(before, id) !== has(after, id)) return true;
  for (const id in after) if (has(before, id) !== has(after, id)) return true;
  return false;
}

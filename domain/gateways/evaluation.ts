import { badPollsMax, silentPollsMax } from './alerts.ts';
import { type DisableLimits, mayReturn, mustDisable } from './disable.ts';
import type { GatewayFacts, GatewayPlan } from './facts.ts';

/** Which polls give reason to judge a gateway's alerts: few of them, so that an ordinary poll costs nothing. */

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

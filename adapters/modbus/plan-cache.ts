/** The read plan of a gateway, made again only when something that it follows from has changed. */

import type { Quirks } from '../../domain/gateways/gateway.ts';
import {
  type Learned,
  planReads,
  type QuirksOf,
  type ReadPlan,
  type ReadRequest,
  type ResolvedPoint,
} from '../../domain/gateways/read-plan.ts';
import type { RawPoint } from '../../domain/gateways/reading.ts';

export interface PlannedUnit {
  unitId: number;
  quirks: Quirks;
  requests: readonly ReadRequest[];
}

export interface CachedPlan {
  units: readonly PlannedUnit[];
  plan: ReadPlan;
  /** What each point is before anything is sent. */
  initial: readonly RawPoint[];
  learned: Learned;
}

export const notAnswered: RawPoint = { kind: 'NOT_ANSWERED' };

/** Plans by the array of points: whoever polls keeps it while the points stay the same. */
export class PlanCache {
  readonly #plans = new WeakMap<readonly ResolvedPoint[], CachedPlan>();

  of(
    points: readonly ResolvedPoint[],
    from: { quirksOf: QuirksOf; learned: Learned; nowMs: number },
  ): CachedPlan {
    const known = this.#plans.get(points);
    if (
      known !== undefined &&
      known.learned.refusals === from.learned.refusals &&
      from.nowMs < known.plan.validUntilMs &&
      known.units.every(({ unitId, quirks }) => from.quirksOf(unitId) === quirks)
    )
      return known;
    const made = makePlan(points, from);
    this.#plans.set(points, made);
    return made;
  }
}

function makePlan(
  points: readonly ResolvedPoint[],
  from: { quirksOf: QuirksOf; learned: Learned; nowMs: number },
): CachedPlan {
  const plan = planReads(points, from);
  const unitIds = [...new Set(points.map(({ unitId }) => unitId))];
  const units = unitIds.map((unitId) => ({
    unitId,
    quirks: from.quirksOf(unitId),
    requests: plan.requests.filter((one) => one.unitId === unitId),
  }));
  const initial: RawPoint[] = points.map(() => notAnswered);
  for (const { point, code } of plan.refused) initial[point] = { kind: 'EXCEPTION', code };
  return { units, plan, initial, learned: from.learned };
}

import type { LoopPlant } from '../db/plants/fleet.ts';
import type { ChannelKind } from '../domain/notifications/message.ts';
import type { IncidentLimits } from '../domain/plants/incidents.ts';
import type { Checks } from './checks.ts';
import type { Loops, Reconciler } from './fleet.ts';
import { createGatewaysReconciler } from './gateways/fleet.ts';
import { createNotificationsReconciler } from './notifications/fleet.ts';
import type { ActivityDeps } from './plants/deps.ts';
import { createPlantsReconciler } from './plants/fleet.ts';
import { createSystemReconciler, type PartJudged } from './system.ts';

/** The loops of all contexts. */
export interface AllLoops {
  plants: Loops<LoopPlant>;
  notifications: Loops<{ id: ChannelKind }>;
  /** By shard. */
  gateways: Loops<{ id: string }>;
}

/** What the reconciliation is given besides its services. */
export interface FleetOptions {
  limits: IncidentLimits;
  /** Number of shards into which gateways are divided. */
  shards: number;
  /** The diagnosis of the running system. */
  diagnose: () => Promise<readonly PartJudged[]>;
  /** The automatic checks. */
  checks: Checks;
}

/** The parts of all contexts in the reconciliation of the fleet, in the order in which they run. */
export function createReconcilers(
  deps: ActivityDeps,
  loops: AllLoops,
  { limits, shards, diagnose }: Omit<FleetOptions, 'checks'>,
): Reconciler[] {
  return [
    createPlantsReconciler(deps, loops.plants, limits),
    createNotificationsReconciler(deps, loops.notifications),
    createGatewaysReconciler(deps, loops.gateways, shards),
    createSystemReconciler(deps, diagnose),
  ];
}

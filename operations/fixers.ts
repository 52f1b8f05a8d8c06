import { askEach } from './ask-each.ts';
import type { AnyRepair, Fixer, FixServices } from './fixer.ts';
import { triggerReconciliation } from './fleet-schedule.ts';
import { gatewayFixer, type GatewayRepair } from './gateways/repair.ts';
import { planRepairs, type Repair, type Repaired, repairOne } from './plants/repair.ts';
import { scheduleFixer, type ScheduleRepair } from './schedules-fixer.ts';

/** The list of everything that `heliograph diagnose --fix` may mend. */

/** A repair of any context. */
export type WholeRepair = Repair | GatewayRepair | ScheduleRepair;

const plantFixer: Fixer<Repair> = {
  plan: ({ db, temporal, locks }) => planRepairs({ db, client: temporal, locks: locks.plant }),
  make: (repair, { temporal, locks }) =>
    repairOne(repair, { client: temporal, locks: locks.plant }),
};

/** A planned repair with the way to make it. */
export interface Planned {
  repair: WholeRepair;
  make: (services: FixServices) => Promise<boolean>;
}

function planned<One extends AnyRepair & WholeRepair>(
  fixer: Fixer<One>,
): (services: FixServices) => Promise<Planned[]> {
  return async (services) =>
    (await fixer.plan(services)).map((repair) => ({
      repair,
      make: (later) => fixer.make(repair, later),
    }));
}

const fixers = [planned(scheduleFixer), planned(plantFixer), planned(gatewayFixer)];

/** Everything that can be mended now; changes nothing. @throws what the services throw when they are away. */
export async function planFixes(services: FixServices): Promise<Planned[]> {
  const all: Planned[] = [];
  for (const plan of fixers) all.push(...(await plan(services)));
  return all;
}

/** Makes the repairs that are still needed, and triggers the reconciliation. */
export async function makeFixes(
  fixes: readonly Planned[],
  services: FixServices,
): Promise<Repaired> {
  const made = await askEach(fixes, (fix) => fix.make(services));
  await triggerReconciliation(services.temporal);
  const done = made.filter(Boolean).length;
  return { done, needless: fixes.length - done };
}

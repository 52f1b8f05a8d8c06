import { makeLedgerParts } from '../../db/ledger/ledger.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import {
  listFleet,
  listPlantsToRemindOf,
  listSilentPlants,
  type LoopPlant,
} from '../../db/plants/fleet.ts';
import { findLossesDue, writeLosses } from '../../db/plants/losses.ts';
import { endPauses } from '../../db/plants/plants.ts';
import { estimateLoss } from '../../domain/plants/losses.ts';
import type { IncidentLimits } from '../../domain/plants/incidents.ts';
import { createLoopReconciler, type Loops, type Reconciler } from '../fleet.ts';
import type { ActivityDeps } from './deps.ts';
import { judgeIncidents } from './incidents.ts';
import { evaluate } from './record.ts';

/** The plants' part in the reconciliation: their loops, and work that polls do not do or must not wait for. */

/** Limit of estimates in one reconciliation, at 3 ms each: 2,000 alerts in the 10 min for which an estimate is good. */
const estimatesMax = 100;

export function createPlantsReconciler(
  deps: ActivityDeps,
  loops: Loops<LoopPlant>,
  limits: IncidentLimits,
): Reconciler {
  const { db, log } = deps;
  const rows = {
    kind: 'plants',
    listWanted: () => listFleet(db),
    listSilent: (nowMs: number) => listSilentPlants(db, nowMs),
  };
  const reconcileLoops = createLoopReconciler(loops, rows, deps);

  return async (nowMs) => {
    const partitions = await makeLedgerParts(db, plantLedger, new Date(nowMs));
    const resumed = await endPauses(db, nowMs);
    const { wanted: plants, ...changes } = await reconcileLoops(nowMs);
    const incidents = await judgeIncidents(deps, nowMs, limits);
    for (const plantId of incidents.lifted) await loops.signalChanged(plantId);
    const reminded = await remind(deps, nowMs);
    const estimated = await estimateLosses(deps, nowMs);
    const started = changes.started.length;
    const ended = changes.ended.length;
    if (started + ended + resumed.length + partitions.length > 0)
      log.info({ started, ended, resumed: resumed.length, partitions }, 'fleet reconciled');
    return {
      plants,
      ...changes,
      resumed,
      reminded,
      partitions,
      incidentsOpened: incidents.opened,
      incidentsClosed: incidents.closed,
      estimated,
    };
  };
}

/** Reminds of the alerts of plants that are not polled; polls do it for the others. */
async function remind(deps: ActivityDeps, nowMs: number): Promise<number> {
  const plantIds = await listPlantsToRemindOf(deps.db, nowMs);
  for (const plantId of plantIds)
    await evaluate(deps, { plantId, nowMs, revision: null, closing: null });
  return plantIds.length;
}

/** Estimates losses here, so that polls need not wait for it. */
async function estimateLosses({ db }: ActivityDeps, nowMs: number): Promise<number> {
  const due = await findLossesDue(db, nowMs, estimatesMax);
  const losses = due.map(({ alertId, facts }) => ({ alertId, ...estimateLoss(facts, nowMs) }));
  await writeLosses(db, losses, nowMs);
  return losses.length;
}

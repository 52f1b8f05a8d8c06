import { makeLedgerParts } from '../../db/ledger/ledger.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import {
  type FleetPlant,
  listFleet,
  listPlantsToRemindOf,
  listSilentPlants,
  type LoopPlant,
} from '../../db/plants/fleet.ts';
import { findLossesDue, writeLosses } from '../../db/plants/losses.ts';
import { endPauses } from '../../db/plants/plants.ts';
import { estimateLoss } from '../../domain/plants/losses.ts';
import type { IncidentLimits } from '../../domain/plants/incidents.ts';
import type { FleetReport } from '../contract.ts';
import type { ActivityDeps } from './deps.ts';
import { judgeIncidents } from './incidents.ts';
import { evaluate } from './record.ts';

/** A first start of a large fleet is spread, so that Temporal is not flooded. */
const startsPerSecondMax = 100;
/** The report goes through the history: of a large change it names the first. */
const listedMax = 100;
/** Estimates of one reconciliation, at some 3 ms each: 2,000 alerts are gone through in the 10 min that an estimate is good for. */
const estimatesMax = 100;

/**
 * The loops are listed at least so often. In between their number tells: a list of thousands holds up Temporal's store, and
 * so every poll.
 */
const listedEveryMs = 600_000;

/** What the reconciliation does to loops; given by the composition root, which has the Temporal client. */
export interface Loops {
  /** How many loops run. */
  count(): Promise<number>;
  /** The plant ids of all loops that run. */
  list(): Promise<Set<string>>;
  /** Starts the plant's loop; does nothing where one runs. */
  start(plant: LoopPlant): Promise<void>;
  /**
   * Ends a loop whose workflow task fails again and again, and starts another with nothing in hand; starts one where none
   * runs; leaves any other loop alone. @returns whether it was started.
   */
  restartStuck(plant: LoopPlant): Promise<boolean>;
  /** Tells the loop to look again; does nothing where none runs. */
  signalChanged(plantId: string): Promise<void>;
}

/** Makes what runs in Temporal what PostgreSQL says. */
export function createFleet(
  deps: ActivityDeps,
  loops: Loops,
  heartbeat: () => void,
  limits: IncidentLimits,
) {
  let listedAtMs = -Infinity;

  return {
    async reconcileFleet(args: { nowMs: number }): Promise<FleetReport> {
      const nowMs = Math.max(args.nowMs, deps.clock());
      const beat = setInterval(heartbeat, 3_000);
      try {
        const partitions = await makeLedgerParts(deps.db, plantLedger, new Date(nowMs));
        const resumed = await endPauses(deps.db, nowMs);
        const plants = await listFleet(deps.db);
        const running = await runningLoops(plants);
        const known = new Set(plants.map((plant) => plant.id));
        const missing = plants.filter((plant) => !running.has(plant.id));
        const ended = [...running].filter((plantId) => !known.has(plantId));
        const changed = plants
          .filter((plant) => plant.changed && running.has(plant.id))
          .map((plant) => plant.id);
        await startAll(missing, loops);
        // A loop whose plant is gone looks again, sees it, and ends.
        for (const plantId of [...ended, ...changed]) await loops.signalChanged(plantId);
        const restarted = await restartStuck(nowMs);
        const incidents = await judgeIncidents(deps, nowMs, limits);
        for (const plantId of incidents.lifted) await loops.signalChanged(plantId);
        const reminded = await remind(nowMs);
        const estimated = await estimateLosses(nowMs);
        if (missing.length + ended.length + resumed.length + partitions.length > 0) {
          deps.log.info(
            { started: missing.length, ended: ended.length, resumed: resumed.length, partitions },
            'fleet reconciled',
          );
        }
        return {
          plants: plants.length,
          started: missing.map((plant) => plant.id).slice(0, listedMax),
          ended: ended.slice(0, listedMax),
          signalled: changed.slice(0, listedMax),
          restarted,
          resumed,
          reminded,
          partitions,
          incidentsOpened: incidents.opened,
          incidentsClosed: incidents.closed,
          estimated,
        };
      } finally {
        clearInterval(beat);
      }
    },
  };

  /** The plant ids of all loops. A plant that no loop has seen yet may stand where one that is gone has left its loop. */
  async function runningLoops(plants: readonly FleetPlant[]): Promise<ReadonlySet<string>> {
    const isListedLately = deps.clock() < listedAtMs + listedEveryMs;
    if (isListedLately && !plants.some(({ changed }) => changed)) {
      const running = await loops.count();
      if (running === plants.length) return new Set(plants.map(({ id }) => id));
    }
    const running = await loops.list();
    // Only now: a list that failed is made again at the next reconciliation.
    listedAtMs = deps.clock();
    return running;
  }

  /** A loop that no worker can go on with would stand still for ever; all that it knows is in PostgreSQL as well. */
  async function restartStuck(nowMs: number): Promise<string[]> {
    const restarted: string[] = [];
    for (const plant of await listSilentPlants(deps.db, nowMs))
      if (await loops.restartStuck(plant)) restarted.push(plant.id);
    if (restarted.length > 0)
      deps.log.error(
        { plants: restarted },
        'loops that no worker could go on with were started anew',
      );
    return restarted;
  }

  /** Plants that are not polled have nobody else who reminds of their alerts. */
  async function remind(nowMs: number): Promise<number> {
    const plantIds = await listPlantsToRemindOf(deps.db, nowMs);
    for (const plantId of plantIds)
      await evaluate(deps, { plantId, nowMs, revision: null, closing: null });
    return plantIds.length;
  }

  /** Here and not in the polls, which wait for nothing that can wait. */
  async function estimateLosses(nowMs: number): Promise<number> {
    const due = await findLossesDue(deps.db, nowMs, estimatesMax);
    const losses = due.map(({ alertId, facts }) => ({ alertId, ...estimateLoss(facts, nowMs) }));
    await writeLosses(deps.db, losses, nowMs);
    return losses.length;
  }
}

async function startAll(missing: readonly LoopPlant[], loops: Loops): Promise<void> {
  for (let begin = 0; begin < missing.length; begin += startsPerSecondMax) {
    const beganAt = performance.now();
    await Promise.all(
      missing.slice(begin, begin + startsPerSecondMax).map((plant) => loops.start(plant)),
    );
    const restMs = 1_000 - (performance.now() - beganAt);
    if (begin + startsPerSecondMax < missing.length && restMs > 0)
      await new Promise((resolve) => setTimeout(resolve, restMs));
  }
}

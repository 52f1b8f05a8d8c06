import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import { listFleet } from '../../db/plants/fleet.ts';
import type { Locks } from '../../db/lock.ts';
import { listUnseenChanges } from '../../db/plants/operations.ts';
import type { Database } from '../../db/tables.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { plantOfWorkflowId, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { askEach } from '../ask-each.ts';
import { triggerReconciliation } from '../fleet-schedule.ts';
import {
  type AuditedLoops,
  auditedLoops,
  compareLoops,
  heldLocks,
  runningStrangers,
} from './check-loops.ts';
import { createPlantLoops } from './loops.ts';

/**
 * Repairs what the reconciliation may repair: loops that are missing or have no plant, changes that no loop has seen, locks
 * that no loop will give back. It never touches a ledger row, a day or an alert: a slot without a poll stays without one.
 */

export type Repair =
  | { kind: 'START_LOOP'; plant_id: string; name: string; brand: Brand; sentence: string }
  /** The loop looks again: it sees what changed, or that its plant is gone, and then ends. */
  | { kind: 'TELL_LOOP'; plant_id: string; sentence: string }
  | { kind: 'FREE_LOCK'; plant_id: string; owner: string; sentence: string };

/** What `repair` would do now; changes nothing. @throws what the services throw when they are away. */
export async function planRepairs({
  db,
  client,
  locks,
}: {
  db: Kysely<Database>;
  client: Client;
  locks: Pick<Locks, 'list'>;
}): Promise<Repair[]> {
  const loops = auditedLoops(client);
  const { listed, plants, missing } = await compareLoops(loops, () => listFleet(db));
  const missingIds = new Set(missing.map((plant) => plant.id));
  const repairs = missing.map(({ id, name, brand }): Repair => {
    const sentence = `start the loop ${pollWorkflowId(id)}`;
    return { kind: 'START_LOOP', plant_id: id, name, brand, sentence };
  });
  for (const workflowId of (await runningStrangers(loops, plants, listed)).toSorted()) {
    const plantId = plantOfWorkflowId(workflowId);
    // A person started a workflow of any other name by hand, and ends it.
    if (plantId === null) continue;
    const sentence = `tell the loop ${workflowId} that its plant is gone`;
    repairs.push({ kind: 'TELL_LOOP', plant_id: plantId, sentence });
  }
  for (const plantId of await listUnseenChanges(db)) {
    // A new loop reads everything.
    if (missingIds.has(plantId)) continue;
    const sentence = `tell the loop of ${plantId} that its plant was changed`;
    repairs.push({ kind: 'TELL_LOOP', plant_id: plantId, sentence });
  }
  return [...repairs, ...(await planLocks(loops, locks))];
}

/**
 * Locks that no loop gives back: without an end, or of an owner in this cluster and namespace that does not run. A lock of
 * another cluster stays: it ends by itself, and until then says that the other cluster polls.
 */
async function planLocks(loops: AuditedLoops, locks: Pick<Locks, 'list'>): Promise<Repair[]> {
  const { held } = await heldLocks(loops, locks);
  const repairs: Repair[] = [];
  for (const { key, plantId, ttlMs, owner, ownerId } of held) {
    const isDead = ownerId !== null && !(await loops.isRunning(ownerId));
    if (ttlMs >= 0 && !isDead) continue;
    const why = ttlMs < 0 ? 'it has no end' : `its owner ${ownerId ?? owner} does not run`;
    const sentence = `delete ${key}: ${why}`;
    repairs.push({ kind: 'FREE_LOCK', plant_id: plantId, owner, sentence });
  }
  return repairs;
}

export interface Repaired {
  done: number;
  /** Repairs that were no longer needed when their turn came. */
  needless: number;
}

/** Carries a repair out. @returns whether it was still needed. */
export async function repairOne(
  each: Repair,
  { client, locks }: { client: Client; locks: Pick<Locks, 'remove'> },
): Promise<boolean> {
  const loops = createPlantLoops(client);
  switch (each.kind) {
    case 'START_LOOP':
      await loops.start({ id: each.plant_id, name: each.name, brand: each.brand });
      return true;
    case 'TELL_LOOP':
      return loops.signalChanged(each.plant_id);
    case 'FREE_LOCK':
      return locks.remove(each.plant_id, each.owner);
  }
}

/** Carries the repairs out, if they are still needed, and triggers the reconciliation. */
export async function repair(
  repairs: readonly Repair[],
  { client, locks }: { client: Client; locks: Pick<Locks, 'remove'> },
): Promise<Repaired> {
  const made = await askEach(repairs, (each) => repairOne(each, { client, locks }));
  const done = made.filter(Boolean).length;
  await triggerReconciliation(client);
  return { done, needless: repairs.length - done };
}

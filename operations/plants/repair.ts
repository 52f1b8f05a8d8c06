import { signalChanged } from './tell-loops.ts';
import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import { type FleetPlant, listFleet } from '../../db/plants/fleet.ts';
import { lockKey, type Locks } from '../../db/lock.ts';
import { listUnseenChanges } from '../../db/plants/operations.ts';
import type { Database } from '../../db/tables.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { plantOfWorkflowId, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { type AuditedLoops, auditedLoops, inBatches } from './check-loops.ts';
import { triggerReconciliation } from '../fleet-schedule.ts';
import { startLoop } from './loops.ts';

/**
 * Repairs what the reconciliation may: loops that are missing or have no plant, changes that no loop has seen, locks that
 * nobody will give back. Never a row of the ledger, a day or an alert: what was not polled stays not polled.
 */

export type Repair =
  | { kind: 'START_LOOP'; plant_id: string; name: string; brand: Brand; sentence: string }
  /** The loop looks again: sees what changed, or that its plant is gone, and then ends. */
  | { kind: 'TELL_LOOP'; plant_id: string; sentence: string }
  | { kind: 'FREE_LOCK'; plant_id: string; owner: string; sentence: string };

/** What `repair` would do now; it changes nothing. @throws what the services throw when they are away. */
export async function planRepairs(options: {
  db: Kysely<Database>;
  client: Client;
  locks: Pick<Locks, 'list'>;
}): Promise<Repair[]> {
  return planRepairsWith({ ...options, loops: auditedLoops(options.client) });
}

/** The same through ports. */
export async function planRepairsWith(options: {
  db: Kysely<Database>;
  loops: Pick<AuditedLoops, 'listRunning' | 'isRunning' | 'lockDomain'>;
  locks: Pick<Locks, 'list'>;
}): Promise<Repair[]> {
  const { db, loops } = options;
  const listed = await loops.listRunning();
  const plants = await listFleet(db);
  const plantIds = new Set(plants.map((plant) => plant.id));
  const repairs: Repair[] = [];
  const withoutLoop = new Set<string>();
  const unlisted = plants.filter(({ id }) => !listed.has(pollWorkflowId(id)));
  for (const { id, name, brand } of await thoseWithout(unlisted, loops)) {
    withoutLoop.add(id);
    const sentence = `start the loop ${pollWorkflowId(id)}`;
    repairs.push({ kind: 'START_LOOP', plant_id: id, name, brand, sentence });
  }
  for (const workflowId of [...listed].toSorted()) {
    const plantId = plantOfWorkflowId(workflowId);
    // One with a name of its own was started by hand: that is a person's to end.
    if (plantId === null || plantIds.has(plantId) || !(await loops.isRunning(workflowId))) continue;
    const sentence = `tell the loop ${workflowId} that its plant is gone`;
    repairs.push({ kind: 'TELL_LOOP', plant_id: plantId, sentence });
  }
  for (const plantId of await listUnseenChanges(db)) {
    // A loop that is started reads everything.
    if (withoutLoop.has(plantId)) continue;
    const sentence = `tell the loop of ${plantId} that its plant was changed`;
    repairs.push({ kind: 'TELL_LOOP', plant_id: plantId, sentence });
  }
  return [...repairs, ...(await planLocks(options))];
}

/** The list may lag: a suspect is asked for by name. */
async function thoseWithout(
  plants: readonly FleetPlant[],
  loops: Pick<AuditedLoops, 'isRunning'>,
): Promise<FleetPlant[]> {
  return inBatches(plants, async (batch) => {
    const runs = await Promise.all(batch.map(({ id }) => loops.isRunning(pollWorkflowId(id))));
    return batch.filter((_, index) => runs[index] !== true);
  });
}

/**
 * Locks that nobody gives back: without an end, or of an owner in this cluster and namespace that is no running loop. One of
 * another cluster ends by itself, and until then says that somebody else polls: it stays.
 */
async function planLocks({
  loops,
  locks,
}: Pick<Parameters<typeof planRepairsWith>[0], 'loops' | 'locks'>): Promise<Repair[]> {
  const held = await locks.list();
  const domain = held.length === 0 ? '' : await loops.lockDomain();
  const repairs: Repair[] = [];
  for (const { key, ttlMs, owner } of held) {
    const plantId = key.slice(lockKey('plant', '').length);
    const ownerId = owner.startsWith(`${domain}/`) ? owner.slice(domain.length + 1) : null;
    const isDead = ownerId !== null && !(await loops.isRunning(ownerId));
    if (ttlMs >= 0 && !isDead) continue;
    const why = ttlMs < 0 ? 'it has no end' : `its owner ${ownerId ?? owner} does not run`;
    repairs.push({
      kind: 'FREE_LOCK',
      plant_id: plantId,
      owner,
      sentence: `delete ${key}: ${why}`,
    });
  }
  return repairs;
}

/** What of the repairs was done. */
export interface Repaired {
  done: number;
  /** Already right when their turn came. */
  needless: number;
}

/** Carries the repairs out, and lets the fleet be reconciled now. Each looks again first: what is right by now is left alone. */
export async function repair(
  repairs: readonly Repair[],
  options: { client: Client; locks: Pick<Locks, 'remove'> },
): Promise<Repaired> {
  const { client, locks } = options;
  const made = await inBatches(repairs, (batch) =>
    Promise.all(batch.map((each) => repairOne(each, client, locks))),
  );
  const done = made.filter(Boolean).length;
  await triggerReconciliation(client);
  return { done, needless: repairs.length - done };
}

async function repairOne(
  each: Repair,
  client: Client,
  locks: Pick<Locks, 'remove'>,
): Promise<boolean> {
  switch (each.kind) {
    case 'START_LOOP':
      await startLoop(client, { id: each.plant_id, name: each.name, brand: each.brand });
      return true;
    case 'TELL_LOOP':
      return signalChanged(client, each.plant_id);
    case 'FREE_LOCK':
      return locks.remove(each.plant_id, each.owner);
  }
}

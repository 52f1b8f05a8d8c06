import { type Client, WorkflowNotFoundError } from '@temporalio/client';

import { lockKey, type Locks } from '../../db/lock.ts';
import {
  plantOfWorkflowId,
  plantStateQuery,
  pollWorkflowId,
} from '../../workflows/plants/messages.ts';
import { askEach } from '../ask-each.ts';
import { listRunning, lockDomain } from '../loops.ts';
import { monitorPlantType } from './loops.ts';

/** What the check, the inspection and the repair ask about the running loops of plants. */

/** The slot of the poll that a loop is at, ms; null: none. NO_ANSWER: no worker answers for it. */
export type Polling = number | null | 'NO_ANSWER';

/** The questions to Temporal. Tests answer them themselves. */
export interface AuditedLoops {
  /** The workflow ids of all running loops, from the visibility store, a moment old. */
  listRunning(): Promise<Set<string>>;
  /** Whether a workflow of this id runs now. */
  isRunning(workflowId: string): Promise<boolean>;
  findPolling(plantId: string): Promise<Polling>;
  /** The first part of the owner of every lock of ours: `{cluster id}/{namespace}`. */
  lockDomain(): Promise<string>;
}

/** A running worker answers a query within milliseconds, a busy one within a workflow task. */
const queryTimeoutMs = 5_000;

export function auditedLoops(client: Client): AuditedLoops {
  return {
    listRunning: () => listRunning(client, monitorPlantType),

    async isRunning(workflowId) {
      try {
        const { status } = await client.workflow.getHandle(workflowId).describe();
        return status.name === 'RUNNING';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },

    async findPolling(plantId) {
      const handle = client.workflow.getHandle(pollWorkflowId(plantId));
      try {
        const state = await client.withDeadline(Date.now() + queryTimeoutMs, () =>
          handle.query(plantStateQuery),
        );
        return state.polling === null ? null : Date.parse(state.polling);
      } catch (error) {
        // Without a loop no poll runs; the check reports the missing loop by itself.
        return error instanceof WorkflowNotFoundError ? null : 'NO_ANSWER';
      }
    },

    lockDomain: () => lockDomain(client),
  };
}

/**
 * Compares plants with the running loops.
 *
 * @param readPlants called after the loops are listed, so that a loop that is in the list has its plant.
 * @returns the workflow ids of listed loops, the plants, and those whose loop does not run. The list may lag, so a plant that
 *   is not in it is asked for by name.
 */
export async function compareLoops<Plant extends { id: string }>(
  loops: Pick<AuditedLoops, 'listRunning' | 'isRunning'>,
  readPlants: () => Promise<Plant[]>,
): Promise<{ listed: Set<string>; plants: Plant[]; missing: Plant[] }> {
  const listed = await loops.listRunning();
  const plants = await readPlants();
  const unlisted = plants.filter(({ id }) => !listed.has(pollWorkflowId(id)));
  const runs = await askEach(unlisted, ({ id }) => loops.isRunning(pollWorkflowId(id)));
  return { listed, plants, missing: unlisted.filter((_, index) => runs[index] !== true) };
}

/** The workflows that are the loop of none of the plants. */
export function strangersTo(
  plants: readonly { id: string }[],
  workflowIds: Iterable<string>,
): string[] {
  const known = new Set(plants.map(({ id }) => id));
  return [...workflowIds].filter((workflowId) => !known.has(plantOfWorkflowId(workflowId) ?? ''));
}

/** The listed workflows that run and are the loop of none of the plants. */
export async function runningStrangers(
  loops: Pick<AuditedLoops, 'isRunning'>,
  plants: readonly { id: string }[],
  listed: Iterable<string>,
): Promise<string[]> {
  const strangers = strangersTo(plants, listed);
  const runs = await askEach(strangers, (workflowId) => loops.isRunning(workflowId));
  return strangers.filter((_, index) => runs[index]);
}

/** A lock of a plant. */
export interface HeldLock {
  key: string;
  plantId: string;
  /** -1: without an end. */
  ttlMs: number;
  owner: string;
  /** The owner's workflow id; null if it belongs to another cluster or namespace. */
  ownerId: string | null;
}

/** Every held lock of plants, and the part of an owner that names this cluster and namespace. */
export async function heldLocks(
  loops: Pick<AuditedLoops, 'lockDomain'>,
  locks: Pick<Locks, 'list'>,
): Promise<{ domain: string; held: HeldLock[] }> {
  const listed = await locks.list();
  const domain = listed.length === 0 ? '' : await loops.lockDomain();
  const held = listed.map(({ key, ttlMs, owner }) => ({
    key,
    plantId: key.slice(lockKey('plant', '').length),
    ttlMs,
    owner,
    ownerId: owner.startsWith(`${domain}/`) ? owner.slice(domain.length + 1) : null,
  }));
  return { domain, held };
}

import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import type { Decider } from '../db/audit-log.ts';
import { freeAllLeases } from '../db/gateways/diagnosis.ts';
import { decidePeriods } from '../db/gateways/periods.ts';
import { beginHalt, type Halt, liftHalt } from '../db/halts.ts';
import { type LockKind, type Locks, lockKey } from '../db/lock.ts';
import type { Database } from '../db/tables.ts';
import { triggerReconciliation } from './fleet-schedule.ts';
import { lockDomain } from './loops.ts';

/** Stops and starts the polling of all plants and gateways at once. */

/** Who decides, and when. */
export interface PollingAct {
  db: Kysely<Database>;
  by: Decider;
  at: Date;
}

/**
 * The emergency stop: nothing is sent later than 2 s after it is written. It changes nobody's own pause.
 *
 * @returns the halt, whether it is new, and how many gateways it made not due.
 */
export async function haltAll(
  { db, by, at }: PollingAct,
  reason: string | null,
): Promise<{ halt: Halt; isNew: boolean; gateways: number }> {
  return db.transaction().execute(async (trx) => {
    const { isNew, ...halt } = await beginHalt(trx, { by, reason, at });
    const changed = isNew ? await decidePeriods(trx, null, at.getTime()) : [];
    return { halt, isNew, gateways: changed.length };
  });
}

/** Lifts the emergency stop. @returns null: there was none. */
export async function liftAll({
  db,
  by,
  at,
}: PollingAct): Promise<{ halt: Halt; gateways: number } | null> {
  return db.transaction().execute(async (trx) => {
    const halt = await liftHalt(trx, { by, at });
    if (halt === null) return null;
    const changed = await decidePeriods(trx, null, at.getTime());
    return { halt, gateways: changed.length };
  });
}

/** The locks of one kind that a reset reads and deletes. */
export type ResetLocks = Readonly<Record<LockKind, Pick<Locks, 'list' | 'remove'>>>;

/** A poll that was under way at the halt ends within this time, ms. */
const pollMsMax = 15_000;
const lookEveryMs = 500;

export interface ResetReport {
  /** Whether this reset halted polling, and lifted that halt again; false: polling was stopped before and still is. */
  lifted: boolean;
  /** Deleted locks of this cluster and namespace, by key. */
  locks: string[];
  /** Shards whose lease was freed. */
  leases: number[];
}

/**
 * Stops all polling, deletes the locks of this cluster and namespace, frees all leases, reconciles, and starts polling. Locks
 * of other clusters stay. If polling was stopped before, it stays stopped.
 */
export async function resetPolling(
  act: PollingAct,
  { client, locks }: { client: Client; locks: ResetLocks },
): Promise<ResetReport> {
  const { isNew } = await haltAll(act, 'polling reset');
  try {
    const domain = await lockDomain(client);
    await untilPollsEnd(locks.plant, domain);
    const freed = await freeLocks(locks, domain);
    const leases = await freeAllLeases(act.db);
    await triggerReconciliation(client);
    return { lifted: isNew, locks: freed, leases };
  } finally {
    if (isNew) await liftAll({ ...act, at: new Date() });
  }
}

/** Polls give their locks back when they end; a lock that stays has lost its owner. */
async function untilPollsEnd(locks: Pick<Locks, 'list'>, domain: string): Promise<void> {
  const endsAt = performance.now() + pollMsMax;
  while (performance.now() < endsAt) {
    const held = await locks.list();
    if (!held.some(({ owner }) => isOwn(owner, domain))) return;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

async function freeLocks(locks: ResetLocks, domain: string): Promise<string[]> {
  const freed: string[] = [];
  for (const kind of ['plant', 'gateway'] as const)
    for (const { key, owner } of await locks[kind].list()) {
      const id = key.slice(lockKey(kind, '').length);
      if (isOwn(owner, domain) && (await locks[kind].remove(id, owner))) freed.push(key);
    }
  return freed;
}

function isOwn(owner: string, domain: string): boolean {
  return owner === domain || owner.startsWith(`${domain}/`);
}

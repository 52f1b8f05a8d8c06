import type { LockAnswer } from '../../db/lock.ts';
import type { FetchArgs } from './contract.ts';
import type { CallContext } from '../deps.ts';
import type { ActivityDeps } from './deps.ts';

/** The lock outlives two intervals: a poll that is longer has its slot fenced by the database. */
const lockIntervals = 2;

/** Takes the plant's lock, or renews it where this loop holds it already. */
export function takeLock(
  deps: ActivityDeps,
  call: Pick<CallContext, 'workflowId'>,
  { plantId, intervalMs }: Pick<FetchArgs, 'plantId' | 'intervalMs'>,
): Promise<LockAnswer> {
  return deps.locks.acquire(plantId, ownerOf(deps, call), lockIntervals * intervalMs);
}

/** Gives the plant's lock back where this loop holds it, without waiting for it. */
export function giveLockBack(
  deps: ActivityDeps,
  call: Pick<CallContext, 'workflowId'>,
  plantId: string,
): void {
  deps.locks.release(plantId, ownerOf(deps, call));
}

/** The loop and not the attempt: its own retry after a crash re-enters at once. */
function ownerOf({ lockDomain }: ActivityDeps, { workflowId }: Pick<CallContext, 'workflowId'>) {
  return `${lockDomain}/${workflowId}`;
}

import type { LockAnswer } from '../../db/lock.ts';
import type { FetchArgs } from './contract.ts';
import type { CallContext } from '../deps.ts';
import type { ActivityDeps } from './deps.ts';

/** Life of a lock, in intervals of the plant. During a longer poll the claims in the database still hold. */
const lockIntervals = 2;

/** Takes the plant's lock, or renews it if this loop holds it. */
export function takeLock(
  deps: ActivityDeps,
  call: Pick<CallContext, 'workflowId'>,
  { plantId, intervalMs }: Pick<FetchArgs, 'plantId' | 'intervalMs'>,
): Promise<LockAnswer> {
  return deps.locks.acquire(plantId, ownerOf(deps, call), lockIntervals * intervalMs);
}

/** Starts to give the plant's lock back if this loop holds it; does not wait. */
export function giveLockBack(
  deps: ActivityDeps,
  call: Pick<CallContext, 'workflowId'>,
  plantId: string,
): void {
  deps.locks.release(plantId, ownerOf(deps, call));
}

/** The loop and not the attempt, so that a retry after a crash re-enters its own lock. */
function ownerOf({ lockDomain }: ActivityDeps, { workflowId }: Pick<CallContext, 'workflowId'>) {
  return `${lockDomain}/${workflowId}`;
}

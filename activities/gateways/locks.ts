import type { Locks } from '../../db/lock.ts';
import type { WalkLocks } from './walk/ports.ts';

/** The locks of gateways in Redis: asked for shortly before the slots, answered when Redis answers. */

/** One call holds Redis up for about 2 µs a lock. */
const locksPerCall = 1_000;

/** @param owner `{Temporal cluster id}/{namespace}`: the same for all workers, so that a lock outlives a hand-over. */
export function createWalkLocks(locks: Locks, owner: string): WalkLocks {
  /** Those of somebody else, as the newest answer says. */
  const taken = new Set<string>();
  async function note(asked: readonly { id: string; ttlMs: number }[]): Promise<void> {
    const others = await locks.acquireMany(asked, owner);
    for (const { id } of asked) taken.delete(id);
    for (const id of others ?? []) taken.add(id);
  }
  return {
    ask(wanted) {
      for (let begin = 0; begin < wanted.length; begin += locksPerCall) {
        const some = wanted.slice(begin, begin + locksPerCall);
        const asked = some.map(({ gatewayId: id, ttlMs }) => ({ id, ttlMs }));
        void note(asked);
      }
    },
    isTaken: (id) => taken.has(id),
    release(id) {
      taken.delete(id);
      locks.release(id, owner);
    },
  };
}

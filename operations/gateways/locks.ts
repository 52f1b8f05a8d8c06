import { listWatchedGateways } from '../../db/gateways/diagnosis.ts';
import { lockKey } from '../../db/lock.ts';
import type { Fact } from '../diagnosis.ts';
import { lockDomain } from '../loops.ts';
import { shardCount } from './shards.ts';

/** The locks of gateways in Redis that nobody gives back. */

export interface OrphanedLock {
  key: string;
  gatewayId: string;
  owner: string;
  /** Why nobody gives it back, without a full stop. */
  sentence: string;
}

/**
 * Locks without an end, and locks of this cluster and namespace for gateways that are not polled. A lock of another cluster
 * stays: it ends by itself, and until then says that the other cluster polls.
 */
export const orphanedLocks: Fact<OrphanedLock[]> = async (services) => {
  const { db, temporal, listLocks, clock } = services;
  const held = (await listLocks?.('gateway')) ?? [];
  if (held.length === 0) return [];
  const domain = await lockDomain(temporal);
  const gateways = await listWatchedGateways(db, clock(), shardCount(services));
  const due = new Set(
    gateways.filter(({ period }) => period?.reason === 'ACTIVE').map(({ id }) => id),
  );
  return held.flatMap(({ key, ttlMs, owner }): OrphanedLock[] => {
    const gatewayId = key.slice(lockKey('gateway', '').length);
    const of = { key, gatewayId, owner };
    if (ttlMs < 0) return [{ ...of, sentence: `${key} of ${owner} has no end` }];
    const isOurs = owner === domain || owner.startsWith(`${domain}/`);
    if (!isOurs || due.has(gatewayId)) return [];
    return [{ ...of, sentence: `${key} is ours, and nobody polls the gateway` }];
  });
};

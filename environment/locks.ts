import { type LockKind, type Locks, noLocks, openLockClient } from '../db/lock.ts';
import type { Config } from './config.ts';

/** The locks of one kind, or none if no Redis is configured. */
export function openLocks(
  config: Config,
  onUnavailable: (error: Error) => void,
  kind: LockKind = 'plant',
): Locks {
  if (config.REDIS_URL === undefined) return noLocks;
  return openLockClient({
    kind,
    url: config.REDIS_URL,
    keyPrefix: config.REDIS_KEY_PREFIX,
    onUnavailable,
  });
}

import { noLocks, openLockClient, type Locks } from '../db/lock.ts';
import type { Config } from './config.ts';

/** The locks, or none if no Redis is configured. */
export function openLocks(config: Config, onUnavailable: (error: Error) => void): Locks {
  if (config.REDIS_URL === undefined) return noLocks;
  return openLockClient({
    kind: 'plant',
    url: config.REDIS_URL,
    keyPrefix: config.REDIS_KEY_PREFIX,
    onUnavailable,
  });
}

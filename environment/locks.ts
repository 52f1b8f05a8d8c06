import { noPlantLocks, openPlantLocks, type PlantLocks } from '../db/lock.ts';
import type { Config } from './config.ts';

/** The locks, or none where no Redis is configured. */
export function openLocks(config: Config, onUnavailable: (error: Error) => void): PlantLocks {
  if (config.REDIS_URL === undefined) return noPlantLocks;
  return openPlantLocks({
    url: config.REDIS_URL,
    keyPrefix: config.REDIS_KEY_PREFIX,
    onUnavailable,
  });
}

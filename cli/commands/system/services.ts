import { askRedis, listLocks, type LockKind, type Locks } from '../../../db/lock.ts';
import { CommandError, type Config, exitCodes } from '../../../environment/config.ts';
import { openLocks } from '../../../environment/locks.ts';
import { withDatabase } from '../../../environment/services.ts';
import { withTemporal } from '../../../environment/temporal.ts';
import { diskReader } from '../../../operations/disks.ts';
import type { FixServices } from '../../../operations/fixer.ts';

/** Opens what commands about the whole system need. */

/** @throws CommandError 69 if PostgreSQL or Temporal is away or goes away; at a call of `locks` if Redis is. */
export async function withSystem<Result>(
  config: Config,
  run: (services: FixServices) => Promise<Result>,
): Promise<Result> {
  const { REDIS_URL: url, REDIS_KEY_PREFIX: keyPrefix } = config;
  const opened = {
    plant: openLocks(config, () => {}, 'plant'),
    gateway: openLocks(config, () => {}, 'gateway'),
  };
  try {
    return await withDatabase(config, (db) =>
      withTemporal(config, (temporal) =>
        run({
          db,
          temporal,
          askRedis: url === undefined ? null : () => askRedis(url),
          ...(url === undefined
            ? {}
            : { listLocks: (kind: LockKind) => listLocks({ kind, url, keyPrefix }) }),
          readDisks: diskReader(config.WATCHED_FOLDERS),
          clock: Date.now,
          gatewayShards: config.GATEWAY_SHARDS,
          locks: {
            plant: lockCalls(config, opened.plant),
            gateway: lockCalls(config, opened.gateway),
          },
        }),
      ),
    );
  } finally {
    opened.plant.close();
    opened.gateway.close();
  }
}

/** Lock calls whose failure is a sentence. */
function lockCalls(config: Config, { list, remove }: Locks): Pick<Locks, 'list' | 'remove'> {
  const away = (cause: unknown) => redisAway(config, cause);
  return {
    list: () => list().catch(away),
    remove: (id, owner) => remove(id, owner).catch(away),
  };
}

function redisAway({ REDIS_URL: url }: Config, cause: unknown): never {
  const host = url === undefined ? '' : new URL(url).host;
  throw new CommandError(
    `Redis at ${host} cannot be reached, and it holds the locks: is it running, and is REDIS_URL right?`,
    exitCodes.serviceAway,
    { cause },
  );
}

import { Redis } from 'ioredis';

/**
 * The second guard against doing something twice at once: `lock:{kind}:{id}` in Redis, such as `lock:plant:solis-canal`.
 * Redis may vanish at any time; then the database's fence alone guards.
 */

/** A poll waits this long for a lock call, and then goes on without an answer. */
const commandTimeoutMs = 50;

/** Takes a lock that is free or ours, and sets its time to live. Answers 0 if it is somebody else's. */
const acquireScript = `
local owner = redis.call('GET', KEYS[1])
if owner == false or owner == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
return 0`;

/** The same for many locks in one call; each has its own time to live, after the owner. Answers those of somebody else. */
const acquireManyScript = `
local taken = {}
for i, key in ipairs(KEYS) do
  local owner = redis.call('GET', key)
  if owner == false or owner == ARGV[1] then
    redis.call('SET', key, ARGV[1], 'PX', ARGV[i + 1])
  else
    taken[#taken + 1] = i
  end
end
return taken`;

/** Deletes a lock only if it is ours. */
const releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

interface LockCommands {
  acquireLock(key: string, owner: string, ttlMs: number): Promise<number>;
  acquireMany(keys: number, ...keysAndArguments: (string | number)[]): Promise<number[]>;
  releaseLock(key: string, owner: string): Promise<number>;
}

/** FREE: it is ours now. TAKEN: somebody else holds it. UNKNOWN: Redis did not answer within 50 ms; polling goes on. */
export type LockAnswer = 'FREE' | 'TAKEN' | 'UNKNOWN';

/** What can be locked. */
export type LockKind = 'plant' | 'gateway';

/** The locks of one kind. */
export interface Locks {
  acquire(id: string, owner: string, ttlMs: number): Promise<LockAnswer>;
  /** Takes many in one call. @returns the ids that somebody else holds; null: Redis did not answer in time. */
  acquireMany(
    wanted: readonly { id: string; ttlMs: number }[],
    owner: string,
  ): Promise<string[] | null>;
  /** Does not wait for Redis and never throws. */
  release(id: string, owner: string): void;
  /** Every lock's key, time to live in ms (-1: none) and owner. For the check. */
  list(): Promise<{ key: string; ttlMs: number; owner: string }[]>;
  /** Deletes a lock if it is still this owner's. For repairs. @returns whether it was deleted. */
  remove(id: string, owner: string): Promise<boolean>;
  close(): void;
}

/** @example lockKey('plant', 'solis-canal') === 'lock:plant:solis-canal' */
export function lockKey(kind: LockKind, id: string): string {
  return `lock:${kind}:${id}`;
}

export interface LockOptions {
  /** What is locked. @example 'plant' */
  kind: LockKind;
  url: string;
  /** For a Redis that others use as well. */
  keyPrefix?: string;
  /** Called each time that Redis does not answer in time. */
  onUnavailable: (error: Error) => void;
}

/** Opens the lock client: no offline queue, no retries of a request, nothing sent again after a reconnect. */
export function openLockClient(options: LockOptions): Locks {
  const { kind, url, keyPrefix = '', onUnavailable } = options;
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000),
    connectTimeout: 2_000,
    scripts: {
      acquireLock: { lua: acquireScript, numberOfKeys: 1 },
      acquireMany: { lua: acquireManyScript },
      releaseLock: { lua: releaseScript, numberOfKeys: 1 },
    },
  }) as Redis & LockCommands;
  // The calls that a connection error fails report it.
  redis.on('error', () => {});
  const keyOf = (id: string) => keyPrefix + lockKey(kind, id);
  const unknown = (error: unknown): LockAnswer => {
    onUnavailable(error instanceof Error ? error : new Error(String(error)));
    return 'UNKNOWN';
  };
  return {
    acquire: async (id, owner, ttlMs) =>
      redis
        .acquireLock(keyOf(id), owner, Math.max(1, Math.ceil(ttlMs)))
        .then((mine): LockAnswer => (mine === 1 ? 'FREE' : 'TAKEN'))
        .catch(unknown),
    acquireMany: async (wanted, owner) => {
      const keys = wanted.map(({ id }) => keyOf(id));
      const ttls = wanted.map(({ ttlMs }) => Math.max(1, Math.ceil(ttlMs)));
      try {
        const taken = await redis.acquireMany(keys.length, ...keys, owner, ...ttls);
        return taken.flatMap((nth) => wanted[nth - 1]?.id ?? []);
      } catch (error) {
        unknown(error);
        return null;
      }
    },
    release: (id, owner) => void redis.releaseLock(keyOf(id), owner).catch(unknown),
    list: async () => listLocks({ kind, url, keyPrefix }),
    remove: async (id, owner) =>
      onConnection(url, async (client) => {
        return (await client.eval(releaseScript, 1, keyOf(id), owner)) === 1;
      }),
    close: () => redis.disconnect(),
  };
}

/** Every lock of a kind, over a connection of its own. Rejects while Redis is away. */
export async function listLocks(
  options: Pick<LockOptions, 'kind' | 'url' | 'keyPrefix'>,
): ReturnType<Locks['list']> {
  const { kind, url, keyPrefix = '' } = options;
  return onConnection(url, async (client) => readLocks(client, kind, keyPrefix));
}

async function readLocks(
  client: Redis,
  kind: LockKind,
  keyPrefix: string,
): ReturnType<Locks['list']> {
  const locks: Awaited<ReturnType<Locks['list']>> = [];
  const match = keyPrefix + lockKey(kind, '*');
  for await (const keys of client.scanStream({ match, count: 500 })) {
    for (const key of keys as string[]) {
      const [ttlMs, owner] = await Promise.all([client.pttl(key), client.get(key)]);
      // A lock that is released between the two calls is no lock any more.
      if (owner !== null && ttlMs !== -2)
        locks.push({ key: key.slice(keyPrefix.length), ttlMs, owner });
    }
  }
  return locks;
}

/** Runs `work` over a connection of its own, which waits longer than a poll does. Rejects while Redis is away. */
async function onConnection<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    client.disconnect();
  }
}

/**
 * Asks Redis over a connection of its own whether it serves.
 *
 * @returns `maxmemory-policy`; null if the server does not tell it. Rejects while Redis is away.
 */
export async function askRedis(url: string): Promise<{ evictionPolicy: string | null }> {
  return onConnection(url, async (client) => {
    await client.ping();
    // Hosted servers refuse CONFIG.
    const answer = (await client.config('GET', 'maxmemory-policy').catch(() => [])) as
      | string[]
      | Record<string, string>;
    const policy = Array.isArray(answer) ? answer[1] : answer['maxmemory-policy'];
    return { evictionPolicy: policy ?? null };
  });
}

/** The locks when no Redis is configured: every lock is free. */
export const noLocks: Locks = {
  acquire: async () => 'FREE',
  acquireMany: async () => [],
  release: () => {},
  list: async () => [],
  remove: async () => false,
  close: () => {},
};

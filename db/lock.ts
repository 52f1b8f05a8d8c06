import { Redis } from 'ioredis';

/**
 * The second guard against doing something twice at once: `lock:{kind}:{id}` in Redis, such as `lock:plant:solis-canal`. Redis may vanish at any time;
 * the database's fence is what holds then.
 */

/** A lock call is worth this much of a poll, no more. */
const commandTimeoutMs = 50;

/** Absent or ours: take it and set its time to live. Somebody else's: 0. */
const acquireScript = `
local owner = redis.call('GET', KEYS[1])
if owner == false or owner == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
return 0`;

/** Deletes only what is ours. */
const releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

interface LockCommands {
  acquireLock(key: string, owner: string, ttlMs: number): Promise<number>;
  releaseLock(key: string, owner: string): Promise<number>;
}

/** FREE: nobody else's, and ours now. TAKEN: somebody else's. UNKNOWN: Redis could not say within 50 ms; polling goes on. */
export type LockAnswer = 'FREE' | 'TAKEN' | 'UNKNOWN';

/** The locks of one kind. */
export interface Locks {
  acquire(id: string, owner: string, ttlMs: number): Promise<LockAnswer>;
  /** Not waited for, never throws. */
  release(id: string, owner: string): void;
  /** Every lock's key, time to live in ms (-1: none) and owner. For the audit, which waits longer than a poll does. */
  list(): Promise<{ key: string; ttlMs: number; owner: string }[]>;
  /** Deletes a lock that is still this owner's, for repairs. @returns whether there was one. */
  remove(id: string, owner: string): Promise<boolean>;
  /** `maxmemory-policy`, or null where the server does not tell. */
  evictionPolicy(): Promise<string | null>;
  close(): void;
}

/** @example lockKey('plant', 'solis-canal') === 'lock:plant:solis-canal' */
export function lockKey(kind: string, id: string): string {
  return `lock:${kind}:${id}`;
}

/**
 * Opens the lock client: no offline queue, no retries of a request, nothing sent again after a reconnect.
 *
 * @param kind of the locks: "plant".
 * @param keyPrefix for a Redis that others use as well.
 * @param onUnavailable is told each time that Redis did not answer in time.
 */
export function openLockClient(options: {
  kind: string;
  url: string;
  keyPrefix?: string;
  onUnavailable: (error: Error) => void;
}): Locks {
  const { kind } = options;
  const redis = new Redis(options.url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000),
    connectTimeout: 2_000,
    ...(options.keyPrefix === undefined ? {} : { keyPrefix: options.keyPrefix }),
    scripts: {
      acquireLock: { lua: acquireScript, numberOfKeys: 1 },
      releaseLock: { lua: releaseScript, numberOfKeys: 1 },
    },
  }) as Redis & LockCommands;
  // Connection errors are told by the calls that they hit.
  redis.on('error', () => {});

  return {
    async acquire(id, owner, ttlMs) {
      try {
        const mine = await redis.acquireLock(
          lockKey(kind, id),
          owner,
          Math.max(1, Math.ceil(ttlMs)),
        );
        return mine === 1 ? 'FREE' : 'TAKEN';
      } catch (error) {
        options.onUnavailable(asError(error));
        return 'UNKNOWN';
      }
    },
    release(id, owner) {
      redis
        .releaseLock(lockKey(kind, id), owner)
        .catch((error: unknown) => options.onUnavailable(asError(error)));
    },
    async list() {
      const client = new Redis(options.url, {
        lazyConnect: true,
        maxRetriesPerRequest: 0,
        retryStrategy: () => null,
      });
      client.on('error', () => {});
      try {
        await client.connect();
        const prefix = options.keyPrefix ?? '';
        const locks: { key: string; ttlMs: number; owner: string }[] = [];
        for await (const keys of client.scanStream({
          match: `${prefix}${lockKey(kind, '*')}`,
          count: 500,
        })) {
          for (const key of keys as string[]) {
            const [ttlMs, owner] = await Promise.all([client.pttl(key), client.get(key)]);
            // Released between the two: no lock any more.
            if (owner !== null && ttlMs !== -2)
              locks.push({ key: key.slice(prefix.length), ttlMs, owner });
          }
        }
        return locks;
      } finally {
        client.disconnect();
      }
    },
    async remove(id, owner) {
      const client = new Redis(options.url, {
        lazyConnect: true,
        maxRetriesPerRequest: 0,
        retryStrategy: () => null,
        ...(options.keyPrefix === undefined ? {} : { keyPrefix: options.keyPrefix }),
      });
      client.on('error', () => {});
      try {
        await client.connect();
        return (await client.eval(releaseScript, 1, lockKey(kind, id), owner)) === 1;
      } finally {
        client.disconnect();
      }
    },
    async evictionPolicy() {
      try {
        return (await askRedis(options.url)).evictionPolicy;
      } catch {
        return null;
      }
    },
    close() {
      redis.disconnect();
    },
  };
}

/**
 * Asks Redis over a connection of its own whether it serves.
 *
 * @returns `maxmemory-policy`, or null where the server does not tell. Rejects while Redis is away.
 */
export async function askRedis(url: string): Promise<{ evictionPolicy: string | null }> {
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
    await client.ping();
    return { evictionPolicy: await toldEvictionPolicy(client) };
  } finally {
    client.disconnect();
  }
}

async function toldEvictionPolicy(client: Redis): Promise<string | null> {
  try {
    const answer = (await client.config('GET', 'maxmemory-policy')) as
      | string[]
      | Record<string, string>;
    return Array.isArray(answer) ? (answer[1] ?? null) : (answer['maxmemory-policy'] ?? null);
  } catch {
    // Hosted servers keep CONFIG to themselves.
    return null;
  }
}

/** Where no Redis is configured: every lock is free. */
export const noLocks: Locks = {
  acquire: async () => 'FREE',
  release: () => {},
  list: async () => [],
  remove: async () => false,
  evictionPolicy: async () => null,
  close: () => {},
};

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

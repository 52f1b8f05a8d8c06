import { createServer, type Server, type Socket } from 'node:net';
import { randomUUID } from 'node:crypto';

import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';

import { eventually } from '../test/support/fleet.ts';
import { lockKey, openLockClient, type Locks } from './lock.ts';

const plantId = 'meadow';
const [owner, stranger] = [
  'cluster/namespace/poll:plant:meadow:latest',
  'other/namespace/poll:plant:meadow:latest',
];
/** A lock call may take 50 ms; the rest is a slow machine's. */
const lockCallMsMax = 250;

describe('the lock of a plant', () => {
  const keyPrefix = `test-${randomUUID()}:`;
  let locks: Locks;
  let redis: Redis;

  beforeAll(async () => {
    const url = inject('servers').redisUrl;
    locks = openLockClient({ kind: 'plant', url, keyPrefix, onUnavailable: () => {} });
    redis = new Redis(url);
    await eventually(
      'the lock client to be connected',
      async () => (await locks.acquire('warm-up', owner, 1)) === 'FREE',
    );
  });
  afterAll(async () => {
    locks.close();
    await redis.quit();
  });
  beforeEach(() => redis.del(keyPrefix + lockKey('plant', plantId)));

  const stored = () => redis.get(keyPrefix + lockKey('plant', plantId));
  const ttlMs = () => redis.pttl(keyPrefix + lockKey('plant', plantId));

  test('is taken by the first, and refused to a stranger', async () => {
    expect(await locks.acquire(plantId, owner, 60_000)).toBe('FREE');
    expect(await locks.acquire(plantId, stranger, 60_000)).toBe('TAKEN');
    expect(await stored()).toBe(owner);
  });

  test('is another one than the lock of another kind with the same id', async () => {
    const url = inject('servers').redisUrl;
    const gateways = openLockClient({ kind: 'gateway', url, keyPrefix, onUnavailable: () => {} });
    try {
      await locks.acquire(plantId, owner, 60_000);
      await eventually(
        "the gateway's lock",
        async () => (await gateways.acquire(plantId, stranger, 60_000)) === 'FREE',
      );
      expect(await stored()).toBe(owner);
      expect((await gateways.list()).map(({ key }) => key)).toEqual([lockKey('gateway', plantId)]);
      expect((await locks.list()).map(({ key }) => key)).toContain(lockKey('plant', plantId));
    } finally {
      await gateways.remove(plantId, stranger);
      gateways.close();
    }
  });

  test('lets its own owner in again at once, and renews the time to live', async () => {
    await locks.acquire(plantId, owner, 5_000);
    expect(await locks.acquire(plantId, owner, 60_000)).toBe('FREE');
    expect(await ttlMs()).toBeGreaterThan(5_000);
  });

  test("a stranger's try does not renew it", async () => {
    await locks.acquire(plantId, owner, 5_000);
    await locks.acquire(plantId, stranger, 60_000);
    expect(await ttlMs()).toBeLessThanOrEqual(5_000);
  });

  test('ends by itself after its time to live', async () => {
    await locks.acquire(plantId, owner, 30);
    await eventually(
      'the lock to end',
      async () => (await locks.acquire(plantId, stranger, 1_000)) === 'FREE',
      5_000,
    );
    expect(await stored()).toBe(stranger);
  });

  test('is given back by its owner, and by nobody else', async () => {
    await locks.acquire(plantId, owner, 60_000);
    locks.release(plantId, stranger);
    // Commands of one connection are answered in order: this one follows the release.
    expect(await locks.acquire(plantId, stranger, 60_000)).toBe('TAKEN');
    locks.release(plantId, owner);
    expect(await locks.acquire(plantId, stranger, 60_000)).toBe('FREE');
  });

  test('of many that try at once, one gets it', async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => locks.acquire(plantId, `${owner}-${n}`, 60_000)),
    );
    expect(results.filter((result) => result === 'FREE')).toHaveLength(1);
  });

  test('is listed with its owner and time to live', async () => {
    await locks.acquire(plantId, owner, 60_000);
    const [listed] = (await locks.list()).filter((lock) => lock.key === lockKey('plant', plantId));
    expect(listed).toMatchObject({ owner });
    expect(listed?.ttlMs).toBeGreaterThan(50_000);
  });

  test('scripts that Redis has forgotten are sent again', async () => {
    await redis.script('FLUSH');
    expect(await locks.acquire(plantId, owner, 60_000)).toBe('FREE');
  });
});

describe('the locks of many gateways', () => {
  const keyPrefix = `test-${randomUUID()}:`;
  let locks: Locks;
  let redis: Redis;

  beforeAll(async () => {
    const url = inject('servers').redisUrl;
    locks = openLockClient({ kind: 'gateway', url, keyPrefix, onUnavailable: () => {} });
    redis = new Redis(url);
    await eventually(
      'the lock client to be connected',
      async () => (await locks.acquire('warm-up', owner, 1)) === 'FREE',
    );
  });
  afterAll(async () => {
    locks.close();
    await redis.quit();
  });
  beforeEach(() => redis.del(...['free', 'ours', 'held'].map(keyOf)));

  const keyOf = (id: string) => keyPrefix + lockKey('gateway', id);

  test('are taken in one call where they are free or ours, each for its own time', async () => {
    await locks.acquire('ours', owner, 5_000);
    const wanted = [
      { id: 'free', ttlMs: 20_000 },
      { id: 'ours', ttlMs: 60_000 },
    ];
    expect(await locks.acquireMany(wanted, owner)).toEqual([]);
    expect(await redis.mget(...['free', 'ours'].map(keyOf))).toEqual([owner, owner]);
    const [freeMs, oursMs] = [await redis.pttl(keyOf('free')), await redis.pttl(keyOf('ours'))];
    expect(freeMs).toBeGreaterThan(5_000);
    expect(freeMs).toBeLessThanOrEqual(20_000);
    expect(oursMs).toBeGreaterThan(20_000);
  });

  test('that somebody else holds are named, and neither deleted nor renewed; the others are taken', async () => {
    await locks.acquire('held', stranger, 5_000);
    const wanted = ['free', 'held', 'ours'].map((id) => ({ id, ttlMs: 60_000 }));
    expect(await locks.acquireMany(wanted, owner)).toEqual(['held']);
    expect(await redis.mget(...['free', 'held', 'ours'].map(keyOf))).toEqual([
      owner,
      stranger,
      owner,
    ]);
    expect(await redis.pttl(keyOf('held'))).toBeLessThanOrEqual(5_000);
    locks.release('held', owner);
    // Commands of one connection are answered in order: this one follows the release.
    expect(await locks.acquireMany(wanted, owner)).toEqual(['held']);
    expect(await redis.get(keyOf('held'))).toBe(stranger);
  });

  test('of an empty list are an empty answer, not an error', async () => {
    expect(await locks.acquireMany([], owner)).toEqual([]);
  });

  test('are unknown while Redis is away, and that is told', async () => {
    const told: Error[] = [];
    const url = 'redis://127.0.0.1:1';
    const away = openLockClient({ kind: 'gateway', url, onUnavailable: (one) => told.push(one) });
    try {
      expect(await away.acquireMany([{ id: 'free', ttlMs: 60_000 }], owner)).toBeNull();
      expect(told).toHaveLength(1);
    } finally {
      away.close();
    }
  });
});

describe('without a Redis that answers', () => {
  let silent: Server;
  const sockets = new Set<Socket>();
  beforeAll(async () => {
    // Takes connections and says nothing, as a paused Redis does.
    silent = createServer((socket) => void sockets.add(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  async function timed(url: string): Promise<{ result: string; tookMs: number; told: number }> {
    let told = 0;
    const locks = openLockClient({ kind: 'plant', url, onUnavailable: () => void (told += 1) });
    const beganAt = performance.now();
    const result = await locks.acquire(plantId, owner, 60_000);
    const tookMs = performance.now() - beganAt;
    locks.release(plantId, owner);
    await new Promise((resolve) => setTimeout(resolve, lockCallMsMax));
    locks.close();
    return { result, tookMs, told };
  }

  test('one that is away does not hold up a poll, and both calls are told', async () => {
    const { result, tookMs, told } = await timed('redis://127.0.0.1:1');
    expect(result).toBe('UNKNOWN');
    expect(tookMs).toBeLessThan(lockCallMsMax);
    expect(told).toBe(2);
  });

  test('one that takes the connection and never answers does not hold up a poll either', async () => {
    const { port } = silent.address() as { port: number };
    const { result, tookMs, told } = await timed(`redis://127.0.0.1:${port}`);
    expect(result).toBe('UNKNOWN');
    expect(tookMs).toBeLessThan(lockCallMsMax);
    expect(told).toBe(2);
  });
});

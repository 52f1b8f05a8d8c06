import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { deleteGateways } from '../../test/support/gateways.ts';
import { database, test } from '../../test/support/test-database.ts';
import {
  holdLease,
  listShards,
  listWorkers,
  releaseLease,
  removeWorker,
  renewLeases,
  sayWorkerLives,
  takeLease,
  wantLease,
} from './leases.ts';

const ttlMs = 4_000;
const first = { owner: 'boot/1/42/7', worker: 'meadow' };
const second = { owner: 'boot/1/43/9', worker: 'hill' };

beforeEach(() => deleteGateways(database.db));

const take = (who: typeof first, deadOwners: string[] = []) =>
  takeLease(database.db, { shard: 0, ...who, ttlMs, deadOwners });

async function expire(): Promise<void> {
  await sql`update gateway_shards set expires_at = clock_timestamp()`.execute(database.db);
}

describe('a lease', () => {
  test('is taken by one at a time, each time with a new epoch', async () => {
    expect(await take(first)).toEqual({ kind: 'TAKEN', epoch: 1 });
    const refused = await take(second);
    expect(refused).toMatchObject({ kind: 'HELD', by: first });
    // Not by the same process either: it knows that it holds it.
    expect(await take(first)).toMatchObject({ kind: 'HELD' });
    await expire();
    expect(await take(second)).toEqual({ kind: 'TAKEN', epoch: 2 });
  });

  test('of many who ask at once exactly one gets', async () => {
    const asked = await Promise.all(
      Array.from({ length: 8 }, (_, n) => take({ owner: `boot/1/${n}/1`, worker: `w${n}` })),
    );
    expect(asked.filter(({ kind }) => kind === 'TAKEN')).toHaveLength(1);
  });

  test('of a dead owner is taken at once, of another one not', async () => {
    await take(first);
    expect(await take(second, ['boot/1/44/1'])).toMatchObject({ kind: 'HELD' });
    expect(await take(second, [first.owner])).toEqual({ kind: 'TAKEN', epoch: 2 });
  });

  test('is released for the next one, but not by who lost it', async () => {
    await take(first);
    await take(second, [first.owner]);
    await releaseLease(database.db, { shard: 0, epoch: 1, owner: first.owner });
    expect(await take(first)).toMatchObject({ kind: 'HELD', by: second });
    await releaseLease(database.db, { shard: 0, epoch: 2, owner: second.owner });
    expect(await take(first)).toEqual({ kind: 'TAKEN', epoch: 3 });
  });

  test('is renewed by its owner and epoch alone, who hear that it is wanted', async () => {
    await take(first);
    await expire();
    const renew = (owner: string, epoch: number) =>
      renewLeases(database.db, { owner, ttlMs, leases: [{ shard: 0, epoch }] });
    expect(await renew(second.owner, 1)).toEqual([]);
    expect(await renew(first.owner, 0)).toEqual([]);
    // One that has ended, and that nobody took, goes on.
    expect(await renew(first.owner, 1)).toEqual([{ shard: 0, wantedBy: null }]);
    expect(await take(second)).toMatchObject({ kind: 'HELD' });
    await wantLease(database.db, { shard: 0, by: second.owner });
    expect(await renew(first.owner, 1)).toEqual([{ shard: 0, wantedBy: second.owner }]);
    await releaseLease(database.db, { shard: 0, epoch: 1, owner: first.owner });
    await take(second);
    expect((await listShards(database.db))[0]).toMatchObject({ wantedBy: null, ...second });
  });

  test('carries what its walker says of itself', async () => {
    await take(first);
    const renew = (figures?: unknown) =>
      renewLeases(database.db, {
        owner: first.owner,
        ttlMs,
        leases: [{ shard: 0, epoch: 1, ...(figures === undefined ? {} : { figures }) }],
      });
    await renew({ gateways: 12 });
    await renew();
    const [shard] = await listShards(database.db);
    expect(shard).toMatchObject({ figures: { gateways: 12 }, epoch: 1, owner: first.owner });
    expect(shard?.endsInMs).toBeGreaterThan(0);
  });
});

describe('a transaction that a lease fences', () => {
  const lease = { shard: 0, epoch: 1, owner: first.owner };

  test('is told when the lease is lost', async () => {
    await take(first);
    await database.db.transaction().execute(async (trx) => {
      expect(await holdLease(trx, lease)).toBe(true);
    });
    await take(second, [first.owner]);
    await database.db.transaction().execute(async (trx) => {
      expect(await holdLease(trx, lease)).toBe(false);
    });
  });

  test('holds up who takes the lease, and not the renewals of its own walker', async () => {
    await take(first);
    const order: string[] = [];
    let taking: Promise<unknown> | undefined;
    await database.db.transaction().execute(async (trx) => {
      expect(await holdLease(trx, lease)).toBe(true);
      taking = take(second, [first.owner]).then(() => order.push('taken'));
      for (let waits = false; !waits;) {
        const { rows } = await sql`
          select from pg_stat_activity where wait_event = 'advisory' and datname = current_database()`.execute(
          database.db,
        );
        waits = rows.length > 0;
      }
      const renewed = await renewLeases(database.db, {
        owner: first.owner,
        ttlMs,
        leases: [{ shard: 0, epoch: 1 }],
      });
      expect(renewed).toHaveLength(1);
      order.push('committed');
    });
    await taking;
    expect(order).toEqual(['committed', 'taken']);
  });
});

test('workers are listed while they say that they live', async () => {
  const { db } = database;
  await sayWorkerLives(db, { owner: first.owner, host: 'meadow', pid: 42 });
  await sayWorkerLives(db, { owner: second.owner, host: 'hill', pid: 43 });
  await sayWorkerLives(db, { owner: first.owner, host: 'meadow', pid: 42 });
  expect((await listWorkers(db, 60_000)).map(({ owner }) => owner)).toEqual([
    first.owner,
    second.owner,
  ]);
  await sql`update gateway_workers set seen_at = now() - interval '1 min' where owner = ${second.owner}`.execute(
    db,
  );
  expect(await listWorkers(db, 30_000)).toMatchObject([
    { owner: first.owner, host: 'meadow', pid: 42 },
  ]);
  await sql`update gateway_workers set seen_at = now() - interval '2 days'`.execute(db);
  await listWorkers(db, 30_000);
  expect(await listWorkers(db, 1e9)).toEqual([]);
  await sayWorkerLives(db, { owner: first.owner, host: 'meadow', pid: 42 });
  await removeWorker(db, first.owner);
  expect(await listWorkers(db, 30_000)).toEqual([]);
});

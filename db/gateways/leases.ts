import { sql, type Kysely } from 'kysely';

import { type Db, query } from '../database.ts';
import type { Database } from '../tables.ts';

/**
 * Who walks which shard. A lease has an epoch, which rises each time it is taken: whatever a walker writes names its epoch
 * and its owner, and changes nothing once the lease is somebody else's. All instants are the database's, so that the clocks
 * of hosts do not matter.
 */

/** A lease as its walker names it. */
export interface Lease {
  shard: number;
  epoch: number;
}

/** A lease, and the process that holds it. */
export interface OwnedLease extends Lease {
  /** Boot id, pid namespace, pid and start time of the process. */
  owner: string;
}

/** A lease that another process holds. */
export interface HeldLease {
  owner: string;
  worker: string | null;
  /** Until it ends unless it is renewed, ms. */
  endsInMs: number;
}

/** The two keys of the advisory lock of a shard. */
const shardLock = (shard: number) => sql`hashtext('gateway_shards'), ${shard}::int`;

/**
 * Takes the lease of a shard with a new epoch, if it is free, if it has ended, or if its owner is known to be dead. Waits for
 * transactions of the last walker that `holdLease` fenced.
 *
 * @param deadOwners owners of which this host knows that their processes have ended.
 */
export async function takeLease(
  db: Kysely<Database>,
  {
    shard,
    owner,
    worker,
    ttlMs,
    deadOwners = [],
  }: {
    shard: number;
    owner: string;
    /** How people know the process. */
    worker: string;
    ttlMs: number;
    deadOwners?: readonly string[];
  },
): Promise<{ kind: 'TAKEN'; epoch: number } | { kind: 'HELD'; by: HeldLease }> {
  return db.transaction().execute(async (trx) => {
    await query(trx)`select pg_advisory_xact_lock(${shardLock(shard)})`;
    await query(trx)`insert into gateway_shards (shard) values (${shard}) on conflict do nothing`;
    const [taken] = await query(trx)<{ epoch: number }>`
      update gateway_shards set epoch = epoch + 1, owner = ${owner}, worker = ${worker}, wanted_by = null,
        expires_at = ${inMs(ttlMs)}
      where shard = ${shard}
        and (owner is null or expires_at <= clock_timestamp() or owner = any(${[...deadOwners]}::text[]))
      returning epoch`;
    if (taken !== undefined) return { kind: 'TAKEN' as const, epoch: taken.epoch };
    const [by] = await query(trx)<HeldLease>`
      select owner, worker, ${endsInMs} as "endsInMs" from gateway_shards where shard = ${shard} and owner is not null`;
    if (by === undefined) throw new Error(`shard ${shard} is free, and its lease cannot be taken`);
    return { kind: 'HELD' as const, by };
  });
}

const inMs = (ttlMs: number) => sql`clock_timestamp() + make_interval(secs => ${ttlMs / 1_000})`;
const endsInMs = sql`greatest(0, ceil(extract(epoch from expires_at - clock_timestamp()) * 1000))::int`;

/** What a walker learns with each renewal: a lease that is not among the answers is lost. */
export interface Renewed {
  shard: number;
  /** The owner that waits for it; null: none. */
  wantedBy: string | null;
}

/** Renews the leases of a process that still holds them. @returns those; the others are lost. */
export async function renewLeases(
  db: Db,
  {
    owner,
    ttlMs,
    leases,
  }: {
    owner: string;
    ttlMs: number;
    /** `figures`: what the walker says of itself, shown to people; absent: unchanged. */
    leases: readonly (Lease & { figures?: unknown })[];
  },
): Promise<Renewed[]> {
  const figures = leases.map((one) =>
    one.figures === undefined ? null : JSON.stringify(one.figures),
  );
  return query(db)<Renewed>`
    with own as (
      select s.shard, l.figures from gateway_shards s
      join unnest(${leases.map(({ shard }) => shard)}::int[], ${leases.map(({ epoch }) => epoch)}::bigint[],
        ${figures}::jsonb[]) as l (shard, epoch, figures) on l.shard = s.shard and l.epoch = s.epoch
      where s.owner = ${owner} order by s.shard for no key update of s)
    update gateway_shards s set expires_at = ${inMs(ttlMs)}, figures = coalesce(own.figures, s.figures),
      figures_at = case when own.figures is null then s.figures_at else clock_timestamp() end
    from own where s.shard = own.shard
    returning s.shard, s.wanted_by as "wantedBy"`;
}

/** Gives up a lease, so that another walker may take it at once. Does nothing if it is lost. */
export async function releaseLease(db: Db, { shard, epoch, owner }: OwnedLease): Promise<void> {
  await query(db)`
    update gateway_shards set owner = null, worker = null, expires_at = '-infinity'
    where shard = ${shard} and epoch = ${epoch} and owner = ${owner}`;
}

/** Asks the holder of a shard for its lease: its next renewal tells it. */
export async function wantLease(
  db: Db,
  { shard, by }: { shard: number; by: string },
): Promise<void> {
  await query(db)`
    update gateway_shards set wanted_by = ${by} where shard = ${shard} and owner is not null and owner <> ${by}`;
}

/**
 * Whether the lease is still held; if so, nobody takes it before the transaction ends. It does not hold up the walker's own
 * batches and renewals.
 */
export async function holdLease(trx: Db, { shard, epoch, owner }: OwnedLease): Promise<boolean> {
  // Two statements: what the second one sees is as new as the lock.
  await query(trx)`select pg_advisory_xact_lock_shared(${shardLock(shard)})`;
  const held = await query(trx)`
    select from gateway_shards where shard = ${shard} and epoch = ${epoch} and owner = ${owner}`;
  return held.length > 0;
}

/** A shard as people see it. */
export interface ShardRow {
  shard: number;
  epoch: number;
  owner: string | null;
  worker: string | null;
  /** Until the lease ends, ms; 0: it has ended or is free. */
  endsInMs: number;
  wantedBy: string | null;
  figures: unknown;
  figuresAt: Date | null;
}

/** All shards that were ever walked, in order. */
export async function listShards(db: Db): Promise<ShardRow[]> {
  return query(db)<ShardRow>`
    select shard, epoch, owner, worker, case when owner is null then 0 else ${endsInMs} end as "endsInMs",
      wanted_by as "wantedBy", figures, figures_at as "figuresAt"
    from gateway_shards order by shard`;
}

/** A process that walks gateways, or may. */
export interface WorkerRow {
  owner: string;
  host: string;
  pid: number;
  startedAt: Date;
  seenAt: Date;
}

/** Says that a worker lives. Called once a second or so. */
export async function sayWorkerLives(
  db: Db,
  { owner, host, pid }: Pick<WorkerRow, 'owner' | 'host' | 'pid'>,
): Promise<void> {
  await query(db)`
    insert into gateway_workers (owner, host, pid, started_at, seen_at)
    values (${owner}, ${host}, ${pid}, clock_timestamp(), clock_timestamp())
    on conflict (owner) do update set seen_at = excluded.seen_at`;
}

/** Takes a worker off the list, when it leaves or is known to be dead. */
export async function removeWorker(db: Db, owner: string): Promise<void> {
  await query(db)`delete from gateway_workers where owner = ${owner}`;
}

/** Workers that said within `withinMs` that they live, the oldest first; forgets those that were silent for a day. */
export async function listWorkers(db: Db, withinMs: number): Promise<WorkerRow[]> {
  await query(db)`delete from gateway_workers where seen_at < clock_timestamp() - interval '1 day'`;
  return query(db)<WorkerRow>`
    select owner, host, pid, started_at as "startedAt", seen_at as "seenAt" from gateway_workers
    where seen_at > clock_timestamp() - make_interval(secs => ${withinMs / 1_000}) order by started_at, owner`;
}

import { type RawBuilder, sql } from 'kysely';

import { type Db, instant, ms, query, timestamp } from '../database.ts';
import type { ShardPlace } from './walk.ts';

/**
 * Roll-ups of the readings, for charts beyond the days that readings are kept: of 15 minutes, and of UTC days, which are made
 * of the quarters. A bucket is rolled up once it is over. A row that comes later marks its bucket (`writeBatch`), which is then
 * rolled up again.
 */

const quarterMs = 15 * 60_000;
const dayMs = 24 * 60 * 60_000;
/** Rows of the last slots are written within this time; `writeBatch` marks those that come later. */
const settleMs = 60_000;
/** Gateways of one statement, so that none takes long or holds much memory. */
const gatewaysPerStatement = 500;
/** Late buckets of one call. */
const lateMax = 2_000;

/** What one call rolled up. */
export interface RolledUp {
  /** Quarters and days of the whole shard. */
  quarters: number;
  days: number;
  /** Buckets of single gateways that were rolled up again. */
  late: number;
  /** Up to where the quarters are whole, ms. */
  untilMs: number | null;
}

/**
 * Rolls up what is over of a shard. Call it every few minutes; running twice at once does no harm.
 *
 * @param quartersMax so many quarters at most, so that one call after a long pause does not take hours.
 */
export async function rollUp(
  db: Db,
  place: ShardPlace,
  { nowMs, quartersMax = 96 }: { nowMs: number; quartersMax?: number },
): Promise<RolledUp> {
  const ids = await idsOf(db, place);
  if (ids.length === 0) return { quarters: 0, days: 0, late: 0, untilMs: null };
  const fromMs = await findLine(db, place, '15min');
  let untilMs = fromMs;
  for (let made = 0; made < quartersMax; made += 1) {
    if (untilMs + quarterMs + settleMs > nowMs) break;
    for (const part of chunks(ids)) await rollQuarter(db, part, untilMs);
    untilMs += quarterMs;
    await setLine(db, place, { unit: '15min', untilMs });
  }
  const late = await rollLate(db, place, untilMs);
  let dayUntilMs = await findLine(db, place, 'day');
  const dayFromMs = dayUntilMs;
  while (dayUntilMs + dayMs <= untilMs) {
    for (const part of chunks(ids)) await rollDay(db, part, dayUntilMs);
    dayUntilMs += dayMs;
    await setLine(db, place, { unit: 'day', untilMs: dayUntilMs });
  }
  return {
    quarters: (untilMs - fromMs) / quarterMs,
    days: (dayUntilMs - dayFromMs) / dayMs,
    late,
    untilMs,
  };
}

type Unit = '15min' | 'day';

/** Also removed gateways: their last rows are rolled up too. */
async function idsOf(db: Db, { shard, shards }: ShardPlace): Promise<string[]> {
  const rows = await query(db)<{ id: string }>`
    select id from gateways where address_hash % ${shards}::bigint = ${shard}::bigint order by id`;
  return rows.map(({ id }) => id);
}

function chunks(ids: readonly string[]): string[][] {
  const parts: string[][] = [];
  for (let from = 0; from < ids.length; from += gatewaysPerStatement)
    parts.push(ids.slice(from, from + gatewaysPerStatement));
  return parts;
}

/**
 * The first bucket that is not rolled up. With another number of shards than before it begins where all of them were; in the
 * beginning with the oldest gateway.
 */
async function findLine(db: Db, { shard, shards }: ShardPlace, unit: Unit): Promise<number> {
  const [line] = await query(db)<{ at: Date }>`
    select coalesce(
      (select until_at from gateway_rollups_done where shards = ${shards} and shard = ${shard} and unit = ${unit}),
      date_trunc('day', (${wholeUntil(unit)}), 'UTC'),
      date_trunc('day', (select min(created_at) from gateways), 'UTC')) as at`;
  if (line === undefined) throw new Error('there is no gateway to roll up');
  return ms(line.at);
}

/** Up to where the gateways of all shards are rolled up, by the number of shards that came farthest. */
const wholeUntil = (unit: Unit) => sql<Date | null>`
  select max(at) from (
    select min(until_at) as at from gateway_rollups_done where unit = ${unit}
    group by shards having count(*) = shards) d`;

/** Up to where all readings are in roll-ups of 15 minutes, ms: a prune keeps what comes after it. Null: nothing yet. */
export async function findRolledUntil(db: Db): Promise<number | null> {
  const [row] = await query(db)<{ at: Date | null }>`select (${wholeUntil('15min')}) as at`;
  return ms(row?.at ?? null);
}

async function setLine(
  db: Db,
  { shard, shards }: ShardPlace,
  { unit, untilMs }: { unit: Unit; untilMs: number },
): Promise<void> {
  await query(db)`
    insert into gateway_rollups_done as d (shards, shard, unit, until_at)
    values (${shards}, ${shard}, ${unit}, ${instant(untilMs)})
    on conflict (shards, shard, unit) do update set until_at = greatest(d.until_at, excluded.until_at)`;
}

/** Rolls up again what is marked before `untilMs`, the oldest first, and what follows from it. @returns how many buckets. */
async function rollLate(db: Db, place: ShardPlace, untilMs: number): Promise<number> {
  const { shard, shards } = place;
  let rolled = 0;
  while (rolled < lateMax) {
    const due = await query(db)<{ at: Date; ids: string[] }>`
      with gone as (
        delete from gateway_rollups_due d using (
          select w.gateway_id, w.bucket_at from gateway_rollups_due w join gateways g on g.id = w.gateway_id
          where w.unit = '15min' and w.bucket_at < ${instant(untilMs)}
            and g.address_hash % ${shards}::bigint = ${shard}::bigint
          order by w.bucket_at, w.gateway_id limit ${gatewaysPerStatement}) w
        where d.unit = '15min' and d.gateway_id = w.gateway_id and d.bucket_at = w.bucket_at
        returning d.gateway_id, d.bucket_at)
      select bucket_at as at, array_agg(gateway_id) as ids from gone group by 1 order by 1`;
    if (due.length === 0) break;
    const days = new Map<number, Set<string>>();
    for (const { at, ids } of due) {
      await markNext(db, await rollQuarter(db, ids, ms(at)), ms(at));
      rolled += ids.length;
      const dayAtMs = Math.floor(ms(at) / dayMs) * dayMs;
      days.set(dayAtMs, new Set([...(days.get(dayAtMs) ?? []), ...ids]));
    }
    const dayUntilMs = await findLine(db, place, 'day');
    for (const [dayAtMs, ids] of days)
      if (dayAtMs < dayUntilMs) await rollDay(db, [...ids], dayAtMs);
  }
  return rolled;
}

/** Marks the bucket that follows: its counters go on from the values that changed. */
async function markNext(db: Db, ids: readonly string[], atMs: number): Promise<void> {
  if (ids.length === 0) return;
  await query(db)`
    insert into gateway_rollups_due (gateway_id, unit, bucket_at)
    select i.id, '15min', n.bucket_at from unnest(${[...ids]}::text[]) as i (id)
    cross join lateral (
      select bucket_at from gateway_rollups_15min
      where gateway_id = i.id and bucket_at > ${instant(atMs)} order by bucket_at limit 1) n
    on conflict do nothing`;
}

/**
 * Rolls up one quarter of these gateways. Counters are followed by unit, key and measure, across the bucket's edge and across a
 * change of the list of points: a rise belongs to the bucket of its later value; a fall to less than half is a restart from 0,
 * any other fall counts nothing.
 *
 * @returns the gateways whose counters now end with other values than before.
 */
async function rollQuarter(db: Db, ids: readonly string[], atMs: number): Promise<string[]> {
  const at = timestamp(atMs);
  const rows = await query(db)<{ id: string }>`
    with ${readingsOf(ids, at, timestamp(atMs + quarterMs))},
    ${countersOf(at)},
    fresh as (
      select g.gateway_id, g.map_id, g.readings, array_agg(s.min order by p.n) as min, array_agg(s.mean order by p.n) as mean,
        array_agg(s.max order by p.n) as max, array_agg(s.last order by p.n) as last, array_agg(r.delta order by p.n) as delta,
        array_agg(case when p.counts then coalesce(e.value, c.value) end order by p.n) as counter,
        array_agg(coalesce(s.good, 0) order by p.n) as good
      from polls g
      join points p on p.map_id = g.map_id
      left join stats s on s.gateway_id = g.gateway_id and s.map_id = g.map_id and s.n = p.n
      left join rises r on r.gateway_id = g.gateway_id and r.map_id = g.map_id and r.n = p.n
      left join ends e on e.gateway_id = g.gateway_id and e.identity = p.identity
      left join carried c on c.gateway_id = g.gateway_id and c.identity = p.identity
      group by g.gateway_id, g.map_id, g.readings),
    old as (
      select gateway_id, map_id, counter from gateway_rollups_15min
      where gateway_id = any(${[...ids]}::text[]) and bucket_at = ${at}),
    written as (
      insert into gateway_rollups_15min (gateway_id, bucket_at, map_id, readings, min, mean, max, last, delta, counter, good)
      select gateway_id, ${at}, map_id, readings, min, mean, max, last, delta, counter, good from fresh
      on conflict (gateway_id, bucket_at, map_id) do update set ${replaced})
    select distinct f.gateway_id as id from fresh f left join old o using (gateway_id, map_id)
    where f.counter is distinct from o.counter`;
  return rows.map(({ id }) => id);
}

const replaced = sql.raw(
  ['readings', 'min', 'mean', 'max', 'last', 'delta', 'counter', 'good']
    .map((column) => `${column} = excluded.${column}`)
    .join(', '),
);

/** Polls, and GOOD values by point, of [`from`, `to`). A failed poll without a list of points counts for the present one. */
const readingsOf = (ids: readonly string[], from: RawBuilder<Date>, to: RawBuilder<Date>) => sql`
    read as materialized (
      select l.gateway_id, coalesce(l.map_id, g.map_id) as map_id, l.read_at, l."values"
      from gateways g
      join gateway_readings l on l.gateway_id = g.id and l.read_at >= ${from} and l.read_at < ${to}
      where g.id = any(${[...ids]}::text[]) and l.outcome in ('OK', 'PARTIAL', 'FAILED')),
    polls as materialized (
      select gateway_id, map_id, count(*)::int as readings from read group by gateway_id, map_id),
    cells as materialized (
      select r.gateway_id, r.map_id, r.read_at, v.n, v.value
      from read r cross join lateral unnest(r."values") with ordinality v (value, n) where v.value is not null),
    stats as (
      select gateway_id, map_id, n, min(value) as min, avg(value) as mean, max(value) as max, count(*)::int as good,
        (array_agg(value order by read_at desc))[1] as last
      from cells group by gateway_id, map_id, n)`;

/** What the counters rose in a bucket, and where they end, from the values with which the bucket before ended. */
const countersOf = (at: RawBuilder<Date>) => sql`
    before as materialized (
      select r.gateway_id, r.map_id, r.counter
      from (select distinct gateway_id from polls) g
      cross join lateral (
        select bucket_at from gateway_rollups_15min
        where gateway_id = g.gateway_id and bucket_at < ${at} order by bucket_at desc limit 1) b
      join gateway_rollups_15min r on r.gateway_id = g.gateway_id and r.bucket_at = b.bucket_at),
    points as materialized (
      select m.id as map_id, p.n, p.point ->> 'kind' <> 'GAUGE' as counts,
        concat_ws('/', p.point ->> 'unitId', p.point ->> 'key', p.point ->> 'unit') as identity
      from gateway_maps m cross join lateral jsonb_array_elements(m.points) with ordinality p (point, n)
      where m.id in (select map_id from polls union select map_id from before)),
    carried as materialized (
      select b.gateway_id, p.identity, max(c.value) as value
      from before b cross join lateral unnest(b.counter) with ordinality c (value, n)
      join points p on p.map_id = b.map_id and p.n = c.n
      where c.value is not null group by b.gateway_id, p.identity),
    steps as materialized (
      select c.gateway_id, c.map_id, c.n, c.read_at, p.identity, c.value,
        coalesce(lag(c.value) over (partition by c.gateway_id, p.identity order by c.read_at), o.value) as before
      from cells c join points p on p.map_id = c.map_id and p.n = c.n and p.counts
      left join carried o on o.gateway_id = c.gateway_id and o.identity = p.identity),
    rises as (
      select gateway_id, map_id, n, sum(case
        when value >= before then value - before
        when value < before / 2 then value
        when value < before then 0 end) as delta
      from steps group by gateway_id, map_id, n),
    ends as (
      select distinct on (gateway_id, identity) gateway_id, identity, value
      from steps order by gateway_id, identity, read_at desc)`;

/** Makes a UTC day of its quarters. */
async function rollDay(db: Db, ids: readonly string[], atMs: number): Promise<void> {
  await query(db)`
    with quarters as materialized (
      select * from gateway_rollups_15min
      where gateway_id = any(${[...ids]}::text[]) and bucket_at >= ${instant(atMs)}
        and bucket_at < ${instant(atMs + dayMs)}),
    polls as (select gateway_id, map_id, sum(readings)::int as readings from quarters group by gateway_id, map_id),
    points as (
      select q.gateway_id, q.map_id, c.n, min(c.min) as min, sum(c.mean * c.good) / nullif(sum(c.good), 0) as mean,
        max(c.max) as max, (array_agg(c.last order by q.bucket_at desc) filter (where c.last is not null))[1] as last,
        sum(c.delta) as delta,
        (array_agg(c.counter order by q.bucket_at desc) filter (where c.counter is not null))[1] as counter,
        sum(c.good)::int as good
      from quarters q cross join lateral
        unnest(q.min, q.mean, q.max, q.last, q.delta, q.counter, q.good) with ordinality
          c (min, mean, max, last, delta, counter, good, n)
      group by q.gateway_id, q.map_id, c.n)
    insert into gateway_rollups_day (gateway_id, bucket_at, map_id, readings, min, mean, max, last, delta, counter, good)
    select p.gateway_id, ${timestamp(atMs)}, p.map_id, p.readings, array_agg(c.min order by n), array_agg(c.mean order by n),
      array_agg(c.max order by n), array_agg(c.last order by n), array_agg(c.delta order by n),
      array_agg(c.counter order by n), array_agg(c.good order by n)
    from polls p join points c on c.gateway_id = p.gateway_id and c.map_id = p.map_id
    group by p.gateway_id, p.map_id, p.readings
    on conflict (gateway_id, bucket_at, map_id) do update set ${replaced}`;
}

/** A month of the roll-ups of 15 minutes that is older than a line as a whole. */
export interface OldQuarters {
  /** Its partition. */
  table: string;
  /** On disk, with indexes. */
  bytes: number;
}

/** The months of the roll-ups of 15 minutes that end at or before a line, oldest first. */
export async function listOldQuarters(db: Db, lineMs: number): Promise<OldQuarters[]> {
  return query(db)<OldQuarters>`
    select c.relname as table, pg_total_relation_size(c.oid)::float8 as bytes
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    cross join lateral (select regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([^'']+)''\\)') as bounds) b
    where i.inhparent = 'gateway_rollups_15min'::regclass and b.bounds[1]::timestamptz <= ${timestamp(lineMs)}
    order by c.relname`;
}

/** Drops months that `listOldQuarters` gave. */
export async function dropQuarters(db: Db, months: readonly OldQuarters[]): Promise<void> {
  for (const { table } of months) await query(db)`drop table ${sql.table(table)}`;
}

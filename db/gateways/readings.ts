import { type RawBuilder, sql } from 'kysely';

import type { GatewayOutcome, GatewayTrigger } from '../../domain/gateways/reading.ts';
import { type Db, instant, ms, query } from '../database.ts';
import { type Page, readPage } from '../page.ts';

/** Readings as people see them: lists, one point over time, and all rows for a file. The caller knows that the gateway exists. */

export interface ReadingView {
  read_at: Date;
  trigger: GatewayTrigger;
  outcome: GatewayOutcome;
  reason: string | null;
  slots_missed: number;
  measured_at: Date | null;
  late_ms: number | null;
  duration_ms: number | null;
  requests: number | null;
  /** The list of points that the values follow: `loadMaps`. */
  map_id: number | null;
  values: (number | null)[] | null;
  /** By point, as `qualityCode` gives them; null when all are GOOD. */
  quality: number[] | null;
}

/** Which readings; an absent field does not restrict. */
export interface ReadingFilter {
  fromMs?: number | undefined;
  /** Exclusive. */
  toMs?: number | undefined;
  outcomes?: readonly GatewayOutcome[] | undefined;
}

/** A page of a gateway's readings, the newest first. @param page.after the `read_at` of the last row of the page before, ms. */
export async function pageReadings(
  db: Db,
  gatewayId: string,
  filter: ReadingFilter,
  page: { after: number | null; limit: number },
): Promise<Page<ReadingView>> {
  const isBefore = page.after === null ? sql`true` : sql`read_at < ${instant(page.after)}`;
  return readPage(
    page.limit,
    (limit) =>
      query(db)<ReadingView>`
      select ${readingColumns} from gateway_readings
      where gateway_id = ${gatewayId} and ${isIn(filter)} and ${isBefore} order by read_at desc limit ${limit}`,
  );
}

const readingColumns = sql`read_at, "trigger", outcome, reason, slots_missed, measured_at, late_ms, duration_ms, requests,
  map_id, "values", quality`;

const isIn = ({ fromMs, toMs, outcomes }: ReadingFilter): RawBuilder<unknown> =>
  sql.join(
    [
      sql`true`,
      ...(fromMs === undefined ? [] : [sql`read_at >= ${instant(fromMs)}`]),
      ...(toMs === undefined ? [] : [sql`read_at < ${instant(toMs)}`]),
      ...(outcomes === undefined ? [] : [sql`outcome = any(${[...outcomes]}::text[])`]),
    ],
    sql` and `,
  );

/** Rows that are read at once for a file. */
const rowsPerRead = 1_000;

/** All readings of a gateway, the oldest first, a thousand at a time: however many there are, memory stays flat. */
export async function* streamReadings(
  db: Db,
  gatewayId: string,
  filter: ReadingFilter,
): AsyncGenerator<ReadingView[]> {
  let fromMs = filter.fromMs;
  for (;;) {
    const rows = await query(db)<ReadingView>`
      select ${readingColumns} from gateway_readings
      where gateway_id = ${gatewayId} and ${isIn({ ...filter, fromMs })} order by read_at limit ${rowsPerRead}`;
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < rowsPerRead) return;
    fromMs = ms(last.read_at) + 1;
  }
}

/** One point of one unit. */
export interface PointName {
  unitId: number;
  key: string;
}

/** How a point's course is cut: every value, or buckets that begin at multiples of their length in UTC. */
export const seriesBuckets = ['raw', '1m', '5m', '15m', '1h', '1d'] as const;
export type SeriesBucket = (typeof seriesBuckets)[number];

/** Values of a point within a bucket; a raw value is a bucket of one. */
export interface SeriesValue {
  /** The beginning of the bucket; of a raw value its slot. */
  at: Date;
  min: number | null;
  mean: number | null;
  max: number | null;
  last: number | null;
  /** What a counter rose; null for gauges, and in buckets shorter than 15 minutes. */
  delta: number | null;
  /** Polls, and in how many of them the point was GOOD. */
  readings: number;
  good: number;
}

const seconds: Readonly<Record<SeriesBucket, number>> = {
  raw: 0,
  '1m': 60,
  '5m': 300,
  '15m': 900,
  '1h': 3_600,
  '1d': 86_400,
};

/**
 * The course of a point, the oldest value first. Buckets of 15 minutes and more come from the roll-ups, and from the readings
 * where those are not made yet.
 *
 * @param limit at most so many values, the newest ones.
 */
export async function readSeries(
  db: Db,
  gatewayId: string,
  point: PointName,
  {
    fromMs,
    toMs,
    bucket,
    limit,
  }: { fromMs: number; toMs: number; bucket: SeriesBucket; limit: number },
): Promise<SeriesValue[]> {
  const of: SeriesOf = { gatewayId, point, from: instant(fromMs), to: instant(toMs) };
  const s = seconds[bucket];
  const source =
    bucket === 'raw' ? rawValues(of) : s < 900 ? readingBuckets(of, s) : rolledBuckets(of, s);
  return query(db)<SeriesValue>`
    select * from (select * from (${source}) v order by at desc limit ${limit}) newest order by at`;
}

interface SeriesOf {
  gatewayId: string;
  point: PointName;
  from: Date;
  to: Date;
}

/** Where the point stands in each list of points that the rows `of` follow. */
const places = ({ point }: SeriesOf, mapIds: RawBuilder<unknown>) => sql`
  select m.id as map_id, p.n::int as n from gateway_maps m
  cross join lateral jsonb_array_elements(m.points) with ordinality p (point, n)
  where m.id in (${mapIds}) and p.point ->> 'key' = ${point.key} and (p.point ->> 'unitId')::int = ${point.unitId}::int`;

/** Polls of the span with the point's value `value`, null where it is not GOOD. */
const polls = (of: SeriesOf, since: RawBuilder<unknown> = sql`${of.from}`) => sql`
  read as materialized (
    select read_at, map_id, "values" from gateway_readings
    where gateway_id = ${of.gatewayId} and read_at >= ${since} and read_at < ${of.to}
      and outcome in ('OK', 'PARTIAL', 'FAILED')),
  places as materialized (${places(of, sql`select distinct map_id from read`)}),
  polls as (
    select r.read_at, r."values"[p.n] as value from read r left join places p on p.map_id = r.map_id)`;

const rawValues = (of: SeriesOf) => sql`
  with ${polls(of)}
  select read_at as at, value as min, value as mean, value as max, value as last, null::float8 as delta, 1 as readings,
    (value is not null)::int as good from polls`;

const readingBuckets = (of: SeriesOf, bucketS: number) => sql`
  with ${polls(of)}
  select date_bin(make_interval(secs => ${bucketS}), read_at, 'epoch') as at, min(value), avg(value) as mean, max(value),
    (array_agg(value order by read_at desc) filter (where value is not null))[1] as last, null::float8 as delta,
    count(*)::int as readings, count(value)::int as good
  from polls group by 1`;

function rolledBuckets(of: SeriesOf, bucketS: number): RawBuilder<unknown> {
  const isDay = bucketS === seconds['1d'];
  // After the newest quarter there are only readings.
  const since = sql`(
    select coalesce(max(bucket_at) + interval '15 minutes', ${of.from}::timestamptz) from gateway_rollups_15min
    where gateway_id = ${of.gatewayId} and bucket_at >= ${of.from} and bucket_at < ${of.to})`;
  // A bucket that is not over consists of quarters and of the readings after them.
  return sql`
    with ${polls(of, since)},
    parts as (
      select *, 1 as part from (${quarters(of, bucketS, sql`gateway_rollups_15min`)}) q
      union all
      select date_bin(make_interval(secs => ${bucketS}), read_at, 'epoch') as at, min(value), avg(value), max(value),
        (array_agg(value order by read_at desc) filter (where value is not null))[1], null::float8, count(*)::int,
        count(value)::int, 2 as part
      from polls group by 1),
    fresh as (
      select at, min(min) as min, sum(mean * good) / nullif(sum(good), 0) as mean, max(max) as max,
        (array_agg(last order by part desc) filter (where last is not null))[1] as last, sum(delta) as delta,
        sum(readings)::int as readings, sum(good)::int as good
      from parts group by at)
    ${isDay ? days(of) : sql`select * from fresh`}`;
}

/**
 * Days that are rolled up, and those that are not. A day has a row for each list of points, and none says which list came
 * last: while there are quarters, they do.
 */
const days = (of: SeriesOf) => sql`
  select d.at, d.min, d.mean, d.max, coalesce(f.last, d.last) as last, d.delta, d.readings, d.good
  from (${quarters(of, seconds['1d'], sql`gateway_rollups_day`)}) d left join fresh f on f.at = d.at
  union all
  select f.* from fresh f where not exists (
    select from gateway_rollups_day r where r.gateway_id = ${of.gatewayId} and r.bucket_at = f.at
      and r.bucket_at >= ${of.from})`;

/** Buckets made of roll-ups of a table. */
const quarters = (of: SeriesOf, bucketS: number, table: RawBuilder<unknown>) => sql`
  select date_bin(make_interval(secs => ${bucketS}), r.bucket_at, 'epoch') as at, min(r.min[p.n]) as min,
    sum(r.mean[p.n] * r.good[p.n]) / nullif(sum(r.good[p.n]), 0) as mean, max(r.max[p.n]) as max,
    (array_agg(r.last[p.n] order by r.bucket_at desc) filter (where r.last[p.n] is not null))[1] as last,
    sum(r.delta[p.n]) as delta, sum(r.readings)::int as readings, coalesce(sum(r.good[p.n]), 0)::int as good
  from ${table} r
  left join (${places(
    of,
    sql`select distinct map_id from ${table} where gateway_id = ${of.gatewayId}
    and bucket_at >= ${of.from} and bucket_at < ${of.to}`,
  )}) p on p.map_id = r.map_id
  where r.gateway_id = ${of.gatewayId} and r.bucket_at >= ${of.from} and r.bucket_at < ${of.to}
  group by 1`;

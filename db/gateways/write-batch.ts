import { type RawBuilder, sql } from 'kysely';

import type { GatewayOutcome, GatewayTrigger } from '../../domain/gateways/reading.ts';
import { type Db, prepared, query } from '../database.ts';
import { codeOf } from '../service-error.ts';
import type { Lease, Renewed } from './leases.ts';
import type { StoredState } from './state.ts';

/**
 * The one statement by which walkers write: it renews the leases, and writes rows, states and texts of the shards whose
 * lease is still held. A repeated batch changes nothing; a state never goes back.
 */

/** One row of gateway_readings. */
export interface ReadingRow {
  /**
   * The slot, of a gap the first one. Of MANUAL and PROBE rows when they began: at least the last slot + 1 ms, and not on a
   * slot that is still to be polled.
   */
  readAtMs: number;
  trigger: GatewayTrigger;
  outcome: GatewayOutcome;
  /** One word; null when the outcome is OK. */
  reason: string | null;
  /** Of a MISSED row: how many slots it stands for, all in one UTC day; else 0. */
  slotsMissed: number;
  measuredAtMs: number | null;
  lateMs: number | null;
  durationMs: number | null;
  requests: number | null;
  mapId: number | null;
  /** In the order of the map; null where a point is not GOOD, or is a text. */
  values: readonly (number | null)[] | null;
  /** By point, as `qualityCode` gives them; null when all are GOOD. */
  quality: readonly number[] | null;
}

/** A text that a device gave of itself. */
export interface DeviceText {
  unitId: number;
  key: string;
  value: string;
}

/** What a batch writes of one gateway: a row, its state after it, or both. */
export interface BatchRow {
  shard: number;
  gatewayId: string;
  reading: ReadingRow | null;
  /** Null: unchanged. Of several states of a gateway in one batch the last one counts. */
  state: StoredState | null;
  /** Stored where they differ from what is stored. */
  texts: readonly DeviceText[];
}

export interface Batch {
  owner: string;
  ttlMs: number;
  leases: readonly Lease[];
  rows: readonly BatchRow[];
}

/**
 * Writes a batch, or nothing of it.
 *
 * @returns the leases that are still held, renewed. Of the other shards nothing was written.
 * @throws the database's error when a row is refused (see `isRowRefused`) or the database is away.
 */
export async function writeBatch(db: Db, batch: Batch): Promise<Renewed[]> {
  return query(db)<Renewed>`
    ${prepared('gateway-batch')}
    with lease as materialized (${renewal(batch)}),
    reading as (${insertReadings(batch.rows)}),
    -- a row that comes after its bucket was rolled up
    late as (
      insert into gateway_rollups_due (gateway_id, unit, bucket_at)
      select distinct gateway_id, '15min', date_bin('15 minutes', read_at, 'epoch') from reading
      where date_bin('15 minutes', read_at, 'epoch') < clock_timestamp() - interval '15 minutes 20 seconds'
      on conflict do nothing),
    state as (${updateStates(batch.rows)}),
    fact as (${insertTexts(batch.rows)})
    select shard, wanted_by as "wantedBy" from lease order by shard`;
}

const renewal = ({ owner, ttlMs, leases }: Batch) => sql`
  update gateway_shards g set expires_at = clock_timestamp() + make_interval(secs => ${ttlMs / 1_000})
  from (
    select o.shard from gateway_shards o
    join unnest(${leases.map((one) => one.shard)}::int[], ${leases.map((one) => one.epoch)}::bigint[]) as l (shard, epoch)
      on l.shard = o.shard and l.epoch = o.epoch
    where o.owner = ${owner} order by o.shard for no key update of o) own
  where g.shard = own.shard
  returning g.shard, g.wanted_by`;

function insertReadings(rows: readonly BatchRow[]): RawBuilder<unknown> {
  const readings = rows.flatMap(({ shard, gatewayId, reading }) =>
    reading === null ? [] : [{ shard, gatewayId, ...reading }],
  );
  const r = columnsOf(readings);
  return sql`
    insert into gateway_readings (gateway_id, read_at, "trigger", outcome, reason, slots_missed, measured_at, late_ms,
      duration_ms, requests, map_id, "values", quality)
    select r.gateway_id, to_timestamp(r.read_at / 1000), r."trigger", r.outcome, r.reason, r.slots_missed,
      to_timestamp(r.measured_at / 1000), r.late_ms, r.duration_ms, r.requests, r.map_id, r."values"::float8[],
      r.quality::smallint[]
    from unnest(${r('shard')}::int[], ${r('gatewayId')}::text[], ${r('readAtMs')}::float8[], ${r('trigger')}::text[],
      ${r('outcome')}::text[], ${r('reason')}::text[], ${r('slotsMissed')}::int[], ${r('measuredAtMs')}::float8[],
      ${r('lateMs')}::int[], ${r('durationMs')}::int[], ${r('requests')}::smallint[], ${r('mapId')}::int[],
      ${readings.map((one) => arrayText(one.values))}::text[], ${readings.map((one) => arrayText(one.quality))}::text[])
      as r (shard, gateway_id, read_at, "trigger", outcome, reason, slots_missed, measured_at, late_ms, duration_ms,
        requests, map_id, "values", quality)
    join lease on lease.shard = r.shard
    on conflict do nothing
    returning gateway_id, read_at`;
}

function updateStates(rows: readonly BatchRow[]): RawBuilder<unknown> {
  // The last one of each gateway: a statement updates a row once.
  const states = lastOf(
    rows.flatMap(({ state, ...row }) => (state === null ? [] : [{ ...row, ...state }])),
    ({ gatewayId }) => gatewayId,
  );
  const s = columnsOf(states);
  return sql`
    update gateway_state g set status = s.status, status_reason = s.status_reason, status_message = s.status_message,
      status_since = to_timestamp(s.status_since / 1000), last_slot = to_timestamp(s.last_slot / 1000),
      last_polled_at = to_timestamp(s.last_polled_at / 1000), last_seen_at = to_timestamp(s.last_seen_at / 1000),
      consecutive_failures = s.consecutive_failures, failing_since = to_timestamp(s.failing_since / 1000),
      recent = s.recent, bad_points = s.bad_points, silent_units = s.silent_units, counters = s.counters,
      last_reading = s.last_reading, next_probe_at = to_timestamp(s.next_probe_at / 1000), probes = s.probes,
      good_probes = s.good_probes
    from unnest(${s('shard')}::int[], ${s('gatewayId')}::text[], ${s('status')}::text[], ${s('statusReason')}::text[],
      ${s('statusMessage')}::text[], ${s('statusSinceMs')}::float8[], ${s('lastSlotMs')}::float8[],
      ${s('lastPolledAtMs')}::float8[], ${s('lastSeenAtMs')}::float8[], ${s('consecutiveFailures')}::int[],
      ${s('failingSinceMs')}::float8[], ${s('recent')}::text[], ${states.map((one) => json(one.badPoints))}::jsonb[],
      ${states.map((one) => json(one.silentUnits))}::jsonb[], ${states.map((one) => json(one.counters))}::jsonb[],
      ${states.map((one) => json(one.lastReading))}::jsonb[], ${s('nextProbeAtMs')}::float8[], ${s('probes')}::int[],
      ${s('goodProbes')}::int[])
      as s (shard, gateway_id, status, status_reason, status_message, status_since, last_slot, last_polled_at, last_seen_at,
        consecutive_failures, failing_since, recent, bad_points, silent_units, counters, last_reading, next_probe_at,
        probes, good_probes)
    join lease on lease.shard = s.shard
    where g.gateway_id = s.gateway_id
      and (coalesce(to_timestamp(s.last_slot / 1000), '-infinity'), coalesce(to_timestamp(s.last_polled_at / 1000), '-infinity'))
        >= (coalesce(g.last_slot, '-infinity'), coalesce(g.last_polled_at, '-infinity'))`;
}

function insertTexts(rows: readonly BatchRow[]): RawBuilder<unknown> {
  const texts = lastOf(
    rows.flatMap(({ shard, gatewayId, reading, texts: ofRow }) =>
      ofRow.map((text) => ({
        shard,
        gatewayId,
        atMs: reading?.measuredAtMs ?? reading?.readAtMs ?? Date.now(),
        ...text,
      })),
    ),
    ({ gatewayId, unitId, key }) => JSON.stringify([gatewayId, unitId, key]),
  );
  const t = columnsOf(texts);
  return sql`
    insert into gateway_facts as f (gateway_id, unit_id, key, value, changed_at)
    select t.gateway_id, t.unit_id, t.key, t.value, to_timestamp(t.at / 1000)
    from unnest(${t('shard')}::int[], ${t('gatewayId')}::text[], ${t('unitId')}::int[], ${t('key')}::text[],
      ${t('value')}::text[], ${t('atMs')}::float8[]) as t (shard, gateway_id, unit_id, key, value, at)
    join lease on lease.shard = t.shard
    join gateways g on g.id = t.gateway_id
    on conflict (gateway_id, unit_id, key) do update set value = excluded.value, changed_at = excluded.changed_at
      where f.value <> excluded.value and f.changed_at <= excluded.changed_at`;
}

/** The last row of each key. */
function lastOf<Row>(rows: readonly Row[], key: (row: Row) => string): Row[] {
  return [...new Map(rows.map((row) => [key(row), row])).values()];
}

/** Gives each column of these rows as an array. */
const columnsOf =
  <Row>(rows: readonly Row[]) =>
  <Key extends keyof Row>(key: Key): Row[Key][] =>
    rows.map((row) => row[key]);

/** PostgreSQL's text of an array of numbers; null stays null. */
function arrayText(numbers: readonly (number | null)[] | null): string | null {
  return numbers === null ? null : `{${numbers.map((one) => one ?? 'NULL').join(',')}}`;
}

function json(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

/** SQLSTATE classes of a value that its column refuses: data exception, violation of a constraint. */
const refusedClasses: ReadonlySet<string> = new Set(['22', '23']);

/** Whether the database refused a row of the batch: the same batch fails again, a part of it may not. */
export function isRowRefused(error: unknown): boolean {
  const code = codeOf(error);
  return code !== null && /^[0-9A-Z]{5}$/.test(code) && refusedClasses.has(code.slice(0, 2));
}

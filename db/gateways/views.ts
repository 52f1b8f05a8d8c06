import { type RawBuilder, sql } from 'kysely';

import type { GatewayStatus, Priority, Quirks } from '../../domain/gateways/gateway.ts';
import type { GatewayOutcome, GatewayTrigger } from '../../domain/gateways/reading.ts';
import { type Db, query, queryRow, timestamp } from '../database.ts';
import { readPage } from '../page.ts';
import type { PlantScope } from '../scope.ts';
import type { LastReading } from './tables.ts';

/** Gateways as people see them: lists, totals, and the past of one. The same for pages, API and commands. */

/** A gateway with its state, as lists show it. */
export interface GatewayRow {
  id: string;
  name: string;
  host: string;
  port: number;
  plant_id: string | null;
  plant_name: string | null;
  /** The zone of its plant; UTC without one. */
  timezone: string;
  customer_id: string | null;
  priority: Priority;
  poll_interval_s: number;
  is_active: boolean;
  pause_reason: string | null;
  quirks: Partial<Quirks>;
  map_id: number;
  revision: number;
  created_at: Date;
  removed_at: Date | null;
  alerts_silenced_until: Date | null;
  status: GatewayStatus;
  status_reason: string | null;
  status_message: string | null;
  status_since: Date;
  /** Due, but not polled for two intervals and a minute: the status is an old one. */
  stale: boolean;
  last_slot: Date | null;
  last_polled_at: Date | null;
  last_seen_at: Date | null;
  consecutive_failures: number;
  failing_since: Date | null;
  /** While DISABLED: when it is asked again. */
  next_probe_at: Date | null;
  units: { unit_id: number; preset: string | null; capacity_kw: number | null }[];
  last_reading: LastReading | null;
  open_alerts: number;
}

/** Which gateways to list; an absent member does not restrict. */
export interface GatewayFilter {
  status?: GatewayStatus | undefined;
  stale?: boolean | undefined;
  priority?: Priority | undefined;
  plantId?: string | undefined;
  preset?: string | undefined;
  customerId?: string | undefined;
  /** Text in the name, the id or the host. */
  q?: string | undefined;
}

/** Worst first; paused gateways last. */
const statusOrder: readonly GatewayStatus[] = [
  'DISABLED',
  'OFFLINE',
  'DEGRADED',
  'WAITING',
  'ONLINE',
  'PAUSED',
];

/** Whether gateway `g` with state `s` and open period `o` is due and was not polled in time. */
const isStale = (now: RawBuilder<Date>) => sql<boolean>`
  coalesce(o.reason = 'ACTIVE' and coalesce(s.last_polled_at, o.from_at) < ${now} - stale_after(g.poll_interval_s), false)`;

const rankOf = (now: RawBuilder<Date>) => sql<number>`
  case when ${isStale(now)} then -1 else array_position(${sql.val([...statusOrder])}::text[], coalesce(s.status, 'WAITING')) end`;

const sources = sql`
  gateways g left join gateway_state s on s.gateway_id = g.id left join plants p on p.id = g.plant_id
  left join gateway_periods o on o.gateway_id = g.id and o.to_at is null`;

/** The condition for which gateways a person sees and asked for. */
function matching(scope: PlantScope, filter: GatewayFilter, now: RawBuilder<Date>) {
  const conditions: RawBuilder<unknown>[] = [sql`g.removed_at is null`];
  const { status, stale, priority, plantId, preset, customerId, q } = filter;
  if (scope.customerId !== null) conditions.push(inScope(scope.customerId));
  if (status !== undefined) conditions.push(sql`coalesce(s.status, 'WAITING') = ${status}`);
  if (stale !== undefined) conditions.push(sql`${isStale(now)} = ${stale}`);
  if (priority !== undefined) conditions.push(sql`g.priority = ${priority}`);
  if (plantId !== undefined) conditions.push(sql`g.plant_id = ${plantId}`);
  if (customerId !== undefined) conditions.push(inScope(customerId));
  if (preset !== undefined)
    conditions.push(
      sql`exists (select from gateway_units u where u.gateway_id = g.id and u.preset = ${preset})`,
    );
  const text = q?.trim() ?? '';
  if (text !== '')
    conditions.push(
      sql`position(lower(${text}) in lower(g.name || ' ' || g.id || ' ' || g.host || ':' || g.port)) > 0`,
    );
  return sql.join(conditions, sql` and `);
}

/** A customer's gateways: those that are their own, and those on the site of their plants. */
function inScope(customerId: string): RawBuilder<unknown> {
  return sql`coalesce(g.customer_id, p.customer_id) = ${customerId}`;
}

const rowColumns = (now: RawBuilder<Date>) => sql`
  g.id, g.name, g.host, g.port, g.plant_id, p.name as plant_name, coalesce(p.timezone, 'UTC') as timezone,
  coalesce(g.customer_id, p.customer_id) as customer_id, g.priority, g.poll_interval_s, g.is_active, g.pause_reason,
  g.quirks, g.map_id, g.revision, g.created_at, g.removed_at, g.alerts_silenced_until,
  coalesce(s.status, 'WAITING') as status, s.status_reason, s.status_message, coalesce(s.status_since, g.created_at) as status_since,
  ${isStale(now)} as stale, s.last_slot, s.last_polled_at, s.last_seen_at,
  coalesce(s.consecutive_failures, 0) as consecutive_failures, s.failing_since, s.next_probe_at, s.last_reading,
  (select coalesce(json_agg(json_build_object('unit_id', u.unit_id, 'preset', u.preset, 'capacity_kw', u.capacity_kw)
    order by u.position), '[]') from gateway_units u where u.gateway_id = g.id) as units,
  (select count(*)::int from alerts a where a.gateway_id = g.id and a.state in ('NEW', 'ACKED')) as open_alerts`;

/** Where a page of gateways ended: rank, since when (ms), id. */
export type GatewayPosition = readonly [rank: number, sinceMs: number, id: string];

/** A page of gateways, the worst first. */
export async function listGateways(
  db: Db,
  scope: PlantScope,
  filter: GatewayFilter,
  page: { after: GatewayPosition | null; limit: number; nowMs: number },
): Promise<{ gateways: GatewayRow[]; next: GatewayPosition | null }> {
  const now = timestamp(page.nowMs);
  const since = sql`round(extract(epoch from coalesce(s.status_since, g.created_at)) * 1000)::bigint`;
  const position = sql`${rankOf(now)}, ${since}, g.id`;
  const behind =
    page.after === null
      ? sql`true`
      : sql`(${position}) > (${page.after[0]}::int, ${page.after[1]}::bigint, ${page.after[2]}::text)`;
  const { rows, nextAfter } = await readPage(
    page.limit,
    (limit) =>
      query(db)<GatewayRow & { position: GatewayPosition }>`
      select ${rowColumns(now)}, json_build_array(${position}) as position from ${sources}
      where ${matching(scope, filter, now)} and ${behind} order by ${position} limit ${limit}`,
  );
  return {
    gateways: rows.map(({ position: _, ...row }) => row),
    next: nextAfter?.position ?? null,
  };
}

/** Gateways in figures: those that a person sees and a filter leaves. Stale ones are counted apart from the statuses. */
export interface GatewayTotals {
  gateways: number;
  disabled: number;
  offline: number;
  degraded: number;
  waiting: number;
  online: number;
  paused: number;
  not_polled: number;
}

export async function countGateways(
  db: Db,
  scope: PlantScope,
  filter: GatewayFilter,
  nowMs: number,
): Promise<GatewayTotals> {
  const now = timestamp(nowMs);
  const of = (status: GatewayStatus): RawBuilder<number> =>
    sql`count(*) filter (where not stale and status = ${status})::int`;
  return queryRow(db)<GatewayTotals>`
    select count(*)::int as gateways, ${of('DISABLED')} as disabled, ${of('OFFLINE')} as offline,
      ${of('DEGRADED')} as degraded, ${of('WAITING')} as waiting, ${of('ONLINE')} as online, ${of('PAUSED')} as paused,
      count(*) filter (where stale)::int as not_polled
    from (select coalesce(s.status, 'WAITING') as status, ${isStale(now)} as stale
      from ${sources} where ${matching(scope, filter, now)}) as seen`;
}

/** One gateway; undefined if it is unknown or outside of the scope. A removed one is found, too. */
export async function findGateway(
  db: Db,
  scope: PlantScope,
  id: string,
  nowMs: number,
): Promise<GatewayRow | undefined> {
  const now = timestamp(nowMs);
  const [row] = await query(db)<GatewayRow>`
    select ${rowColumns(now)} from ${sources}
    where g.id = ${id} and ${scope.customerId === null ? sql`true` : inScope(scope.customerId)}`;
  return row;
}

/** A slot of a strip, or of a list of polls. */
export interface ReadingRow {
  read_at: Date;
  trigger: GatewayTrigger;
  outcome: GatewayOutcome;
  reason: string | null;
  slots_missed: number;
  measured_at: Date | null;
  late_ms: number | null;
  duration_ms: number | null;
  requests: number | null;
  map_id: number | null;
  values: (number | null)[] | null;
  quality: number[] | null;
}

/** The newest rows of slots of each gateway, oldest first, by id. @param count how many of each. */
export async function readStrips(
  db: Db,
  ids: readonly string[],
  count: number,
): Promise<
  Map<string, Pick<ReadingRow, 'read_at' | 'outcome' | 'reason' | 'slots_missed' | 'late_ms'>[]>
> {
  const rows = await query(db)<{ id: string } & ReadingRow>`
    select g.id, l.* from unnest(${[...ids]}::text[]) as g (id) cross join lateral (
      select read_at, outcome, reason, slots_missed, late_ms from gateway_readings r
      where r.gateway_id = g.id and "trigger" not in ('MANUAL', 'PROBE')
        -- the newest rows lie behind the newest slot: without the bound every day of the ledger is read
        and r.read_at > (select coalesce(last_slot, now()) - make_interval(secs => ${count} * 2 * poll_interval_s)
          from gateways left join gateway_state s on s.gateway_id = gateways.id where gateways.id = g.id)
      order by read_at desc limit ${count}) as l
    order by g.id, l.read_at`;
  return Map.groupBy(rows, (row) => row.id);
}

/** The share of polls that a unit answered in the last 24 h, 0 … 1, by id; absent without a roll-up. */
export async function readAnsweredShares(
  db: Db,
  ids: readonly string[],
  nowMs: number,
): Promise<Map<string, number>> {
  const rows = await query(db)<{ id: string; share: number }>`
    select gateway_id as id, sum(readings * (select coalesce(max(g), 0) from unnest(good) as g)) / sum(readings) as share
    from gateway_rollups_15min
    where gateway_id = any(${[...ids]}::text[]) and bucket_at > ${timestamp(nowMs)} - interval '24 hours' and readings > 0
    group by gateway_id`;
  return new Map(rows.map(({ id, share }) => [id, share]));
}

/** Rows of one gateway, newest first. */
export async function listReadings(
  db: Db,
  gatewayId: string,
  page: {
    /** Only rows before this instant; null: from the newest on. */
    beforeMs: number | null;
    /** Only rows at or after it; null: all. */
    fromMs?: number | null;
    outcome?: GatewayOutcome | undefined;
    limit: number;
  },
): Promise<ReadingRow[]> {
  const { beforeMs, fromMs = null, outcome, limit } = page;
  return query(db)<ReadingRow>`
    select read_at, "trigger", outcome, reason, slots_missed, measured_at, late_ms, duration_ms, requests, map_id, "values", quality
    from gateway_readings where gateway_id = ${gatewayId}
      ${beforeMs === null ? sql`` : sql`and read_at < ${timestamp(beforeMs)}`}
      ${fromMs === null ? sql`` : sql`and read_at >= ${timestamp(fromMs)}`}
      ${outcome === undefined ? sql`` : sql`and outcome = ${outcome}`}
    order by read_at desc limit ${limit}`;
}

/** An alert of a gateway, as its page shows it. */
export interface GatewayAlertRow {
  id: number;
  gateway_id: string;
  type: string;
  /** The word of the rule: a point's key or an exception. */
  code: string | null;
  /** The unit that it is about; null: the whole gateway. */
  unit: string | null;
  severity: 'YELLOW' | 'RED';
  state: 'NEW' | 'ACKED' | 'RESOLVED';
  message: string;
  started_at: Date;
  last_seen_at: Date;
  acked_at: Date | null;
  acked_by: string | null;
  acked_until: Date | null;
  ack_comment: string | null;
  resolved_at: Date | null;
}

/** The alerts of a gateway: active ones first, the worst first; then those that ended, the newest first. */
export async function listGatewayAlerts(
  db: Db,
  gatewayId: string,
  limit: number,
): Promise<GatewayAlertRow[]> {
  return query(db)<GatewayAlertRow>`
    select id, gateway_id, type, vendor_alarm_code as code, device_sn as unit, severity, state, message, started_at, last_seen_at,
      acked_at, acked_by, acked_until, ack_comment, resolved_at
    from alerts where gateway_id = ${gatewayId}
    order by (state = 'RESOLVED'), (severity = 'YELLOW'), coalesce(resolved_at, started_at) desc, id limit ${limit}`;
}

/** The means of all points in 15 minutes, oldest first. */
export async function readQuarters(
  db: Db,
  { gatewayId, mapId, fromMs }: { gatewayId: string; mapId: number; fromMs: number },
): Promise<{ at_ms: number; mean: (number | null)[]; last: (number | null)[] }[]> {
  return query(db)`
    select round(extract(epoch from bucket_at) * 1000)::bigint as at_ms, mean, last from gateway_rollups_15min
    where gateway_id = ${gatewayId} and map_id = ${mapId} and bucket_at >= ${timestamp(fromMs)} order by bucket_at`;
}

/** Texts that the gateway's units gave of themselves. */
export async function listFacts(
  db: Db,
  gatewayId: string,
): Promise<{ unit_id: number; key: string; value: string; changed_at: Date }[]> {
  return query(db)`
    select unit_id, key, value, changed_at from gateway_facts where gateway_id = ${gatewayId} order by unit_id, key`;
}

/** Who walks a shard; undefined before it was ever walked. */
export async function findShard(
  db: Db,
  shard: number,
): Promise<{ worker: string | null; expires_at: Date } | undefined> {
  const [row] = await query(db)<{ worker: string | null; expires_at: Date }>`
    select worker, expires_at from gateway_shards where shard = ${shard}`;
  return row;
}

/** What people decided about a gateway, newest first. */
export async function listGatewayDecisions(
  db: Db,
  gatewayId: string,
  limit: number,
): Promise<{ at: Date; actor: string; action: string }[]> {
  return query(db)`
    select at, actor, action from audit_log where subject_type = 'GATEWAY' and subject_id = ${gatewayId}
    order by id desc limit ${limit}`;
}

import { type RawBuilder, sql } from 'kysely';

import {
  addressHash,
  type GatewayDraft,
  type GatewayStatus,
  type GatewayUnit,
  type Priority,
  type Quirks,
} from '../../domain/gateways/gateway.ts';
import type { DataPoint, UnitPoint } from '../../domain/gateways/point.ts';
import { type Db, instant, query, queryRow } from '../database.ts';
import { type Page, readPage } from '../page.ts';
import type { PlantScope } from '../scope.ts';
import { decidePeriods } from './periods.ts';
import { loadedPoints, loadMaps, saveMaps, type StoredPoint, storedPoints } from './points.ts';
import type { LastReading } from './tables.ts';

/** Gateways as people define and see them. */

/** A gateway to write: its definition, and its points in order (those of the presets and its own). */
export interface GatewayEntry {
  draft: GatewayDraft;
  points: readonly UnitPoint[];
}

/** Adds gateways with their units, lists of points and first periods. Call it within a transaction. */
export async function insertGateways(
  trx: Db,
  entries: readonly GatewayEntry[],
  atMs: number,
): Promise<void> {
  const columns = await definitionColumns(trx, entries);
  await query(trx)`
    insert into gateways (id, name, host, port, plant_id, customer_id, poll_interval_s, priority, quirks, map_id,
      address_hash, created_at)
    select d.*, ${instant(atMs)}::timestamptz from ${columns}`;
  await insertUnits(trx, entries);
  await decidePeriods(
    trx,
    entries.map(({ draft }) => draft.id),
    atMs,
  );
}

/** Replaces the definitions of gateways by new ones of the same ids, and their periods where the interval changed. */
export async function updateGateways(
  trx: Db,
  entries: readonly GatewayEntry[],
  atMs: number,
): Promise<void> {
  const ids = entries.map(({ draft }) => draft.id);
  const columns = await definitionColumns(trx, entries);
  await query(trx)`
    update gateways g set name = d.name, host = d.host, port = d.port, plant_id = d.plant_id,
      customer_id = d.customer_id, poll_interval_s = d.poll_interval_s, priority = d.priority, quirks = d.quirks,
      map_id = d.map_id, address_hash = d.address_hash
    from ${columns} where g.id = d.id`;
  await query(trx)`delete from gateway_units where gateway_id = any(${ids}::text[])`;
  await insertUnits(trx, entries);
  await decidePeriods(trx, ids, atMs);
}

/** The definitions as rows `d`, with the ids of their lists of points. */
async function definitionColumns(
  trx: Db,
  entries: readonly GatewayEntry[],
): Promise<RawBuilder<unknown>> {
  const mapIds = await saveMaps(
    trx,
    entries.map(({ points }) => points),
  );
  const of = <Value>(value: (draft: GatewayDraft) => Value) =>
    entries.map(({ draft }) => value(draft));
  return sql`unnest(${of((d) => d.id)}::text[], ${of((d) => d.name)}::text[], ${of((d) => d.host)}::text[],
    ${of((d) => d.port)}::int[], ${of((d) => d.plantId)}::text[], ${of((d) => d.customerId)}::text[],
    ${of((d) => d.pollIntervalS)}::int[], ${of((d) => d.priority)}::text[],
    ${of((d) => JSON.stringify(d.quirks))}::jsonb[], ${mapIds}::int[],
    ${of((d) => addressHash(d.host, d.port))}::bigint[])
    as d (id, name, host, port, plant_id, customer_id, poll_interval_s, priority, quirks, map_id, address_hash)`;
}

async function insertUnits(trx: Db, entries: readonly GatewayEntry[]): Promise<void> {
  const units = entries.flatMap(({ draft }) =>
    draft.units.map((unit, position) => ({ gatewayId: draft.id, position, ...unit })),
  );
  const of = <Value>(value: (unit: (typeof units)[number]) => Value) => units.map(value);
  await query(trx)`
    insert into gateway_units (gateway_id, position, unit_id, preset, capacity_kw, quirks, points)
    select * from unnest(${of((u) => u.gatewayId)}::text[], ${of((u) => u.position)}::int[], ${of((u) => u.unitId)}::int[],
      ${of((u) => u.preset)}::text[], ${of((u) => u.capacityKw)}::float8[], ${of((u) => JSON.stringify(u.quirks))}::jsonb[],
      ${of((u) => JSON.stringify(storedPoints(u.points)))}::jsonb[])`;
}

/** The definitions of gateways that are not removed, in the order of their ids. @param ids absent: all. */
export async function loadDrafts(db: Db, ids?: readonly string[]): Promise<GatewayDraft[]> {
  type Unit = Omit<GatewayUnit, 'points'> & { points: StoredPoint<DataPoint>[] };
  const isNamed = ids === undefined ? sql`true` : sql`g.id = any(${[...ids]}::text[])`;
  const rows = await query(db)<Omit<GatewayDraft, 'units'> & { units: Unit[] }>`
    select g.id, g.name, g.host, g.port, g.plant_id as "plantId", g.customer_id as "customerId",
      g.poll_interval_s as "pollIntervalS", g.priority, g.quirks,
      (select coalesce(json_agg(json_build_object('unitId', u.unit_id, 'preset', u.preset, 'quirks', u.quirks,
        'capacityKw', u.capacity_kw, 'points', u.points) order by u.position), '[]'::json)
        from gateway_units u where u.gateway_id = g.id) as units
    from gateways g where g.removed_at is null and ${isNamed} order by g.id`;
  return rows.map((row) => ({
    ...row,
    units: row.units.map((unit) => ({ ...unit, points: loadedPoints(unit.points) })),
  }));
}

/** A gateway that is not removed, with the points that are read from it. */
export async function loadEntry(db: Db, id: string): Promise<GatewayEntry | undefined> {
  const [draft] = await loadDrafts(db, [id]);
  if (draft === undefined) return undefined;
  const { map_id: mapId } = await queryRow(db)<{ map_id: number }>`
    select map_id from gateways where id = ${id}`;
  return { draft, points: (await loadMaps(db, [mapId])).get(mapId) ?? [] };
}

/** A gateway as people see it. */
export interface GatewayView {
  id: string;
  name: string;
  host: string;
  port: number;
  plant_id: string | null;
  plant_name: string | null;
  /** Of its plant; UTC without one. */
  timezone: string;
  /** Of its plant; of a gateway without a plant its own. */
  customer_id: string | null;
  poll_interval_s: number;
  priority: Priority;
  is_active: boolean;
  pause_reason: string | null;
  alerts_silenced_until: Date | null;
  created_at: Date;
  removed_at: Date | null;
  revision: number;
  map_id: number;
  status: GatewayStatus;
  /** One word, and its sentence; null while ONLINE or PAUSED. */
  status_reason: string | null;
  status_message: string | null;
  status_since: Date;
  /** It is due, and no poll came for two intervals and a minute: the status is that of an earlier time. */
  stale: boolean;
  /** The emergency stop keeps it from being polled. */
  halted: boolean;
  last_slot: Date | null;
  last_polled_at: Date | null;
  last_seen_at: Date | null;
  consecutive_failures: number;
  failing_since: Date | null;
  /** Outcomes of the last 20 polls, the newest last: O OK, P PARTIAL, F FAILED. */
  recent: string;
  last_reading: LastReading | null;
  disabled_at: Date | null;
  next_probe_at: Date | null;
  open_alerts: number;
  units: {
    unit_id: number;
    preset: string | null;
    capacity_kw: number | null;
    quirks: Partial<Quirks>;
  }[];
  quirks: Partial<Quirks>;
}

/** Which gateways to read; an absent field does not restrict. */
export interface GatewayFilter {
  ids?: readonly string[] | undefined;
  plantId?: string | undefined;
  /** Only those of this customer. */
  customerId?: string | undefined;
  status?: GatewayStatus | undefined;
  priority?: Priority | undefined;
  /** Those that are due and not polled in time, or the others. */
  stale?: boolean | undefined;
  /** Those with a unit of this preset. */
  preset?: string | undefined;
  /** Text in the name, the id or host:port; upper and lower case are equal. */
  q?: string | undefined;
  /** Removed gateways as well, or nothing else; absent: none of them. */
  removed?: 'TOO' | 'ONLY' | undefined;
}

const customerOf = sql`coalesce(pl.customer_id, g.customer_id)`;
/** What people did holds at once; what the walker says follows. */
const statusOf = sql<GatewayStatus>`case
  when not g.is_active then 'PAUSED'
  when s.disabled_at is not null then 'DISABLED'
  when s.status in ('PAUSED', 'DISABLED') then 'WAITING'
  else s.status end`;
/** Worst first. */
const rankOf = sql<number>`array_position(
  '{DISABLED,OFFLINE,DEGRADED,WAITING,ONLINE,PAUSED}'::text[], ${statusOf})`;

/** Where a page of gateways ended. */
export type GatewayPosition = readonly [rank: number, id: string];

/** A page of gateways, the worst first. */
export async function pageGateways(
  db: Db,
  scope: PlantScope,
  filter: GatewayFilter,
  page: { after: GatewayPosition | null; limit: number },
): Promise<Page<GatewayView & { rank: number }>> {
  return readPage(
    page.limit,
    (limit) => query(db)`
    ${selectGateways(scope, filter, page.after)} limit ${limit}`,
  );
}

/** All gateways for which the filter holds, the worst first. */
export async function listGateways(
  db: Db,
  scope: PlantScope,
  filter: GatewayFilter = {},
): Promise<GatewayView[]> {
  const rows = await query(db)<
    GatewayView & { rank: number }
  >`${selectGateways(scope, filter, null)}`;
  return rows.map(({ rank: _rank, ...view }) => view);
}

/** A gateway, also a removed one; undefined if it is unknown, or beyond the scope. */
export async function findGateway(
  db: Db,
  scope: PlantScope,
  id: string,
): Promise<GatewayView | undefined> {
  const [view] = await listGateways(db, scope, { ids: [id], removed: 'TOO' });
  return view;
}

/** Whether gateway `g` with state `s` and open period `p` is due and was not polled in time. */
const isStale = sql<boolean>`coalesce(p.reason = 'ACTIVE'
  and greatest(s.last_polled_at, p.from_at) < now() - stale_after(g.poll_interval_s), false)`;

const sources = sql`gateways g
  join gateway_state s on s.gateway_id = g.id
  left join plants pl on pl.id = g.plant_id
  left join gateway_periods p on p.gateway_id = g.id and p.to_at is null`;

/** Gateways in figures. Stale ones are counted apart from the statuses. */
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

/** Counts the gateways that a person sees and a filter leaves. */
export async function totalGateways(
  db: Db,
  scope: PlantScope,
  filter: GatewayFilter,
): Promise<GatewayTotals> {
  const of = (status: GatewayStatus) =>
    sql`count(*) filter (where not stale and status = ${status})::int`;
  return queryRow(db)<GatewayTotals>`
    select count(*)::int as gateways, ${of('DISABLED')} as disabled, ${of('OFFLINE')} as offline,
      ${of('DEGRADED')} as degraded, ${of('WAITING')} as waiting, ${of('ONLINE')} as online, ${of('PAUSED')} as paused,
      count(*) filter (where stale)::int as not_polled
    from (select ${statusOf} as status, ${isStale} as stale from ${sources} where ${matching(scope, filter)}) as seen`;
}

function matching(scope: PlantScope, filter: GatewayFilter) {
  const { ids, plantId, customerId, status, priority, removed, stale, preset, q } = filter;
  const text = q?.trim() ?? '';
  const conditions = [
    removed === 'TOO' ? sql`true` : sql`(g.removed_at is not null) = ${removed === 'ONLY'}`,
    ...(ids === undefined ? [] : [sql`g.id = any(${[...ids]}::text[])`]),
    ...(plantId === undefined ? [] : [sql`g.plant_id = ${plantId}`]),
    ...(customerId === undefined ? [] : [sql`${customerOf} = ${customerId}`]),
    ...(scope.customerId === null ? [] : [sql`${customerOf} = ${scope.customerId}`]),
    ...(status === undefined ? [] : [sql`${statusOf} = ${status}`]),
    ...(priority === undefined ? [] : [sql`g.priority = ${priority}`]),
    ...(stale === undefined ? [] : [sql`${isStale} = ${stale}`]),
    ...(preset === undefined
      ? []
      : [
          sql`exists (select from gateway_units u where u.gateway_id = g.id and u.preset = ${preset})`,
        ]),
    ...(text === ''
      ? []
      : [
          sql`position(lower(${text}) in lower(concat_ws(' ', g.name, g.id, g.host || ':' || g.port))) > 0`,
        ]),
  ];
  return sql.join(conditions, sql` and `);
}

const selectGateways = (
  scope: PlantScope,
  filter: GatewayFilter,
  after: GatewayPosition | null,
) => {
  const behind =
    after === null ? sql`true` : sql`(${rankOf}, g.id) > (${after[0]}::int, ${after[1]}::text)`;
  return sql`
    select g.id, g.name, g.host, g.port, g.plant_id, pl.name as plant_name,
      coalesce(pl.timezone, 'UTC') as timezone, ${customerOf} as customer_id, g.poll_interval_s,
      g.priority, g.is_active, g.pause_reason, g.alerts_silenced_until, g.created_at, g.removed_at, g.revision, g.map_id,
      g.quirks, ${statusOf} as status,
      case when ${statusOf} = s.status or s.disabled_at is not null then s.status_reason end as status_reason,
      case when ${statusOf} = s.status or s.disabled_at is not null then s.status_message end as status_message,
      s.status_since, s.last_slot, s.last_polled_at, s.last_seen_at, s.consecutive_failures, s.failing_since, s.recent,
      s.last_reading, s.disabled_at, s.next_probe_at, coalesce(p.reason = 'HALTED', false) as halted,
      ${isStale} as stale,
      (select count(*)::int from alerts a where a.gateway_id = g.id and a.state in ('NEW', 'ACKED')) as open_alerts,
      (select coalesce(json_agg(json_build_object('unit_id', u.unit_id, 'preset', u.preset, 'capacity_kw', u.capacity_kw,
        'quirks', u.quirks) order by u.position), '[]'::json) from gateway_units u where u.gateway_id = g.id) as units,
      ${rankOf} as rank
    from ${sources}
    where ${matching(scope, filter)} and ${behind}
    order by rank, g.id`;
};

/** What people may decide of a gateway, for the audit log. */
export type GatewayRow = Pick<
  GatewayView,
  'id' | 'is_active' | 'pause_reason' | 'removed_at' | 'revision' | 'customer_id'
> & { disabled_at: Date | null };

/**
 * Locks gateways, in the order of their ids, until the transaction ends.
 *
 * @returns those that exist within the scope.
 */
export async function lockGateways(
  trx: Db,
  scope: PlantScope,
  ids: readonly string[],
): Promise<GatewayRow[]> {
  await query(trx)`
    select from gateways where id = any(${[...ids]}::text[]) order by id for no key update`;
  return query(trx)<GatewayRow>`
    select g.id, g.is_active, g.pause_reason, g.removed_at, g.revision, ${customerOf} as customer_id, s.disabled_at
    from gateways g join gateway_state s on s.gateway_id = g.id left join plants pl on pl.id = g.plant_id
    where g.id = any(${[...ids]}::text[])
      and (${scope.customerId}::text is null or ${customerOf} = ${scope.customerId}) order by g.id`;
}

/** Pauses gateways with a reason, or ends their pause, with their periods. */
export async function setActive(
  trx: Db,
  ids: readonly string[],
  { isActive, reason }: { isActive: boolean; reason: string | null },
  atMs: number,
): Promise<void> {
  await query(trx)`
    update gateways set is_active = ${isActive}, pause_reason = ${isActive ? null : reason}
    where id = any(${[...ids]}::text[]) and removed_at is null`;
  await decidePeriods(trx, ids, atMs);
}

/**
 * Removes gateways: they are polled no more and no list shows them; their readings stay as long as those of others. Their
 * active alerts end. The caller owns the transaction.
 */
export async function markRemoved(trx: Db, ids: readonly string[], atMs: number): Promise<void> {
  await query(trx)`
    update gateways set removed_at = ${instant(atMs)} where id = any(${[...ids]}::text[]) and removed_at is null`;
  await decidePeriods(trx, ids, atMs);
}

/** Which of these ids belong to gateways, also removed ones; and which plants do not exist within the scope. */
export async function findTaken(
  db: Db,
  scope: PlantScope,
  { ids, plantIds }: { ids: readonly string[]; plantIds: readonly string[] },
): Promise<{ takenIds: Map<string, { removed: boolean }>; unknownPlantIds: Set<string> }> {
  const taken = await query(db)<{ id: string; removed: boolean }>`
    select id, removed_at is not null as removed from gateways where id = any(${[...ids]}::text[])`;
  const plants = await query(db)<{ id: string }>`
    select id from unnest(${[...plantIds]}::text[]) as id
    where not exists (
      select from plants p where p.id = id.id and p.removed_at is null
        and (${scope.customerId}::text is null or p.customer_id = ${scope.customerId}))`;
  return {
    takenIds: new Map(taken.map(({ id, removed }) => [id, { removed }])),
    unknownPlantIds: new Set(plants.map(({ id }) => id)),
  };
}

/** A text that a device gave of itself. */
export interface GatewayFact {
  unit_id: number;
  key: string;
  value: string;
  changed_at: Date;
}

/** What the devices of a gateway say of themselves: serial numbers, models, firmware. */
export async function listFacts(db: Db, gatewayId: string): Promise<GatewayFact[]> {
  return query(db)<GatewayFact>`
    select unit_id, key, value, changed_at from gateway_facts
    where gateway_id = ${gatewayId} order by unit_id, key`;
}

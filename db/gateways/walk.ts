import { sql } from 'kysely';

import type { Priority, Quirks } from '../../domain/gateways/gateway.ts';
import type { UnitPoint } from '../../domain/gateways/point.ts';
import { type Db, msOf, query } from '../database.ts';
import type { Period } from '../ledger/periods.ts';
import type { PeriodReason } from './periods.ts';
import { loadMaps } from './points.ts';
import { type LoadedState, stateJson } from './state.ts';

/** What a walker reads of the gateways of its shard. */

/** One unit of a gateway, beside its points. */
export interface WalkedUnit {
  unitId: number;
  quirks: Partial<Quirks>;
  /** kW */
  capacityKw: number | null;
}

export interface WalkedGateway {
  id: string;
  name: string;
  host: string;
  port: number;
  plantId: string | null;
  priority: Priority;
  isActive: boolean;
  /** What the person said who paused it. */
  pauseReason: string | null;
  quirks: Partial<Quirks>;
  /** In the order in which people gave them. */
  units: WalkedUnit[];
  mapId: number;
  /** Shared by all gateways of the same map: never changed. */
  points: readonly UnitPoint[];
  alertsSilencedUntilMs: number | null;
  /** The open period: the gateway is due while its reason is ACTIVE, on its slots from `fromMs` on. */
  period: Period & { reason: PeriodReason };
  state: LoadedState;
  /** Another text once the definition or the period has changed. */
  version: string;
}

/** What a walker knows already. */
export interface KnownShard {
  /** Versions of the gateways, by id. */
  versions: ReadonlyMap<string, string>;
  /** Lists of points, by map id: `loadShard` adds those that it read. */
  maps: Map<number, readonly UnitPoint[]>;
}

/** What is new in a shard. */
export interface ShardNews {
  /** Gateways that are new or have another version. */
  changed: WalkedGateway[];
  /** Known gateways that are removed, or now in another shard. */
  goneIds: string[];
}

/** Every gateway `g` of the shard that has a period, with its version. */
const versionsIn = ({ shard, shards }: ShardPlace) => sql`
  select g.id, g.revision || '/' || ${msOf(sql`p.from_at`)} as version
  from gateways g join gateway_periods p on p.gateway_id = g.id and p.to_at is null
  where g.removed_at is null and g.address_hash % ${shards}::bigint = ${shard}::bigint`;

export interface ShardPlace {
  shard: number;
  /** How many there are. */
  shards: number;
}

/**
 * Reads what is new in a shard. Reads the versions of all its gateways, and the rest of those that changed.
 *
 * @param ids only these gateways, as a notice names them; absent: all.
 */
export async function loadShard(
  db: Db,
  place: ShardPlace,
  known: KnownShard,
  ids?: readonly string[],
): Promise<ShardNews> {
  const isNamed = ids === undefined ? sql`true` : sql`v.id = any(${[...ids]}::text[])`;
  const versions = await query(db)<{ id: string; version: string }>`
    select v.id, v.version from (${versionsIn(place)}) v where ${isNamed}`;
  const here = new Set(versions.map(({ id }) => id));
  const asked = ids ?? [...known.versions.keys()];
  const changedIds = versions
    .filter(({ id, version }) => known.versions.get(id) !== version)
    .map(({ id }) => id);
  return {
    changed: changedIds.length === 0 ? [] : await loadGateways(db, place, changedIds, known.maps),
    goneIds: asked.filter((id) => known.versions.has(id) && !here.has(id)),
  };
}

async function loadGateways(
  db: Db,
  place: ShardPlace,
  ids: readonly string[],
  maps: KnownShard['maps'],
): Promise<WalkedGateway[]> {
  const rows = await query(db)<Omit<WalkedGateway, 'points'>>`
    select g.id, g.name, g.host, g.port, g.plant_id as "plantId", g.priority, g.is_active as "isActive",
      g.pause_reason as "pauseReason", g.quirks,
      g.map_id as "mapId", ${msOf(sql`g.alerts_silenced_until`)} as "alertsSilencedUntilMs", v.version,
      (select coalesce(json_agg(json_build_object('unitId', u.unit_id, 'quirks', u.quirks, 'capacityKw', u.capacity_kw)
        order by u.position), '[]'::json) from gateway_units u where u.gateway_id = g.id) as units,
      json_build_object('fromMs', ${msOf(sql`p.from_at`)}, 'intervalMs', p.interval_s * 1000, 'phaseMs', p.phase_ms,
        'reason', p.reason) as period,
      ${stateJson} as state
    from (${versionsIn(place)}) v
    join gateways g on g.id = v.id
    join gateway_periods p on p.gateway_id = g.id and p.to_at is null
    join gateway_state s on s.gateway_id = g.id
    where g.id = any(${[...ids]}::text[]) order by g.id`;
  const missing = [...new Set(rows.map(({ mapId }) => mapId))].filter((id) => !maps.has(id));
  if (missing.length > 0)
    for (const [id, points] of await loadMaps(db, missing)) maps.set(id, points);
  return rows.map((row) => {
    const points = maps.get(row.mapId);
    if (points === undefined) throw new Error(`gateway ${row.id} has no list of points`);
    return { ...row, points };
  });
}

/** How many gateways there are that are not removed: without one no shard is walked. */
export async function countGateways(db: Db): Promise<number> {
  const [row] = await query(db)<{ count: number }>`
    select count(*)::int as count from gateways where removed_at is null`;
  return row?.count ?? 0;
}

import { sql } from 'kysely';

import { type Db, query, timestamp } from '../database.ts';
import type { PlantScope } from '../scope.ts';
import type { ReadingView } from './readings.ts';

/** The past of gateways as people see it: strips of slots, readings, alerts. The same for pages, API and commands. */

/** The newest rows of slots of each gateway, oldest first, by id. @param count how many of each. */
export async function readStrips(
  db: Db,
  ids: readonly string[],
  count: number,
): Promise<
  Map<string, Pick<ReadingView, 'read_at' | 'outcome' | 'reason' | 'slots_missed' | 'late_ms'>[]>
> {
  const rows = await query(db)<{ id: string } & ReadingView>`
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
    select gateway_id as id, sum((select coalesce(max(g), 0) from unnest(good) as g)) / sum(readings) as share
    from gateway_rollups_15min
    where gateway_id = any(${[...ids]}::text[]) and bucket_at > ${timestamp(nowMs)} - interval '24 hours' and readings > 0
    group by gateway_id`;
  return new Map(rows.map(({ id, share }) => [id, share]));
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

/** Alerts of all gateways that a person sees: RED before YELLOW, the oldest first; resolved ones the newest first. */
export async function listAlertsOfGateways(
  db: Db,
  scope: PlantScope,
  { states, limit }: { states: readonly GatewayAlertRow['state'][]; limit: number },
): Promise<(GatewayAlertRow & { gateway_name: string; timezone: string })[]> {
  return query(db)`
    select a.id, a.gateway_id, a.type, a.vendor_alarm_code as code, a.device_sn as unit, a.severity, a.state, a.message, a.started_at,
      a.last_seen_at, a.acked_at, a.acked_by, a.acked_until, a.ack_comment, a.resolved_at, g.name as gateway_name,
      coalesce(pl.timezone, 'UTC') as timezone
    from alerts a join gateways g on g.id = a.gateway_id left join plants pl on pl.id = g.plant_id
    where a.state = any(${[...states]}::text[]) and g.removed_at is null
      and (${scope.customerId}::text is null or coalesce(pl.customer_id, g.customer_id) = ${scope.customerId})
    order by (a.state = 'RESOLVED'), (a.state <> 'RESOLVED' and a.severity = 'YELLOW'),
      case when a.state = 'RESOLVED' then -extract(epoch from a.resolved_at) else extract(epoch from a.started_at) end, a.id
    limit ${limit}`;
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

/** What the walkers that hold a lease now say of themselves, together. */
export async function readPolling(
  db: Db,
): Promise<{ shards: number; pollsPerMin: number; lateP99Ms: number | null }> {
  const shards = await query(db)<{ polls: number | null; late: number | null }>`
    select (figures->>'polls_per_s')::float8 as polls, (figures->>'late_p99_ms')::float8 as late
    from gateway_shards where owner is not null and expires_at > now()`;
  const late = shards.flatMap((one) => one.late ?? []);
  return {
    shards: shards.length,
    pollsPerMin: shards.reduce((sum, { polls }) => sum + (polls ?? 0), 0) * 60,
    // No percentile of the whole follows from those of the shards; the worst of them is an upper bound.
    lateP99Ms: late.length === 0 ? null : Math.max(...late),
  };
}

/** What the filters of the list offer: presets and plants that some gateway has. */
export async function listChoices(
  db: Db,
  scope: PlantScope,
): Promise<{ presets: string[]; plants: { id: string; name: string }[] }> {
  const seen = sql`select g.id, pl.id as plant_id, pl.name from gateways g left join plants pl on pl.id = g.plant_id
    where g.removed_at is null and (${scope.customerId}::text is null or coalesce(pl.customer_id, g.customer_id) = ${scope.customerId})`;
  const [presets, plants] = await Promise.all([
    query(db)<{ preset: string }>`
      select distinct preset from gateway_units u join (${seen}) g on g.id = u.gateway_id where preset is not null order by 1`,
    query(db)<{ id: string; name: string }>`
      select distinct plant_id as id, name from (${seen}) g where plant_id is not null order by name, id`,
  ]);
  return { presets: presets.map(({ preset }) => preset), plants };
}

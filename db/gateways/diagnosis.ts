import { type RawBuilder, sql } from 'kysely';

import type { GatewayStatus } from '../../domain/gateways/gateway.ts';
import { dayMs, minuteMs } from '../../domain/zone.ts';
import { type Db, instant, query, queryRow, timestamp } from '../database.ts';
import type { PeriodReason } from './periods.ts';

/** What the diagnosis reads of gateways: whether they are polled, and what is wrong with each. */

/** A gateway that people want polled, or that is polled, with what the diagnosis judges. */
export interface WatchedGateway {
  id: string;
  host: string;
  port: number;
  /** Whether its row asks for polling: neither removed nor paused nor disabled, and no halt is open. */
  wanted: boolean;
  intervalS: number;
  createdAt: Date;
  /** The open period; null: it has none. */
  period: { reason: PeriodReason; intervalS: number; fromAt: string } | null;
  /** The newest slot with a row. */
  newestAt: Date | null;
  /** No row and no new period for 2 intervals + 1 min. */
  unpolled: boolean;
  /** The shard, of so many as were asked for. */
  shard: number;
}

/** Every gateway that is not removed, as a statement: whether one is polled is decided here and nowhere else. */
const watchedGateways = (now: RawBuilder<unknown>, shards: number) => sql<WatchedGateway>`
  select g.id, g.host, g.port, g.poll_interval_s as "intervalS", g.created_at as "createdAt",
    g.is_active and s.disabled_at is null and not halted.open as wanted, s.last_slot as "newestAt",
    case when p.gateway_id is not null then json_build_object('reason', p.reason, 'intervalS', p.interval_s,
      'fromAt', p.from_at) end as period,
    coalesce(greatest(s.last_slot, p.from_at), g.created_at) < ${now} - stale_after(g.poll_interval_s) as unpolled,
    (g.address_hash % ${shards}::bigint)::int as shard
  from gateways g
  join gateway_state s on s.gateway_id = g.id
  cross join (select exists (select from polling_halts where to_at is null) as open) halted
  left join gateway_periods p on p.gateway_id = g.id and p.to_at is null
  where g.removed_at is null`;

export async function listWatchedGateways(
  db: Db,
  nowMs: number,
  shards: number,
): Promise<WatchedGateway[]> {
  return query(db)<WatchedGateway>`${watchedGateways(timestamp(nowMs), shards)} order by g.id`;
}

export interface GatewayPulse {
  /** Gateways that are not removed. */
  gateways: number;
  /** Those that are due. */
  active: number;
  /** Of those, without a row for 2 intervals + 1 min. */
  unpolled: number;
  newestRowAt: Date | null;
  byStatus: Partial<Record<GatewayStatus, number>>;
  /** Of each shard that has gateways which are due. */
  byShard: { shard: number; active: number; unpolled: number }[];
}

/** One statement. */
export async function readGatewayPulse(
  db: Db,
  nowMs: number,
  shards: number,
): Promise<GatewayPulse> {
  const now = timestamp(nowMs);
  return queryRow(db)<GatewayPulse>`
    with watched as (${watchedGateways(now, shards)})
    select count(*)::int as gateways, count(*) filter (where wanted)::int as active,
      count(*) filter (where wanted and unpolled)::int as unpolled,
      max("newestAt") filter (where wanted) as "newestRowAt",
      (select coalesce(jsonb_object_agg(status, n), '{}') from (
        select s.status, count(*) as n from gateway_state s join gateways g on g.id = s.gateway_id
        where g.removed_at is null group by s.status) b) as "byStatus",
      (select coalesce(json_agg(json_build_object('shard', shard, 'active', n, 'unpolled', late) order by shard), '[]'::json)
        from (select shard, count(*) as n, count(*) filter (where unpolled) as late from watched where wanted
          group by shard) c) as "byShard"
    from watched`;
}

/** A gateway that fails although we poll it. */
export interface FailingGateway {
  id: string;
  host: string;
  port: number;
  status: GatewayStatus;
  reason: string | null;
  message: string | null;
  since: Date;
  /** Units that have not answered for so many polls, by their number. */
  silentUnits: Record<string, number>;
}

/** A unit that was silent for so many polls is no accident of one. */
const silentPollsMin = 3;

/** Gateways that are OFFLINE, DEGRADED or DISABLED, or have a silent unit; paused ones are what people want. The oldest first. */
export async function listFailingGateways(db: Db): Promise<FailingGateway[]> {
  return query(db)<FailingGateway>`
    select g.id, g.host, g.port, s.status, s.status_reason as reason, s.status_message as message,
      s.status_since as since,
      (select coalesce(jsonb_object_agg(u.key, u.value), '{}') from jsonb_each(s.silent_units) u
        where u.value::int >= ${silentPollsMin}) as "silentUnits"
    from gateways g join gateway_state s on s.gateway_id = g.id
    where g.removed_at is null and g.is_active
      and (s.status in ('OFFLINE', 'DEGRADED', 'DISABLED')
        or exists (select from jsonb_each(s.silent_units) u where u.value::int >= ${silentPollsMin}))
    order by s.status_since, g.id`;
}

/** How far back the diagnosis reads the ledger. */
const recentMs = 10 * minuteMs;
/** What a walker that hears of a closed period may still write. */
const closedGraceS = 2;

export interface UnwantedPolls {
  id: string;
  /** Why it is not due. */
  reason: string;
  polls: number;
  newestAt: Date;
}

/** Gateways that were polled on slots within the last 10 min although they are not due. */
export async function listUnwantedPolls(db: Db, nowMs: number): Promise<UnwantedPolls[]> {
  return query(db)<UnwantedPolls>`
    select g.id, coalesce(p.reason, 'NO_PERIOD') as reason, count(*)::int as polls, max(r.read_at) as "newestAt"
    from gateways g
    left join gateway_periods p on p.gateway_id = g.id and p.to_at is null
    join gateway_readings r on r.gateway_id = g.id and r."trigger" in ('SCHEDULE', 'START', 'CATCH_UP')
      and r.outcome in ('OK', 'PARTIAL', 'FAILED')
      and r.read_at > greatest(coalesce(p.from_at + make_interval(secs => ${closedGraceS}), '-infinity'),
        ${instant(nowMs - recentMs)}::timestamptz)
    where p.reason is distinct from 'ACTIVE'
    group by g.id, p.reason order by g.id`;
}

export interface SocketLoad {
  host: string;
  port: number;
  gatewayIds: string[];
  /** Share of the time for which the polls of these gateways hold their socket: above 1 they cannot fit. */
  load: number;
  /** Slots that were not polled because the one before took too long. */
  overruns: number;
}

/**
 * Sockets whose gateways cannot all be polled in their intervals: by what polls took in the last 10 min, or because slots
 * were missed for it.
 *
 * @param loadMax the share of the time that polls may take.
 */
export async function listOverloadedSockets(
  db: Db,
  nowMs: number,
  loadMax: number,
): Promise<SocketLoad[]> {
  return query(db)<SocketLoad>`
    with polled as (
      select gateway_id, avg(duration_ms) filter (where outcome in ('OK', 'PARTIAL')) as took_ms,
        coalesce(sum(slots_missed) filter (where reason = 'OVERRUN'), 0) as overruns
      from gateway_readings where read_at > ${instant(nowMs - recentMs)} group by gateway_id),
    sockets as (
      select lower(g.host) as host, g.port, array_agg(g.id order by g.id) as ids,
        sum(coalesce(took_ms, 0) / (g.poll_interval_s * 1000.0)) as load, sum(overruns)::int as overruns
      from polled join gateways g on g.id = polled.gateway_id
      where g.removed_at is null and g.is_active group by lower(g.host), g.port)
    select host, port, ids as "gatewayIds", round(load, 2)::float8 as load, overruns
    from sockets where load > ${loadMax} or overruns > 0 order by load desc, host`;
}

/** What a socket refused that nobody needs to know any more. */
export interface StaleRefusals {
  host: string;
  port: number;
  ranges: number;
  /** No gateway has this address any more. */
  isUnknown: boolean;
}

/** Refusals that a walker would have asked again since, a day after it learned them, and those of addresses that no gateway has. */
export async function listStaleRefusals(db: Db, nowMs: number): Promise<StaleRefusals[]> {
  return query(db)<StaleRefusals>`
    select l.host, l.port, count(*)::int as ranges, bool_and(g.id is null) as "isUnknown"
    from gateway_learned l
    left join gateways g on regexp_replace(lower(g.host), '[.]$', '') = l.host and g.port = l.port and g.removed_at is null
    where g.id is null or l.refused_at < ${instant(nowMs - 2 * dayMs)}
    group by l.host, l.port order by l.host, l.port`;
}

/** How a gateway stands, as the list of `heliograph polling status` shows it. */
export interface GatewayStanding {
  id: string;
  name: string;
  status: GatewayStatus;
  reason: string | null;
  message: string | null;
  since: Date;
  intervalS: number;
  /** Why it is due or not; null: it has no open period. */
  period: PeriodReason | null;
  lastSlot: Date | null;
  lastSeenAt: Date | null;
  failures: number;
}

/** @param ids null: all that are not removed. */
export async function listGatewayStandings(
  db: Db,
  ids: readonly string[] | null,
): Promise<GatewayStanding[]> {
  const isNamed = ids === null ? sql`true` : sql`g.id = any(${[...ids]}::text[])`;
  return query(db)<GatewayStanding>`
    select g.id, g.name, s.status, s.status_reason as reason, s.status_message as message, s.status_since as since,
      g.poll_interval_s as "intervalS", p.reason as period, s.last_slot as "lastSlot", s.last_seen_at as "lastSeenAt",
      s.consecutive_failures as failures
    from gateways g
    join gateway_state s on s.gateway_id = g.id
    left join gateway_periods p on p.gateway_id = g.id and p.to_at is null
    where g.removed_at is null and ${isNamed} order by g.id`;
}

/** Frees all leases, so that every shard is taken with a new epoch. @returns the shards. */
export async function freeAllLeases(db: Db): Promise<number[]> {
  const rows = await query(db)<{ shard: number }>`
    update gateway_shards set owner = null, worker = null, wanted_by = null, expires_at = '-infinity'
    where owner is not null returning shard`;
  return rows.map(({ shard }) => shard).sort((a, b) => a - b);
}

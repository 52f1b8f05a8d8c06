import { type Db, instant, query } from '../database.ts';
import type { AuditWindow } from '../ledger/check.ts';

/** The check of gateways, in SQL, beside that of their ledger: polls at the same time, periods, leases. */

export interface OverlappingPolls {
  gatewayId: string;
  at: Date;
  overlapMs: number;
}

/** Polls that began before the poll before them had ended. The longest first. */
export async function findOverlappingPolls(
  db: Db,
  { fromMs, toMs }: AuditWindow,
  { toleranceMs, limit }: { toleranceMs: number; limit: number },
): Promise<{ overlaps: OverlappingPolls[]; total: number }> {
  const overlaps = await query(db)<OverlappingPolls & { total: number }>`
    with polls as (
      select gateway_id, read_at, read_at + make_interval(secs => coalesce(late_ms, 0) / 1000.0) as began_at, duration_ms
      from gateway_readings
      where read_at >= ${instant(fromMs)} and read_at < ${instant(toMs)} and outcome in ('OK', 'PARTIAL', 'FAILED')
        and duration_ms is not null and coalesce(reason, '') <> 'BACK_OFF'),
    pairs as (
      select gateway_id, read_at, extract(epoch from
        lag(began_at + make_interval(secs => duration_ms / 1000.0)) over (partition by gateway_id order by began_at)
          - began_at) * 1000 as overlap_ms
      from polls)
    select gateway_id as "gatewayId", read_at as at, overlap_ms::float8 as "overlapMs", count(*) over ()::int as total
    from pairs where overlap_ms > ${toleranceMs} order by overlap_ms desc, gateway_id limit ${limit}`;
  return { overlaps, total: overlaps[0]?.total ?? 0 };
}

export interface PeriodFlaw {
  gatewayId: string;
  at: Date;
  /** OVERLAP: it begins before the one before it has ended. GAP: it begins later. NONE_OPEN: no period is open. UNLIKE_ROW:
   * the open one is not what the gateway's row, its state and the halts ask for. */
  flaw: 'OVERLAP' | 'GAP' | 'NONE_OPEN' | 'UNLIKE_ROW';
  /** The reason of the period; of UNLIKE_ROW also the reason that is wanted. */
  reason: string | null;
  wanted: string | null;
}

/**
 * Periods that do not follow one another, or that differ from what people and the system decided.
 *
 * @param settledMs what was decided later may not be in force yet.
 */
export async function findPeriodFlaws(
  db: Db,
  settledMs: number,
  limit: number,
): Promise<PeriodFlaw[]> {
  const settled = instant(settledMs);
  return query(db)<PeriodFlaw>`
    with chain as (
      select p.*, lag(to_at) over (partition by gateway_id order by from_at) as ended_at,
        row_number() over (partition by gateway_id order by from_at) as nth
      from gateway_periods p),
    wanted as (
      select g.id, g.poll_interval_s, g.created_at, case
          when g.removed_at is not null then 'REMOVED'
          when not g.is_active then 'PAUSED'
          when exists (select from polling_halts h where h.to_at is null) then 'HALTED'
          when s.disabled_at is not null then 'DISABLED'
          else 'ACTIVE' end as reason
      from gateways g join gateway_state s on s.gateway_id = g.id)
    select gateway_id as "gatewayId", from_at as at,
      case when ended_at is null or from_at < ended_at then 'OVERLAP' else 'GAP' end as flaw, reason, null as wanted
    from chain where nth > 1 and from_at is distinct from ended_at
    union all
    select w.id, w.created_at, 'NONE_OPEN', null, w.reason from wanted w
    where w.created_at < ${settled}
      and not exists (select from gateway_periods p where p.gateway_id = w.id and p.to_at is null)
    union all
    select w.id, p.from_at, 'UNLIKE_ROW', p.reason, w.reason
    from wanted w join gateway_periods p on p.gateway_id = w.id and p.to_at is null
    where p.from_at < ${settled}
      and (p.reason <> w.reason or (p.reason = 'ACTIVE' and p.interval_s <> w.poll_interval_s))
    order by 1, 2 limit ${limit}`;
}

export interface StrayLease {
  shard: number;
  worker: string | null;
  owner: string;
}

/** Leases in force of shards that no gateway belongs to: their holder polls what another walker polls too. */
export async function findStrayLeases(db: Db, shards: number): Promise<StrayLease[]> {
  return query(db)<StrayLease>`
    select shard, worker, owner from gateway_shards
    where shard >= ${shards} and owner is not null and expires_at > clock_timestamp() order by shard`;
}

/** Whether the database itself keeps a shard from having two leases: the primary key, or a unique index of the shard. */
export async function hasLeaseKey(db: Db): Promise<boolean> {
  const rows = await query(db)`
    select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = 'gateway_shards'::regclass and i.indisunique and i.indisvalid and i.indpred is null
      and i.indnkeyatts = 1 and a.attname = 'shard'`;
  return rows.length > 0;
}

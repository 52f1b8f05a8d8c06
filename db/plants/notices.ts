import { sql } from 'kysely';

import type { AlertSeverity, AlertState } from '../../domain/alerts.ts';
import type { AlertType } from '../../domain/plants/facts.ts';
import type { AdapterErrorType, Brand } from '../../domain/plants/plant.ts';
import { type Db, msOf, query } from '../database.ts';
import { incidentSince } from './incidents.ts';

/** What notifications of plants and incidents are about, as it is stored now. */

/** A plant's alert, with its plant. */
export interface ToldAlert {
  alertId: number;
  plantId: string;
  plantName: string;
  brand: Brand;
  customerId: string | null;
  timezone: string;
  type: AlertType;
  severity: AlertSeverity;
  state: AlertState;
  message: string;
  vendorText: string | null;
  deviceSn: string | null;
  startedAtMs: number;
  resolvedAtMs: number | null;
  estimatedLostKwh: number | null;
  atRiskKwh: number | null;
}

export async function findToldAlerts(db: Db, alertIds: readonly number[]): Promise<ToldAlert[]> {
  return query(db)<ToldAlert>`
    select a.id as "alertId", p.id as "plantId", p.name as "plantName", p.brand, p.customer_id as "customerId", p.timezone,
      a.type, a.severity, a.state, a.message, a.vendor_text as "vendorText", a.device_sn as "deviceSn",
      round(extract(epoch from a.started_at) * 1000)::bigint as "startedAtMs",
      round(extract(epoch from a.resolved_at) * 1000)::bigint as "resolvedAtMs",
      a.estimated_lost_kwh as "estimatedLostKwh", a.at_risk_kwh as "atRiskKwh"
    from alerts a join plants p on p.id = a.plant_id
    where a.id = any(${[...alertIds]}::bigint[])`;
}

/** An incident that was opened. */
export interface ToldIncident {
  id: number;
  /** null: all brands at once, our side. */
  brand: Brand | null;
  failingSinceMs: number;
  recoveringSinceMs: number | null;
  closedAtMs: number | null;
  plantsFailed: number;
  plantsActive: number;
  errors: Partial<Record<AdapterErrorType, number>>;
}

export async function findToldIncidents(db: Db, ids: readonly string[]): Promise<ToldIncident[]> {
  return query(db)<ToldIncident>`
    select i.id, i.brand, i.plants_failed as "plantsFailed", i.plants_active as "plantsActive", i.errors,
      ${msOf(sql`${incidentSince}`)} as "failingSinceMs", ${msOf(sql`i.recovering_since`)} as "recoveringSinceMs",
      ${msOf(sql`i.closed_at`)} as "closedAtMs"
    from brand_incidents i where i.id::text = any(${[...ids]}::text[]) and i.opened_at is not null`;
}

/** The fleet for a morning brief. */
export interface FleetBrief {
  active: number;
  red: number;
  yellow: number;
  notPolled: number;
  /** Names of the plants that are longest RED, worst first. */
  redNames: string[];
  yesterdayKwh: number | null;
  /** Plants whose yesterday has a total, and a median to compare it with. */
  compared: number;
  comparedKwh: number | null;
  medianKwh: number | null;
  lostKwh: number | null;
  /** Alerts that ended since midnight of yesterday's night: what was repaired. */
  repaired: string[];
}

/** @param scope an empty list does not restrict. */
export async function readFleetBrief(
  db: Db,
  scope: { customerIds: readonly string[]; brands: readonly string[] },
  nowMs: number,
): Promise<FleetBrief> {
  const now = new Date(nowMs);
  const [brief] = await query(db)<FleetBrief>`
    with own as (
      select p.* from plants p
      where p.integration_status = 'ACTIVE' and p.removed_at is null
        and (cardinality(${[...scope.customerIds]}::text[]) = 0 or p.customer_id = any(${[...scope.customerIds]}::text[]))
        and (cardinality(${[...scope.brands]}::text[]) = 0 or p.brand = any(${[...scope.brands]}::text[]))),
    days as (
      select p.id, y.today_energy_kwh as kwh, m.median
      from own p
      left join metric_snapshots y on y.plant_id = p.id and y.date = (${now}::timestamptz at time zone p.timezone)::date - 1
      left join lateral (
        select percentile_cont(0.5) within group (order by s.today_energy_kwh) as median
        from metric_snapshots s where s.plant_id = p.id and s.complete
          and s.date between (${now}::timestamptz at time zone p.timezone)::date - 8
            and (${now}::timestamptz at time zone p.timezone)::date - 2
        having count(*) >= 3) m on true)
    select count(*)::int as active, count(*) filter (where status = 'RED')::int as red,
      count(*) filter (where status = 'YELLOW')::int as yellow,
      count(*) filter (where last_polled_at < ${now}::timestamptz - stale_after(poll_interval_s))::int as "notPolled",
      coalesce((array_agg(name order by status_since) filter (where status = 'RED'))[1:5], '{}') as "redNames",
      (select sum(kwh) from days) as "yesterdayKwh",
      (select count(*)::int from days where kwh is not null and median is not null) as compared,
      (select sum(kwh) from days where median is not null) as "comparedKwh",
      (select sum(median) from days where kwh is not null) as "medianKwh",
      (select sum(a.estimated_lost_kwh) from alerts a where a.plant_id in (select id from own)
        and a.state in ('NEW', 'ACKED')) as "lostKwh",
      (select coalesce(array_agg(distinct o.name), '{}') from alerts a join own o on o.id = a.plant_id
        where a.resolved_at > ${now}::timestamptz - interval '14 hours' and a.severity = 'RED') as repaired
    from own`;
  if (brief === undefined) throw new Error('an aggregate gave no row');
  return brief;
}

import { sql } from 'kysely';

import type { ActiveAlert, AlertSeverity, AlertState, EndedAlert } from '../../domain/alerts.ts';
import {
  badPollsMax,
  type GatewayAlertType,
  silentPollsMax,
} from '../../domain/gateways/alerts.ts';
import {
  failingEnd,
  type FleetPulse,
  networkHoldMs,
  pulseWindowMs,
} from '../../domain/gateways/disable.ts';
import type { GatewayFacts, GatewayPlan } from '../../domain/gateways/facts.ts';
import type { Priority } from '../../domain/gateways/gateway.ts';
import { lastFailureIn } from '../../domain/gateways/status.ts';
import { activeAlertsOf, type AlertSubject, endedAlertsOf } from '../alerts.ts';
import { type Db, instant, msOf, query, queryRow, timestamp } from '../database.ts';
import type { ProblemKey } from '../problems.ts';
import { gatewaySubjects } from './alerts.ts';
import { type LoadedState, stateJson } from './state.ts';

/** Gateways as their alerts are judged: what is stored of them, and what is written when one is switched off or comes back. */

export function gatewaySubject(id: string): AlertSubject {
  return { ...gatewaySubjects, id };
}

/** The problem that is open while so many gateways fail together that it must be our network. */
export const networkProblem: ProblemKey = {
  subject: { kind: 'SYSTEM', id: 'gateways' },
  code: 'OUR_NETWORK',
};

/** The facts of a stored state. Why the newest poll failed is known where the status says so. */
export function factsOf(state: LoadedState): GatewayFacts {
  const { status, statusReason, statusMessage, statusSinceMs } = state;
  const standing = {
    status,
    reason: statusReason,
    message: statusMessage,
    sinceMs: statusSinceMs,
  };
  return {
    standing,
    lastPolledAtMs: state.lastPolledAtMs,
    lastSeenAtMs: state.lastSeenAtMs,
    consecutiveFailures: state.consecutiveFailures,
    failingSinceMs: state.failingSinceMs,
    lastFailure: lastFailureIn(standing),
    recent: state.recent,
    badPoints: state.badPoints,
    silentUnits: state.silentUnits,
    disabledAtMs: state.disabledAtMs,
    nextProbeAtMs: state.nextProbeAtMs,
    probes: state.probes,
    goodProbes: state.goodProbes,
  };
}

/** A gateway with all that its alerts are judged by. */
export interface GatewayToJudge {
  id: string;
  priority: Priority;
  /** Of its plant; UTC without one. */
  timezone: string;
  alertsSilencedUntilMs: number | null;
  plan: GatewayPlan;
  state: LoadedState;
  active: ActiveAlert<GatewayAlertType>[];
  ended: EndedAlert<GatewayAlertType>[];
}

/** Locks gateways until the transaction ends, and reads them, in the order of their ids. One that was never planned is left out. */
export async function lockToJudge(
  trx: Db,
  gatewayIds: readonly string[],
  nowMs: number,
): Promise<GatewayToJudge[]> {
  await query(trx)`
    select from gateways where id = any(${[...gatewayIds]}::text[]) order by id for no key update`;
  const ofGateway = sql`a.gateway_id = g.id`;
  const now = timestamp(nowMs);
  return query(trx)<GatewayToJudge>`
    select g.id, g.priority, coalesce(plant.timezone, 'UTC') as timezone,
      ${msOf(sql`g.alerts_silenced_until`)} as "alertsSilencedUntilMs",
      json_build_object('reason', p.reason, 'fromMs', ${msOf(sql`p.from_at`)}, 'intervalMs', p.interval_s * 1000,
        'pauseReason', g.pause_reason) as plan,
      ${stateJson} as state,
      ${activeAlertsOf<GatewayAlertType>(ofGateway)} as active,
      ${endedAlertsOf<GatewayAlertType>(ofGateway, { now, since: now })} as ended
    from gateways g
    join gateway_state s on s.gateway_id = g.id
    join gateway_periods p on p.gateway_id = g.id and p.to_at is null
    left join plants plant on plant.id = g.plant_id
    where g.id = any(${[...gatewayIds]}::text[]) order by g.id`;
}

/** Writes what changes with being switched off or coming back, beside what `setDisabled` writes. */
export async function writeStanding(
  trx: Db,
  gatewayId: string,
  { standing, recent, nextProbeAtMs }: GatewayFacts,
): Promise<void> {
  await trx
    .updateTable('gateway_state')
    .set({
      status: standing.status,
      status_reason: standing.reason,
      status_message: standing.message,
      status_since: instant(standing.sinceMs),
      recent,
      next_probe_at: instant(nextProbeAtMs),
    })
    .where('gateway_id', '=', gatewayId)
    .execute();
}

/**
 * Gateways of a shard that may have an alert, or may be switched off or come back, by what is stored: what a walker that died
 * left to be judged, and alerts of which somebody may have to be reminded.
 */
export async function findToJudge(
  db: Db,
  { shard, shards, failures }: { shard: number; shards: number; failures: number },
): Promise<string[]> {
  const rows = await query(db)<{ id: string }>`
    select g.id from gateways g join gateway_state s on s.gateway_id = g.id
    where g.address_hash % ${shards}::bigint = ${shard}::bigint
      and (exists (select from alerts a where a.gateway_id = g.id and a.state in ('NEW', 'ACKED'))
        or g.removed_at is null and (s.status in ('OFFLINE', 'DISABLED') or s.disabled_at is not null
          or s.consecutive_failures >= ${failures}
          or exists (select from jsonb_each(s.bad_points) b where (b.value ->> 'polls')::int >= ${badPollsMax})
          or exists (select from jsonb_each(s.silent_units) u where u.value::int >= ${silentPollsMax})))
    order by g.id`;
  return rows.map(({ id }) => id);
}

/** What the problem of our network says before an evaluation. */
export interface NetworkBefore {
  /** Whether the whole fleet must be counted: the problem is open, or some of the gateways fail. */
  mustCount: boolean;
  /** The problem was closed within `networkHoldMs`. */
  wasOpenLately: boolean;
}

export async function readNetworkBefore(
  db: Db,
  gatewayIds: readonly string[],
  nowMs: number,
): Promise<NetworkBefore> {
  const { subject, code } = networkProblem;
  return queryRow(db)<NetworkBefore>`
    with problem as (
      select state, closed_at from problems
      where subject_kind = ${subject.kind} and subject_id = ${subject.id} and code = ${code})
    select exists (select from problem where state <> 'CLOSED')
        or exists (select from gateway_state where gateway_id = any(${[...gatewayIds]}::text[])
          and recent like ${`%${failingEnd}`}) as "mustCount",
      exists (select from problem where closed_at > ${timestamp(nowMs - networkHoldMs)}) as "wasOpenLately"`;
}

/** How many of the gateways that were polled lately fail now, over all shards. */
export async function readPulse(db: Db, nowMs: number): Promise<FleetPulse> {
  return queryRow(db)<FleetPulse>`
    select count(*)::int as polled, count(*) filter (where s.recent like ${`%${failingEnd}`})::int as failing
    from gateway_state s join gateways g on g.id = s.gateway_id
    where g.is_active and s.disabled_at is null and s.last_polled_at > ${timestamp(nowMs - pulseWindowMs)}`;
}

/** A gateway's alert, with its gateway. */
export interface ToldGatewayAlert {
  alertId: number;
  gatewayId: string;
  gatewayName: string;
  plantId: string | null;
  plantName: string | null;
  /** Of its plant. */
  brand: string | null;
  customerId: string | null;
  timezone: string;
  type: GatewayAlertType;
  severity: AlertSeverity;
  state: AlertState;
  message: string;
  /** Of POINT_BAD the key of the point. */
  point: string | null;
  unit: string | null;
  startedAtMs: number;
  resolvedAtMs: number | null;
}

/** The alerts of gateways that notifications tell, as they are stored now. */
export async function findToldGatewayAlerts(
  db: Db,
  alertIds: readonly number[],
): Promise<ToldGatewayAlert[]> {
  return query(db)<ToldGatewayAlert>`
    select a.id as "alertId", g.id as "gatewayId", g.name as "gatewayName", p.id as "plantId", p.name as "plantName",
      p.brand, coalesce(g.customer_id, p.customer_id) as "customerId", coalesce(p.timezone, 'UTC') as timezone,
      a.type, a.severity, a.state, a.message, a.vendor_alarm_code as point, a.device_sn as unit,
      ${msOf(sql`a.started_at`)} as "startedAtMs", ${msOf(sql`a.resolved_at`)} as "resolvedAtMs"
    from alerts a join gateways g on g.id = a.gateway_id left join plants p on p.id = g.plant_id
    where a.id = any(${[...alertIds]}::bigint[])`;
}

import { type Kysely, sql } from 'kysely';

import {
  type BrandCount,
  type Incident,
  probeAfterMs,
  withheldTypes,
} from '../../domain/plants/incidents.ts';
import type { AdapterErrorType, Brand } from '../../domain/plants/plant.ts';
import { type Db, instant, msOf, query } from '../database.ts';
import { addNotification } from '../outbox.ts';
import type { PlantScope } from '../scope.ts';
import type { Database } from '../tables.ts';

/** Plant `p` fails as its brand does: its newest poll failed, and by no error of the plant or of its credentials alone. */
export const failsWithBrand = sql<boolean>`
  (p.integration_status = 'ACTIVE' and counts_for_incident(p.last_poll))`;

/** When incident `i` began, as people are told it. */
export const incidentSince = sql<Date>`coalesce(i.failing_since, i.suspected_at)`;

/**
 * The id of the incident, open or closed, that explains alert `a` of plant `p`: the alert began in it, and the plant's polls
 * failed in it. null: the alert speaks for itself.
 */
export const incidentOfAlert = sql<number | null>`(
  select i.id from brand_incidents i
  where i.opened_at is not null and (i.brand = p.brand or i.brand is null) and a.type = any(${[...withheldTypes]}::text[])
    and a.started_at >= ${incidentSince} and (i.closed_at is null or a.started_at < i.closed_at)
    and exists (select from poll_logs l where l.plant_id = p.id and l.job_type = 'POLL' and l.status = 'ERROR'
      and coalesce(l.adapter_error_scope, 'CLOUD') in ('ACCOUNT', 'CLOUD') and l.scheduled_for >= ${incidentSince} and l.scheduled_for <= coalesce(i.closed_at, 'infinity'))
  order by i.closed_at is not null, i.id desc limit 1)`;

/** An incident that was opened, as people see it. */
export interface IncidentView {
  id: number;
  /** null: all brands, our side. */
  brand: Brand | null;
  /** The first failed poll. */
  since: Date;
  opened_at: Date;
  /** Since when nearly all of its plants are answered again; null while they are not. */
  recovering_since: Date | null;
  closed_at: Date | null;
  /** Failed plants of the brand by error; null for a reader of some plants. */
  errors: Partial<Record<AdapterErrorType, number>> | null;
  /** Its plants that fail now; of a closed one the most that failed at once, null for a reader of some plants. */
  plants_failed: number | null;
  /** The ACTIVE plants that it is about, within the scope. */
  plants_active: number;
  /** Its active alerts, which are kept and not announced; of a closed one all alerts that it explains. */
  alerts: number;
  /** The zone that its plants share, else UTC. */
  timezone: string;
}

/** Which incidents to read: open ones, the oldest first; closed ones, the newest first. */
export interface IncidentFilter {
  state: 'open' | 'closed';
  limit?: number;
}

/** Incidents of the plants in the scope. */
export async function listIncidents(
  db: Db,
  { state, limit = 20 }: IncidentFilter,
  scope: PlantScope,
): Promise<IncidentView[]> {
  const { customerId } = scope;
  const isOpen = state === 'open';
  return query(db)<IncidentView>`
    select i.id, i.brand, ${incidentSince} as since, i.opened_at, i.recovering_since, i.closed_at,
      case when ${customerId}::text is null then i.errors end as errors,
      case when i.closed_at is null then c.failing
        when ${customerId}::text is null then coalesce(i.plants_failed_most, i.plants_failed) end as plants_failed,
      c.active as plants_active, n.alerts, c.timezone
    from brand_incidents i
    cross join lateral (
      select count(*)::int as plants, count(*) filter (where p.integration_status = 'ACTIVE')::int as active,
        count(*) filter (where ${failsWithBrand})::int as failing,
        case when min(p.timezone) = max(p.timezone) then min(p.timezone) else 'UTC' end as timezone
      from plants p
      where (i.brand is null or p.brand = i.brand) and (${customerId}::text is null or p.customer_id = ${customerId})) c
    cross join lateral (
      select count(*)::int as alerts from alerts a join plants p on p.id = a.plant_id
      where a.started_at >= ${incidentSince} and (${!isOpen} or a.state in ('NEW', 'ACKED'))
        and (i.brand is null or p.brand = i.brand) and (${customerId}::text is null or p.customer_id = ${customerId})
        and ${incidentOfAlert} = i.id) n
    where i.opened_at is not null and (i.closed_at is null) = ${isOpen} and c.plants > 0
    order by case when i.closed_at is null then i.id else -i.id end
    limit ${limit}`;
}

/** Incidents that are suspected or open. */
export async function findIncidents(db: Db): Promise<Incident[]> {
  return query(db)<Incident>`
    select id, brand, sightings, plants_failed as "plantsFailed", plants_active as "plantsActive", errors,
      coalesce(plants_failed_most, plants_failed) as "plantsFailedMost",
      ${msOf(sql`coalesce(failing_since, suspected_at)`)} as "failingSinceMs", ${msOf(sql`suspected_at`)} as "suspectedAtMs", ${msOf(sql`opened_at`)} as "openedAtMs",
      ${msOf(sql`recovering_since`)} as "recoveringSinceMs", ${msOf(sql`closed_at`)} as "closedAtMs", ${msOf(sql`held_at`)} as "heldAtMs",
      ${msOf(sql`probed_at`)} as "probedAtMs", ${msOf(sql`released_at`)} as "releasedAtMs"
    from brand_incidents where closed_at is null order by id`;
}

/**
 * The newest polls of every brand, in one pass over the plants. A poll that is older than two intervals and a minute says
 * nothing about the vendor. A plant whose account a recent refusal paused counts as if it were polled: otherwise an outage
 * of a vendor's sign-in would remove its own evidence.
 */
export async function countBrands(db: Db, nowMs: number, afterMs: number): Promise<BrandCount[]> {
  const now = instant(nowMs);
  return query(db)<BrandCount>`
    with polls as (
      select p.brand, p.vendor_account_id, p.poll_interval_s, p.last_polled_at, p.failing_since, p.integration_status = 'ACTIVE' as active,
        (p.last_poll ->> 'attempts')::int > 0 as asked, p.last_poll ->> 'errorType' as error,
        counts_for_incident(p.last_poll) as failed, refuses_account(p.last_poll) as refused
      from plants p
      where p.integration_status in ('ACTIVE', 'PAUSED_AUTH_ERROR') and p.last_poll is not null
        and p.last_polled_at > ${now}::timestamptz - case p.integration_status
          when 'ACTIVE' then stale_after(p.poll_interval_s)
          else greatest(stale_after(p.poll_interval_s), make_interval(secs => 2 * ${afterMs / 1_000}::int)) end),
    counted as (
      select * from polls where active or refused),
    errors as (
      select brand, jsonb_object_agg(error, n) as errors
      from (select brand, error, count(*) as n from counted where failed group by brand, error) e group by brand)
    select b.brand, coalesce(c.active, 0)::int as "plantsActive", coalesce(c.failed, 0)::int as "plantsFailed",
      coalesce(e.errors, '{}') as errors, coalesce(c.refused, 0)::int as "accountsRefused",
      coalesce(c.interval_s, 0) * 1000 as "intervalMs", coalesce(c.failing_since, '{}') as "failingSinceMs"
    from (select distinct brand from plants) b
    left join (
      select counted.brand, count(*) as active, count(*) filter (where failed) as failed,
        count(distinct vendor_account_id) filter (where counted.refused and asked
          and last_polled_at > coalesce(r.released_at, '-infinity')) as refused,
        percentile_disc(0.5) within group (order by poll_interval_s) as interval_s,
        array_agg(${msOf(sql`failing_since`)}::float8) filter (where failed and failing_since is not null) as failing_since
      from counted
      left join lateral (
        select max(i.released_at) as released_at from brand_incidents i
        where i.closed_at is null and (i.brand = counted.brand or i.brand is null)) r on true
      group by counted.brand) c on c.brand = b.brand
    left join errors e on e.brand = b.brand
    order by b.brand`;
}

/** Incidents whose held credentials one plant has tried since, and the vendor answered. */
export async function findAnsweredProbes(db: Db): Promise<number[]> {
  const rows = await query(db)<{ id: number }>`
    select i.id from brand_incidents i join plants p on p.id = i.probe_plant_id
    where i.closed_at is null and i.held_at is not null and p.last_slot >= i.probed_at
      and p.last_poll ->> 'outcome' in ('OK', 'PARTIAL')`;
  return rows.map(({ id }) => id);
}

/**
 * Writes the decided incidents and the consequences of an opening or a hold, in one transaction.
 *
 * @returns the plants whose pause for refused credentials was lifted by a hold.
 */
export async function writeIncidents(
  db: Kysely<Database>,
  before: readonly Incident[],
  decided: { incidents: readonly Incident[]; forgotten: readonly number[] },
  nowMs: number,
): Promise<string[]> {
  const known = new Map(before.map((incident) => [incident.id, incident]));
  return db.transaction().execute(async (trx) => {
    if (decided.forgotten.length > 0)
      await trx
        .deleteFrom('brand_incidents')
        .where('id', 'in', [...decided.forgotten])
        .execute();
    const lifted: string[] = [];
    for (const incident of decided.incidents) {
      await writeIncident(trx, incident);
      const old = incident.id === null ? null : (known.get(incident.id) ?? null);
      await announce(trx, incident, nowMs);
      if (incident.openedAtMs === nowMs) await withhold(trx, incident.brand, nowMs);
      if (incident.heldAtMs !== null && old?.heldAtMs == null)
        lifted.push(...(await liftRefusals(trx, incident, nowMs)));
    }
    return lifted;
  });
}

/** Says that an incident has just opened or closed. */
async function announce(trx: Db, { id, openedAtMs, closedAtMs }: Incident, nowMs: number) {
  const isEnd = closedAtMs === nowMs;
  if (id === null || (openedAtMs !== nowMs && !isEnd)) return;
  const kind = isEnd ? 'CLOSED' : 'OPENED';
  const subject = { kind: 'INCIDENT', id: String(id) } as const;
  const notification = { subject, alertId: null, kind, isEnd, severity: 'RED' } as const;
  await addNotification(trx, { ...notification, notBeforeMs: nowMs }, nowMs);
}

async function writeIncident(trx: Db, incident: Incident): Promise<void> {
  const row = {
    brand: incident.brand,
    failing_since: instant(incident.failingSinceMs),
    suspected_at: instant(incident.suspectedAtMs),
    sightings: incident.sightings,
    opened_at: instant(incident.openedAtMs),
    recovering_since: instant(incident.recoveringSinceMs),
    closed_at: instant(incident.closedAtMs),
    plants_failed: incident.plantsFailed,
    plants_failed_most: incident.plantsFailedMost,
    plants_active: incident.plantsActive,
    errors: JSON.stringify(incident.errors),
    held_at: instant(incident.heldAtMs),
    released_at: instant(incident.releasedAtMs),
  };
  const probed = { probed_at: instant(incident.probedAtMs) };
  if (incident.id === null) {
    await trx
      .insertInto('brand_incidents')
      .values({ ...row, ...probed })
      .execute();
    return;
  }
  // A plant may have tried since this was read: only the beginning of a hold sets the time.
  const begins = incident.heldAtMs !== null && incident.heldAtMs === incident.probedAtMs;
  await trx
    .updateTable('brand_incidents')
    .set(begins ? { ...row, ...probed, probe_plant_id: null } : row)
    .where('id', '=', incident.id)
    .execute();
}

/**
 * Drops announcements of the brand's plants that are not due yet, because the incident speaks for them. An alert that is
 * still active when the incident closes is announced as usual.
 */
async function withhold(trx: Db, brand: Brand | null, nowMs: number): Promise<void> {
  const now = instant(nowMs);
  await query(trx)`
    with dropped as (
      update notifications n set dropped_at = ${now}, drop_reason = 'WITHHELD'
      from alerts a join plants p on p.id = a.plant_id
      where n.alert_id = a.id and a.state in ('NEW', 'ACKED') and a.type = any(${[...withheldTypes]}::text[])
        and (${brand}::text is null or p.brand = ${brand}) and n.dropped_at is null and n.not_before > ${now}
      returning n.alert_id)
    update alerts a set last_notified_at = (
      select max(n.not_before) from notifications n
      where n.alert_id = a.id and n.dropped_at is null and n.not_before <= ${now})
    where a.id in (select alert_id from dropped)`;
}

/** Resumes plants that a refusal paused shortly before the incident: the vendor was at fault, not their credentials. */
async function liftRefusals(
  trx: Kysely<Database>,
  { brand, suspectedAtMs }: Incident,
  nowMs: number,
): Promise<string[]> {
  const rows = await query(trx)<{ id: string }>`
    update plants set integration_status = 'ACTIVE', activated_at = ${instant(nowMs)}
    where integration_status = 'PAUSED_AUTH_ERROR' and (${brand}::text is null or brand = ${brand})
      and vendor_account_id in (
        select o.vendor_account_id from plants o
        where o.integration_status = 'PAUSED_AUTH_ERROR' and refuses_account(o.last_poll)
          and o.last_poll ->> 'credentials' is null
          and o.last_polled_at > ${instant(suspectedAtMs)}::timestamptz - stale_after(o.poll_interval_s))
    returning id`;
  return rows.map(({ id }) => id);
}

/**
 * The plant's turn to try held credentials, once an hour for all of the incident's plants. A repeated step of the same slot
 * gets it again.
 */
export async function takeProbe(
  db: Db,
  incidentId: number,
  plantId: string,
  { slotMs, nowMs }: { slotMs: number; nowMs: number },
): Promise<boolean> {
  const result = await sql`
    update brand_incidents set probed_at = ${instant(slotMs)}, probe_plant_id = ${plantId}
    where id = ${incidentId} and held_at is not null
      and (probed_at is null or probed_at <= ${instant(nowMs - probeAfterMs)}
        or (probe_plant_id = ${plantId} and probed_at = ${instant(slotMs)}))`.execute(db);
  return result.numAffectedRows === 1n;
}

import { type RawBuilder, type Selectable, sql } from 'kysely';

import type { AnnouncementKind } from '../../domain/alerts.ts';
import type { BookedPoll, PlantChanges } from '../../domain/plants/changes.ts';
import type {
  AlertsBefore,
  AlertSeverity,
  AlertType,
  AlertState,
} from '../../domain/plants/facts.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { activeAlertsOf, type AlertSubject, endedAlertsOf } from '../alerts.ts';
import { readPage } from '../page.ts';
import { type Db, instant, timestamp, query } from '../database.ts';
import { pausedBy, silencedBy, silenceReason } from './holds.ts';
import { incidentOfAlert } from './incidents.ts';
import { type PlantRow, plantFacts, type PlantView } from './plants.ts';
import type { PlantScope } from '../scope.ts';
import { daysAround, totalsAtTime } from './snapshots.ts';
import type { PlantTables } from './tables.ts';

/** Plants, as subjects of alerts. */
export const plantSubjects = { kind: 'PLANT', table: 'plants', column: 'plant_id' } as const;

export function plantSubject(id: string): AlertSubject {
  return { ...plantSubjects, id };
}

/** Whether the account of plant `p` has credentials. */
const hasCredentials = sql<boolean>`
  exists (select from integration_credentials c where c.account_id = p.vendor_account_id)`;

/** JSON of the open incident of plant `p`'s brand, or of all brands; null without one. */
export const openIncident = sql<AlertsBefore['incident']>`(
  select json_build_object('held', i.held_at is not null) from brand_incidents i
  where i.closed_at is null and i.opened_at is not null and (i.brand = p.brand or i.brand is null)
  order by i.held_at nulls last limit 1)`;

const ofPlant = sql`a.plant_id = p.id`;

/** JSON of the active alerts of plant `p`. */
export const activeAlerts = activeAlertsOf<AlertType>(ofPlant);

/** JSON of the alerts of plant `p` that ended in the last 6 h or after `since`, or that were announced in the last 6 h. */
export const endedAlerts = (now: RawBuilder<Date>, since: RawBuilder<Date>) =>
  endedAlertsOf<AlertType>(ofPlant, { now, since });

/**
 * Everything that the alert step's rules need, in one round trip; null for an unknown plant.
 *
 * @param times.measuredAtMs the reading's measurement, now unless said: the last 7 days' totals are taken at its local time
 * of day.
 * @param times.endedSinceMs how far back vendor alarms of this answer reach, now unless said: alerts that ended after it
 * come along.
 */
export async function readAlertsBefore(
  db: Db,
  plantId: string,
  times: { nowMs: number; measuredAtMs?: number; endedSinceMs?: number },
): Promise<{ before: AlertsBefore; row: PlantRow } | null> {
  const { nowMs, measuredAtMs = nowMs, endedSinceMs = nowMs } = times;
  const now = timestamp(nowMs);
  const [found] = await query(db)<PlantRow & Omit<AlertsBefore, 'plant'>>`
    select p.*, ${daysAround(now)} as days, ${openIncident} as incident, ${hasCredentials} as "hasCredentials",
      ${totalsAtTime(timestamp(measuredAtMs), now)} as "daysAtTime",
      ${activeAlerts} as active, ${endedAlerts(now, timestamp(endedSinceMs))} as ended
    from plants p where p.id = ${plantId}`;
  if (found === undefined) return null;
  const { days, daysAtTime, active, ended, incident, hasCredentials: has, ...row } = found;
  const rules = { days, daysAtTime, active, ended, incident, hasCredentials: has };
  return { before: { plant: plantFacts(row), ...rules }, row };
}

/**
 * The guard under which the alert step writes: the slot of a poll, or the revision that an evaluation without a reading
 * saw. A poll whose read was not locked also says which revision it saw.
 */
export type AlertsFence =
  | { kind: 'SLOT'; slotMs: number; poll: BookedPoll; seenRevision: number | null }
  | { kind: 'REVISION'; revision: number };

/** Writes what the loop owns of a plant. @returns false if the fence refused it: nothing was changed. */
export async function writePlantChanges(
  db: Db,
  plantId: string,
  plant: PlantChanges,
  fence: AlertsFence,
): Promise<boolean> {
  const revision = fence.kind === 'SLOT' ? fence.seenRevision : fence.revision;
  const claim =
    fence.kind === 'SLOT'
      ? sql`, last_slot = ${instant(fence.slotMs)}, last_poll = ${JSON.stringify(fence.poll)},
        last_polled_at = greatest(last_polled_at, ${instant(fence.poll.startedAtMs)})`
      : sql``;
  const guard =
    fence.kind === 'SLOT'
      ? sql`and (last_slot is null or last_slot < ${instant(fence.slotMs)})`
      : sql``;
  const result = await sql`
    update plants set status = ${plant.status}, status_reason = ${plant.statusReason},
      status_since = ${instant(plant.statusSinceMs)}, last_seen_at = ${instant(plant.lastSeenAtMs)},
      last_seen_source = ${plant.lastSeenSource}, consecutive_failures = ${plant.consecutiveFailures},
      failing_since = case when ${plant.consecutiveFailures}::int = 0 then null
        else coalesce(failing_since, ${fence.kind === 'SLOT' ? instant(fence.slotMs) : null}::timestamptz) end,
      low_generation_streak = ${plant.lowGenerationStreak === null ? null : JSON.stringify(plant.lowGenerationStreak)}::jsonb,
      alarms_complete_at = ${instant(plant.alarmsCompleteAtMs)},
      devices = ${plant.devices === null ? null : JSON.stringify(plant.devices)}::jsonb ${claim}
    where id = ${plantId} ${guard} and revision = coalesce(${revision}::bigint, revision)`.execute(
    db,
  );
  return result.numAffectedRows === 1n;
}

/**
 * When people were last told of alert `a`, by now. The rules count an announcement from the moment for which it is planned,
 * which lies ahead at night; nobody was told until then.
 */
const lastNotifiedAt = sql<Date | null>`
  case when a.last_notified_at <= now() then a.last_notified_at else (
    select max(n.not_before) from notifications n
    where n.alert_id = a.id and n.dropped_at is null and not n.is_end and n.not_before <= now()) end`;

/** The columns of an alert that people see: all but `muted`; and `last_notified_at` as of now. */
const shownColumns = [
  'id',
  'type',
  'vendor_alarm_code',
  'device_sn',
  'severity',
  'state',
  'message',
  'vendor_level',
  'vendor_text',
  'started_at',
  'last_seen_at',
  'acked_at',
  'acked_by',
  'acked_until',
  'ack_comment',
  'resolved_at',
  'estimated_at',
] as const;

/** Estimates, kWh, in the resolution of every reader. */
const shownEstimates = ['estimated_lost_kwh', 'at_risk_kwh'] as const;

/** The columns of its plant that say who holds it back, until when and why. */
const heldColumns = [
  'integration_status',
  'paused_until',
  'pause_reason',
  'alerts_silenced_until',
] as const;

/** An alert as people see it. */
export interface AlertView
  extends
    Pick<
      Selectable<PlantTables['alerts']>,
      (typeof shownColumns)[number] | (typeof shownEstimates)[number] | 'last_notified_at'
    >,
    Pick<
      PlantView,
      (typeof heldColumns)[number] | 'paused_by' | 'alerts_silenced_by' | 'alerts_silence_reason'
    > {
  plant_id: string;
  plant_name: string;
  brand: Brand;
  timezone: string;
  /** The incident that explains it, open or closed; null: none does. */
  incident_id: number | null;
}

/** Which alerts to read; an absent field does not restrict. */
export interface AlertFilter {
  plantId?: string | undefined;
  brand?: Brand | undefined;
  /** Only alerts of this customer's plants; null or absent: all. */
  customerId?: string | null;
  /** NEW and ACKED, unless given. */
  states?: readonly AlertState[];
  severity?: AlertSeverity | undefined;
  type?: AlertType | undefined;
  id?: number;
  /** Only alerts that this incident explains. */
  incidentId?: number | undefined;
  /** Leaves out what these incidents explain. */
  withoutIncidents?: readonly number[];
}

/**
 * The order of alerts: active ones first, RED before YELLOW, the oldest first; then resolved ones, the newest first. The
 * one expression of it: four numbers, compared one after the other, ascending.
 */
const alertOrder = sql.join([
  sql`(a.state = 'RESOLVED')::int`,
  sql`(a.state <> 'RESOLVED' and a.severity = 'YELLOW')::int`,
  sql`case when a.state = 'RESOLVED' then -extract(epoch from a.resolved_at) else extract(epoch from a.started_at) end`,
  sql`a.id`,
]);

/** Where a page of alerts ended: the place of its last one in their order. */
export type AlertPosition = readonly number[];
/** The number of parts of an `AlertPosition`. */
export const alertPositionParts = 4;

function alertQuery(db: Db, filter: AlertFilter) {
  const states = filter.states ?? ['NEW', 'ACKED'];
  let alerts = db
    .selectFrom('alerts as a')
    .innerJoin('plants as p', 'p.id', 'a.plant_id')
    .select(shownColumns.map((column) => `a.${column}` as const))
    .select(['p.id as plant_id', 'p.name as plant_name', 'p.brand', 'p.timezone'])
    .select(heldColumns.map((column) => `p.${column}` as const))
    .select([
      pausedBy.as('paused_by'),
      silencedBy.as('alerts_silenced_by'),
      silenceReason.as('alerts_silence_reason'),
    ])
    .select(
      shownEstimates.map((column) =>
        sql<number | null>`round(${sql.ref(`a.${column}`)}::numeric, 3)::float8`.as(column),
      ),
    )
    .select(incidentOfAlert.as('incident_id'))
    .select(lastNotifiedAt.as('last_notified_at'))
    .where('a.state', 'in', [...states])
    .orderBy(alertOrder);
  if (filter.id !== undefined) alerts = alerts.where('a.id', '=', filter.id);
  if (filter.plantId !== undefined) alerts = alerts.where('a.plant_id', '=', filter.plantId);
  // Alerts of a removed plant are shown to who asks for them.
  else if (filter.id === undefined) alerts = alerts.where('p.removed_at', 'is', null);
  if (filter.brand !== undefined) alerts = alerts.where('p.brand', '=', filter.brand);
  if (filter.customerId != null) alerts = alerts.where('p.customer_id', '=', filter.customerId);
  if (filter.severity !== undefined) alerts = alerts.where('a.severity', '=', filter.severity);
  if (filter.incidentId !== undefined)
    alerts = alerts.where(sql<boolean>`${incidentOfAlert} = ${filter.incidentId}`);
  if (filter.withoutIncidents !== undefined && filter.withoutIncidents.length > 0)
    alerts = alerts.where(
      sql<boolean>`coalesce(${incidentOfAlert} <> all(${[...filter.withoutIncidents]}::bigint[]), true)`,
    );
  if (filter.type !== undefined) alerts = alerts.where('a.type', '=', filter.type);
  return alerts;
}

/** Alerts: active ones first, by severity, the oldest first; then resolved ones, the newest first. */
export async function listAlerts(
  db: Db,
  filter: AlertFilter & { limit: number; offset?: number },
): Promise<AlertView[]> {
  return alertQuery(db, filter)
    .limit(filter.limit)
    .offset(filter.offset ?? 0)
    .execute();
}

/** The same, a page at a time: what comes after `after`. */
export async function pageAlerts(
  db: Db,
  filter: AlertFilter,
  page: { after: AlertPosition | null; limit: number },
): Promise<{ alerts: AlertView[]; next: AlertPosition | null }> {
  let alerts = alertQuery(db, filter).select(
    sql<AlertPosition>`json_build_array(${alertOrder})`.as('position'),
  );
  if (page.after !== null)
    alerts = alerts.where(
      sql<boolean>`(${alertOrder}) > (${sql.join(page.after.map((part) => sql`${part}::numeric`))})`,
    );
  const { rows, nextAfter } = await readPage(page.limit, (limit) => alerts.limit(limit).execute());
  return { alerts: rows, next: nextAfter?.position ?? null };
}

/** The alert of this id, whatever its state. @param customerId of a customer: other customers' alerts are unknown. */
export async function findAlert(
  db: Db,
  alertId: number,
  customerId: string | null,
): Promise<AlertView | undefined> {
  const filter = { id: alertId, customerId, states: ['NEW', 'ACKED', 'RESOLVED'] as const };
  return alertQuery(db, filter).executeTakeFirst();
}

/** The outbox's notifications of plants' alerts after a row, oldest first. Reading sends nothing. */
export async function listNotifications(
  db: Db,
  scope: PlantScope,
  page: { afterId: number; limit: number },
) {
  let notifications = db
    .selectFrom('notifications as n')
    .innerJoin('plants as p', 'p.id', 'n.subject_id')
    .select(['n.id', 'n.alert_id', 'n.subject_id as plant_id', 'n.kind', 'n.severity'])
    .select(['n.created_at', 'n.not_before', 'n.dropped_at'])
    .$narrowType<{ alert_id: number; kind: AnnouncementKind }>()
    .where('n.subject_kind', '=', plantSubjects.kind)
    .where('n.alert_id', 'is not', null)
    .where('n.id', '>', page.afterId)
    .orderBy('n.id')
    .limit(page.limit);
  if (scope.customerId !== null)
    notifications = notifications.where('p.customer_id', '=', scope.customerId);
  return notifications.execute();
}

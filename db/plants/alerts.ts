import { type RawBuilder, type Selectable, sql } from 'kysely';

import type {
  AlertChange,
  Announcement,
  BookedPoll,
  NewAlert,
  PlantChanges,
} from '../../domain/plants/changes.ts';
import type {
  ActiveAlert,
  AlertsBefore,
  AlertSeverity,
  AlertType,
  AlertState,
  DayAtTime,
  DayRow,
  EndedAlert,
} from '../../domain/plants/facts.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { type Db, instant, timestamp } from '../database.ts';
import { type PlantRow, plantFacts } from './plants.ts';
import { daysAround, totalsAtTime } from './snapshots.ts';
import type { AlertEventsTable, AlertsTable } from './tables.ts';

/** Who changed an alert: the loop, in `alert_events.actor`. */
const loopActor = 'loop';

/** JSON of the open incident of plant `p`'s brand, or of all; null without one. */
export const openIncident = sql<AlertsBefore['incident']>`(
  select json_build_object('held', i.held_at is not null) from brand_incidents i
  where i.closed_at is null and i.opened_at is not null and (i.brand = p.brand or i.brand is null)
  order by i.held_at nulls last limit 1)`;

/** JSON of the active alerts of plant `p`. */
export const activeAlerts = sql<ActiveAlert[]>`(
  select coalesce(json_agg(json_build_object('id', a.id::text, 'type', a.type, 'vendorAlarmCode', a.vendor_alarm_code,
    'deviceSn', a.device_sn, 'severity', a.severity, 'state', a.state, 'muted', a.muted,
    'startedAtMs', round(extract(epoch from a.started_at) * 1000),
    'lastSeenAtMs', round(extract(epoch from a.last_seen_at) * 1000),
    'ackedUntilMs', round(extract(epoch from a.acked_until) * 1000),
    'lastNotifiedAtMs', round(extract(epoch from a.last_notified_at) * 1000),
    'announcedNotBeforeMs', (select round(extract(epoch from min(n.not_before)) * 1000)
      from notifications n where n.alert_id = a.id and n.dropped_at is null and n.kind <> 'RECOVERED')) order by a.id), '[]'::json)
  from alerts a where a.plant_id = p.id and a.state in ('NEW', 'ACKED'))`;

/** JSON of the alerts of plant `p` that ended in the last 6 h or after `since`, or that were announced in the last 6 h. */
export const endedAlerts = (now: RawBuilder<Date>, since: RawBuilder<Date>) => sql<EndedAlert[]>`(
  select coalesce(json_agg(json_build_object('type', e.type, 'vendorAlarmCode', e.vendor_alarm_code,
    'deviceSn', e.device_sn, 'severity', e.severity, 'startedAtMs', round(extract(epoch from e.started_at) * 1000),
    'resolvedAtMs', round(extract(epoch from e.resolved_at) * 1000),
    'lastNotifiedAtMs', round(extract(epoch from e.last_notified_at) * 1000)) order by e.id), '[]'::json)
  from alerts e where e.plant_id = p.id and e.state = 'RESOLVED'
    and (e.resolved_at > least(${now} - interval '6 hours', ${since})
      -- a vendor may tell of an end long ago: what was announced since is still remembered
      or e.last_notified_at > ${now} - interval '6 hours'))`;

/**
 * Everything that the alert step's rules need, in one round trip; null for an unknown plant.
 *
 * @param measuredAtMs the reading's measurement: the last 7 days' totals are taken at its local time of day.
 * @param sinceMs how far back vendor alarms of this answer reach: ended alerts that began after it come along.
 */
export async function readAlertsBefore(
  db: Db,
  plantId: string,
  nowMs: number,
  measuredAtMs: number,
  sinceMs: number,
): Promise<{ before: AlertsBefore; row: PlantRow } | null> {
  const now = timestamp(nowMs);
  const result = await sql<
    PlantRow & {
      days: DayRow[];
      days_at_time: DayAtTime[];
      active: ActiveAlert[];
      ended: EndedAlert[];
      incident: AlertsBefore['incident'];
    }
  >`
    select p.*, ${daysAround(now)} as days, ${openIncident} as incident,
      ${totalsAtTime(timestamp(measuredAtMs), now)} as days_at_time,
      ${activeAlerts} as active, ${endedAlerts(now, timestamp(sinceMs))} as ended
    from plants p where p.id = ${plantId}`.execute(db);
  const row = result.rows[0];
  if (row === undefined) return null;
  return {
    before: {
      plant: plantFacts(row),
      days: row.days,
      daysAtTime: row.days_at_time,
      active: row.active,
      ended: row.ended,
      incident: row.incident,
    },
    row,
  };
}

/** Under which guard the alert step writes: the slot of a poll, or the revision that an evaluation without a reading saw. */
export type AlertsFence =
  | { kind: 'SLOT'; slotMs: number; poll: BookedPoll }
  | { kind: 'REVISION'; revision: number };

/**
 * Writes what the loop owns of a plant, under the fence.
 *
 * @param seenRevision with a value, the row is written only while it still has this revision (the read was not locked).
 * @returns false where the fence, or the revision, stood against it: nothing was changed.
 */
export async function writePlantChanges(
  db: Db,
  plantId: string,
  plant: PlantChanges,
  fence: AlertsFence,
  seenRevision: number | null,
): Promise<boolean> {
  const claim =
    fence.kind === 'SLOT'
      ? sql`, last_slot = ${instant(fence.slotMs)}, last_poll = ${JSON.stringify(fence.poll)},
        last_polled_at = greatest(last_polled_at, ${instant(fence.poll.startedAtMs)})`
      : sql``;
  const guard =
    fence.kind === 'SLOT'
      ? sql`(last_slot is null or last_slot < ${instant(fence.slotMs)})`
      : sql`revision = ${fence.revision}`;
  const result = await sql`
    update plants set status = ${plant.status}, status_reason = ${plant.statusReason},
      status_since = ${instant(plant.statusSinceMs)}, last_seen_at = ${instant(plant.lastSeenAtMs)},
      last_seen_source = ${plant.lastSeenSource}, consecutive_failures = ${plant.consecutiveFailures},
      low_generation_streak = ${plant.lowGenerationStreak === null ? null : JSON.stringify(plant.lowGenerationStreak)}::jsonb,
      alarms_complete_at = ${instant(plant.alarmsCompleteAtMs)},
      devices = ${plant.devices === null ? null : JSON.stringify(plant.devices)}::jsonb ${claim}
    where id = ${plantId} and ${guard}
      and (${seenRevision}::bigint is null or revision = ${seenRevision}::bigint)`.execute(db);
  return result.numAffectedRows === 1n;
}

async function insertEvent(
  db: Db,
  alertId: number | string,
  atMs: number,
  event: {
    from: 'NEW' | 'ACKED' | null;
    to: 'NEW' | 'ACKED' | 'RESOLVED';
    severity: AlertSeverity;
    actor?: string;
    reason: string;
  },
): Promise<void> {
  await db
    .insertInto('alert_events')
    .values({
      alert_id: Number(alertId),
      at: instant(atMs),
      from_state: event.from,
      to_state: event.to,
      severity: event.severity,
      actor: event.actor ?? loopActor,
      reason: event.reason,
    })
    .execute();
}

async function announce(
  db: Db,
  plantId: string,
  alertId: number | string,
  severity: AlertSeverity,
  nowMs: number,
  announcement: Announcement | null,
): Promise<void> {
  if (announcement === null) return;
  await db
    .insertInto('notifications')
    .values({
      alert_id: Number(alertId),
      plant_id: plantId,
      kind: announcement.kind,
      severity,
      created_at: instant(nowMs),
      not_before: instant(announcement.notBeforeMs),
      dropped_at: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  if (announcement.kind !== 'RECOVERED') {
    await db
      .updateTable('alerts')
      .set({ last_notified_at: instant(announcement.notBeforeMs) })
      .where('id', '=', Number(alertId))
      .execute();
  }
}

/** Takes back what was to be said of the alert and was not due yet. */
async function dropPending(db: Db, alertId: string, nowMs: number): Promise<void> {
  await db
    .updateTable('notifications')
    .set({ dropped_at: instant(nowMs) })
    .where('alert_id', '=', Number(alertId))
    .where('dropped_at', 'is', null)
    .where('not_before', '>', instant(nowMs))
    .execute();
}

async function insertAlert(
  db: Db,
  plantId: string,
  alert: NewAlert,
  nowMs: number,
  ended: { atMs: number } | null,
): Promise<number> {
  const row = await db
    .insertInto('alerts')
    .values({
      plant_id: plantId,
      type: alert.type,
      vendor_alarm_code: alert.vendorAlarmCode,
      device_sn: alert.deviceSn,
      severity: alert.severity,
      state: ended === null ? 'NEW' : 'RESOLVED',
      message: alert.message,
      vendor_level: alert.vendorLevel,
      vendor_text: alert.vendorText,
      started_at: instant(alert.startedAtMs),
      last_seen_at: instant(nowMs),
      resolved_at: ended === null ? null : instant(ended.atMs),
      last_notified_at: instant(alert.lastNotifiedAtMs),
      muted: alert.muted,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}

/** Applies one change of an alert with its event and announcement. The caller owns the transaction and holds the plant's lock. */
async function applyAlertChange(
  db: Db,
  plantId: string,
  change: AlertChange,
  active: ReadonlyMap<string, ActiveAlert>,
  nowMs: number,
): Promise<void> {
  if (change.kind === 'RAISE' || change.kind === 'RECORD_ENDED') {
    const ended = change.kind === 'RECORD_ENDED' ? { atMs: change.endedAtMs } : null;
    const { alert } = change;
    const id = await insertAlert(db, plantId, alert, nowMs, ended);
    await insertEvent(db, id, nowMs, {
      from: null,
      to: 'NEW',
      severity: alert.severity,
      reason: alert.message,
    });
    if (ended !== null) {
      await insertEvent(db, id, nowMs, {
        from: 'NEW',
        to: 'RESOLVED',
        severity: alert.severity,
        reason: 'began and ended between two answers',
      });
    }
    if (change.kind === 'RAISE')
      await announce(db, plantId, id, alert.severity, nowMs, change.announce);
    return;
  }
  const alert = active.get(change.id);
  if (alert === undefined)
    throw new Error(
      `the rules changed alert ${change.id}, which is not an active one of plant ${plantId}`,
    );
  const row = db.updateTable('alerts').where('id', '=', Number(change.id));
  switch (change.kind) {
    case 'SEEN':
      await row.set({ last_seen_at: instant(nowMs) }).execute();
      return;
    case 'RISE':
      await row
        .set({
          severity: change.severity,
          state: 'NEW',
          acked_until: null,
          last_seen_at: instant(nowMs),
        })
        .execute();
      await insertEvent(db, change.id, nowMs, {
        from: alert.state,
        to: 'NEW',
        severity: change.severity,
        reason: `rose to ${change.severity}`,
      });
      // Who is told of the rise at six need not be told at seven that it was milder by night.
      if (change.announce !== null) await dropPending(db, change.id, nowMs);
      await announce(db, plantId, change.id, change.severity, nowMs, change.announce);
      return;
    case 'ACK_ENDED':
      await row.set({ state: 'NEW', acked_until: null }).execute();
      await insertEvent(db, change.id, nowMs, {
        from: 'ACKED',
        to: 'NEW',
        severity: alert.severity,
        reason: 'the acknowledgement has ended',
      });
      return;
    case 'REMIND':
      await announce(db, plantId, change.id, alert.severity, nowMs, change.announce);
      return;
    case 'RESOLVE':
      await row
        .set({
          state: 'RESOLVED',
          resolved_at: sql`greatest(started_at, ${instant(change.atMs)})`,
          acked_until: null,
        })
        .execute();
      await insertEvent(db, change.id, nowMs, {
        from: alert.state,
        to: 'RESOLVED',
        severity: alert.severity,
        reason: change.reason,
      });
      if (change.dropPending) {
        await dropPending(db, change.id, nowMs);
        // Nobody was told by what was dropped: the next alert of the key must not count it.
        await row
          .set({ last_notified_at: null })
          .where('last_notified_at', '>', instant(nowMs))
          .execute();
      }
      await announce(db, plantId, change.id, alert.severity, nowMs, change.announce);
      return;
  }
}

/** Applies the rules' changes in their order. The caller owns the transaction and holds the plant's lock. */
export async function applyAlertChanges(
  db: Db,
  plantId: string,
  changes: readonly AlertChange[],
  before: readonly ActiveAlert[],
  nowMs: number,
): Promise<void> {
  const active = new Map(before.map((alert) => [alert.id, alert]));
  for (const change of changes) await applyAlertChange(db, plantId, change, active, nowMs);
}

/** An alert as people see it. */
export interface AlertView extends Pick<
  Selectable<AlertsTable>,
  | 'id'
  | 'plant_id'
  | 'type'
  | 'vendor_alarm_code'
  | 'device_sn'
  | 'severity'
  | 'state'
  | 'message'
  | 'vendor_level'
  | 'vendor_text'
  | 'started_at'
  | 'last_seen_at'
  | 'acked_at'
  | 'acked_by'
  | 'acked_until'
  | 'ack_comment'
  | 'resolved_at'
  | 'last_notified_at'
  | 'estimated_lost_kwh'
  | 'at_risk_kwh'
  | 'estimated_at'
> {
  plant_name: string;
  brand: Brand;
  timezone: string;
}

/** Which alerts are meant; what is not said does not restrict. */
export interface AlertFilter {
  plantId?: string;
  brand?: Brand;
  /** Of a customer: its own plants' alerts only; null or absent: all. */
  customerId?: string | null;
  /** The active ones, NEW and ACKED, unless said. */
  states?: readonly AlertState[];
  severity?: AlertSeverity;
  type?: AlertType;
  id?: number;
}

/**
 * The order of alerts: active ones first, RED before YELLOW, the oldest first; then resolved ones, the newest first. The one
 * expression of it: four numbers, compared one after the other, ascending.
 */
const alertOrder = sql.join([
  sql`(a.state = 'RESOLVED')::int`,
  sql`(a.state <> 'RESOLVED' and a.severity = 'YELLOW')::int`,
  sql`case when a.state = 'RESOLVED' then -extract(epoch from a.resolved_at) else extract(epoch from a.started_at) end`,
  sql`a.id`,
]);

/** Where a page of alerts ended: the place of its last one in their order. */
export type AlertPosition = readonly number[];

function alertQuery(db: Db, filter: AlertFilter) {
  const states = filter.states ?? ['NEW', 'ACKED'];
  let query = db
    .selectFrom('alerts as a')
    .innerJoin('plants as p', 'p.id', 'a.plant_id')
    .select([
      'a.id',
      'a.plant_id',
      'p.name as plant_name',
      'p.brand',
      'p.timezone',
      'a.type',
      'a.vendor_alarm_code',
      'a.device_sn',
      'a.severity',
      'a.state',
      'a.message',
      'a.vendor_level',
      'a.vendor_text',
      'a.started_at',
      'a.last_seen_at',
      'a.acked_at',
      'a.acked_by',
      'a.acked_until',
      'a.ack_comment',
      'a.resolved_at',
      'a.last_notified_at',
      'a.estimated_lost_kwh',
      'a.at_risk_kwh',
      'a.estimated_at',
    ])
    .where('a.state', 'in', [...states])
    .orderBy(alertOrder);
  if (filter.id !== undefined) query = query.where('a.id', '=', filter.id);
  if (filter.plantId !== undefined) query = query.where('a.plant_id', '=', filter.plantId);
  if (filter.brand !== undefined) query = query.where('p.brand', '=', filter.brand);
  if (filter.customerId != null) query = query.where('p.customer_id', '=', filter.customerId);
  if (filter.severity !== undefined) query = query.where('a.severity', '=', filter.severity);
  if (filter.type !== undefined) query = query.where('a.type', '=', filter.type);
  return query;
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
  let query = alertQuery(db, filter).select(
    sql<AlertPosition>`json_build_array(${alertOrder})`.as('position'),
  );
  if (page.after !== null)
    query = query.where(
      sql<boolean>`(${alertOrder}) > (${sql.join(page.after.map((part) => sql`${part}::numeric`))})`,
    );
  const rows = await query.limit(page.limit + 1).execute();
  const shown = rows.slice(0, page.limit);
  return {
    alerts: shown,
    next: rows.length > page.limit ? (shown.at(-1)?.position ?? null) : null,
  };
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

/** What became of an alert, oldest first. */
export async function listAlertEvents(
  db: Db,
  alertId: number,
): Promise<Selectable<AlertEventsTable>[]> {
  return db
    .selectFrom('alert_events')
    .selectAll()
    .where('alert_id', '=', alertId)
    .orderBy('id')
    .execute();
}

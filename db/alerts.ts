import { type Insertable, type Kysely, type RawBuilder, type Selectable, sql } from 'kysely';

import type {
  ActiveAlert,
  AlertChange,
  AlertSeverity,
  Announcement,
  EndedAlert,
} from '../domain/alerts.ts';
import type { Subject, SubjectKind } from '../domain/subject.ts';
import { type Decider, recordDecisions } from './audit-log.ts';
import { type Db, instant, query } from './database.ts';
import { addNotification, dropPending } from './outbox.ts';
import type { Database } from './tables.ts';

/**
 * Writes the life of alerts, for every context: the rules' changes with their events and announcements, and people's
 * acknowledgements and silences. The caller's context takes the locks.
 */

/**
 * A kind of subject that has alerts, and where the database keeps it.
 *
 * @example { kind: 'PLANT', table: 'plants', column: 'plant_id' }
 */
export interface AlertSubjects {
  kind: SubjectKind;
  /** Its rows have `id` and `alerts_silenced_until`. */
  table: string;
  /** The column of `alerts` that refers to such a row. */
  column: string;
}

/** One subject of such a kind. */
export type AlertSubject = AlertSubjects & Subject;

/** The actor in `alert_events` of a change that no person made. */
const loopActor = 'loop';

/** JSON of the active alerts `a` for which `of` holds. */
export const activeAlertsOf = <Type extends string>(of: RawBuilder<unknown>) => sql<
  ActiveAlert<Type>[]
>`(
  select coalesce(json_agg(json_build_object('id', a.id::text, 'type', a.type, 'vendorAlarmCode', a.vendor_alarm_code,
    'deviceSn', a.device_sn, 'severity', a.severity, 'state', a.state, 'muted', a.muted,
    'startedAtMs', round(extract(epoch from a.started_at) * 1000),
    'lastSeenAtMs', round(extract(epoch from a.last_seen_at) * 1000),
    'ackedUntilMs', round(extract(epoch from a.acked_until) * 1000),
    'lastNotifiedAtMs', round(extract(epoch from a.last_notified_at) * 1000),
    'announcedNotBeforeMs', (select round(extract(epoch from min(n.not_before)) * 1000)
      from notifications n where n.alert_id = a.id and n.dropped_at is null and not n.is_end)) order by a.id), '[]'::json)
  from alerts a where ${of} and a.state in ('NEW', 'ACKED'))`;

/**
 * JSON of the alerts `a` for which `of` holds that ended in the 6 h before `now` or after `since`, or were announced in
 * those 6 h.
 */
export const endedAlertsOf = <Type extends string>(
  of: RawBuilder<unknown>,
  { now, since }: { now: RawBuilder<Date>; since: RawBuilder<Date> },
) => sql<EndedAlert<Type>[]>`(
  select coalesce(json_agg(json_build_object('type', a.type, 'vendorAlarmCode', a.vendor_alarm_code,
    'deviceSn', a.device_sn, 'severity', a.severity, 'startedAtMs', round(extract(epoch from a.started_at) * 1000),
    'resolvedAtMs', round(extract(epoch from a.resolved_at) * 1000),
    'lastNotifiedAtMs', round(extract(epoch from a.last_notified_at) * 1000)) order by a.id), '[]'::json)
  from alerts a where ${of} and a.state = 'RESOLVED'
    and (a.resolved_at > least(${now} - interval '6 hours', ${since})
      -- a vendor may tell of an end long ago: what was announced since is still remembered
      or a.last_notified_at > ${now} - interval '6 hours'))`;

/** Where and when changes are written. */
interface Writing {
  trx: Db;
  subject: AlertSubject;
  nowMs: number;
}

/**
 * Applies the rules' changes in their order, each with its event and announcement. The caller owns the transaction and
 * holds the subject's lock.
 *
 * @param before.active the alerts that the rules were told.
 * @throws Error if a change names an alert that is not among them.
 */
export async function applyAlertChanges(
  trx: Db,
  subject: AlertSubject,
  changes: readonly AlertChange[],
  { active, nowMs }: { active: readonly ActiveAlert[]; nowMs: number },
): Promise<void> {
  const writing = { trx, subject, nowMs };
  const known = new Map(active.map((alert) => [alert.id, alert]));
  for (const change of changes) {
    if (change.kind === 'RAISE' || change.kind === 'RECORD_ENDED') {
      await writeNew(writing, change);
      continue;
    }
    const alert = known.get(change.id);
    if (alert === undefined)
      throw new Error(
        `the rules changed alert ${change.id}, which is not an active one of ${subject.kind} ${subject.id}`,
      );
    await writeChange(writing, alert, change);
  }
}

type NewChange = Extract<AlertChange, { kind: 'RAISE' | 'RECORD_ENDED' }>;

async function writeNew(writing: Writing, change: NewChange): Promise<void> {
  const { severity, message } = change.alert;
  const id = await insertAlert(writing, change);
  const event = { alert_id: id, severity };
  await addEvent(writing, { ...event, to_state: 'NEW', reason: message });
  if (change.kind === 'RAISE') return announce(writing, { id, severity }, change.announce);
  const reason = 'began and ended between two answers';
  await addEvent(writing, { ...event, from_state: 'NEW', to_state: 'RESOLVED', reason });
}

async function insertAlert({ trx, subject, nowMs }: Writing, change: NewChange): Promise<number> {
  const { alert } = change;
  const row = {
    [subject.column]: subject.id,
    type: alert.type,
    vendor_alarm_code: alert.vendorAlarmCode,
    device_sn: alert.deviceSn,
    severity: alert.severity,
    state: change.kind === 'RAISE' ? 'NEW' : 'RESOLVED',
    message: alert.message,
    vendor_level: alert.vendorLevel,
    vendor_text: alert.vendorText,
    started_at: instant(alert.startedAtMs),
    last_seen_at: instant(nowMs),
    resolved_at: change.kind === 'RAISE' ? null : instant(change.endedAtMs),
    last_notified_at: instant(alert.lastNotifiedAtMs),
    muted: alert.muted,
  };
  // Only the context and the table's constraints know which column refers to the subject, and its types.
  const { id } = await trx
    .insertInto('alerts')
    .values(row as unknown as Insertable<Database['alerts']>)
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

async function writeChange(
  writing: Writing,
  alert: ActiveAlert,
  change: Exclude<AlertChange, NewChange>,
): Promise<void> {
  const { trx, nowMs } = writing;
  const id = Number(alert.id);
  const { severity } = change.kind === 'RISE' ? change : alert;
  const row = trx.updateTable('alerts').where('id', '=', id);
  const event = { alert_id: id, from_state: alert.state, severity };
  switch (change.kind) {
    case 'SEEN':
      await row
        .set({
          last_seen_at: instant(nowMs),
          ...(change.message === undefined ? {} : { message: change.message }),
        })
        .execute();
      return;
    case 'RISE':
      await row
        .set({
          severity,
          state: 'NEW',
          acked_until: null,
          last_seen_at: instant(nowMs),
          message: change.words.message,
          vendor_level: change.words.vendorLevel,
          vendor_text: change.words.vendorText,
        })
        .execute();
      await addEvent(writing, { ...event, to_state: 'NEW', reason: `rose to ${severity}` });
      // The announcement of the rise replaces those that are not due yet.
      if (change.announce !== null) await dropPending(trx, id, nowMs);
      await announce(writing, { id, severity }, change.announce);
      return;
    case 'ACK_ENDED':
      await row.set({ state: 'NEW', acked_until: null }).execute();
      await addEvent(writing, {
        ...event,
        to_state: 'NEW',
        reason: 'the acknowledgement has ended',
      });
      return;
    case 'REMIND':
      await announce(writing, { id, severity }, change.announce);
      return;
    case 'RESOLVE':
      await row
        .set({
          state: 'RESOLVED',
          resolved_at: sql`greatest(started_at, ${instant(change.atMs)})`,
          acked_until: null,
        })
        .execute();
      await addEvent(writing, { ...event, to_state: 'RESOLVED', reason: change.reason });
      if (change.dropPending) {
        await dropPending(trx, id, nowMs);
        // A dropped announcement told nobody, so the next alert of the key must not count it.
        await row
          .set({ last_notified_at: null })
          .where('last_notified_at', '>', instant(nowMs))
          .execute();
      }
      await announce(writing, { id, severity }, change.announce);
      return;
  }
}

/** @param event.actor the loop, unless given. */
async function addEvent(
  { trx, nowMs }: Pick<Writing, 'trx' | 'nowMs'>,
  event: Omit<Insertable<Database['alert_events']>, 'at' | 'actor'> & { actor?: string },
): Promise<void> {
  const row = { actor: loopActor, ...event, at: instant(nowMs) };
  await trx.insertInto('alert_events').values(row).execute();
}

async function announce(
  { trx, subject, nowMs }: Writing,
  { id, severity }: { id: number; severity: AlertSeverity },
  announcement: Announcement | null,
): Promise<void> {
  if (announcement === null) return;
  const isEnd = announcement.kind === 'RECOVERED';
  await addNotification(trx, { subject, alertId: id, severity, isEnd, ...announcement }, nowMs);
  if (isEnd) return;
  await trx
    .updateTable('alerts')
    .set({ last_notified_at: instant(announcement.notBeforeMs) })
    .where('id', '=', id)
    .execute();
}

export interface Ack {
  comment: string | null;
  /** Until when it holds; then the alert is NEW again. null: until the condition ends. */
  until: Date | null;
}

/** An alert after its acknowledgement. */
export interface Acked {
  id: number;
  severity: AlertSeverity;
  state: 'ACKED';
  acked_at: Date;
  acked_by: string;
  acked_until: Date | null;
  ack_comment: string | null;
}

/**
 * Acknowledges an active alert, with its event and its row of the audit log. An alert that is ACKED already takes the new
 * comment and time; that is no transition and leaves no event. A resolved one stays as it is. The caller owns the
 * transaction, holds the subject's lock and knows that the alert exists.
 */
export async function acknowledge(
  trx: Db,
  alertId: number,
  ack: Ack,
  { by, at }: { by: Decider; at: Date },
): Promise<{ kind: 'ACKED'; alert: Acked } | { kind: 'RESOLVED'; resolvedAt: Date | null }> {
  const before = await trx
    .selectFrom('alerts')
    .select(['state', 'severity', 'acked_by', 'acked_until', 'ack_comment', 'resolved_at'])
    .where('id', '=', alertId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const { severity, resolved_at: resolvedAt, ...old } = before;
  if (old.state === 'RESOLVED') return { kind: 'RESOLVED', resolvedAt };
  const fresh = {
    state: 'ACKED' as const,
    acked_by: by.actor,
    acked_until: ack.until,
    ack_comment: ack.comment,
  };
  await trx
    .updateTable('alerts')
    .set({ ...fresh, acked_at: at })
    .where('id', '=', alertId)
    .execute();
  if (old.state === 'NEW') {
    const event = { alert_id: alertId, severity, actor: by.actor, reason: ackReason(ack) };
    await addEvent(
      { trx, nowMs: at.getTime() },
      { ...event, from_state: 'NEW', to_state: 'ACKED' },
    );
  }
  const subject = { subjectType: 'ALERT', subjectId: String(alertId) } as const;
  const decision = { action: 'alert.ack', ...subject, before: old, after: fresh };
  await recordDecisions(trx, [decision], by, at);
  return { kind: 'ACKED', alert: { id: alertId, severity, acked_at: at, ...fresh } };
}

function ackReason({ comment, until }: Ack): string {
  const ends = until === null ? '' : ` until ${until.toISOString()}`;
  return `acknowledged${ends}${comment === null ? '' : `: ${comment}`}`;
}

/**
 * Silences subjects until a time, or ends their silence: their alerts stand and are counted, but nothing is announced. One
 * transaction with a row of the audit log for each, `plant.silence` or `plant.unsilence`.
 *
 * @param silence until null: unsilenced. @returns the ids of those that exist, in order.
 */
export async function silence(
  db: Kysely<Database>,
  { kind, table, ids }: AlertSubjects & { ids: readonly string[] },
  { until, reason }: { until: Date | null; reason: string | null },
  { by, at }: { by: Decider; at: Date },
): Promise<string[]> {
  return db.transaction().execute(async (trx) => {
    const rows = await query(trx)<{ id: string; alerts_silenced_until: Date | null }>`
      select id, alerts_silenced_until from ${sql.table(table)}
      where id = any(${ids}::text[]) order by id for update`;
    await query(trx)`
      update ${sql.table(table)} set alerts_silenced_until = ${until}
      where id = any(${ids}::text[])`;
    const decisions = rows.map(({ id, alerts_silenced_until }) => ({
      action: `${kind.toLowerCase()}.${until === null ? 'unsilence' : 'silence'}`,
      subjectType: kind,
      subjectId: id,
      before: { alerts_silenced_until },
      after: { alerts_silenced_until: until, reason },
    }));
    await recordDecisions(trx, decisions, by, at);
    return rows.map(({ id }) => id);
  });
}

/** An alert's events, oldest first. */
export async function listAlertEvents(
  db: Db,
  alertId: number,
): Promise<Selectable<Database['alert_events']>[]> {
  return db
    .selectFrom('alert_events')
    .selectAll()
    .where('alert_id', '=', alertId)
    .orderBy('id')
    .execute();
}

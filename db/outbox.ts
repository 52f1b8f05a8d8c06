import { sql } from 'kysely';

import type { AlertSeverity } from '../domain/alerts.ts';
import type { Subject, SubjectKind } from '../domain/subject.ts';
import { type Db, instant, query } from './database.ts';

/** The outbox: notifications, written in the transaction of the change that they announce. Writing one sends nothing. */

export interface Notification {
  subject: Subject;
  /** The alert that it announces; null if it is about something else. */
  alertId: number | null;
  /** The problem that it announces; absent if it is about something else. */
  problemId?: number;
  /** In capitals: `RAISED`, `FAILED`. */
  kind: Uppercase<string>;
  /** Whether it tells of an end: only whoever was told of the beginning hears of it. */
  isEnd: boolean;
  severity: AlertSeverity;
  /** Not sent before this instant, ms since the epoch. */
  notBeforeMs: number;
}

/** Writes a notification once: a repeated step that writes it again changes nothing. */
export async function addNotification(
  trx: Db,
  { subject, alertId, problemId, kind, isEnd, severity, notBeforeMs }: Notification,
  nowMs: number,
): Promise<void> {
  await trx
    .insertInto('notifications')
    .values({
      subject_kind: subject.kind,
      subject_id: subject.id,
      alert_id: alertId,
      problem_id: problemId ?? null,
      kind,
      is_end: isEnd,
      severity,
      created_at: instant(nowMs),
      not_before: instant(notBeforeMs),
      dropped_at: null,
      drop_reason: null,
      routed_at: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Drops the alert's notifications that are not due yet. */
export async function dropPending(trx: Db, alertId: number, nowMs: number): Promise<void> {
  await trx
    .updateTable('notifications')
    .set({ dropped_at: instant(nowMs), drop_reason: 'ENDED' })
    .where('alert_id', '=', alertId)
    .where('dropped_at', 'is', null)
    .where('not_before', '>', instant(nowMs))
    .execute();
}

/** A row of the outbox, as far as its words need it. */
export interface OutboxRow {
  id: number;
  subjectKind: SubjectKind;
  subjectId: string;
  alertId: number | null;
  problemId: number | null;
  /** What a beginning and its end have in common. */
  topic: string;
  kind: Uppercase<string>;
  /** Whether it tells of an end. */
  isEnd: boolean;
  severity: AlertSeverity;
  createdAtMs: number;
}

/** Rows of the outbox by their ids; one that is gone is absent. */
export async function findOutboxRows(db: Db, ids: readonly number[]): Promise<OutboxRow[]> {
  if (ids.length === 0) return [];
  return query(db)<OutboxRow>`
    select ${outboxColumns} from notifications n where n.id = any(${[...ids]}::bigint[]) order by n.id`;
}

/** The columns of an `OutboxRow`, of notifications `n`. */
export const outboxColumns = sql`n.id, n.subject_kind as "subjectKind", n.subject_id as "subjectId", n.alert_id as "alertId",
  n.problem_id as "problemId", n.topic, n.kind, n.is_end as "isEnd",
  n.severity, round(extract(epoch from n.created_at) * 1000)::bigint as "createdAtMs"`;

import type { AlertSeverity } from '../domain/alerts.ts';
import type { Subject } from '../domain/subject.ts';
import { type Db, instant } from './database.ts';

/** The outbox: what is to be said, written in the transaction of what it speaks of. Nothing is sent by writing it. */

export interface Notification {
  subject: Subject;
  /** The alert that it speaks of; null where there is none. */
  alertId: number | null;
  /** In capitals: `RAISED`, `FAILED`. */
  kind: Uppercase<string>;
  severity: AlertSeverity;
  /** Not sent before this instant, ms since the epoch. */
  notBeforeMs: number;
}

/** Writes it once: the same again of the same instant, by a step that is repeated, changes nothing. */
export async function addNotification(
  trx: Db,
  { subject, alertId, kind, severity, notBeforeMs }: Notification,
  nowMs: number,
): Promise<void> {
  await trx
    .insertInto('notifications')
    .values({
      subject_kind: subject.kind,
      subject_id: subject.id,
      alert_id: alertId,
      kind,
      severity,
      created_at: instant(nowMs),
      not_before: instant(notBeforeMs),
      dropped_at: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Takes back what was to be said of the alert and was not due yet. */
export async function dropPending(trx: Db, alertId: number, nowMs: number): Promise<void> {
  await trx
    .updateTable('notifications')
    .set({ dropped_at: instant(nowMs) })
    .where('alert_id', '=', alertId)
    .where('dropped_at', 'is', null)
    .where('not_before', '>', instant(nowMs))
    .execute();
}

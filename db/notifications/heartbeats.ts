import { deadAfterMs } from '../../domain/notifications/attempts.ts';
import { minuteMs } from '../../domain/zone.ts';
import { type Db, instant, query, queryRow } from '../database.ts';
import { addNotification } from '../outbox.ts';

/** The dead man's switch: each minute one row goes the way that every notification goes. */

/** The kind of subject of those rows; no route has lines of it. */
export const heartbeatKind = 'HEARTBEAT';
const everyMs = minuteMs;
/** A delivery that waits longer than this is a fault. */
const waitMsMax = 15 * minuteMs;

/** Writes the row of this minute into the outbox, if there is a channel for it, and deletes those of earlier days. */
export async function writeHeartbeat(trx: Db, nowMs: number): Promise<void> {
  const { wanted } = await queryRow(trx)<{ wanted: boolean }>`
    select exists (select from notification_channels where kind = 'HEARTBEAT' and removed_at is null)
      and not exists (select from notifications where subject_kind = ${heartbeatKind}
        and created_at > ${instant(nowMs - everyMs)}) as wanted`;
  if (!wanted) return;
  const minute = String(Math.floor(nowMs / everyMs));
  const subject = { kind: heartbeatKind, id: minute } as const;
  const row = { subject, alertId: null, kind: 'BEAT', isEnd: false, severity: 'YELLOW' } as const;
  await addNotification(trx, { ...row, notBeforeMs: nowMs }, nowMs);
  await query(trx)`
    delete from notifications where subject_kind = ${heartbeatKind} and created_at < ${instant(nowMs - deadAfterMs)}`;
  await query(trx)`
    with old as (select id from messages where kind = 'HEARTBEAT' and created_at < ${instant(nowMs - deadAfterMs)}),
      gone as (delete from deliveries where message_id in (select id from old) returning message_id)
    delete from messages where id in (select id from old)
      and not exists (select from deliveries d where d.message_id = messages.id)`;
}

/**
 * Makes a message of the rows that came through the outbox, with a delivery on each channel of heartbeats. One that still waits
 * is not sent any more: two at once would say nothing more than one.
 */
export async function deliverHeartbeat(trx: Db, nowMs: number): Promise<void> {
  const beats = await query(trx)<{ id: number }>`
    update notifications set routed_at = ${instant(nowMs)}
    where subject_kind = ${heartbeatKind} and routed_at is null and dropped_at is null and not_before <= ${instant(nowMs)}
    returning id`;
  if (beats.length === 0) return;
  await query(trx)`
    update deliveries d set state = 'SUPPRESSED', finished_at = ${instant(nowMs)}, answer = 'a newer one follows'
    from notification_channels c
    where c.id = d.channel_id and c.kind = 'HEARTBEAT' and d.state in ('PENDING', 'FAILED')`;
  await query(trx)`
    with channels as (
      select id from notification_channels where kind = 'HEARTBEAT' and removed_at is null),
    message as (
      insert into messages (route_id, kind, created_at)
      select null, 'HEARTBEAT', ${instant(nowMs)} where exists (select from channels) returning id)
    insert into deliveries (message_id, channel_id, recipient, next_attempt_at, created_at)
    select message.id, channels.id, '', ${instant(nowMs)}, ${instant(nowMs)} from message, channels`;
}

/** How long the longest waiting delivery of another channel waits, as a sentence; null: none waits too long. */
export async function findWaitingTooLong(db: Db, nowMs: number): Promise<string | null> {
  const { count } = await queryRow(db)<{ count: number }>`
    select count(*)::int as count from deliveries d join notification_channels c on c.id = d.channel_id
    where c.kind <> 'HEARTBEAT' and c.removed_at is null and d.state in ('PENDING', 'SENDING', 'FAILED')
      and d.created_at < ${instant(nowMs - waitMsMax)}`;
  return count === 0
    ? null
    : `${count} deliveries have waited for more than ${waitMsMax / minuteMs} min`;
}

import type { MessageKind } from './tables.ts';
import { type Db, instant, ms, query, queryRow } from '../database.ts';
import { outboxColumns, type OutboxRow } from '../outbox.ts';
import { heartbeatKind } from './heartbeats.ts';
import type { Route } from './routes.ts';

/** From the outbox to messages: which notifications have become lines of which routes, and lines messages. */

/**
 * Begins a step of composing; another worker's step of the same moment waits. The lock ends with the transaction.
 */
export async function lockComposing(trx: Db): Promise<void> {
  await query(trx)`select pg_advisory_xact_lock(hashtext('heliograph compose notifications'))`;
}

/** Drops what should have been told before `dueBeforeMs`: it is old news. @returns how many. */
export async function dropTooOld(trx: Db, dueBeforeMs: number, nowMs: number): Promise<number> {
  const result = await trx
    .updateTable('notifications')
    .set({ dropped_at: instant(nowMs), drop_reason: 'TOO_OLD' })
    .where('routed_at', 'is', null)
    .where('dropped_at', 'is', null)
    .where('not_before', '<', instant(dueBeforeMs))
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

/** Due notifications that no route has looked at, oldest first; heartbeats go their own way. */
export async function findUnrouted(trx: Db, nowMs: number, limit: number): Promise<OutboxRow[]> {
  return query(trx)<OutboxRow>`
    select ${outboxColumns} from notifications n
    where n.routed_at is null and n.dropped_at is null and n.not_before <= ${instant(nowMs)}
      and n.subject_kind <> ${heartbeatKind}
    order by n.id limit ${limit}`;
}

/** When the next notification or line falls due after now, ms; null: none does. */
export async function nextDueMs(db: Db, nowMs: number): Promise<number | null> {
  const now = instant(nowMs);
  const { at } = await queryRow(db)<{ at: Date | null }>`
    select least(
      (select min(not_before) from notifications where routed_at is null and dropped_at is null and not_before > ${now}),
      (select min(due_at) from notification_lines
        where message_id is null and suppressed_at is null and due_at > ${now})) as at`;
  return ms(at);
}

/** The newest notification of each thing that is open now: what a new route begins with. */
export async function findOpenTopics(trx: Db): Promise<OutboxRow[]> {
  return query(trx)<OutboxRow>`
    select distinct on (n.topic) ${outboxColumns} from notifications n
    left join alerts a on a.id = n.alert_id
    left join problems p on p.id = n.problem_id
    where not n.is_end
      and (n.alert_id is null or a.state in ('NEW', 'ACKED'))
      and (n.problem_id is null or p.state <> 'CLOSED')
      and (n.alert_id is not null or n.problem_id is not null or n.created_at > now() - interval '30 days')
    order by n.topic, n.id desc`;
}

export interface NewLine {
  routeId: number;
  notificationId: number;
  dueAtMs: number;
  secondCall?: boolean;
}

export async function insertLines(trx: Db, lines: readonly NewLine[]): Promise<void> {
  if (lines.length === 0) return;
  await query(trx)`
    insert into notification_lines (route_id, notification_id, due_at, second_call)
    select l.route_id, l.notification_id, to_timestamp(l.due_ms / 1000.0), l.second_call
    from jsonb_to_recordset(${JSON.stringify(
      lines.map((line) => ({
        route_id: line.routeId,
        notification_id: line.notificationId,
        due_ms: line.dueAtMs,
        second_call: line.secondCall ?? false,
      })),
    )}::jsonb) as l (route_id bigint, notification_id bigint, due_ms double precision, second_call boolean)
    on conflict (route_id, notification_id) do nothing`;
}

/** Says of notifications that every route has its line of them. */
export async function markRouted(trx: Db, ids: readonly number[], nowMs: number): Promise<void> {
  if (ids.length === 0) return;
  await query(trx)`
    update notifications set routed_at = ${instant(nowMs)} where id = any(${[...ids]}::bigint[])`;
}

/** Drops notifications of what has ended before it was told. */
export async function dropEnded(trx: Db, ids: readonly number[], nowMs: number): Promise<void> {
  if (ids.length === 0) return;
  await query(trx)`
    update notifications set dropped_at = ${instant(nowMs)}, drop_reason = 'ENDED' where id = any(${[...ids]}::bigint[])`;
}

/** A line of a beginning that a route already has, on the same topic as an end. */
export interface TopicLine {
  topic: string;
  routeId: number;
  /** Whether it is part of a message. */
  isWritten: boolean;
}

/** The lines of beginnings that routes have of these topics; suppressed ones told nobody and are left out. */
export async function findTopicLines(trx: Db, topics: readonly string[]): Promise<TopicLine[]> {
  if (topics.length === 0) return [];
  return query(trx)<TopicLine>`
    select n.topic, l.route_id as "routeId", bool_or(l.message_id is not null) as "isWritten"
    from notification_lines l join notifications n on n.id = l.notification_id
    where n.topic = any(${[...topics]}::text[]) and not n.is_end and l.suppressed_at is null
    group by n.topic, l.route_id`;
}

/** A line that waits for its message. */
export interface Waiting extends OutboxRow {
  lineId: number;
  routeId: number;
  dueAtMs: number;
  secondCall: boolean;
}

export async function findWaiting(trx: Db, nowMs: number): Promise<Waiting[]> {
  return query(trx)<Waiting>`
    select l.id as "lineId", l.route_id as "routeId", l.second_call as "secondCall",
      round(extract(epoch from l.due_at) * 1000)::bigint as "dueAtMs", ${outboxColumns}
    from notification_lines l join notifications n on n.id = l.notification_id
    where l.message_id is null and l.suppressed_at is null and l.due_at <= ${instant(nowMs)}
    order by l.id`;
}

export async function suppressLines(
  trx: Db,
  lineIds: readonly number[],
  reason: 'ENDED' | 'ACKNOWLEDGED' | 'REPLACED',
  nowMs: number,
): Promise<void> {
  if (lineIds.length === 0) return;
  await query(trx)`
    update notification_lines set suppressed_at = ${instant(nowMs)}, suppressed_reason = ${reason}
    where id = any(${[...lineIds]}::bigint[])`;
}

/** How many messages, without digests, each route has written since. */
export async function countMessages(trx: Db, sinceMs: number): Promise<Map<number, number>> {
  const rows = await query(trx)<{ routeId: number; count: number }>`
    select route_id as "routeId", count(*)::int as count from messages
    where route_id is not null and kind <> 'DIGEST' and created_at > ${instant(sinceMs)} group by route_id`;
  return new Map(rows.map(({ routeId, count }) => [routeId, count]));
}

/** Writes a message of a route with its lines, and a delivery to each recipient. @returns the message's id. */
export async function writeMessage(
  trx: Db,
  route: Pick<Route, 'id' | 'channelId' | 'recipients'>,
  message: {
    kind: Extract<MessageKind, 'ALERTS' | 'SUMMARY' | 'DIGEST'>;
    lineIds: readonly number[];
    remark: string | null;
    brief?: readonly string[];
  },
  nowMs: number,
): Promise<number> {
  const { id } = await trx
    .insertInto('messages')
    .values({
      route_id: route.id,
      kind: message.kind,
      remark: message.remark,
      brief: [...(message.brief ?? [])],
      created_at: new Date(nowMs),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await query(trx)`
    update notification_lines set message_id = ${id} where id = any(${[...message.lineIds]}::bigint[])`;
  const now = new Date(nowMs);
  const delivery = {
    message_id: id,
    channel_id: route.channelId,
    next_attempt_at: now,
    created_at: now,
  };
  const deliveries = route.recipients.map((recipient) => ({ ...delivery, recipient }));
  if (deliveries.length > 0) await trx.insertInto('deliveries').values(deliveries).execute();
  return id;
}

/** What a message is about, for whoever sends it: its notifications, with the sense that each had when it was written. */
export async function findMessageRows(db: Db, messageId: number): Promise<OutboxRow[]> {
  return query(db)<OutboxRow>`
    select ${outboxColumns} from notification_lines l join notifications n on n.id = l.notification_id
    where l.message_id = ${messageId} order by n.id`;
}

/** Red lines that were sent so long ago that their second route must hear of them, and has not. */
export async function findSecondCalls(
  trx: Db,
  nowMs: number,
): Promise<(OutboxRow & { secondRouteId: number })[]> {
  return query(trx)<OutboxRow & { secondRouteId: number }>`
    select distinct on (n.topic, r.second_route_id) r.second_route_id as "secondRouteId", ${outboxColumns}
    from notification_routes r
    join notification_lines l on l.route_id = r.id and l.message_id is not null
    join notifications n on n.id = l.notification_id
    join deliveries d on d.message_id = l.message_id and d.state = 'SENT'
    where r.removed_at is null and r.second_route_id is not null and n.severity = 'RED' and not n.is_end
      and not l.second_call
      and d.finished_at <= ${instant(nowMs)}::timestamptz - make_interval(secs => r.second_call_after_s)
      and d.finished_at > ${instant(nowMs)}::timestamptz - interval '24 hours'
      and not exists (select from notification_lines other join notifications o on o.id = other.notification_id
        where other.route_id = r.second_route_id and o.topic = n.topic and not o.is_end
          and other.suppressed_at is null)
    order by n.topic, r.second_route_id, n.id desc`;
}

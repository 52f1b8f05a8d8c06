import { type Kysely, sql } from 'kysely';

import { dayMs } from '../../domain/zone.ts';
import { type Decider, recordDecisions } from '../audit-log.ts';
import { type Db, instant, query, queryRow } from '../database.ts';
import type { Database } from '../tables.ts';
import { heartbeatKind } from './heartbeats.ts';

/**
 * Removes old notifications while others are sent: messages whose deliveries have all ended, with their deliveries, attempts
 * and lines; notifications that were told or dropped; problems that are closed. Whatever waits, and whatever was said of
 * something that is still open, stays: its end is told to whoever heard of its beginning, on the same way and in one thread.
 */

/** Messages, notifications or problems of one transaction. */
const batchSize = 500;
/** What is neither an alert nor a problem and says no end is taken for open for so long, as a new route does. */
const openMs = 30 * dayMs;

/** Numbers of rows. */
export interface NotificationCounts {
  deliveries: number;
  messages: number;
  lines: number;
  notifications: number;
  problems: number;
}

export interface NotificationsPlan {
  /** Everything before this instant is removed, ms. */
  lineMs: number;
  remove: NotificationCounts;
  /** Older rows that stay, because they wait or something of them is still open. */
  stay: Pick<NotificationCounts, 'messages' | 'notifications'>;
}

/** Since when it is known who was told, as the last prune left it; null: since the beginning. */
export async function findToldFrom(db: Db): Promise<Date | null> {
  const [line] = await query(db)<{ from_at: Date }>`select from_at from notifications_kept`;
  return line?.from_at ?? null;
}

/**
 * Counts what is older than `lineMs`, or than the line of an earlier prune if that is later, and remembers it in temporary
 * tables for `pruneNotifications`. The session must be one connection.
 */
export async function planNotifications(
  session: Kysely<Database>,
  lineMs: number,
  nowMs: number,
): Promise<NotificationsPlan> {
  const line = Math.max(lineMs, (await findToldFrom(session))?.getTime() ?? -Infinity);
  await dropPlan(session);
  await rememberOpen(session, line, nowMs);
  await rememberOld(session, line);
  const remove = await queryRow(session)<NotificationCounts>`
    select
      (select count(*)::int from old_messages) as messages,
      (select count(*)::int from deliveries where message_id in (select id from old_messages)) as deliveries,
      (select count(*)::int from notification_lines l where l.message_id in (select id from old_messages)
        or l.suppressed_at is not null and l.message_id is null
          and l.notification_id in (select id from old_notifications)) as lines,
      (select count(*)::int from old_notifications) as notifications,
      (select count(*)::int from old_problems) as problems`;
  const old = await queryRow(session)<NotificationsPlan['stay']>`
    select (select count(*)::int from messages where created_at < ${instant(line)} and kind <> 'HEARTBEAT') as messages,
      (select count(*)::int from notifications
        where created_at < ${instant(line)} and subject_kind <> ${heartbeatKind}) as notifications`;
  return {
    lineMs: line,
    remove,
    stay: {
      messages: old.messages - remove.messages,
      notifications: old.notifications - remove.notifications,
    },
  };
}

/** Forgets the plan. */
export async function dropPlan(session: Kysely<Database>): Promise<void> {
  for (const table of ['open_topics', 'old_messages', 'old_notifications', 'old_problems'])
    await query(session)`drop table if exists ${sql.table(`pg_temp.${table}`)}`;
}

/** What is still open, or was until after the line, or of which something waits. */
async function rememberOpen(session: Db, line: number, nowMs: number): Promise<void> {
  await query(session)`create temp table open_topics (topic text primary key)`;
  await query(session)`
    insert into open_topics
    select distinct n.topic from notifications n
    left join alerts a on a.id = n.alert_id
    left join problems p on p.id = n.problem_id
    left join brand_incidents i on n.subject_kind = 'INCIDENT' and i.id::text = n.subject_id
    where n.created_at >= ${instant(line)} or n.routed_at is null and n.dropped_at is null
      or a.state in ('NEW', 'ACKED') or a.resolved_at >= ${instant(line)}
      or p.state <> 'CLOSED' or p.closed_at >= ${instant(line)}
      or i.id is not null and (i.closed_at is null or i.closed_at >= ${instant(line)})
      or n.alert_id is null and n.problem_id is null and n.created_at >= ${instant(nowMs - openMs)}`;
}

async function rememberOld(session: Db, line: number): Promise<void> {
  await query(session)`create temp table old_messages (id bigint primary key)`;
  await query(session)`
    insert into old_messages
    select m.id from messages m
    where m.created_at < ${instant(line)} and m.kind <> 'HEARTBEAT'
      and not exists (select from deliveries d where d.message_id = m.id
        and (d.finished_at is null or d.finished_at >= ${instant(line)}))
      and not exists (select from notification_lines l join notifications n on n.id = l.notification_id
        where l.message_id = m.id and n.topic in (select topic from open_topics))`;
  await query(session)`create temp table old_notifications (id bigint primary key)`;
  await query(session)`
    insert into old_notifications
    select n.id from notifications n
    where n.created_at < ${instant(line)} and n.subject_kind <> ${heartbeatKind}
      and n.topic not in (select topic from open_topics)
      and not exists (select from notification_lines l where l.notification_id = n.id and case
        when l.message_id is null then l.suppressed_at is null
        else l.message_id not in (select id from old_messages) end)`;
  await query(session)`create temp table old_problems (id bigint primary key)`;
  await query(session)`
    insert into old_problems
    select p.id from problems p
    where p.state = 'CLOSED' and p.closed_at < ${instant(line)}
      and not exists (select from notifications n where n.problem_id = p.id
        and n.id not in (select id from old_notifications))`;
}

/**
 * Removes what `planNotifications` counted, in short transactions. It first sets the line and writes the audit log. A delivery
 * that a person has tried again meanwhile keeps its message. An interrupted prune can be run again.
 */
export async function pruneNotifications(
  session: Kysely<Database>,
  plan: NotificationsPlan,
  decision: { by: Decider; at: Date; olderThanDays: number },
): Promise<NotificationCounts> {
  await setLine(session, plan, decision);
  const removed = { deliveries: 0, messages: 0, lines: 0, notifications: 0, problems: 0 };
  const add = (counts: Partial<NotificationCounts>) => {
    for (const [name, count] of Object.entries(counts))
      removed[name as keyof NotificationCounts] += count;
  };
  await inBatches(session, 'old_messages', async (ids) => add(await removeMessages(session, ids)));
  await inBatches(session, 'old_notifications', async (ids) =>
    add(await removeNotifications(session, ids)),
  );
  await inBatches(session, 'old_problems', async (ids) => add(await removeProblems(session, ids)));
  return removed;
}

async function setLine(
  session: Kysely<Database>,
  { lineMs, remove }: NotificationsPlan,
  { by, at, olderThanDays }: { by: Decider; at: Date; olderThanDays: number },
): Promise<void> {
  await session.transaction().execute(async (trx) => {
    const before = await findToldFrom(trx);
    await query(trx)`
      insert into notifications_kept as k (from_at) values (${instant(lineMs)})
      on conflict (only_row) do update set from_at = greatest(k.from_at, excluded.from_at)`;
    const keptFrom = instant(lineMs).toISOString();
    const decided = {
      action: 'notifications.prune',
      subjectType: 'NOTIFICATIONS',
      subjectId: 'notifications',
      before: { kept_from: before?.toISOString() ?? null },
      after: { kept_from: keptFrom, older_than_days: olderThanDays, ...remove },
    } as const;
    await recordDecisions(trx, [decided], by, at);
  });
}

/** Calls `remove` with the ids of a temporary table, and pauses after each batch for as long as it took. */
async function inBatches(
  session: Db,
  table: string,
  remove: (ids: number[]) => Promise<void>,
): Promise<void> {
  for (let after = 0; ;) {
    const rows = await query(session)<{ id: number }>`
      select id from ${sql.table(table)} where id > ${after} order by id limit ${batchSize}`;
    const ids = rows.map(({ id }) => id);
    const last = ids.at(-1);
    if (last === undefined) return;
    const beganAt = performance.now();
    await remove(ids);
    after = last;
    await new Promise((resolve) => setTimeout(resolve, performance.now() - beganAt));
  }
}

async function removeMessages(
  session: Kysely<Database>,
  ids: readonly number[],
): Promise<Partial<NotificationCounts>> {
  return session.transaction().execute(async (trx) => {
    const waiting = await query(trx)<{ id: number; ended: boolean }>`
      select message_id as id, finished_at is not null as ended from deliveries
      where message_id = any(${[...ids]}::bigint[]) order by id for update`;
    const again = new Set(waiting.filter(({ ended }) => !ended).map(({ id }) => id));
    const gone = ids.filter((id) => !again.has(id));
    return queryRow(trx)<Partial<NotificationCounts>>`
      with d as (delete from deliveries where message_id = any(${gone}::bigint[]) returning 1),
        l as (delete from notification_lines where message_id = any(${gone}::bigint[]) returning 1),
        m as (delete from messages where id = any(${gone}::bigint[]) returning 1)
      select (select count(*)::int from d) as deliveries, (select count(*)::int from l) as lines,
        (select count(*)::int from m) as messages`;
  });
}

/** Lines that told nobody go with their notification. */
async function removeNotifications(
  session: Db,
  ids: readonly number[],
): Promise<Partial<NotificationCounts>> {
  return queryRow(session)<Partial<NotificationCounts>>`
    with old as (
      select n.id from notifications n where n.id = any(${[...ids]}::bigint[])
        and not exists (select from notification_lines l
          where l.notification_id = n.id and (l.message_id is not null or l.suppressed_at is null))),
      l as (delete from notification_lines where notification_id in (select id from old) returning 1),
      n as (delete from notifications where id in (select id from old) returning 1)
    select (select count(*)::int from l) as lines, (select count(*)::int from n) as notifications`;
}

async function removeProblems(
  session: Db,
  ids: readonly number[],
): Promise<Partial<NotificationCounts>> {
  return queryRow(session)<Partial<NotificationCounts>>`
    with p as (
      delete from problems p where p.id = any(${[...ids]}::bigint[]) and p.state = 'CLOSED'
        and not exists (select from notifications n where n.problem_id = p.id) returning 1)
    select count(*)::int as problems from p`;
}

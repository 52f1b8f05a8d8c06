import { sql } from 'kysely';

import type { AlertSeverity } from '../../domain/alerts.ts';
import type { ChannelKind } from '../../domain/notifications/message.ts';
import type { SubjectKind } from '../../domain/subject.ts';
import { type Db, instant, query, queryRow } from '../database.ts';
import { readPage } from '../page.ts';
import { wakeSenders } from './listen.ts';
import { findToldFrom } from './prune.ts';
import type { DeliveryState, MessageKind } from './tables.ts';

/** Deliveries as people see them: what became of each message for each recipient, and its attempts. */

export const deliveryStates = [
  'PENDING',
  'SENDING',
  'SENT',
  'FAILED',
  'DEAD',
  'SUPPRESSED',
] as const satisfies readonly DeliveryState[];

export interface AttemptView {
  attempt: number;
  at: Date;
  ended_at: Date | null;
  /** null: it runs, or its worker was lost. */
  outcome: string | null;
  answer: string | null;
}

/** What a message tells: one of its lines. */
export interface ToldLine {
  notification_id: number;
  kind: string;
  severity: AlertSeverity;
  subject_kind: SubjectKind;
  subject_id: string;
}

export interface DeliveryView {
  id: number;
  state: DeliveryState;
  channel_id: number;
  channel_name: string;
  channel_kind: ChannelKind;
  /** An e-mail address; empty where the channel has one receiver. */
  recipient: string;
  message_kind: MessageKind;
  /** null: a test, or a heartbeat. */
  route_id: number | null;
  route_name: string | null;
  created_at: Date;
  next_attempt_at: Date;
  finished_at: Date | null;
  /** What the server said, or why it failed or was not sent. */
  answer: string | null;
  attempts: AttemptView[];
  /** Number of lines; `lines` holds the first of them. */
  line_count: number;
  lines: ToldLine[];
}

/** Which deliveries to read; an absent field does not restrict. */
export interface DeliveryFilter {
  id?: number | undefined;
  state?: DeliveryState | undefined;
  since?: Date | undefined;
  channelId?: number | undefined;
  /** Those that told of one of these alerts. */
  alertId?: number | undefined;
}

/** The lines of a message that its delivery shows. */
const linesShown = 20;

type StoredDelivery = Omit<DeliveryView, 'attempts'> & {
  attempts: (Omit<AttemptView, 'at' | 'ended_at'> & { at: string; ended_at: string | null })[];
};

/** Deliveries, the newest first; heartbeats only where they are asked for by id. */
export async function listDeliveries(
  db: Db,
  filter: DeliveryFilter,
  page: { beforeId: number | null; limit: number },
): Promise<{ deliveries: DeliveryView[]; nextBeforeId: number | null }> {
  const { id, state, since, channelId, alertId } = filter;
  const conditions = [
    id === undefined ? sql`m.kind <> 'HEARTBEAT'` : sql`d.id = ${id}`,
    ...(state === undefined ? [] : [sql`d.state = ${state}`]),
    ...(since === undefined ? [] : [sql`d.created_at >= ${since}`]),
    ...(channelId === undefined ? [] : [sql`d.channel_id = ${channelId}`]),
    ...(page.beforeId === null ? [] : [sql`d.id < ${page.beforeId}`]),
    ...(alertId === undefined
      ? []
      : [
          sql`d.message_id in (select l.message_id from notification_lines l
            join notifications n on n.id = l.notification_id where n.alert_id = ${alertId})`,
        ]),
  ];
  const { rows, nextAfter } = await readPage(
    page.limit,
    (limit) => query(db)<StoredDelivery>`
    select d.id, d.state, d.channel_id, c.name as channel_name, c.kind as channel_kind, d.recipient,
      m.kind as message_kind, m.route_id, r.name as route_name, d.created_at, d.next_attempt_at, d.finished_at, d.answer,
      coalesce((select json_agg(a order by a.attempt) from (
        select attempt, at, ended_at, outcome, answer from delivery_attempts where delivery_id = d.id) a), '[]') as attempts,
      (select count(*)::int from notification_lines where message_id = d.message_id) as line_count,
      coalesce((select json_agg(n) from (
        select n.id as notification_id, n.kind, n.severity, n.subject_kind, n.subject_id
        from notification_lines l join notifications n on n.id = l.notification_id
        where l.message_id = d.message_id order by n.severity, n.id limit ${linesShown}) n), '[]') as lines
    from deliveries d join messages m on m.id = d.message_id join notification_channels c on c.id = d.channel_id
    left join notification_routes r on r.id = m.route_id
    where ${sql.join(conditions, sql` and `)} order by d.id desc limit ${limit}`,
  );
  return { deliveries: rows.map(deliveryOf), nextBeforeId: nextAfter?.id ?? null };
}

function deliveryOf({ attempts, ...row }: StoredDelivery): DeliveryView {
  const asDate = (text: string | null) => (text === null ? null : new Date(text));
  return {
    ...row,
    attempts: attempts.map((attempt) => ({
      ...attempt,
      at: new Date(attempt.at),
      ended_at: asDate(attempt.ended_at),
    })),
  };
}

export async function findDelivery(db: Db, id: number): Promise<DeliveryView | undefined> {
  const { deliveries } = await listDeliveries(db, { id }, { beforeId: null, limit: 1 });
  return deliveries[0];
}

/** Who was told of an alert. */
export interface Told {
  alert_id: number;
  /** RAISED, ESCALATED, REMINDER, RECOVERED. */
  kind: string;
  severity: AlertSeverity;
  channel_name: string;
  channel_kind: ChannelKind;
  recipient: string;
  /** SENT, or DEAD: it was given up. */
  state: DeliveryState;
  at: Date;
}

/** Who was told of these alerts, and since when that is known. */
export async function readTold(
  db: Db,
  alertIds: readonly number[],
): Promise<{ lines: Told[]; knownFrom: Date | null }> {
  const [lines, knownFrom] = await Promise.all([findTold(db, alertIds), findToldFrom(db)]);
  return { lines, knownFrom };
}

/** Who was told of these alerts, when and on which channel; and who could not be. The oldest first. */
async function findTold(db: Db, alertIds: readonly number[]): Promise<Told[]> {
  if (alertIds.length === 0) return [];
  return query(db)<Told>`
    select n.alert_id, n.kind, n.severity, c.name as channel_name, c.kind as channel_kind, d.recipient, d.state,
      d.finished_at as at
    from notifications n join notification_lines l on l.notification_id = n.id
    join deliveries d on d.message_id = l.message_id join notification_channels c on c.id = d.channel_id
    where n.alert_id = any(${[...alertIds]}::bigint[]) and d.state in ('SENT', 'DEAD')
    order by d.finished_at, d.id`;
}

/**
 * Makes a delivery that failed or was given up due now.
 *
 * @returns the state that it had; null: it was neither FAILED nor DEAD, and nothing was changed.
 */
export async function retryDelivery(
  trx: Db,
  id: number,
  nowMs: number,
): Promise<DeliveryState | null> {
  const [row] = await query(trx)<{ state: DeliveryState }>`
    update deliveries d set state = 'PENDING', next_attempt_at = ${instant(nowMs)}, finished_at = null
    from (select id, state from deliveries where id = ${id} for update) before
    where d.id = before.id and before.state in ('FAILED', 'DEAD') returning before.state`;
  if (row !== undefined) await wakeSenders(trx);
  return row?.state ?? null;
}

/** Writes a test message to one receiver. @returns the id of its delivery. */
export async function insertTest(
  trx: Db,
  { channelId, recipient }: { channelId: number; recipient: string },
  nowMs: number,
): Promise<number> {
  const { id } = await queryRow(trx)<{ id: number }>`
    with message as (
      insert into messages (kind, created_at) values ('TEST', ${instant(nowMs)}) returning id)
    insert into deliveries (message_id, channel_id, recipient, next_attempt_at, created_at)
    select id, ${channelId}, ${recipient}, ${instant(nowMs)}, ${instant(nowMs)} from message returning id`;
  await wakeSenders(trx);
  return id;
}

import { type Kysely, sql } from 'kysely';

import { deadAfterMs, leaseMs, nextAttemptAtMs } from '../../domain/notifications/attempts.ts';
import type { ChannelKind } from '../../domain/notifications/message.ts';
import { minuteMs } from '../../domain/zone.ts';
import { type Db, instant, ms, query, queryRow } from '../database.ts';
import type { Database } from '../tables.ts';
import type { MessageKind } from './tables.ts';

/** Deliveries: claimed with a lease, tried, ended. An attempt that is no longer the current one changes nothing. */

/** A claimed delivery. */
export interface Claim {
  deliveryId: number;
  attempt: number;
  messageId: number;
  messageKind: MessageKind;
  /** null: the message belongs to no route. */
  routeId: number | null;
  channelId: number;
  recipient: string;
  createdAtMs: number;
  remark: string | null;
  brief: readonly string[];
}

/**
 * Claims the oldest due delivery of a channel kind: SENDING, with the attempt's number and a lease. Another worker's claim is
 * passed over, and one whose lease has ended is taken. The caller's statement commits at once.
 *
 * @returns null if none is due.
 */
export async function claimDelivery(
  db: Db,
  kind: ChannelKind,
  nowMs: number,
): Promise<Claim | null> {
  const [claim] = await query(db)<Claim>`
    with due as (
      select d.id from deliveries d join notification_channels c on c.id = d.channel_id
      where c.kind = ${kind} and c.removed_at is null
        and (c.next_send_at is null or c.next_send_at <= ${instant(nowMs)})
        and (d.state in ('PENDING', 'FAILED') and d.next_attempt_at <= ${instant(nowMs)}
          or d.state = 'SENDING' and d.leased_until <= ${instant(nowMs)})
      order by d.next_attempt_at, d.id limit 1
      for update of d skip locked),
    claimed as (
      update deliveries d set state = 'SENDING', attempts = d.attempts + 1, leased_until = ${instant(nowMs + leaseMs)}
      from due where d.id = due.id returning d.*),
    attempted as (
      insert into delivery_attempts (delivery_id, attempt, at)
      select id, attempts, ${instant(nowMs)} from claimed)
    select d.id as "deliveryId", d.attempts as attempt, d.message_id as "messageId", m.kind as "messageKind",
      m.route_id as "routeId", d.channel_id as "channelId", d.recipient, m.remark, m.brief,
      round(extract(epoch from d.created_at) * 1000)::bigint as "createdAtMs"
    from claimed d join messages m on m.id = d.message_id`;
  return claim ?? null;
}

/** From now on the message may have arrived. @returns false if the attempt is no longer the current one: it must not send. */
export async function markTried(db: Db, claim: Claim, nowMs: number): Promise<boolean> {
  const result = await db
    .updateTable('deliveries')
    .set((eb) => ({ tried_at: eb.fn.coalesce('tried_at', sql<Date>`${instant(nowMs)}`) }))
    .where('id', '=', claim.deliveryId)
    .where('attempts', '=', claim.attempt)
    .where('state', '=', 'SENDING')
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** How an attempt ended. */
export type Ending =
  | { outcome: 'SENT'; answer: string }
  | { outcome: 'RECIPIENT_REFUSED'; answer: string }
  | { outcome: 'RETRY'; answer: string; retryAfterMs?: number }
  | { outcome: 'CHANNEL_REFUSED'; answer: string }
  /** Nothing was sent: what it tells has ended, or the recipient heard nothing of its beginning. */
  | { outcome: 'SUPPRESSED'; answer: string };

/** How long a channel that refuses us is left alone, ms. */
const channelRefusedWaitMs = 5 * minuteMs;

/**
 * Ends an attempt: its row, the delivery's state, the channel's record. A retry waits as `attempts.ts` says; a receiver that
 * asks for a pause, or refuses us altogether, closes the whole channel for a while, and that costs its deliveries no time.
 *
 * @returns false if the attempt is no longer the current one: then another one decides.
 */
export async function endAttempt(
  db: Kysely<Database>,
  claim: Claim,
  ending: Ending,
  nowMs: number,
): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const { outcome, answer } = ending;
    await trx
      .updateTable('delivery_attempts')
      .set({ ended_at: instant(nowMs), outcome, answer })
      .where('delivery_id', '=', claim.deliveryId)
      .where('attempt', '=', claim.attempt)
      .execute();
    const result = await trx
      .updateTable('deliveries')
      .set({ ...stateAfter(claim, ending, nowMs), leased_until: null, answer })
      .where('id', '=', claim.deliveryId)
      .where('attempts', '=', claim.attempt)
      .where('state', '=', 'SENDING')
      .executeTakeFirst();
    if (result.numUpdatedRows === 0n) return false;
    await recordOnChannel(trx, claim.channelId, ending, nowMs);
    return true;
  });
}

function stateAfter(claim: Claim, ending: Ending, nowMs: number) {
  const finished_at = instant(nowMs);
  switch (ending.outcome) {
    case 'SENT':
      return { state: 'SENT', finished_at } as const;
    case 'SUPPRESSED':
      return { state: 'SUPPRESSED', finished_at } as const;
    case 'RECIPIENT_REFUSED':
      return { state: 'DEAD', finished_at } as const;
    case 'CHANNEL_REFUSED': {
      const isDead = nowMs + channelRefusedWaitMs - claim.createdAtMs > deadAfterMs;
      return isDead
        ? ({ state: 'DEAD', finished_at } as const)
        : ({ state: 'FAILED', next_attempt_at: new Date(nowMs + channelRefusedWaitMs) } as const);
    }
    case 'RETRY': {
      const { attempt: attempts, createdAtMs } = claim;
      const { retryAfterMs = 0 } = ending;
      const atMs = nextAttemptAtMs({ attempts, createdAtMs, retryAfterMs }, nowMs);
      return atMs === null
        ? ({ state: 'DEAD', finished_at } as const)
        : ({ state: 'FAILED', next_attempt_at: new Date(atMs) } as const);
    }
  }
}

async function recordOnChannel(
  trx: Db,
  channelId: number,
  ending: Ending,
  nowMs: number,
): Promise<void> {
  const now = instant(nowMs);
  const channel = trx.updateTable('notification_channels').where('id', '=', channelId);
  if (ending.outcome === 'SENT') {
    await channel.set({ last_success_at: now, failing_since: null }).execute();
    return;
  }
  // What one recipient's server says of that recipient tells nothing about the channel.
  if (ending.outcome === 'SUPPRESSED' || ending.outcome === 'RECIPIENT_REFUSED') return;
  const waitMs = ending.outcome === 'RETRY' ? (ending.retryAfterMs ?? 0) : channelRefusedWaitMs;
  await channel
    .set({
      last_error_at: now,
      last_error: ending.answer,
      failing_since: sql`coalesce(failing_since, ${now})`,
      ...(waitMs > 0
        ? { next_send_at: sql`greatest(next_send_at, ${instant(nowMs + waitMs)})` }
        : {}),
    })
    .execute();
}

/**
 * Takes the channel's turn to send: at most one message each `everyMs` over all workers.
 *
 * @returns how long to wait before sending, ms.
 */
export async function takeTurn(
  db: Db,
  channelId: number,
  everyMs: number,
  nowMs: number,
): Promise<number> {
  const { at } = await queryRow(db)<{ at: Date }>`
    update notification_channels
    set next_send_at = greatest(next_send_at, ${instant(nowMs)}::timestamptz) + make_interval(secs => ${everyMs / 1_000})
    where id = ${channelId} returning next_send_at as at`;
  return Math.max(0, at.getTime() - everyMs - nowMs);
}

/**
 * Ends what still waits on channels that people removed: an attempt that ran at that moment may have failed since, or lost its
 * worker. A channel of the environment comes back with its variables, and what waits for it waits.
 */
export async function endOfRemoved(trx: Db, nowMs: number): Promise<void> {
  const now = instant(nowMs);
  await query(trx)`
    update deliveries d set state = 'SUPPRESSED', leased_until = null, finished_at = ${now}, answer = 'the channel was removed'
    from notification_channels c
    where c.id = d.channel_id and c.removed_at is not null and c.source = 'DATABASE'
      and (d.state in ('PENDING', 'FAILED') or d.state = 'SENDING' and d.leased_until <= ${now})`;
}

/** When the next delivery of a channel kind may be due, ms; null: none waits. */
export async function nextDeliveryMs(db: Db, kind: ChannelKind): Promise<number | null> {
  const { at } = await queryRow(db)<{ at: Date | null }>`
    select min(greatest(c.next_send_at, case d.state when 'SENDING' then d.leased_until else d.next_attempt_at end)) as at
    from deliveries d join notification_channels c on c.id = d.channel_id and c.removed_at is null
    where c.kind = ${kind} and d.state in ('PENDING', 'SENDING', 'FAILED')`;
  return ms(at);
}

/**
 * Which of the topics this recipient was told the beginning of, on any channel of the same kind: with a delivery that was
 * sent, or may have been.
 */
export async function findToldTopics(
  db: Db,
  claim: Claim,
  topics: readonly string[],
): Promise<Set<string>> {
  if (topics.length === 0) return new Set();
  const rows = await query(db)<{ topic: string }>`
    select distinct n.topic from notifications n
    join notification_lines l on l.notification_id = n.id
    join deliveries d on d.message_id = l.message_id and d.tried_at is not null
    where n.topic = any(${[...topics]}::text[]) and not n.is_end and d.channel_id = ${claim.channelId}
      and d.recipient = ${claim.recipient} and d.message_id <> ${claim.messageId}`;
  return new Set(rows.map(({ topic }) => topic));
}

/** The first delivery to the same recipient about a topic; null: this is the first. */
export async function findThread(db: Db, claim: Claim, topic: string): Promise<number | null> {
  const { id } = await queryRow(db)<{ id: number | null }>`
    select min(d.id) as id from notifications n
    join notification_lines l on l.notification_id = n.id
    join deliveries d on d.message_id = l.message_id and d.tried_at is not null
    where n.topic = ${topic} and d.channel_id = ${claim.channelId} and d.recipient = ${claim.recipient}
      and d.id < ${claim.deliveryId}`;
  return id;
}

import { setTimeout as delay } from 'node:timers/promises';

import {
  type Claim,
  claimDelivery,
  endAttempt,
  type Ending,
  findThread,
  findToldTopics,
  markTried,
  nextDeliveryMs,
  takeTurn,
} from '../../db/notifications/deliveries.ts';
import type { OutboxRow } from '../../db/outbox.ts';
import { findWaitingTooLong } from '../../db/notifications/heartbeats.ts';
import { findMessageRows } from '../../db/notifications/lines.ts';
import { countNotices, worstFirst } from '../../domain/notifications/compose.ts';
import type { Notice } from '../../domain/notice.ts';
import {
  type ChannelKind,
  linesMax,
  type MessageContent,
} from '../../domain/notifications/message.ts';
import { PlainError } from '../../domain/plain-error.ts';
import type { CallContext } from '../deps.ts';
import type { DeliverReport } from './contract.ts';
import type { NotificationDeps } from './deps.ts';
import { readNotices } from '../notices.ts';

/** Sends deliveries: each is claimed, its condition read again, tried, and its end recorded. */

/** An attempt ends itself by then; its lease holds for twice that time. */
const attemptMsMax = 30_000;
/** A round ends after this, so that Temporal sees what it did. */
const roundMsMax = 45_000;
/** Slack takes one message a second for each address. */
const paceMs: Readonly<Partial<Record<ChannelKind, number>>> = { SLACK: 1_000 };

/** `findDue`: when a delivery of a kind of channel may be due. */
export function createFindDue({ db }: Pick<NotificationDeps, 'db'>) {
  return async function findDue({ kind }: { kind: ChannelKind }): Promise<{ atMs: number | null }> {
    return { atMs: await nextDeliveryMs(db, kind) };
  };
}

/** `deliverMessages`: sends what is due on the channels of one kind, until nothing is. */
export function createDeliver(deps: NotificationDeps, context: () => CallContext) {
  return async function deliverMessages(args: {
    kind: ChannelKind;
    nowMs: number;
  }): Promise<DeliverReport> {
    const { signal } = context();
    const report = { sent: 0, failed: 0, suppressed: 0 };
    const endsAtMs = deps.clock() + roundMsMax;
    while (deps.clock() < endsAtMs && !signal.aborted) {
      const claim = await claimDelivery(deps.db, args.kind, deps.clock());
      if (claim === null) break;
      await deps.checkpoint('after claiming a delivery');
      const ending = await attempt(deps, args.kind, claim, signal);
      await endAttempt(deps.db, claim, ending, deps.clock());
      if (ending.outcome === 'SENT') report.sent += 1;
      else if (ending.outcome === 'SUPPRESSED') report.suppressed += 1;
      else report.failed += 1;
      if (ending.outcome !== 'SENT' && ending.outcome !== 'SUPPRESSED')
        deps.log.warn(
          { delivery: claim.deliveryId, attempt: claim.attempt, outcome: ending.outcome },
          'a message could not be delivered',
        );
    }
    return { ...report, againAtMs: await nextDeliveryMs(deps.db, args.kind) };
  };
}

async function attempt(
  deps: NotificationDeps,
  kind: ChannelKind,
  claim: Claim,
  stop: AbortSignal,
): Promise<Ending> {
  const silent = claim.messageKind === 'HEARTBEAT' ? await whySilent(deps) : null;
  if (silent !== null) return { outcome: 'SUPPRESSED', answer: `not sent: ${silent}` };
  const rows = await findMessageRows(deps.db, claim.messageId);
  const notices = await readHolding(deps, claim, rows);
  const isAboutNothing = notices.length === 0 && claim.brief.length === 0;
  if (rows.length > 0 && isAboutNothing)
    return { outcome: 'SUPPRESSED', answer: 'everything that it tells has ended' };
  const pace = paceMs[kind];
  if (pace !== undefined)
    await delay(await takeTurn(deps.db, claim.channelId, pace, deps.clock()), null, {
      signal: stop,
    });
  return send(deps, claim, { rows, notices }, stop);
}

/** Why the dead man's switch must not be fed; null: all is well. */
async function whySilent(deps: NotificationDeps): Promise<string | null> {
  const nowMs = deps.clock();
  return (await deps.findTrouble(deps.db, nowMs)) ?? (await findWaitingTooLong(deps.db, nowMs));
}

/** What still holds of a message: no beginning that has ended, no end of which the recipient never heard the beginning. */
async function readHolding(
  deps: NotificationDeps,
  claim: Claim,
  rows: readonly OutboxRow[],
): Promise<Notice[]> {
  const notices = await readNotices(deps.notices, deps.db, rows, deps.clock());
  const ends = rows.filter(({ isEnd }) => isEnd);
  const told = await findToldTopics(
    deps.db,
    claim,
    ends.map(({ topic }) => topic),
  );
  const untold = new Set(ends.filter(({ topic }) => !told.has(topic)).map(({ id }) => id));
  return notices.filter(({ holds, notificationId }) => holds && !untold.has(notificationId));
}

async function send(
  deps: NotificationDeps,
  claim: Claim,
  { rows, notices }: { rows: readonly OutboxRow[]; notices: readonly Notice[] },
  stop: AbortSignal,
): Promise<Ending> {
  const nowMs = deps.clock();
  const sorted = notices.toSorted(worstFirst);
  const first = rows.find(({ id }) => id === sorted[0]?.notificationId);
  const draft = {
    deliveryId: claim.deliveryId,
    threadOf: first === undefined ? null : await findThread(deps.db, claim, first.topic),
    recipient: claim.recipient,
    content: contentOf(deps, claim, sorted, nowMs),
    nowMs,
  };
  const limit = AbortSignal.timeout(attemptMsMax);
  try {
    const channel = await deps.openChannel(claim.channelId);
    const message = { ...draft, unsubscribeUrl: await unsubscribeUrlOf(deps, claim) };
    const sent = await channel.send(message, {
      signal: AbortSignal.any([stop, limit]),
      handsOver: async () => {
        if (!(await markTried(deps.db, claim, deps.clock()))) throw new NotCurrentError();
      },
    });
    await deps.checkpoint('after sending a message');
    return sent;
  } catch (error) {
    if (limit.aborted)
      return { outcome: 'RETRY', answer: `no answer within ${attemptMsMax / 1_000} s` };
    // Whatever is recorded of it, the attempt that took over decides.
    if (error instanceof NotCurrentError) return { outcome: 'RETRY', answer: error.message };
    if (error instanceof PlainError) return { outcome: 'CHANNEL_REFUSED', answer: error.message };
    throw error;
  }
}

/** Where the recipient ends a subscription; null: nobody subscribed, or links cannot be made. */
async function unsubscribeUrlOf(
  { publicUrl, findUnsubscribeToken }: NotificationDeps,
  { routeId }: Claim,
): Promise<string | null> {
  if (publicUrl === null || routeId === null) return null;
  const token = await findUnsubscribeToken(routeId);
  return token === null ? null : `${publicUrl}/unsubscribe?token=${token}`;
}

/** Another worker has taken the delivery: this attempt sends nothing. */
class NotCurrentError extends Error {
  override readonly name = 'NotCurrentError';

  constructor() {
    super('another worker has taken the delivery');
  }
}

function contentOf(
  { publicUrl }: NotificationDeps,
  { messageKind, remark, brief }: Claim,
  notices: readonly Notice[],
  nowMs: number,
): MessageContent {
  return {
    kind: messageKind === 'HEARTBEAT' ? 'TEST' : messageKind,
    notices: notices.slice(0, linesMax),
    moreCount: Math.max(0, notices.length - linesMax),
    counts: countNotices(notices),
    brief,
    remark,
    publicUrl,
    writtenAtMs: nowMs,
  };
}

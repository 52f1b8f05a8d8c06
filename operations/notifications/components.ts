import {
  type NotificationFigures,
  readNotificationFigures,
  type ChannelFigures,
} from '../../db/notifications/figures.ts';
import type { ChannelKind } from '../../domain/notifications/message.ts';
import { counted, durationText } from '../../domain/wording.ts';
import type { Component, Fact, Judgement } from '../diagnosis.ts';

/** The notifications' component of the diagnosis: whether people are told. */

/** A channel that fails for so long is not only slow. */
export const failingMsMax = 15 * 60_000;

export const notificationFigures: Fact<NotificationFigures> = ({ db, clock }) =>
  readNotificationFigures(db, clock());

export const notifications: Component<NotificationFigures> = {
  name: 'notifications',
  fact: notificationFigures,
  judge({ channels, oldestPendingAt, dead24h }, { takenAtMs }): Judgement {
    const ways = channels.filter(({ kind }) => kind !== 'HEARTBEAT');
    if (ways.length === 0) return { state: 'ok', sentence: 'Nobody is told: there is no channel.' };
    const failing = channels
      .filter(
        ({ failingSince }) =>
          failingSince !== null && takenAtMs - failingSince.getTime() >= failingMsMax,
      )
      // The longest first.
      .toSorted((a, b) => (a.failingSince?.getTime() ?? 0) - (b.failingSince?.getTime() ?? 0));
    if (failing.length > 0) return failingJudgement(failing, takenAtMs);
    if (ways.every(({ routes }) => routes === 0))
      return { state: 'ok', sentence: 'Nobody is told: no route leads to a channel.' };
    const waits =
      oldestPendingAt === null
        ? 'nothing waits'
        : `the oldest message has waited for ${durationText(Math.max(0, takenAtMs - oldestPendingAt.getTime()))}`;
    const dead =
      dead24h === 0
        ? ''
        : `; ${counted(dead24h, 'delivery was', 'deliveries were')} given up in 24 h`;
    return { state: 'ok', sentence: `${counted(ways.length, 'channel')} in use, ${waits}${dead}.` };
  },
  away: {
    state: 'degraded',
    sentence: 'Whether people are told is not known while PostgreSQL is away.',
  },
};

const kindWords: Readonly<Record<ChannelKind, string>> = {
  EMAIL: 'e-mail',
  SLACK: 'Slack',
  WEBHOOK: 'webhook',
  HEARTBEAT: 'heartbeat',
};

/** The sentence is public: it counts the channels by kind. Their names are for people who are signed in. */
function failingJudgement(failing: readonly ChannelFigures[], takenAtMs: number): Judgement {
  const failedMs = ({ failingSince }: ChannelFigures) =>
    takenAtMs - (failingSince?.getTime() ?? takenAtMs);
  const kinds = [...new Set(failing.map(({ kind }) => kind))];
  const words = kinds.map((kind) => {
    const own = failing.filter((channel) => channel.kind === kind);
    const longest = durationText(Math.max(...own.map(failedMs)));
    const noun = `${kindWords[kind]} channel`;
    return own.length === 1
      ? `1 ${noun} has failed for ${longest}`
      : `${own.length} ${noun}s have failed, the longest for ${longest}`;
  });
  return {
    state: 'degraded',
    sentence: `${words.join('; ')}.`,
    advice:
      '`heliograph notifications channels list` says why; `heliograph notifications test` tries it at once.',
    subjects: failing.map((channel) => ({
      kind: 'CHANNEL_FAILING',
      facts: { channel: channel.name, failing_since: channel.failingSince?.toISOString() ?? null },
      sentence: `Channel ${channel.name} has failed for ${durationText(failedMs(channel))}.`,
    })),
  };
}

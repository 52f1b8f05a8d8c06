import {
  type NotificationFigures,
  readNotificationFigures,
} from '../../db/notifications/figures.ts';
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
    const failing = channels.filter(
      ({ failingSince }) =>
        failingSince !== null && takenAtMs - failingSince.getTime() >= failingMsMax,
    );
    const words = failing.map(({ name, failingSince }) => {
      const since = durationText(takenAtMs - (failingSince?.getTime() ?? takenAtMs));
      return `channel ${name} has failed for ${since}`;
    });
    if (words.length > 0)
      return {
        state: 'degraded',
        sentence: `The ${words.join(', the ')}.`,
        advice:
          '`heliograph notifications channels list` says why; `heliograph notifications test` tries it at once.',
      };
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

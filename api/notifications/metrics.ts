import { countDeliveries } from '../../db/notifications/figures.ts';
import { type Fact, valueOf } from '../../operations/diagnosis.ts';
import { notificationFigures } from '../../operations/notifications/components.ts';
import type { GaugeReading } from '../system/metrics.ts';

/** The gauges of notifications, read from PostgreSQL. They hold names of channels, but no recipients or settings. */
export const notificationGauges: Fact<GaugeReading[]> = async ({ db, clock }, look) => {
  const nowMs = clock();
  const [figures, counts] = await Promise.all([
    look(notificationFigures),
    countDeliveries(db, nowMs),
  ]);
  const { channels, oldestPendingAt, dead24h } = valueOf(figures);
  return [
    {
      name: 'deliveries',
      help: 'Deliveries that wait, and those of the last 24 h, by channel and state.',
      values: counts.map(({ channel, kind, state, count }) => [{ channel, kind, state }, count]),
    },
    {
      name: 'oldest_pending_delivery_age_seconds',
      help: 'Age of the oldest delivery that waits; 0: none does.',
      values: [
        [{}, oldestPendingAt === null ? 0 : Math.max(0, nowMs - oldestPendingAt.getTime()) / 1_000],
      ],
    },
    {
      name: 'deliveries_dead_24h',
      help: 'Deliveries that were given up in the last 24 h.',
      values: [[{}, dead24h]],
    },
    {
      name: 'channel_failing_seconds',
      help: 'How long a channel has failed; 0: it works.',
      values: channels.map(({ name, kind, failingSince }) => [
        { channel: name, kind },
        failingSince === null ? 0 : Math.max(0, nowMs - failingSince.getTime()) / 1_000,
      ]),
    },
  ];
};

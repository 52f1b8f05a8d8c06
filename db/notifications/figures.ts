import type { ChannelKind } from '../../domain/notifications/message.ts';
import { dayMs } from '../../domain/zone.ts';
import { type Db, instant, query, queryRow } from '../database.ts';
import type { DeliveryState } from './tables.ts';

/** Figures of notifications, for the diagnosis and the metrics. */

export interface ChannelFigures {
  name: string;
  kind: ChannelKind;
  failingSince: Date | null;
  /** How many routes lead to it. */
  routes: number;
}

export interface NotificationFigures {
  channels: ChannelFigures[];
  /** When the oldest delivery that waits was made; null: none waits. */
  oldestPendingAt: Date | null;
  /** Deliveries that were given up in the last 24 h. */
  dead24h: number;
}

export async function readNotificationFigures(db: Db, nowMs: number): Promise<NotificationFigures> {
  const [channels, waiting, dead] = await Promise.all([
    query(db)<ChannelFigures>`
      select c.name, c.kind, c.failing_since as "failingSince",
        (select count(*)::int from notification_routes r left join users u on u.id = r.owner_id
          where r.channel_id = c.id and r.removed_at is null and u.disabled_at is null) as routes
      from notification_channels c where c.removed_at is null order by c.name`,
    queryRow(db)<{ at: Date | null }>`
      select min(d.created_at) as at from deliveries d
      join notification_channels c on c.id = d.channel_id and c.removed_at is null
      where d.state in ('PENDING', 'SENDING', 'FAILED')`,
    queryRow(db)<{ count: number }>`
      select count(*)::int as count from deliveries where state = 'DEAD' and finished_at > ${instant(nowMs - dayMs)}`,
  ]);
  return { channels, oldestPendingAt: waiting.at, dead24h: dead.count };
}

/** Deliveries that wait, and those that were made in the last 24 h, by channel and state. */
export async function countDeliveries(
  db: Db,
  nowMs: number,
): Promise<{ channel: string; kind: ChannelKind; state: DeliveryState; count: number }[]> {
  return query(db)`
    select c.name as channel, c.kind, d.state, count(*)::int as count
    from deliveries d join notification_channels c on c.id = d.channel_id and c.removed_at is null
    where d.state in ('PENDING', 'SENDING', 'FAILED') or d.created_at > ${instant(nowMs - dayMs)}
    group by c.name, c.kind, d.state order by c.name, d.state`;
}

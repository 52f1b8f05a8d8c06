import type { Storm } from '../../domain/notifications/compose.ts';
import type { ChannelKind } from '../../domain/notifications/message.ts';
import type { Digest, RouteFilter, RouteTimes } from '../../domain/notifications/routes.ts';
import { type Db, instant, query } from '../database.ts';

/** The routes of notifications, as whoever composes messages reads and writes them. */

export interface Route extends RouteFilter, RouteTimes {
  id: number;
  name: string;
  channelId: number;
  channelKind: ChannelKind;
  /** E-mail addresses; one empty text where the channel has one receiver. */
  recipients: readonly string[];
  secondCallAfterMs: number | null;
  secondRouteId: number | null;
  storm: Storm | null;
  digestSentAtMs: number | null;
  /** What was open when it was made has its lines. */
  hasBegun: boolean;
  createdAtMs: number;
}

interface RouteRow extends Omit<RouteFilter & RouteTimes, 'quiet' | 'digest' | 'digestAt'> {
  id: number;
  name: string;
  channelId: number;
  channelKind: ChannelKind;
  recipients: string[];
  quietFrom: string | null;
  quietTo: string | null;
  digest: Digest;
  digestAt: string | null;
  digestSentAt: Date | null;
  secondCallAfterS: number | null;
  secondRouteId: number | null;
  stormSince: Date | null;
  stormSummaryAt: Date | null;
  stormShortSummaries: number;
  begunAt: Date | null;
  createdAt: Date;
}

/** All routes, by id. The route of a person who is no longer allowed to sign in is none. */
export async function findRoutes(db: Db): Promise<Route[]> {
  const rows = await query(db)<RouteRow>`
    select r.id, r.name, r.channel_id as "channelId", c.kind as "channelKind", r.recipients, r.severities,
      r.subject_kinds as "subjectKinds", r.brands, r.customer_ids as "customerIds", r.plant_ids as "plantIds", r.timezone,
      to_char(r.quiet_from, 'HH24:MI') as "quietFrom", to_char(r.quiet_to, 'HH24:MI') as "quietTo", r.digest,
      to_char(r.digest_at, 'HH24:MI') as "digestAt", r.digest_sent_at as "digestSentAt",
      r.second_call_after_s as "secondCallAfterS", r.second_route_id as "secondRouteId", r.storm_since as "stormSince",
      r.storm_summary_at as "stormSummaryAt", r.storm_short_summaries as "stormShortSummaries", r.begun_at as "begunAt",
      r.created_at as "createdAt"
    from notification_routes r
    join notification_channels c on c.id = r.channel_id and c.removed_at is null
    left join users u on u.id = r.owner_id
    where r.removed_at is null and u.disabled_at is null
    order by r.id`;
  return rows.map(routeOf);
}

function routeOf({
  quietFrom,
  quietTo,
  digestSentAt,
  secondCallAfterS,
  stormSince,
  stormSummaryAt,
  stormShortSummaries,
  begunAt,
  createdAt,
  ...row
}: RouteRow): Route {
  return {
    ...row,
    recipients: row.channelKind === 'EMAIL' ? row.recipients : [''],
    quiet: quietFrom === null || quietTo === null ? null : { from: quietFrom, to: quietTo },
    digestSentAtMs: digestSentAt?.getTime() ?? null,
    secondCallAfterMs: secondCallAfterS === null ? null : secondCallAfterS * 1_000,
    storm:
      stormSince === null || stormSummaryAt === null
        ? null
        : {
            sinceMs: stormSince.getTime(),
            summaryAtMs: stormSummaryAt.getTime(),
            shortSummaries: stormShortSummaries,
          },
    hasBegun: begunAt !== null,
    createdAtMs: createdAt.getTime(),
  };
}

/** Keeps the route's storm; null: there is none. */
export async function writeStorm(db: Db, routeId: number, storm: Storm | null): Promise<void> {
  await db
    .updateTable('notification_routes')
    .set({
      storm_since: instant(storm?.sinceMs ?? null),
      storm_summary_at: instant(storm?.summaryAtMs ?? null),
      storm_short_summaries: storm?.shortSummaries ?? 0,
    })
    .where('id', '=', routeId)
    .execute();
}

export async function writeDigestSent(db: Db, routeId: number, nowMs: number): Promise<void> {
  await db
    .updateTable('notification_routes')
    .set({ digest_sent_at: instant(nowMs) })
    .where('id', '=', routeId)
    .execute();
}

export async function markBegun(db: Db, routeId: number, nowMs: number): Promise<void> {
  await db
    .updateTable('notification_routes')
    .set({ begun_at: instant(nowMs) })
    .where('id', '=', routeId)
    .execute();
}

import { sql } from 'kysely';

import type { NamedRoute } from '../../domain/notifications/route-sentence.ts';
import type { RouteSettings } from '../../domain/notifications/route-settings.ts';
import type { Decider } from '../audit-log.ts';
import { type Db, query } from '../database.ts';
import type { Sealed } from '../sealing.ts';
import { nextId } from './channel-list.ts';
import { wakeSenders } from './listen.ts';

/** Routes as people see and change them. */

export interface RouteView extends NamedRoute {
  id: number;
  /** The person whose subscription it is; null: a route of the ADMINs. */
  subscriber: string | null;
  /** Since when it sends summaries only. */
  storm_since: Date | null;
  created_at: Date;
  created_by: string;
}

/** Which routes to read; an absent field does not restrict. */
interface RouteFilter {
  id?: number;
  ownerId?: number;
  unsubscribeHash?: Buffer;
}

/** All routes in use, by name. */
export async function listRoutes(db: Db, filter: RouteFilter = {}): Promise<RouteView[]> {
  const conditions = [
    sql`r.removed_at is null and c.removed_at is null`,
    ...(filter.id === undefined ? [] : [sql`r.id = ${filter.id}`]),
    ...(filter.ownerId === undefined ? [] : [sql`r.owner_id = ${filter.ownerId}`]),
    ...(filter.unsubscribeHash === undefined
      ? []
      : [sql`r.unsubscribe_hash = ${filter.unsubscribeHash}`]),
  ];
  return query(db)<RouteView>`
    select r.id, r.name, r.channel_id, c.name as channel_name, c.kind as channel_kind, r.recipients, r.severities,
      r.subject_kinds, r.brands, r.customer_ids, r.plant_ids, r.timezone, to_char(r.quiet_from, 'HH24:MI') as quiet_from,
      to_char(r.quiet_to, 'HH24:MI') as quiet_to, r.digest, to_char(r.digest_at, 'HH24:MI') as digest_at,
      r.second_call_after_s, r.second_route_id, second.name as second_route_name, u.email as subscriber, r.storm_since,
      r.created_at, r.created_by
    from notification_routes r join notification_channels c on c.id = r.channel_id
    left join notification_routes second on second.id = r.second_route_id
    left join users u on u.id = r.owner_id
    where ${sql.join(conditions, sql` and `)} order by r.name`;
}

export async function findRoute(db: Db, id: number): Promise<RouteView | undefined> {
  return (await listRoutes(db, { id }))[0];
}

/** The second route of each route that has one. */
export async function readSecondRoutes(db: Db): Promise<Map<number, number>> {
  const rows = await query(db)<{ id: number; second: number }>`
    select id, second_route_id as second from notification_routes where removed_at is null and second_route_id is not null`;
  return new Map(rows.map(({ id, second }) => [id, second]));
}

/** Whose subscription a route is, and how it is ended without signing in. */
interface Owner {
  ownerId: number;
  unsubscribeHash: Buffer;
  seal: (routeId: number) => Sealed;
}

/** Adds a route. It begins with what is open. @returns its id. */
export async function insertRoute(
  trx: Db,
  settings: RouteSettings,
  { by, at }: { by: Decider; at: Date },
  owner: Owner | null = null,
): Promise<number> {
  const id = await nextId(trx, 'notification_routes');
  const seal = owner?.seal(id) ?? null;
  const columns = {
    ...settings,
    id,
    created_at: at,
    created_by: by.actor,
    owner_id: owner?.ownerId ?? null,
    unsubscribe_hash: owner?.unsubscribeHash ?? null,
    key_version: seal?.keyVersion ?? null,
    iv: seal?.iv ?? null,
    sealed: seal?.sealed ?? null,
  };
  const names = Object.keys(columns).map((name) => sql.ref(name));
  await query(trx)`
    insert into notification_routes (${sql.join(names)}) overriding system value
    values (${sql.join(Object.values(columns))})`;
  await wakeSenders(trx);
  return id;
}

/** Replaces what people decide about a route. What waits for its message keeps its time. */
export async function updateRoute(trx: Db, id: number, settings: RouteSettings): Promise<void> {
  await trx.updateTable('notification_routes').set(settings).where('id', '=', id).execute();
}

/** Takes a route out of use. Lines that wait for their message are told to nobody. */
export async function removeRoute(trx: Db, id: number, at: Date): Promise<void> {
  await query(trx)`
    update notification_lines set suppressed_at = ${at}, suppressed_reason = 'REMOVED'
    where route_id = ${id} and message_id is null and suppressed_at is null`;
  await trx
    .updateTable('notification_routes')
    .set({ removed_at: at })
    .where('id', '=', id)
    .execute();
}

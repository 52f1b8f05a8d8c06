import { type Db, query } from '../database.ts';
import { type MasterKeys, unseal } from '../sealing.ts';
import { routePlace } from './channel-list.ts';

/** Subscriptions: routes that people made for themselves. */

/** The channel of mails that subscriptions use: the environment's, else the first that people added; null: there is none. */
export async function findMailChannel(db: Db): Promise<number | null> {
  const [row] = await query(db)<{ id: number }>`
    select id from notification_channels where kind = 'EMAIL' and removed_at is null
    order by source = 'ENVIRONMENT' desc, id limit 1`;
  return row?.id ?? null;
}

/** The token that ends the subscription without signing in; null: the route is none. @throws PlainError as `unseal`. */
export async function findUnsubscribeToken(
  db: Db,
  keys: MasterKeys,
  routeId: number,
): Promise<string | null> {
  const [row] = await query(db)<{ keyVersion: string; iv: Buffer; sealed: Buffer }>`
    select key_version as "keyVersion", iv, sealed from notification_routes
    where id = ${routeId} and sealed is not null and removed_at is null`;
  return row === undefined ? null : (unseal(keys, routePlace(routeId), row)['token'] ?? null);
}

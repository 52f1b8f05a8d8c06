import type { Kysely } from 'kysely';

import type { ChannelKind } from '../../domain/notifications/message.ts';
import { type Db, query } from '../database.ts';
import type { Database } from '../tables.ts';

/** Channels: those of the environment, and those that people added. */

/** The channels whose settings are in the environment, and the first route of each; null: no such channel. */
export type EnvironmentChannels = Readonly<
  Record<ChannelKind, { defaultRoute: DefaultRoute | null } | null>
>;

/** The route that a channel of the environment brings along. People may change or remove it; then it stays so. */
export interface DefaultRoute {
  name: string;
  recipients: readonly string[];
  digest: { of: 'YELLOW'; at: string } | null;
}

/** Who is named as the author of what the environment brought. */
const environmentActor = 'environment';

/**
 * Makes the channels of the environment what the environment says: one row for each kind that it configures. A channel that
 * is gone takes its routes out of use, and both come back with it.
 */
export async function keepEnvironmentChannels(
  db: Kysely<Database>,
  channels: EnvironmentChannels,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await query(trx)`select pg_advisory_xact_lock(hashtext('heliograph environment channels'))`;
    for (const [kind, channel] of Object.entries(channels) as [
      ChannelKind,
      EnvironmentChannels[ChannelKind],
    ][]) {
      if (channel === null) await removeChannel(trx, kind);
      else await keepChannel(trx, kind, channel.defaultRoute);
    }
  });
}

async function removeChannel(trx: Db, kind: ChannelKind): Promise<void> {
  await query(trx)`
    update notification_channels set removed_at = now()
    where kind = ${kind} and source = 'ENVIRONMENT' and removed_at is null`;
}

async function keepChannel(trx: Db, kind: ChannelKind, route: DefaultRoute | null): Promise<void> {
  const [known] = await query(trx)<{ id: number; removed: boolean }>`
    select id, removed_at is not null as removed from notification_channels
    where kind = ${kind} and source = 'ENVIRONMENT' order by removed_at nulls first, id desc limit 1`;
  if (known !== undefined) {
    if (known.removed)
      await query(trx)`
        update notification_channels set removed_at = null, failing_since = null, next_send_at = null where id = ${known.id}`;
    return;
  }
  const { id } = await trx
    .insertInto('notification_channels')
    .values({ kind, name: kind.toLowerCase(), source: 'ENVIRONMENT', created_by: environmentActor })
    .returning('id')
    .executeTakeFirstOrThrow();
  if (route === null) return;
  await trx
    .insertInto('notification_routes')
    .values({
      name: route.name,
      channel_id: id,
      recipients: [...route.recipients],
      digest: route.digest?.of ?? 'NONE',
      digest_at: route.digest?.at ?? null,
      created_by: environmentActor,
    })
    .execute();
}

/** The kinds of which there is a channel. */
export async function findChannelKinds(db: Db): Promise<ChannelKind[]> {
  const rows = await query(db)<{ kind: ChannelKind }>`
    select distinct kind from notification_channels where removed_at is null order by kind`;
  return rows.map(({ kind }) => kind);
}

export interface StoredChannel {
  id: number;
  kind: ChannelKind;
  source: 'ENVIRONMENT' | 'DATABASE';
}

export async function findChannel(db: Db, id: number): Promise<StoredChannel | undefined> {
  return db
    .selectFrom('notification_channels')
    .select(['id', 'kind', 'source'])
    .where('id', '=', id)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
}

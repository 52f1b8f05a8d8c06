import type { Kysely } from 'kysely';

import type { AddedKind } from '../../domain/notifications/channel-settings.ts';
import type { ChannelKind } from '../../domain/notifications/message.ts';
import { type Decider, recordDecisions } from '../audit-log.ts';
import { type Db, instant, query, queryRow } from '../database.ts';
import { type MasterKeys, reseal, type Sealed, type SealedPlace, unseal } from '../sealing.ts';
import type { Database } from '../tables.ts';
import { wakeSenders } from './listen.ts';

/** Channels as people see, add and remove them, and the seals of those that they added. */

/** A channel without its settings. */
export interface ChannelView {
  id: number;
  kind: ChannelKind;
  name: string;
  source: 'ENVIRONMENT' | 'DATABASE';
  last_success_at: Date | null;
  last_error_at: Date | null;
  last_error: string | null;
  /** Since when the whole channel fails; null: it works, or was not tried. */
  failing_since: Date | null;
  /** Nothing is sent before it. */
  next_send_at: Date | null;
  /** How many routes lead to it. */
  routes: number;
  created_at: Date;
  created_by: string;
}

export async function listChannels(db: Db): Promise<ChannelView[]> {
  return query(db)<ChannelView>`
    select c.id, c.kind, c.name, c.source, c.last_success_at, c.last_error_at, c.last_error, c.failing_since,
      c.next_send_at, (select count(*)::int from notification_routes r where r.channel_id = c.id and r.removed_at is null) as routes,
      c.created_at, c.created_by
    from notification_channels c where c.removed_at is null order by c.name`;
}

export async function findChannelView(db: Db, id: number): Promise<ChannelView | undefined> {
  return (await listChannels(db)).find((channel) => channel.id === id);
}

/** Two changes of channels or routes wait for each other. The lock ends with the transaction. */
export async function lockSettings(trx: Db): Promise<void> {
  await query(trx)`select pg_advisory_xact_lock(hashtext('heliograph notification settings'))`;
}

export function channelPlace(id: number): SealedPlace {
  return {
    table: 'notification_channels',
    row: String(id),
    secrets: 'settings',
    of: 'channel',
  };
}

/** The id of a row that is about to be inserted: its seal names it. */
export async function nextId(trx: Db, table: SealedTable['table']): Promise<number> {
  const { id } = await queryRow(trx)<{ id: number }>`
    select nextval(pg_get_serial_sequence(${table}, 'id')) as id`;
  return id;
}

/** Adds a channel with sealed settings; the loop of its kind starts at once. @param seal is bound to the new row. @returns its id. */
export async function insertChannel(
  trx: Db,
  channel: { kind: AddedKind; name: string },
  seal: (place: SealedPlace) => Sealed,
  { by, at }: { by: Decider; at: Date },
): Promise<number> {
  // The seal names the row, so the id comes first.
  const id = await nextId(trx, 'notification_channels');
  const { keyVersion, iv, sealed } = seal(channelPlace(id));
  await query(trx)`
    insert into notification_channels (id, kind, name, source, key_version, iv, sealed, created_at, created_by)
    overriding system value
    values (${id}, ${channel.kind}, ${channel.name}, 'DATABASE', ${keyVersion}, ${iv}, ${sealed}, ${at}, ${by.actor})`;
  await wakeSenders(trx);
  return id;
}

/**
 * Changes what a channel is called and, if there are new settings, seals them: then it is tried at once.
 *
 * @param seal null: the settings stay.
 */
export async function updateChannel(
  trx: Db,
  id: number,
  name: string,
  seal: ((place: SealedPlace) => Sealed) | null,
): Promise<void> {
  await query(trx)`update notification_channels set name = ${name} where id = ${id}`;
  if (seal === null) return;
  const { keyVersion, iv, sealed } = seal(channelPlace(id));
  await query(trx)`
    update notification_channels
    set key_version = ${keyVersion}, iv = ${iv}, sealed = ${sealed}, next_send_at = null, failing_since = null
    where id = ${id}`;
  await query(trx)`
    update deliveries set next_attempt_at = now() where channel_id = ${id} and state in ('PENDING', 'FAILED')
      and next_attempt_at > now()`;
  await wakeSenders(trx);
}

/** Takes a channel out of use. What waits for it is told to nobody. */
export async function removeChannel(trx: Db, id: number, at: Date): Promise<void> {
  await query(trx)`update notification_channels set removed_at = ${at} where id = ${id}`;
  await query(trx)`
    update deliveries set state = 'SUPPRESSED', finished_at = ${at}, answer = 'the channel was removed'
    where channel_id = ${id} and state in ('PENDING', 'FAILED')`;
}

/**
 * Whoever mended a channel that refused us need not wait for its pause. One that the receiver asked for stays.
 */
export async function reopenChannel(trx: Db, id: number): Promise<void> {
  await query(trx)`
    update notification_channels set next_send_at = null
    where id = ${id} and 'CHANNEL_REFUSED' = (
      select a.outcome from delivery_attempts a join deliveries d on d.id = a.delivery_id
      where d.channel_id = ${id} and a.ended_at is not null order by a.ended_at desc limit 1)`;
}

interface SealedRow {
  id: number;
  keyVersion: string;
  iv: Buffer;
  sealed: Buffer;
}

/** The settings of a channel that people added. @throws PlainError when its seal does not open, or there is none. */
export async function openChannelSettings(
  db: Db,
  keys: MasterKeys,
  id: number,
): Promise<Record<string, string> | null> {
  const [row] = await query(db)<SealedRow>`
    select id, key_version as "keyVersion", iv, sealed from notification_channels
    where id = ${id} and sealed is not null and removed_at is null`;
  return row === undefined ? null : unseal(keys, channelPlace(id), row);
}

/** A table whose rows hold a seal: what `keys rotate` goes through, beside the credentials of accounts. */
interface SealedTable {
  table: 'notification_channels' | 'notification_routes';
  subjectType: 'CHANNEL' | 'ROUTE';
  placeOf(id: number): SealedPlace;
}

export function routePlace(id: number): SealedPlace {
  return {
    table: 'notification_routes',
    row: String(id),
    secrets: 'unsubscribe token',
    of: 'route',
  };
}

export const sealedTables: readonly SealedTable[] = [
  { table: 'notification_channels', subjectType: 'CHANNEL', placeOf: channelPlace },
  { table: 'notification_routes', subjectType: 'ROUTE', placeOf: routePlace },
];

/** The rows that another master key than this sealed, removed ones too: their seals must not need an old key. */
export async function listSealedRows(
  db: Db,
  { table }: SealedTable,
  keyVersion: string,
): Promise<number[]> {
  const rows = await db
    .selectFrom(table)
    .select('id')
    .where('key_version', 'is not', null)
    .where('key_version', '<>', keyVersion)
    .orderBy('id')
    .execute();
  return rows.map(({ id }) => id);
}

/** Puts the current seal on one row, under its lock. @returns whether the seal was changed. @throws PlainError as `reseal`. */
export async function resealRow(
  db: Kysely<Database>,
  { table, subjectType, placeOf }: SealedTable,
  id: number,
  { keys, by }: { keys: MasterKeys; by: Decider },
): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .selectFrom(table)
      .select(['id', 'key_version', 'iv', 'sealed'])
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (row === undefined || row.sealed === null || row.iv === null || row.key_version === null)
      return false;
    const { iv, sealed, key_version: keyVersion } = row;
    const fresh = reseal(keys, placeOf(id), { keyVersion, iv, sealed });
    if (fresh === null) return false;
    await trx
      .updateTable(table)
      .set({ key_version: fresh.keyVersion, iv: fresh.iv, sealed: fresh.sealed })
      .where('id', '=', id)
      .execute();
    const decision = {
      action: `${subjectType.toLowerCase()}.reseal`,
      subjectType,
      subjectId: String(id),
      before: { key_version: keyVersion },
      after: { key_version: fresh.keyVersion },
    };
    await recordDecisions(trx, [decision], by, instant(Date.now()));
    return true;
  });
}

import type { Kysely, Transaction } from 'kysely';

import { type Decider, type Decision, recordDecisions } from '../audit-log.ts';
import {
  lockAccount,
  recordRefusal,
  replaceCredentials,
  type SealedCredentials,
} from './credentials.ts';
import { type PlantRow, resumeAccount } from './plants.ts';
import type { Database } from '../tables.ts';

/**
 * Writes what people decide about plants, by API, page or command: each decision and its rows of `audit_log` in one
 * transaction. The caller then signals the loops; a lost signal costs a minute.
 */

/** Columns of people that a decision may change, and the audit log therefore shows. */
const decidedColumns = [
  'name',
  'customer_id',
  'vendor_account_id',
  'vendor_plant_id',
  'timezone',
  'latitude',
  'longitude',
  'installed_capacity_kw',
  'poll_interval_s',
  'status_profile',
  'integration_status',
  'paused_until',
  'pause_reason',
  'alerts_silenced_until',
  'removed_at',
] as const satisfies readonly (keyof PlantRow)[];

/** The part of a plant that people decide. */
export type DecidedPlant = Pick<
  PlantRow,
  'id' | 'brand' | 'revision' | (typeof decidedColumns)[number]
>;

/**
 * Locks the plants, in the order of their ids, so that two decisions about the same ones wait instead of blocking each
 * other.
 */
async function lockDecided(
  trx: Transaction<Database>,
  ids: readonly string[],
): Promise<DecidedPlant[]> {
  return trx
    .selectFrom('plants')
    .select(['id', 'brand', 'revision', ...decidedColumns])
    .where((eb) => eb('id', '=', eb.fn.any(eb.val([...ids]))))
    .orderBy('id')
    .forUpdate()
    .execute();
}

/** One entry for each plant that changed, with the columns that did. */
function changesOf(
  action: string,
  before: readonly DecidedPlant[],
  after: readonly DecidedPlant[],
): Decision[] {
  const now = new Map(after.map((plant) => [plant.id, plant]));
  return before.flatMap((old): Decision[] => {
    const plant = now.get(old.id);
    if (plant === undefined) return [];
    const changed = decidedColumns.filter(
      (column) => JSON.stringify(old[column]) !== JSON.stringify(plant[column]),
    );
    if (changed.length === 0) return [];
    const pick = (row: DecidedPlant) => Object.fromEntries(changed.map((key) => [key, row[key]]));
    return [
      { action, subjectType: 'PLANT', subjectId: old.id, before: pick(old), after: pick(plant) },
    ];
  });
}

/**
 * Runs one decision about plants under their locks, and logs what it changed.
 *
 * @param action by its name in the audit log: `plant.pause`.
 * @param run gets the plants that exist, as they are under the lock.
 */
export async function decide<Result>(
  { db, by, at }: { db: Kysely<Database>; by: Decider; at: Date },
  action: string,
  ids: readonly string[],
  run: (trx: Transaction<Database>, before: readonly DecidedPlant[]) => Promise<Result>,
): Promise<Result> {
  return db.transaction().execute(async (trx) => {
    const before = await lockDecided(trx, ids);
    const result = await run(trx, before);
    await recordDecisions(trx, changesOf(action, before, await lockDecided(trx, ids)), by, at);
    return result;
  });
}

/** What storing an account's credentials did. */
export interface CredentialsStored {
  version: number;
  /** Plants whose pause for refused credentials was lifted. */
  resumed: string[];
  /** All plants of the account that are polled now. */
  active: string[];
}

/** Stores or replaces an account's credentials; lifts the pause of its plants whose credentials had been refused. */
export async function decideCredentials(
  db: Kysely<Database>,
  sealed: Omit<SealedCredentials, 'version'>,
  by: Decider,
  at: Date,
): Promise<CredentialsStored> {
  return db.transaction().execute((trx) => storeCredentials(trx, sealed, by, at));
}

/** The same within the caller's transaction. */
export async function storeCredentials(
  trx: Transaction<Database>,
  sealed: Omit<SealedCredentials, 'version'>,
  by: Decider,
  at: Date,
): Promise<CredentialsStored> {
  const { accountId } = sealed;
  // The lock keeps a refusal of the old credentials from being booked in between.
  await lockAccount(trx, accountId);
  const version = await replaceCredentials(trx, sealed);
  // What is known of the old ones says nothing about these.
  await recordRefusal(trx, accountId, null);
  const resumed = await resumeAccount(trx, accountId, at);
  const active = await trx
    .selectFrom('plants')
    .select('id')
    .where('vendor_account_id', '=', accountId)
    .where('integration_status', '=', 'ACTIVE')
    .orderBy('id')
    .execute();
  await recordDecisions(
    trx,
    [
      {
        action: 'account.credentials',
        subjectType: 'ACCOUNT',
        subjectId: accountId,
        before: version === 1 ? null : { version: version - 1 },
        after: { version },
      },
      ...resumed.map((id): Decision => ({
        action: 'plant.resume',
        subjectType: 'PLANT',
        subjectId: id,
        before: { integration_status: 'PAUSED_AUTH_ERROR' },
        after: { integration_status: 'ACTIVE' },
      })),
    ],
    by,
    at,
  );
  return { version, resumed, active: active.map(({ id }) => id) };
}

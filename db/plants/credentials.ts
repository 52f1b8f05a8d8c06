import type { Kysely } from 'kysely';

import type { AccountRefusal } from '../../domain/plants/alerts.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { type Decider, recordDecisions } from '../audit-log.ts';
import { type Db, query } from '../database.ts';
import type { Database } from '../tables.ts';

/** The accounts of vendors and their sealed credentials, which only `withVendor` opens. */

/** Credentials as the database keeps them. */
export interface SealedCredentials {
  accountId: string;
  version: number;
  keyVersion: string;
  iv: Buffer;
  /** Ciphertext and tag. */
  sealed: Buffer;
}

export async function insertAccount(
  db: Db,
  account: { id: string; brand: Brand; name: string },
): Promise<void> {
  await db
    .insertInto('vendor_accounts')
    .values(account)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

/** An account, and whether there is anything to log in with. */
export interface AccountView {
  id: string;
  brand: Brand;
  name: string;
  has_credentials: boolean;
}

export async function findAccounts(db: Db, ids: readonly string[]): Promise<AccountView[]> {
  return query(db)<AccountView>`
    select a.id, a.brand, a.name, c.account_id is not null as has_credentials
    from vendor_accounts a left join integration_credentials c on c.account_id = a.id
    where a.id = any(${[...ids]}::text[])`;
}

/** Why the credentials of an account are of no use, with the sentence that says so, and when that was found. */
export interface RefusedAccount {
  refusal: AccountRefusal;
  message: string;
  at: Date;
}

/** Records a refusal; null: nothing is known against the account's credentials. That there are none is no record. */
export async function recordRefusal(
  db: Db,
  accountId: string,
  refused: RefusedAccount | null,
): Promise<void> {
  if (refused?.refusal === 'MISSING') return;
  await db
    .updateTable('vendor_accounts')
    .set({
      refusal: refused?.refusal ?? null,
      refusal_message: refused?.message ?? null,
      refused_at: refused?.at ?? null,
    })
    .where('id', '=', accountId)
    .execute();
}

/** A plant that is paused for the credentials of its account, and why. */
export interface CredentialPause {
  plant_id: string;
  account_id: string;
  refusal: AccountRefusal;
}

/** Which of the plants are paused for the credentials of their account, by id. */
export async function findCredentialPauses(
  db: Db,
  plantIds: readonly string[],
): Promise<CredentialPause[]> {
  return query(db)<CredentialPause>`
    select p.id as plant_id, a.id as account_id,
      case when c.account_id is null then 'MISSING' else coalesce(a.refusal, 'REFUSED') end as refusal
    from plants p
    join vendor_accounts a on a.id = p.vendor_account_id
    left join integration_credentials c on c.account_id = a.id
    where p.integration_status = 'PAUSED_AUTH_ERROR' and p.id = any(${[...plantIds]}::text[])
    order by p.id`;
}

/** Locks the account until the transaction ends. */
export async function lockAccount(db: Db, accountId: string): Promise<void> {
  await query(db)`select from vendor_accounts where id = ${accountId} for update`;
}

/** Stores or replaces an account's credentials; a replacement raises the version. @returns the version. */
export async function replaceCredentials(
  db: Db,
  { accountId, keyVersion, iv, sealed }: Omit<SealedCredentials, 'version'>,
): Promise<number> {
  const row = await db
    .insertInto('integration_credentials')
    .values({ account_id: accountId, key_version: keyVersion, iv, sealed })
    .onConflict((conflict) =>
      conflict.column('account_id').doUpdateSet((eb) => ({
        version: eb('integration_credentials.version', '+', 1),
        key_version: eb.ref('excluded.key_version'),
        iv: eb.ref('excluded.iv'),
        sealed: eb.ref('excluded.sealed'),
        updated_at: new Date(),
      })),
    )
    .returning('version')
    .executeTakeFirstOrThrow();
  return row.version;
}

export async function findCredentials(
  db: Db,
  accountId: string,
): Promise<SealedCredentials | undefined> {
  return db
    .selectFrom('integration_credentials')
    .select(['account_id as accountId', 'version', 'key_version as keyVersion', 'iv', 'sealed'])
    .where('account_id', '=', accountId)
    .executeTakeFirst();
}

/** Accounts whose credentials another master key than this sealed, by id. */
export async function listSealedByOthers(db: Db, keyVersion: string): Promise<string[]> {
  const rows = await db
    .selectFrom('integration_credentials')
    .select('account_id')
    .where('key_version', '<>', keyVersion)
    .orderBy('account_id')
    .execute();
  return rows.map((row) => row.account_id);
}

/** How many accounts have credentials. */
export async function countCredentials(db: Db): Promise<number> {
  const { count } = await db
    .selectFrom('integration_credentials')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

/**
 * Puts another seal on an account's credentials, under the row's lock: the same credentials, so that `version` stays and no
 * loop looks again. `reseal` gives null where the row is as it should be.
 *
 * @param by who had it done, for the audit log.
 * @returns whether the seal was changed.
 */
export async function resealCredentials(
  db: Kysely<Database>,
  accountId: string,
  by: Decider,
  reseal: (
    row: SealedCredentials,
  ) => Pick<SealedCredentials, 'keyVersion' | 'iv' | 'sealed'> | null,
): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    // A replacement takes the same lock, so the second of the two sees what the first wrote.
    await lockAccount(trx, accountId);
    const row = await findCredentials(trx, accountId);
    const fresh = row === undefined ? null : reseal(row);
    if (row === undefined || fresh === null) return false;
    const { keyVersion, iv, sealed } = fresh;
    await trx
      .updateTable('integration_credentials')
      .set({ key_version: keyVersion, iv, sealed, updated_at: new Date() })
      .where('account_id', '=', accountId)
      .execute();
    const decision = {
      action: 'credentials.reseal',
      subjectType: 'ACCOUNT' as const,
      subjectId: accountId,
      before: { key_version: row.keyVersion },
      after: { key_version: keyVersion },
    };
    await recordDecisions(trx, [decision], by, new Date());
    return true;
  });
}

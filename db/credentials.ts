import { sql } from 'kysely';

import type { Brand } from '../domain/plant.ts';
import { type Db } from './database.ts';

/** Credentials as they lie in the database: opened only by `withVendor`. */
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

export async function findAccount(
  db: Db,
  accountId: string,
): Promise<{ id: string; brand: Brand; name: string } | undefined> {
  return db
    .selectFrom('vendor_accounts')
    .select(['id', 'brand', 'name'])
    .where('id', '=', accountId)
    .executeTakeFirst();
}

/** An account, and whether there is anything to log in with. */
export interface AccountView {
  id: string;
  brand: Brand;
  name: string;
  has_credentials: boolean;
}

export async function findAccounts(db: Db, ids: readonly string[]): Promise<AccountView[]> {
  const result = await sql<AccountView>`
    select a.id, a.brand, a.name, c.account_id is not null as has_credentials
    from vendor_accounts a left join integration_credentials c on c.account_id = a.id
    where a.id = any(${[...ids]}::text[])`.execute(db);
  return result.rows;
}

/** Locks the account until the transaction ends. */
export async function lockAccount(db: Db, accountId: string): Promise<void> {
  await db
    .selectFrom('vendor_accounts')
    .select('id')
    .where('id', '=', accountId)
    .forUpdate()
    .execute();
}

/** Stores or replaces an account's credentials; a replacement raises the version. @returns the version. */
export async function replaceCredentials(
  db: Db,
  sealed: { accountId: string; keyVersion: string; iv: Buffer; sealed: Buffer },
): Promise<number> {
  const row = await db
    .insertInto('integration_credentials')
    .values({
      account_id: sealed.accountId,
      key_version: sealed.keyVersion,
      iv: sealed.iv,
      sealed: sealed.sealed,
    })
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
  const row = await db
    .selectFrom('integration_credentials')
    .selectAll()
    .where('account_id', '=', accountId)
    .executeTakeFirst();
  return row === undefined
    ? undefined
    : {
        accountId: row.account_id,
        version: row.version,
        keyVersion: row.key_version,
        iv: row.iv,
        sealed: row.sealed,
      };
}

/** The version that is stored now; null without credentials. */
export async function findCredentialsVersion(db: Db, accountId: string): Promise<number | null> {
  const row = await db
    .selectFrom('integration_credentials')
    .select('version')
    .where('account_id', '=', accountId)
    .executeTakeFirst();
  return row?.version ?? null;
}

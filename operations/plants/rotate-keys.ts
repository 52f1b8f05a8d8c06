import type { Kysely } from 'kysely';

import { type MasterKeys, openCredentials, resealedCredentials } from '../../db/sealing.ts';
import { PlainError } from '../../domain/plain-error.ts';
import type { Decider } from '../../db/audit-log.ts';
import {
  countCredentials,
  findCredentials,
  listSealedByOthers,
  resealCredentials,
} from '../../db/plants/credentials.ts';
import type { Database } from '../../db/tables.ts';

/** Seals the credentials of every account with the current master key, while everything runs. */

export interface Rotation {
  key_version: string;
  accounts: number;
  resealed: number;
  /** Accounts that no master key opens, or whose new seal does not open to the same credentials. They are unchanged. */
  failed: { account_id: string; sentence: string }[];
}

/**
 * Seals again what another master key sealed, one account at a time, under its row's lock: a reader sees the old seal or the
 * new one, and both open to the same credentials. After an interruption, run it again: it skips what is done.
 *
 * @param progress called after every account, with the number of accounts left.
 */
export async function rotateKeys(options: {
  db: Kysely<Database>;
  keys: MasterKeys;
  by: Decider;
  progress: (accountId: string, left: number) => void;
}): Promise<Rotation> {
  const { db, keys, by, progress } = options;
  const keyVersion = keys.current.version;
  const accountIds = await listSealedByOthers(db, keyVersion);
  let resealed = 0;
  const failed: Rotation['failed'] = [];
  for (const [index, accountId] of accountIds.entries()) {
    try {
      if (await resealOne(db, keys, accountId, by)) resealed += 1;
    } catch (error) {
      // A damaged row must not keep the others under the old key.
      if (!(error instanceof PlainError)) throw error;
      failed.push({ account_id: accountId, sentence: error.message });
    }
    progress(accountId, accountIds.length - index - 1);
  }
  return { key_version: keyVersion, accounts: await countCredentials(db), resealed, failed };
}

async function resealOne(
  db: Kysely<Database>,
  keys: MasterKeys,
  accountId: string,
  by: Decider,
): Promise<boolean> {
  const changed = await resealCredentials(db, accountId, by, (row) =>
    resealedCredentials(keys, row),
  );
  if (!changed) return false;
  // The next poll opens what PostgreSQL returns.
  const stored = await findCredentials(db, accountId);
  if (stored !== undefined) openCredentials({ current: keys.current, previous: null }, stored);
  return true;
}

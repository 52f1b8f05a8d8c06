import type { Kysely } from 'kysely';

import { type MasterKeys, openCredentials, sealCredentials } from '../../db/sealing.ts';
import { PlainError } from '../../domain/plain-error.ts';
import type { Decider } from '../../db/audit-log.ts';
import {
  countCredentials,
  findCredentials,
  listSealedByOthers,
  resealCredentials,
} from '../../db/plants/credentials.ts';
import type { Database } from '../../db/tables.ts';

/** Puts every account's credentials under the current master key, while everything runs. */

export interface Rotation {
  key_version: string;
  accounts: number;
  resealed: number;
  /** Accounts that neither master key opens, or whose new seal does not give the same back; they are as they were. */
  failed: { account_id: string; sentence: string }[];
}

/**
 * Seals what another master key sealed with the current one, an account at a time, under its row's lock: whoever reads it sees
 * the old seal or the new one, and both hold the same. Interrupted, it is simply run again: what is done is skipped.
 *
 * @param progress is told of every account that was done, with what is left.
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
      // One damaged row must not keep the others under a key that is to go.
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
  const onlyCurrent: MasterKeys = { current: keys.current, previous: null };
  const changed = await resealCredentials(db, accountId, by, (row) => {
    if (row.keyVersion === keys.current.version) return null;
    const credentials = openCredentials(keys, row);
    const fresh = sealCredentials(keys, accountId, credentials);
    mustHold(accountId, openCredentials(onlyCurrent, fresh), credentials);
    return fresh;
  });
  if (!changed) return false;
  // What PostgreSQL gives back is what the next poll opens.
  const stored = await findCredentials(db, accountId);
  if (stored !== undefined) openCredentials(onlyCurrent, stored);
  return true;
}

function mustHold(
  accountId: string,
  opened: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): void {
  if (JSON.stringify(opened) !== JSON.stringify(wanted))
    throw new PlainError(
      `the new seal of account ${accountId} does not hold what the old one held`,
    );
}

import type { Kysely } from 'kysely';

import type { Decider } from '../../db/audit-log.ts';
import { listSealedRows, resealRow, sealedTables } from '../../db/notifications/channel-list.ts';
import type { MasterKeys } from '../../db/sealing.ts';
import type { Database } from '../../db/tables.ts';
import { PlainError } from '../../domain/plain-error.ts';

/** Seals the settings of channels and the tokens of subscriptions with the current master key, while everything runs. */

export interface SealRotation {
  resealed: number;
  /** Rows that no master key opens. They are unchanged. */
  failed: { table: string; id: number; sentence: string }[];
}

/** One row at a time, under its lock. After an interruption, run it again: it skips what is done. */
export async function rotateSeals(options: {
  db: Kysely<Database>;
  keys: MasterKeys;
  by: Decider;
}): Promise<SealRotation> {
  const { db, keys, by } = options;
  const rotation: SealRotation = { resealed: 0, failed: [] };
  for (const sealed of sealedTables) {
    for (const id of await listSealedRows(db, sealed, keys.current.version)) {
      try {
        if (await resealRow(db, sealed, id, { keys, by })) rotation.resealed += 1;
      } catch (error) {
        // A damaged row must not keep the others under the old key.
        if (!(error instanceof PlainError)) throw error;
        rotation.failed.push({ table: sealed.table, id, sentence: error.message });
      }
    }
  }
  return rotation;
}

import { sql, type Transaction } from 'kysely';

import { type Decider, recordDecisions } from '../audit-log.ts';
import { applyAlertChanges } from '../alerts.ts';
import { type Db, instant, query, queryRow } from '../database.ts';
import type { Database } from '../tables.ts';
import { plantSubject, readAlertsBefore } from './alerts.ts';

/** Writes what corrects a wrong plant: its vendor's id, its account, its removal, and the deletion after that. */

/** Whether the vendor has ever answered for the plant: then its days and its ledger are those of its `vendor_plant_id`. */
export async function hasAnswered(db: Db, plantId: string): Promise<boolean> {
  const { answered } = await queryRow(db)<{ answered: boolean }>`
    select coalesce((select plant_has_answered(p) from plants p where id = ${plantId}), false) as answered`;
  return answered;
}

/** Gives the plant another id at its vendor. The database refuses it for a plant that has answered. */
export async function setVendorPlant(
  trx: Db,
  plantId: string,
  vendorPlantId: string,
): Promise<void> {
  await trx
    .updateTable('plants')
    .set({ vendor_plant_id: vendorPlantId })
    .where('id', '=', plantId)
    .execute();
}

/** Moves the plant to another account. A pause for refused credentials ends where `canLogIn`: they were the other account's. */
export async function setAccount(
  trx: Db,
  plantId: string,
  { accountId, canLogIn, at }: { accountId: string; canLogIn: boolean; at: Date },
): Promise<void> {
  await trx
    .updateTable('plants')
    .set({ vendor_account_id: accountId })
    .where('id', '=', plantId)
    .execute();
  if (!canLogIn) return;
  await trx
    .updateTable('plants')
    .set({ integration_status: 'ACTIVE', activated_at: at })
    .where('id', '=', plantId)
    .where('integration_status', '=', 'PAUSED_AUTH_ERROR')
    .execute();
}

/**
 * Marks the plant as removed and ends its alerts; a trigger ends its polling. Its loop ends when it looks at its row. The
 * caller holds its lock.
 */
export async function markRemoved(trx: Db, plantId: string, at: Date): Promise<void> {
  await trx.updateTable('plants').set({ removed_at: at }).where('id', '=', plantId).execute();
  await endAlerts(trx, plantId, at.getTime());
}

/** Resolves the active alerts of a removed plant, without a word to anybody. The caller holds the plant's lock. */
export async function endAlerts(trx: Db, plantId: string, nowMs: number): Promise<void> {
  const read = await readAlertsBefore(trx, plantId, { nowMs });
  const active = read?.before.active ?? [];
  const changes = active.map(({ id }) => ({
    kind: 'RESOLVE' as const,
    id,
    atMs: nowMs,
    reason: 'the plant was removed',
    dropPending: true,
    announce: null,
  }));
  await applyAlertChanges(trx, plantSubject(plantId), changes, { active, nowMs });
}

/** Deletes a removed plant with its periods, days, alerts and ledger for good. @returns rows of the ledger that it had. */
export async function deletePlant(
  trx: Transaction<Database>,
  plantId: string,
  { by, at }: { by: Decider; at: Date },
): Promise<number> {
  const { ledger_rows: ledgerRows } = await queryRow(trx)<{ ledger_rows: number }>`
    with gone as (delete from poll_logs where plant_id = ${plantId} returning 1)
    select count(*)::int as ledger_rows from gone`;
  await query(trx)`
    update notifications set dropped_at = ${instant(at.getTime())}
    where subject_kind = 'PLANT' and subject_id = ${plantId} and dropped_at is null and not_before > ${at}`;
  const row = await trx
    .deleteFrom('plants')
    .where('id', '=', plantId)
    .where(sql<boolean>`removed_at is not null`)
    .returning(['name', 'brand', 'vendor_plant_id', 'removed_at'])
    .executeTakeFirstOrThrow();
  const decision = {
    action: 'plant.purge',
    subjectType: 'PLANT',
    subjectId: plantId,
    before: row,
    after: null,
  } as const;
  await recordDecisions(trx, [decision], by, at);
  return ledgerRows;
}

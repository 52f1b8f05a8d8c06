import type { Db } from '../database.ts';

/** Since when the ledger is kept whole, as the last prune left it, ms; null where nobody has pruned it. */
export async function findLedgerKeptFrom(db: Db): Promise<number | null> {
  const row = await db.selectFrom('ledger_kept').select('from_at').executeTakeFirst();
  return row?.from_at.getTime() ?? null;
}

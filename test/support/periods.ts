import type { Kysely } from 'kysely';

import type { Database } from '../../db/tables.ts';

/** A plant's periods, oldest first; times in ms since the epoch. */
export async function periodsOf(db: Kysely<Database>, plantId: string) {
  const rows = await db
    .selectFrom('plant_periods')
    .selectAll()
    .where('plant_id', '=', plantId)
    .orderBy('from_at')
    .execute();
  return rows.map((row) => ({
    from: row.from_at.getTime(),
    to: row.to_at?.getTime() ?? null,
    intervalS: row.interval_s,
    reason: row.reason,
  }));
}

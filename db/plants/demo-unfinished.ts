import { type Kysely, sql } from 'kysely';

import { type Db } from '../database.ts';
import type { Database } from '../tables.ts';

/** Demo plants whose past is not complete: what a seeding that was cut off has left. */

export async function markUnfinished(db: Db, plantIds: readonly string[]): Promise<void> {
  if (plantIds.length === 0) return;
  const rows = plantIds.map((plant_id) => ({ plant_id }));
  await db.insertInto('demo_unfinished').values(rows).execute();
}

export async function markFinished(db: Db, plantId: string): Promise<void> {
  await db.deleteFrom('demo_unfinished').where('plant_id', '=', plantId).execute();
}

/** Deletes unfinished plants with everything that was written of them. @returns the number of plants. */
export async function removeUnfinished(db: Kysely<Database>): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const plantIds = trx.selectFrom('demo_unfinished').select('plant_id');
    // These two do not refer to the plant, so they do not go with it.
    await trx.deleteFrom('poll_logs').where('plant_id', 'in', plantIds).execute();
    await trx
      .deleteFrom('notifications')
      .where('subject_kind', '=', 'PLANT')
      .where('subject_id', 'in', plantIds)
      .execute();
    const removed = await trx
      .deleteFrom('plants')
      .where('id', 'in', plantIds)
      .returning(sql`1`.as('one'))
      .execute();
    return removed.length;
  });
}

import { type Db } from '../database.ts';
import type { Brand } from '../../domain/plants/plant.ts';

/** Outages of recorded vendors, so that a visitor sees an incident come and go. Only the fixture transport reads them. */

/** Makes a brand's recorded vendor not answer until `until`; null: it answers again. */
export async function setDemoOutage(db: Db, brand: Brand, until: Date | null): Promise<void> {
  if (until === null) {
    await db.deleteFrom('demo_outages').where('brand', '=', brand).execute();
    return;
  }
  await db
    .insertInto('demo_outages')
    .values({ brand, until_at: until })
    .onConflict((conflict) => conflict.column('brand').doUpdateSet({ until_at: until }))
    .execute();
}

export async function findDemoOutages(db: Db): Promise<{ brand: Brand; until_at: Date }[]> {
  return db.selectFrom('demo_outages').selectAll().execute();
}

import type { Selectable } from 'kysely';

import type { Db } from './database.ts';
import type { PlantScope } from './scope.ts';
import type { NotificationsTable } from './tables.ts';

/** The outbox behind a row, oldest first. Nothing is sent by reading it. */
export async function listNotifications(
  db: Db,
  scope: PlantScope,
  page: { afterId: number; limit: number },
): Promise<Selectable<NotificationsTable>[]> {
  let query = db
    .selectFrom('notifications as n')
    .innerJoin('plants as p', 'p.id', 'n.plant_id')
    .selectAll('n')
    .where('n.id', '>', page.afterId)
    .orderBy('n.id')
    .limit(page.limit);
  if (scope.customerId !== null) query = query.where('p.customer_id', '=', scope.customerId);
  return query.execute();
}

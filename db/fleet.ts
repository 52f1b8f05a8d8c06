import { sql } from 'kysely';

import type { Brand } from '../domain/plant.ts';
import type { Db } from './database.ts';

/** A plant as the reconciliation of the fleet needs it. */
export interface FleetPlant {
  id: string;
  name: string;
  brand: Brand;
  /** The loop has not yet seen what people changed. */
  changed: boolean;
}

export async function listFleet(db: Db): Promise<FleetPlant[]> {
  const result = await sql<FleetPlant>`
    select id, name, brand, seen_revision <> revision as changed from plants order by id`.execute(
    db,
  );
  return result.rows;
}

/**
 * Plants that are not polled and have active alerts: nobody but the reconciliation reminds of them. Of plants that an
 * operator paused nobody is reminded.
 */
export async function listPausedWithAlerts(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('plants as p')
    .select('p.id')
    .distinct()
    .innerJoin('alerts as a', 'a.plant_id', 'p.id')
    .where('p.integration_status', 'in', ['PAUSED_AUTH_ERROR', 'PENDING_DOCS'])
    .where('a.state', 'in', ['NEW', 'ACKED'])
    .execute();
  return rows.map((row) => row.id);
}

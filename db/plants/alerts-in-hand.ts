import { type Kysely, sql } from 'kysely';

import { type Ack, type Acked, acknowledge, silence } from '../alerts.ts';
import type { Decider } from '../audit-log.ts';
import { plantSubjects } from './alerts.ts';
import { lockPlant } from './plants.ts';
import type { PlantScope } from '../scope.ts';
import type { Database } from '../tables.ts';

/** What people decide about plants' alerts. Every decision raises the plant's revision, by which the loop notices it. */

export type AckResult =
  | { kind: 'ACKED'; alert: Acked & { plant_id: string } }
  | { kind: 'RESOLVED'; plantId: string; resolvedAt: Date | null }
  | { kind: 'UNKNOWN' };

/**
 * Acknowledges an active alert, in one transaction with the plant's revision.
 *
 * @param decision.scope of a customer: other customers' alerts are unknown.
 */
export async function ackAlert(
  db: Kysely<Database>,
  alertId: number,
  ack: Ack,
  decision: { by: Decider; at: Date; scope: PlantScope },
): Promise<AckResult> {
  const { customerId } = decision.scope;
  return db.transaction().execute(async (trx): Promise<AckResult> => {
    const found = await trx
      .selectFrom('alerts')
      .select('plant_id')
      .where('id', '=', alertId)
      .executeTakeFirst();
    // Locks the plant first, as the loop does; another order could deadlock.
    const plantId = found?.plant_id ?? null;
    const plant = plantId === null ? undefined : await lockPlant(trx, plantId);
    if (plant === undefined || (customerId !== null && plant.customer_id !== customerId))
      return { kind: 'UNKNOWN' };
    const result = await acknowledge(trx, alertId, ack, decision);
    if (result.kind === 'RESOLVED') return { ...result, plantId: plant.id };
    // A trigger raises the revision for the plant's own columns; an alert is none of them.
    await trx
      .updateTable('plants')
      .set({ revision: sql`revision + 1` })
      .where('id', '=', plant.id)
      .execute();
    return { kind: 'ACKED', alert: { ...result.alert, plant_id: plant.id } };
  });
}

/** Silences plants until a time, or ends their silence. @returns the ids of the plants that exist. */
export async function silencePlants(
  db: Kysely<Database>,
  ids: readonly string[],
  until: { until: Date | null; reason: string | null },
  decision: { by: Decider; at: Date },
): Promise<string[]> {
  return silence(db, { ...plantSubjects, ids }, until, decision);
}

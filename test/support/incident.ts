import type { Db } from '../../db/database.ts';
import { insertTestPlant } from './activities.ts';

/** An open incident of HUAWEI as the loops and the reconciliation would have written it. */

const minuteMs = 60_000;

export interface TestIncident {
  id: number;
  plantIds: string[];
  /** The first failed poll, ms. */
  sinceMs: number;
}

/**
 * Three plants of HUAWEI, `customer_id` noord, sul and none, whose polls have failed for 25 min, each with its alert; and one
 * alert of a vendor's own, which no incident explains.
 */
export async function insertTestIncident(db: Db, nowMs: number): Promise<TestIncident> {
  const sinceMs = nowMs - 25 * minuteMs;
  const plantIds = ['away-1', 'away-2', 'away-3'];
  for (const [index, id] of plantIds.entries()) {
    const customerId = ['noord', 'sul', null][index] ?? null;
    await insertTestPlant(db, {
      id,
      brand: 'HUAWEI',
      vendor_plant_id: `v-${id}`,
      customer_id: customerId,
      timezone: 'UTC',
    });
    await failPolls(db, id, sinceMs, nowMs);
    await insertAlert(db, id, nowMs - 5 * minuteMs, 'API_ERROR', 'POLL');
  }
  await insertAlert(db, 'away-1', nowMs - 5 * minuteMs, 'MOCK_FAULT', '2032');
  const { id } = await db
    .insertInto('brand_incidents')
    .values({
      brand: 'HUAWEI',
      failing_since: new Date(sinceMs),
      suspected_at: new Date(sinceMs + minuteMs),
      sightings: 20,
      opened_at: new Date(sinceMs + 6 * minuteMs),
      plants_failed: 3,
      plants_failed_most: 3,
      plants_active: 3,
      errors: JSON.stringify({ VENDOR_ERROR: 3 }),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { id, plantIds, sinceMs };
}

/** Ends it as the reconciliation does: answered again for 10 min, and its alerts resolved. */
export async function closeTestIncident(db: Db, { id, plantIds }: TestIncident, nowMs: number) {
  await db
    .updateTable('brand_incidents')
    .set({ recovering_since: new Date(nowMs - 2 * minuteMs), closed_at: new Date(nowMs) })
    .where('id', '=', id)
    .execute();
  await db
    .updateTable('alerts')
    .set({ state: 'RESOLVED', resolved_at: new Date(nowMs) })
    .where('plant_id', 'in', plantIds)
    .where('type', '=', 'API_ERROR')
    .execute();
}

/** Takes away what outlives the plants: the incident, and credentials that no worker of another test could open. */
export async function removeTestIncident(db: Db): Promise<void> {
  await db.deleteFrom('brand_incidents').execute();
  await db
    .deleteFrom('integration_credentials')
    .where('account_id', '=', 'account-HUAWEI')
    .execute();
}

async function failPolls(db: Db, id: string, fromMs: number, nowMs: number): Promise<void> {
  const slots = [0, 10, 20].map((minutes) => fromMs + minutes * minuteMs);
  await db
    .insertInto('poll_logs')
    .values(
      slots.map((slotMs) => ({
        plant_id: id,
        job_type: 'POLL' as const,
        scheduled_for: new Date(slotMs),
        trigger: 'SCHEDULE' as const,
        status: 'ERROR' as const,
        outcome: 'FAILED' as const,
        started_at: new Date(slotMs),
        attempts: 1,
        adapter_error_type: 'VENDOR_ERROR' as const,
        error: 'HTTP 503',
        workflow_id: 'w',
        run_id: 'r',
      })),
    )
    .execute();
  await db
    .updateTable('plants')
    .set({
      activated_at: new Date(nowMs - 24 * 60 * minuteMs),
      consecutive_failures: 3,
      failing_since: new Date(fromMs),
      last_slot: new Date(slots.at(-1) ?? fromMs),
      last_polled_at: new Date(slots.at(-1) ?? fromMs),
      last_poll: JSON.stringify({
        outcome: 'FAILED',
        errorType: 'VENDOR_ERROR',
        error: 'HTTP 503',
        booked: null,
        startedAtMs: slots.at(-1),
        durationMs: 20,
        attempts: 1,
      }),
    })
    .where('id', '=', id)
    .execute();
}

async function insertAlert(
  db: Db,
  plantId: string,
  atMs: number,
  type: 'API_ERROR' | 'MOCK_FAULT',
  code: string,
): Promise<void> {
  const at = new Date(atMs);
  await db
    .insertInto('alerts')
    .values({
      plant_id: plantId,
      type,
      vendor_alarm_code: code,
      severity: 'YELLOW',
      state: 'NEW',
      message: `${type} of ${plantId}`,
      started_at: at,
      last_seen_at: at,
    })
    .execute();
}

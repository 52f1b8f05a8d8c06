import type { Kysely } from 'kysely';

import type { Database } from '../../db/tables.ts';

/** Adds an active red alarm of a vendor to a plant. */
export async function insertAlarm(
  db: Kysely<Database>,
  plantId: string,
  at: Date = new Date(),
): Promise<void> {
  await db
    .insertInto('alerts')
    .values({
      plant_id: plantId,
      type: 'MOCK_FAULT',
      vendor_alarm_code: '1',
      device_sn: null,
      severity: 'RED',
      state: 'NEW',
      message: 'fault',
      vendor_level: null,
      vendor_text: null,
      started_at: at,
      last_seen_at: at,
      acked_at: null,
      acked_by: null,
      acked_until: null,
      resolved_at: null,
      last_notified_at: null,
    })
    .execute();
}

import { type Insertable } from 'kysely';
import { beforeEach, expect } from 'vitest';

import { hourMs } from '../../domain/zone.ts';
import { insertTestPlant } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';
import { listPlantsToRemindOf } from './fleet.ts';
import type { PlantTables } from './tables.ts';

const nowMs = Date.parse('2026-11-28T12:00:00Z');
const agoMs = (hours: number) => new Date(nowMs - hours * hourMs);

beforeEach(async () => {
  await database.db.deleteFrom('plants').execute();
  await insertTestPlant(database.db, { integration_status: 'PAUSED_AUTH_ERROR' });
});

async function isLookedAt(alert: Partial<Insertable<PlantTables['alerts']>>): Promise<boolean> {
  await database.db
    .insertInto('alerts')
    .values({
      plant_id: 'plant',
      type: 'API_ERROR',
      vendor_alarm_code: 'AUTH',
      severity: 'RED',
      state: 'NEW',
      message: 'refused',
      started_at: agoMs(20),
      last_seen_at: agoMs(20),
      ...alert,
    })
    .execute();
  return (await listPlantsToRemindOf(database.db, nowMs)).length > 0;
}

test.each<[string, Partial<Insertable<PlantTables['alerts']>>, boolean]>([
  ['never told of', { last_notified_at: null }, true],
  ['told of exactly 6 h ago', { last_notified_at: agoMs(6) }, true],
  ['told of within 6 h', { last_notified_at: agoMs(5.999) }, false],
  ['to be told of in the morning', { last_notified_at: agoMs(-9) }, false],
  ['there before the plant was first asked', { muted: true }, false],
  ['taken in hand', { state: 'ACKED', acked_at: agoMs(8), last_notified_at: agoMs(9) }, false],
  [
    'taken in hand until now',
    { state: 'ACKED', acked_at: agoMs(8), acked_until: agoMs(0), last_notified_at: agoMs(9) },
    true,
  ],
  ['resolved', { state: 'RESOLVED', resolved_at: agoMs(7) }, false],
])('a paused plant with an alert %s', async (_, alert, expected) => {
  expect(await isLookedAt(alert)).toBe(expected);
});

test('of a plant that an operator paused nobody is reminded', async () => {
  await database.db
    .updateTable('plants')
    .set({ integration_status: 'DISABLED_BY_OPERATOR' })
    .execute();
  expect(await isLookedAt({})).toBe(false);
});

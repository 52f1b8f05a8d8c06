import { expect } from 'vitest';

import { playPlant } from '../../cli/demo/play.ts';
import { findPlant } from '../../db/plants/plants.ts';
import { hourMs } from '../../domain/zone.ts';
import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';

/** 12:00 at the plant. */
const noonMs = Date.parse('2026-06-11T18:00:00Z');

test('the recorded plant with one dead inverter of two raises DEVICE_DOWN, keeps its colour and its devices', async () => {
  const { db } = database;
  await insertTestPlant(db, {
    brand: 'GOODWE',
    vendor_plant_id: '5e3f0c1a-7b2d-4c8e-9f10-000000000010',
    timezone: 'America/Denver',
    latitude: 39.74,
    longitude: -104.99,
    activated_at: new Date(noonMs - hourMs),
  });
  const player = testActivities(database);
  await playPlant(player, 'plant', noonMs - hourMs, noonMs + hourMs);
  const alerts = await db.selectFrom('alerts').selectAll().execute();
  expect(alerts).toMatchObject([
    { type: 'DEVICE_DOWN', severity: 'YELLOW', state: 'NEW', vendor_alarm_code: null },
  ]);
  const plant = await findPlant(db, 'plant');
  expect(plant).toMatchObject({ status: 'GREEN', status_reason: 'SEEN_RECENTLY' });
  expect(plant?.devices).toHaveLength(2);
  expect(alerts[0]?.device_sn).toBe(plant?.devices?.find(({ downStreak }) => downStreak > 0)?.sn);
});

import { beforeEach, expect } from 'vitest';

import { pause, resume, silence } from '../../operations/plants/actions.ts';
import { insertTestPlant } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';
import { allPlants } from '../scope.ts';
import { listAlerts } from './alerts.ts';
import { endPauses, listPlants, pausePlants } from './plants.ts';

const until = new Date('2099-01-01T00:00:00Z');
const act = (actor: string) => ({
  db: database.db,
  by: { actor, requestId: null },
  at: new Date(),
  scope: allPlants,
});
const held = async () => {
  const [plant] = await listPlants(database.db);
  const { paused_by: paused, alerts_silenced_by: silenced, alerts_silence_reason: why } = plant!;
  return { paused, silenced, why };
};
const nobody = { paused: null, silenced: null, why: null };

beforeEach(async () => {
  await database.db.deleteFrom('plants').execute();
  await database.db.deleteFrom('audit_log').execute();
  await insertTestPlant(database.db);
});

test('a pause is of the person who ordered it, until it ends', async () => {
  expect(await held()).toEqual(nobody);
  await pause(act('ana'), ['plant'], { until, reason: 'roof' });
  expect(await held()).toEqual({ ...nobody, paused: 'ana' });
  await pause(act('bo'), ['plant'], { until, reason: 'panels' });
  expect(await held()).toEqual({ ...nobody, paused: 'bo' });
  await resume(act('cy'), ['plant']);
  expect(await held()).toEqual(nobody);
});

test('a pause of before is not taken for one that nobody is recorded for', async () => {
  const { db } = database;
  await pause(act('ana'), ['plant'], { until, reason: null });
  await endPauses(db, until.getTime());
  await pausePlants(db, ['plant'], { until: null, reason: 'paused in the Temporal Web UI' });
  expect(await held()).toEqual(nobody);
});

test('a silence has its person and its reason, also at the plant’s alerts', async () => {
  const { db } = database;
  const seen = { started_at: new Date(), last_seen_at: new Date() };
  const alert = { type: 'OFFLINE', severity: 'RED', state: 'NEW', message: 'm' } as const;
  await db
    .insertInto('alerts')
    .values({ plant_id: 'plant', ...alert, ...seen })
    .execute();
  await silence(act('ana'), ['plant'], { until, reason: 'dust' });
  expect(await held()).toEqual({ ...nobody, silenced: 'ana', why: 'dust' });
  expect(await listAlerts(db, { limit: 1 })).toMatchObject([
    { alerts_silenced_until: until, alerts_silenced_by: 'ana', alerts_silence_reason: 'dust' },
  ]);
  await db
    .updateTable('plants')
    .set({ alerts_silenced_until: new Date('2098-01-01T00:00:00Z') })
    .execute();
  expect(await held()).toEqual(nobody);
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { decideCredentials } from '../../db/plants/decisions.ts';
import { findPlant, pauseAccount, type PlantSettings } from '../../db/plants/plants.ts';
import { insertTestPlant } from '../../test/support/activities.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import {
  acknowledge,
  type Act,
  addNewPlants,
  changeSettings,
  pause,
  resume,
  silence,
} from './actions.ts';

const by = { actor: 'ana@example.org', requestId: 'request-1' };
let database: TestDatabase;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const act = (customerId: string | null = null): Act => ({
  db: database.db,
  by,
  at: new Date(),
  scope: { customerId },
});
async function addPlant(plant: Parameters<typeof insertTestPlant>[1] = {}): Promise<string> {
  count += 1;
  const id = `plant-${count}`;
  await insertTestPlant(database.db, { id, vendor_plant_id: id, vendor_account_id: id, ...plant });
  return id;
}
const set = (id: string, settings: PlantSettings, ifRevision?: number) =>
  changeSettings(act(), [id], { settings, activates: false, ifRevision });
const done = (...plantIds: string[]) => ({ plantIds, refused: [] });
const forGood = { until: null, reason: 'works on the roof' };
const logOf = (subjectId: string) =>
  database.db
    .selectFrom('audit_log')
    .select(['actor', 'action', 'subject_type', 'before', 'after', 'request_id'])
    .where('subject_id', '=', subjectId)
    .orderBy('id')
    .execute();

describe('a decision', () => {
  test('is logged with who made it, and what it changed', async () => {
    const id = await addPlant();
    expect(await pause(act(), [id], forGood)).toEqual(done(id));
    expect(await logOf(id)).toEqual([
      {
        actor: 'ana@example.org',
        action: 'plant.pause',
        subject_type: 'PLANT',
        before: { integration_status: 'ACTIVE', pause_reason: null },
        after: { integration_status: 'DISABLED_BY_OPERATOR', pause_reason: 'works on the roof' },
        request_id: 'request-1',
      },
    ]);
  });

  test('that changes nothing leaves no row', async () => {
    const id = await addPlant();
    expect(await resume(act(), [id])).toEqual(done());
    expect(await set(id, { poll_interval_s: 600 })).toEqual(done(id));
    expect(await logOf(id)).toEqual([]);
  });

  test('that fails leaves neither change nor row', async () => {
    const id = await addPlant();
    await expect(set(id, { name: 'Renamed', poll_interval_s: 0 })).rejects.toMatchObject({
      code: '23514',
    });
    expect(await findPlant(database.db, id)).toMatchObject({ name: 'Plant', revision: 1 });
    expect(await logOf(id)).toEqual([]);
  });

  test('about a revision that is no more changes nothing, and says which one stands', async () => {
    const id = await addPlant();
    expect(await set(id, { name: 'First' }, 1)).toEqual(done(id));
    expect(await set(id, { name: 'Second' }, 1)).toEqual({
      plantIds: [],
      refused: [{ refusal: 'CHANGED_MEANWHILE', revision: 2 }],
    });
    expect(await findPlant(database.db, id)).toMatchObject({ name: 'First' });
  });

  test('to store credentials resumes what their refusal had paused, and logs no secret', async () => {
    const id = await addPlant();
    await pauseAccount(database.db, id);
    const sealed = {
      accountId: id,
      keyVersion: 'k',
      iv: Buffer.alloc(12),
      sealed: Buffer.from('a sealed secret, longer'),
    };
    expect(await decideCredentials(database.db, sealed, by, new Date())).toEqual({
      version: 2,
      resumed: [id],
      active: [id],
    });
    expect((await logOf(id)).map(({ action, after }) => ({ action, after }))).toEqual([
      { action: 'account.credentials', after: { version: 2 } },
      { action: 'plant.resume', after: { integration_status: 'ACTIVE' } },
    ]);
  });
});

describe('a refusal', () => {
  const notNow = (plantId: string, wish: string, status: string) => ({
    refusal: 'NOT_NOW',
    wish,
    plantId,
    status,
  });

  test('names the plants that wait for their documents, and the others are paused', async () => {
    const active = await addPlant();
    const pending = await addPlant({ integration_status: 'PENDING_DOCS' });
    expect(await pause(act(), [pending, active], forGood)).toEqual({
      plantIds: [active],
      refused: [notNow(pending, 'PAUSE', 'PENDING_DOCS')],
    });
    expect(await resume(act(), [pending, active])).toEqual({
      plantIds: [active],
      refused: [notNow(pending, 'RESUME', 'PENDING_DOCS')],
    });
    expect(await findPlant(database.db, pending)).toMatchObject({ revision: 1 });
  });

  test('keeps a paused plant as it is, where the others become ACTIVE', async () => {
    const paused = await addPlant({ integration_status: 'DISABLED_BY_OPERATOR' });
    const pending = await addPlant({ integration_status: 'PENDING_DOCS' });
    const change = { settings: { name: 'Renamed' }, activates: true };
    expect(await changeSettings(act(), [paused, pending], change)).toEqual({
      plantIds: [pending],
      refused: [notNow(paused, 'ACTIVATE', 'DISABLED_BY_OPERATOR')],
    });
    expect(await findPlant(database.db, paused)).toMatchObject({ name: 'Plant' });
    expect(await findPlant(database.db, pending)).toMatchObject({
      name: 'Renamed',
      integration_status: 'ACTIVE',
    });
  });

  test('tells nothing of plants beyond the scope, and changes none of them', async () => {
    const foreign = await addPlant({ customer_id: 'zuid' });
    const refused = [{ refusal: 'UNKNOWN_PLANT', plantId: foreign }];
    const change = { settings: { name: 'Renamed' }, activates: false };
    const noord = act('noord');
    expect(await pause(noord, [foreign], forGood)).toEqual({ plantIds: [], refused });
    expect(await resume(noord, [foreign])).toEqual({ plantIds: [], refused });
    expect(await silence(noord, [foreign], forGood)).toEqual({ plantIds: [], refused });
    expect(await changeSettings(noord, [foreign], change)).toEqual({ plantIds: [], refused });
    expect(await findPlant(database.db, foreign)).toMatchObject({ name: 'Plant', revision: 1 });
    expect(await pause(act(), ['nobody'], forGood)).toEqual({
      plantIds: [],
      refused: [{ refusal: 'UNKNOWN_PLANT', plantId: 'nobody' }],
    });
  });

  test('says which value cannot be, and changes none of the plants', async () => {
    const here = await addPlant({ latitude: 52, longitude: 5 });
    const nowhere = await addPlant({ latitude: null, longitude: null });
    const settings = { status_profile: 'DAYLIGHT' } as const;
    expect(await changeSettings(act(), [here, nowhere], { settings, activates: false })).toEqual({
      plantIds: [],
      refused: [
        {
          refusal: 'WRONG_VALUE',
          field: 'status_profile',
          plantId: nowhere,
          problem: expect.stringContaining('needs latitude and longitude'),
        },
      ],
    });
    expect(await set(here, { timezone: 'CET' })).toMatchObject({
      plantIds: [],
      refused: [{ refusal: 'WRONG_VALUE', field: 'timezone', plantId: null }],
    });
    expect(await findPlant(database.db, here)).toMatchObject({ revision: 1 });
  });

  test('of an alert says that it is unknown, or since when it is resolved', async () => {
    const id = await addPlant();
    const resolvedAt = new Date('2026-06-01T10:00:00Z');
    const { id: alertId } = await database.db
      .insertInto('alerts')
      .values({
        plant_id: id,
        type: 'MOCK_FAULT',
        vendor_alarm_code: '1',
        severity: 'RED',
        state: 'RESOLVED',
        message: 'm',
        started_at: resolvedAt,
        last_seen_at: resolvedAt,
        resolved_at: resolvedAt,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const ack = { comment: null, until: null };
    expect(await acknowledge(act(), 987_654, ack)).toEqual({
      refusal: 'UNKNOWN_ALERT',
      alertId: 987_654,
    });
    expect(await acknowledge(act(), alertId, ack)).toEqual({
      refusal: 'ALERT_RESOLVED',
      alertId,
      plantId: id,
      resolvedAt,
    });
  });

  test('of new plants lists what stands against each', async () => {
    const id = await addPlant();
    const draft = {
      id,
      name: 'Again',
      brand: 'SOLIS',
      account: id,
      vendor_plant_id: 'another',
      timezone: 'UTC',
      customer: null,
      latitude: null,
      longitude: null,
      capacity_kw: null,
      interval: null,
      status: null,
    } as const;
    expect(await addNewPlants(act(), [draft], { intervalS: 600 })).toEqual({
      refusal: 'NOT_ADDED',
      problems: [{ index: 0, field: 'id', problem: `${id} is there already` }],
    });
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { listAlerts } from '../../db/plants/alerts.ts';
import { setVendorPlant } from '../../db/plants/correct.ts';
import { insertAccount } from '../../db/plants/credentials.ts';
import { listFleet } from '../../db/plants/fleet.ts';
import {
  endPauses,
  findPlant,
  listCustomers,
  listPlants,
  pauseAccount,
} from '../../db/plants/plants.ts';
import { listPlantGauges, readPulse } from '../../db/plants/polling.ts';
import { insertPollLog } from '../../db/plants/poll-logs.ts';
import { findWhyFacts } from '../../db/plants/why.ts';
import { removedKeptMs } from '../../domain/plants/removal.ts';
import { insertTestPlant } from '../../test/support/activities.ts';
import { insertAlarm } from '../../test/support/alerts.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { type Act, addNewPlants, pause, resume, silence } from './actions.ts';
import { correctVendorPlant, movePlant, purgePlant, removePlants } from './correct.ts';
import { readPlant } from './read-plant.ts';

let database: TestDatabase;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const act = (at = new Date()): Act => ({
  db: database.db,
  by: { actor: 'ana@example.org', requestId: null },
  at,
  scope: { customerId: null },
});
async function addPlant(plant: Parameters<typeof insertTestPlant>[1] = {}): Promise<string> {
  count += 1;
  const id = `plant-${count}`;
  await insertTestPlant(database.db, { id, vendor_plant_id: id, vendor_account_id: id, ...plant });
  return id;
}
/** A poll that the vendor answered. */
const answer = (plantId: string) =>
  insertPollLog(database.db, {
    plant_id: plantId,
    job_type: 'POLL',
    scheduled_for: new Date(),
    trigger: 'SCHEDULE',
    status: 'SUCCESS',
    outcome: 'OK',
    started_at: new Date(),
    attempts: 1,
    workflow_id: 'w',
    run_id: 'r',
  });
const actions = async (plantId: string) =>
  database.db
    .selectFrom('audit_log')
    .select(['action', 'before', 'after'])
    .where('subject_id', '=', plantId)
    .orderBy('id')
    .execute();

describe("a plant's id at its vendor", () => {
  test('is corrected while the plant never answered, in a row of the audit log', async () => {
    const id = await addPlant();
    const { revision } = (await findPlant(database.db, id)) ?? {};
    expect(await correctVendorPlant(act(), id, { vendorPlantId: 'right' })).toEqual({
      plantIds: [id],
      refused: [],
    });
    expect(await findPlant(database.db, id)).toMatchObject({
      vendor_plant_id: 'right',
      revision: (revision ?? 0) + 1,
    });
    expect(await actions(id)).toEqual([
      { action: 'plant.set', before: { vendor_plant_id: id }, after: { vendor_plant_id: 'right' } },
    ]);
  });

  test('stays once the vendor has answered, also where SQL would change it', async () => {
    const id = await addPlant();
    await answer(id);
    expect((await correctVendorPlant(act(), id, { vendorPlantId: 'other' })).refused).toEqual([
      { refusal: 'HAS_ANSWERED', plantId: id, vendorPlantId: id },
    ]);
    await expect(setVendorPlant(database.db, id, 'other')).rejects.toMatchObject({
      constraint: 'plants_identity',
    });
  });

  test("is not another plant's, unless that one is removed", async () => {
    const [id, other] = [await addPlant(), await addPlant()];
    const wanted = { vendorPlantId: other };
    expect((await correctVendorPlant(act(), id, wanted)).refused).toMatchObject([
      { refusal: 'TAKEN', problem: `${other} of SOLIS is plant ${other} already` },
    ]);
    await removePlants(act(), [other]);
    expect((await correctVendorPlant(act(), id, wanted)).plantIds).toEqual([id]);
  });

  test('is not changed by whoever read another revision', async () => {
    const id = await addPlant();
    const change = { vendorPlantId: 'later', ifRevision: 99 };
    expect((await correctVendorPlant(act(), id, change)).refused).toEqual([
      { refusal: 'CHANGED_MEANWHILE', revision: 1 },
    ]);
  });
});

describe('a move', () => {
  test('to an account with credentials ends a pause for refused ones, and keeps the past', async () => {
    const [id, other] = [await addPlant(), await addPlant()];
    await answer(id);
    await pauseAccount(database.db, id);
    expect(await movePlant(act(), id, other)).toEqual({
      plantIds: [id],
      refused: [],
      newAccount: false,
    });
    expect(await findPlant(database.db, id)).toMatchObject({
      vendor_account_id: other,
      integration_status: 'ACTIVE',
    });
    expect(await actions(id)).toMatchObject([
      {
        action: 'plant.move',
        before: { vendor_account_id: id },
        after: { vendor_account_id: other },
      },
    ]);
  });

  test('makes an account that is new, and leaves a pause to its credentials', async () => {
    const id = await addPlant();
    await pauseAccount(database.db, id);
    expect(await movePlant(act(), id, `${id}-new`)).toMatchObject({ newAccount: true });
    expect(await findPlant(database.db, id)).toMatchObject({
      vendor_account_id: `${id}-new`,
      integration_status: 'PAUSED_AUTH_ERROR',
    });
  });

  test('goes to no account of another brand', async () => {
    const id = await addPlant();
    await insertAccount(database.db, { id: 'of-huawei', brand: 'HUAWEI', name: 'of-huawei' });
    expect((await movePlant(act(), id, 'of-huawei')).refused).toMatchObject([
      {
        refusal: 'WRONG_VALUE',
        field: 'account',
        problem: 'of-huawei is an account of HUAWEI, not of SOLIS',
      },
    ]);
  });
});

describe('a removed plant', () => {
  async function removed(): Promise<string> {
    const id = await addPlant({ customer_id: `of-plant-${count + 1}` });
    await answer(id);
    await insertAlarm(database.db, id);
    expect(await removePlants(act(), [id])).toEqual({ plantIds: [id], refused: [] });
    return id;
  }

  test('is no plant of any list or total', async () => {
    const before = await readPulse(database.db, Date.now());
    const id = await removed();
    const after = await readPulse(database.db, Date.now());
    expect({ plants: after.plants, active: after.active }).toEqual({
      plants: before.plants,
      active: before.active,
    });
    expect((await listPlants(database.db)).map((plant) => plant.id)).not.toContain(id);
    expect(await listPlants(database.db, { removed: 'ONLY', ids: [id] })).toHaveLength(1);
    expect((await listPlantGauges(database.db)).map((plant) => plant.id)).not.toContain(id);
    expect(await listCustomers(database.db)).not.toContain(`of-${id}`);
    const states = ['NEW', 'ACKED', 'RESOLVED'] as const;
    const alerts = await listAlerts(database.db, { states, limit: 100 });
    expect(alerts.map(({ plant_id: plantId }) => plantId)).not.toContain(id);
  });

  test('ends its alerts with an event, and says nothing to anybody', async () => {
    const id = await removed();
    const states = ['NEW', 'ACKED', 'RESOLVED'] as const;
    const [alert, ...others] = await listAlerts(database.db, { plantId: id, states, limit: 10 });
    expect([alert?.state, others]).toEqual(['RESOLVED', []]);
    const events = await database.db
      .selectFrom('alert_events')
      .select(['to_state', 'reason'])
      .where('alert_id', '=', alert?.id ?? 0)
      .execute();
    expect(events).toEqual([{ to_state: 'RESOLVED', reason: 'the plant was removed' }]);
    const told = await database.db
      .selectFrom('notifications')
      .select('id')
      .where('subject_id', '=', id)
      .execute();
    expect(told).toEqual([]);
  });

  test('still answers by its id: its page and why, in words that say it', async () => {
    const id = await removed();
    const temporal = { webUiUrl: null, namespace: 'default' };
    const nowMs = Date.now();
    const read = await readPlant(database.db, id, { scope: act().scope, nowMs, temporal });
    expect(read?.plant).toMatchObject({
      status: 'GREY',
      integration_status: 'DISABLED_BY_OPERATOR',
      removed_at: expect.any(Date),
    });
    expect(read?.polls).toHaveLength(1);
    expect((await findWhyFacts(database.db, id, null, nowMs))?.poll).toMatchObject({
      outcome: 'OK',
    });
    expect((await actions(id)).map(({ action }) => action)).toEqual(['plant.remove']);
  });

  test('takes no decision any more, and no loop or pause wakes it', async () => {
    const id = await removed();
    const refused = [{ refusal: 'REMOVED', plantId: id, removedAt: expect.any(Date) }];
    const how = { until: new Date(), reason: null };
    expect((await pause(act(), [id], how)).refused).toEqual(refused);
    expect((await resume(act(), [id])).refused).toEqual(refused);
    expect((await silence(act(), [id], how)).refused).toEqual(refused);
    expect((await movePlant(act(), id, 'elsewhere')).refused).toEqual(refused);
    expect((await removePlants(act(), [id])).refused).toEqual(refused);
    await database.db
      .updateTable('plants')
      .set({ integration_status: 'ACTIVE', paused_until: new Date(0) })
      .where('id', '=', id)
      .execute();
    expect(await endPauses(database.db, Date.now())).not.toContain(id);
    expect(await findPlant(database.db, id)).toMatchObject({
      integration_status: 'DISABLED_BY_OPERATOR',
      paused_until: null,
    });
  });

  test('wants its loop until that has seen the removal, and no longer', async () => {
    const id = await removed();
    const wants = async () => (await listFleet(database.db)).some((plant) => plant.id === id);
    expect(await wants()).toBe(true);
    const { revision } = (await findPlant(database.db, id)) ?? {};
    await database.db
      .updateTable('plants')
      .set({ seen_revision: revision ?? 0 })
      .where('id', '=', id)
      .execute();
    expect(await wants()).toBe(false);
  });

  test("leaves its vendor's plant to another one, and keeps its id", async () => {
    const id = await removed();
    const draft = {
      id: `${id}-again`,
      name: 'Again',
      brand: 'SOLIS',
      account: id,
      vendor_plant_id: id,
      timezone: 'Europe/Amsterdam',
      customer: null,
      latitude: null,
      longitude: null,
      capacity_kw: null,
      interval: null,
      status: null,
    } as const;
    expect(await addNewPlants(act(), [{ ...draft, id }], { intervalS: 600 })).toMatchObject({
      refusal: 'NOT_ADDED',
      problems: [{ field: 'id', problem: expect.stringContaining('is removed') }],
    });
    expect(await addNewPlants(act(), [draft], { intervalS: 600 })).toMatchObject({
      plants: [{ id: `${id}-again` }],
    });
  });

  test('is purged when its time is over, with all that is kept of it', async () => {
    const id = await removed();
    const { removed_at: removedAt } = (await findPlant(database.db, id)) ?? {};
    const until = new Date((removedAt?.getTime() ?? 0) + removedKeptMs);
    expect(await purgePlant(act(new Date(until.getTime() - 1)), id)).toEqual({
      refusal: 'STILL_KEPT',
      plantId: id,
      until,
    });
    expect(await purgePlant(act(until), id)).toEqual({ plantId: id, ledgerRows: 1 });
    expect(await findPlant(database.db, id)).toBeUndefined();
    const rows = await database.db
      .selectFrom('poll_logs')
      .select('plant_id')
      .where('plant_id', '=', id)
      .execute();
    expect(rows).toEqual([]);
    expect((await actions(id)).map(({ action }) => action)).toEqual([
      'plant.remove',
      'plant.purge',
    ]);
  });

  test('is purged at once if it never answered; a plant that is not removed is not', async () => {
    const id = await addPlant();
    expect(await purgePlant(act(), id)).toEqual({ refusal: 'NOT_REMOVED', plantId: id });
    await removePlants(act(), [id]);
    expect(await purgePlant(act(), id)).toEqual({ plantId: id, ledgerRows: 0 });
    expect(await purgePlant(act(), id)).toEqual({ refusal: 'UNKNOWN_PLANT', plantId: id });
  });
});

import { beforeEach, describe, expect } from 'vitest';

import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import { createFixtureAdapter } from '../../adapters/clouds/registry.ts';
import { playPlant } from '../../cli/demo/play.ts';
import { findPlant, listPlants } from '../../db/plants/plants.ts';
import { scopeOf } from '../../domain/plants/failure.ts';
import { incidentLimits } from '../../domain/plants/incidents.ts';
import type { AdapterErrorType, FailureScope } from '../../domain/plants/plant.ts';
import { hourMs, minuteMs } from '../../domain/zone.ts';
import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';
import { judgeIncidents } from './incidents.ts';

/** 10:00 at the plants. */
const startMs = Date.parse('2026-06-11T08:00:00Z');
const plantIds = ['h-1', 'h-2', 'h-3', 'h-4', 'h-5', 'h-6'];
const silent = { info: () => {}, warn: () => {}, error: () => {} };

/** What HUAWEI answers with; null: as recorded. */
let failsWith: AdapterErrorType | null = null;
/** What its failure is about; null: what its type meant before failures had a scope. */
let about: FailureScope | null = null;
/** With a rate limit: how long the path is closed. */
let closedForMs: number | null = null;
/** Vendor calls by plant, of `getPlantSummary`. */
let calls: string[] = [];
let nowMs = startMs;

beforeEach(async () => {
  const { db } = database;
  for (const table of ['poll_logs', 'plants', 'brand_incidents'] as const)
    await db.deleteFrom(table).execute();
  failsWith = null;
  about = null;
  closedForMs = null;
  calls = [];
  nowMs = startMs;
  for (const [index, id] of plantIds.entries()) {
    await insertTestPlant(db, {
      id,
      brand: 'HUAWEI',
      vendor_account_id: `account-${id}`,
      vendor_plant_id: `NE=9000000${index}`,
      timezone: 'Europe/Madrid',
      latitude: 37.4,
      longitude: -6,
      activated_at: new Date(startMs - hourMs),
    });
  }
  // Before the days that are played, not on the day of the test.
  await db
    .updateTable('integration_credentials')
    .set({ updated_at: new Date(startMs - hourMs) })
    .execute();
});

const player = () =>
  testActivities(database, {
    openAdapter: (options) => {
      const adapter = createFixtureAdapter(options);
      return {
        ...adapter,
        capabilities: () => adapter.capabilities(),
        getAlarmsSince: (...args) => adapter.getAlarmsSince(...args),
        getDailyEnergySeries: (...args) => adapter.getDailyEnergySeries(...args),
        getPlantSummary: async (...args) => {
          calls.push(options.plant.vendorPlantId);
          if (failsWith !== null)
            throw new AdapterError(
              failsWith,
              about ?? scopeOf({ type: failsWith }),
              'as wanted',
              closedForMs === null ? {} : { retryAfterMs: closedForMs },
            );
          return adapter.getPlantSummary(...args);
        },
      };
    },
  });

/** Polls every plant for so long, on its slots, with reconciliations every 5 min. */
async function live(minutes: number): Promise<void> {
  const { activities, setClock } = player();
  for (const untilMs = nowMs + minutes * minuteMs; nowMs < untilMs;) {
    const fromMs = nowMs;
    nowMs += 5 * minuteMs;
    for (const id of plantIds) await playPlant({ activities, setClock }, id, fromMs, nowMs);
    await judgeIncidents({ db: database.db, log: silent }, nowMs, incidentLimits);
  }
}

const incidents = () =>
  database.db
    .selectFrom('brand_incidents')
    .selectAll()
    .where('opened_at', 'is not', null)
    .orderBy('opened_at', 'desc')
    .execute();
const told = () =>
  database.db
    .selectFrom('notifications as n')
    .innerJoin('alerts as a', 'a.id', 'n.alert_id')
    .select(['a.type', 'n.kind', 'n.dropped_at'])
    .execute();
const statuses = async () =>
  Promise.all(
    plantIds.map(async (id) => (await findPlant(database.db, id))?.integration_status ?? null),
  );

describe('a brand that does not answer', () => {
  test('is one incident: its plants raise API_ERROR, nobody is told, and what ends with it neither', async () => {
    await live(20);
    expect(await incidents()).toEqual([]);
    failsWith = 'VENDOR_ERROR';
    await live(60);
    expect(await incidents()).toMatchObject([
      { brand: 'HUAWEI', plants_failed: 6, plants_active: 6, errors: { VENDOR_ERROR: 6 } },
    ]);
    const raised = await database.db.selectFrom('alerts').select(['type', 'state']).execute();
    expect(raised).toHaveLength(6);
    expect(raised.every(({ type, state }) => type === 'API_ERROR' && state === 'NEW')).toBe(true);
    expect(await told()).toEqual([]);
    failsWith = null;
    await live(30);
    const [closed] = await incidents();
    expect(closed?.closed_at).not.toBeNull();
    expect(await told()).toEqual([]);
  });

  test('that hid an alert which still stands has it announced after its close', async () => {
    failsWith = 'VENDOR_ERROR';
    await live(60);
    failsWith = null;
    await database.db
      .updateTable('plants')
      .set({ integration_status: 'PENDING_DOCS' })
      .where('id', '=', 'h-1')
      .execute();
    await live(30);
    expect((await incidents())[0]?.closed_at).not.toBeNull();
    const row = await findPlant(database.db, 'h-1');
    await player().activities.evaluatePlant({
      plantId: 'h-1',
      nowMs,
      revision: row?.revision ?? 0,
      closing: null,
    });
    expect(await told()).toMatchObject([{ type: 'API_ERROR', kind: 'RAISED' }]);
  });

  test('is none by PLANT_NOT_FOUND', async () => {
    failsWith = 'PLANT_NOT_FOUND';
    await live(60);
    expect(await incidents()).toEqual([]);
  });
});

describe('failures that say nothing of the brand', () => {
  test.each<[AdapterErrorType, FailureScope]>([
    ['AUTH_FAILED', 'PLANT'],
    ['AUTH_FAILED', 'REQUEST'],
    ['UNKNOWN', 'REQUEST'],
    ['RATE_LIMIT_EXCEEDED', 'REQUEST'],
  ])(
    '%s with scope %s: no incident, nothing paused, each plant asks for a person',
    async (type, scope) => {
      failsWith = type;
      about = scope;
      await live(60);
      expect(await incidents()).toEqual([]);
      expect(new Set(await statuses())).toEqual(new Set(['ACTIVE']));
      const raised = await database.db
        .selectFrom('alerts')
        .select(['type', 'vendor_alarm_code', 'message'])
        .execute();
      expect(raised).toHaveLength(plantIds.length);
      for (const alert of raised)
        expect(alert).toMatchObject({
          type: 'API_ERROR',
          vendor_alarm_code: 'POLL',
          message: expect.stringContaining('as wanted'),
        });
      const [plant] = await listPlants(database.db, { ids: ['h-1'] });
      expect(plant).toMatchObject({ incident_since: null });
    },
  );
});

test('a path that a rate limit keeps closed is no incident either, while nobody is asked', async () => {
  failsWith = 'RATE_LIMIT_EXCEEDED';
  about = 'REQUEST';
  closedForMs = hourMs;
  await live(45);
  expect(calls).toHaveLength(plantIds.length);
  expect(await incidents()).toEqual([]);
  expect((await findPlant(database.db, 'h-1'))?.last_poll).toMatchObject({
    errorType: 'RATE_LIMIT_EXCEEDED',
    errorScope: 'REQUEST',
    attempts: 0,
  });
});

describe("a brand's refused credentials", () => {
  test('pause nobody while the incident is open; one plant an hour tries them, until it is answered', async () => {
    await live(20);
    failsWith = 'AUTH_FAILED';
    await live(15);
    expect(await incidents()).toMatchObject([{ brand: 'HUAWEI', closed_at: null }]);
    // What was paused on the way to the incident is polled again.
    expect(new Set(await statuses())).toEqual(new Set(['ACTIVE']));
    calls = [];
    await live(55);
    expect(calls).toEqual([]);
    expect(new Set(await statuses())).toEqual(new Set(['ACTIVE']));
    const [row] = await database.db
      .selectFrom('poll_logs')
      .selectAll()
      .orderBy('scheduled_for', 'desc')
      .limit(1)
      .execute();
    expect(row).toMatchObject({
      outcome: 'FAILED',
      adapter_error_type: 'AUTH_FAILED',
      attempts: 0,
      error: expect.stringContaining('one plant an hour tries them'),
    });
    await live(60);
    expect(calls).toHaveLength(1);
    failsWith = null;
    await live(120);
    expect((await incidents())[0]?.closed_at).not.toBeNull();
    const active = await database.db
      .selectFrom('alerts')
      .select('type')
      .where('state', '<>', 'RESOLVED')
      .execute();
    expect(active).toEqual([]);
    expect(new Set(calls).size).toBe(plantIds.length);
  });

  test('that were replaced are tried at once', async () => {
    failsWith = 'AUTH_FAILED';
    await live(30);
    calls = [];
    await database.db
      .updateTable('integration_credentials')
      .set({ updated_at: new Date(nowMs) })
      .where('account_id', '=', 'account-h-3')
      .execute();
    await live(10);
    expect(calls).toEqual(['NE=90000002']);
  });

  test('of two accounts pause these two, as ever', async () => {
    await database.db
      .updateTable('plants')
      .set({ vendor_account_id: 'account-h-1' })
      .where('id', 'in', ['h-2', 'h-3'])
      .execute();
    await database.db
      .updateTable('plants')
      .set({ vendor_account_id: 'account-h-4' })
      .where('id', 'in', ['h-5', 'h-6'])
      .execute();
    failsWith = 'AUTH_FAILED';
    await live(30);
    expect(await incidents()).toEqual([]);
    expect(new Set(await statuses())).toEqual(new Set(['PAUSED_AUTH_ERROR']));
  });
});

test('the list says it of each plant, below those with a cause of their own', async () => {
  failsWith = 'VENDOR_ERROR';
  await live(30);
  const [plant] = await listPlants(database.db, { ids: ['h-1'] });
  expect(plant).toMatchObject({ incident_brand: 'HUAWEI' });
  expect(plant?.incident_since).toBeInstanceOf(Date);
});

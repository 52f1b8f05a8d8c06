import { beforeEach, describe, expect } from 'vitest';

import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import { createFixtureAdapter } from '../../adapters/clouds/registry.ts';
import { playPlant } from '../../cli/demo/play.ts';
import { listAlerts } from '../../db/plants/alerts.ts';
import { type IncidentView, listIncidents } from '../../db/plants/incidents.ts';
import { findPlant, listPlants } from '../../db/plants/plants.ts';
import { type FleetTrouble, readFleetTrouble } from '../../db/plants/trouble.ts';
import { findWhyFacts } from '../../db/plants/why.ts';
import { allPlants } from '../../db/scope.ts';
import { scopeOf } from '../../domain/plants/failure.ts';
import { incidentLimits } from '../../domain/plants/incidents.ts';
import type { AdapterErrorType, FailureScope } from '../../domain/plants/plant.ts';
import { explain } from '../../domain/plants/why.ts';
import { hourMs, minuteMs } from '../../domain/zone.ts';
import type { Component } from '../../operations/diagnosis.ts';
import { incidentWords } from '../../operations/plants/incidents.ts';
import {
  accounts,
  failingPlants,
  incidents as openIncidents,
} from '../../operations/plants/trouble.ts';
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

describe('an incident as people see it', () => {
  const firstFailed = async () => {
    const rows = await database.db
      .selectFrom('poll_logs')
      .select((eb) => eb.fn.min('scheduled_for').as('at'))
      .where('status', '=', 'ERROR')
      .execute();
    return rows[0]?.at;
  };
  const open = () => listIncidents(database.db, { state: 'open' }, allPlants);
  const closed = () => listIncidents(database.db, { state: 'closed' }, allPlants);
  const whyIncident = async (id: string, atMs: number | null) => {
    const facts = await findWhyFacts(database.db, id, atMs, nowMs);
    return facts === null ? null : explain(facts).incident;
  };

  test('is one with its alerts, since the first failed poll, and history after its close', async () => {
    await live(20);
    failsWith = 'VENDOR_ERROR';
    await live(60);
    const since = await firstFailed();
    const [incident] = await open();
    expect(incident).toMatchObject({
      brand: 'HUAWEI',
      since,
      plants_failed: 6,
      plants_active: 6,
      alerts: 6,
      timezone: 'Europe/Madrid',
    });
    const alerts = await listAlerts(database.db, { limit: 50 });
    expect(alerts.map(({ incident_id }) => incident_id)).toEqual(Array(6).fill(incident?.id));
    const ids = incident === undefined ? [] : [incident.id];
    expect(await listAlerts(database.db, { limit: 50, withoutIncidents: ids })).toEqual([]);
    expect(await whyIncident('h-1', null)).toMatchObject({ id: incident?.id });
    failsWith = null;
    await live(30);
    expect(await open()).toEqual([]);
    const [past] = await closed();
    expect(past).toMatchObject({ since, plants_failed: 6, alerts: 6 });
    expect(incidentWords(past as IncidentView, nowMs)).toMatch(
      /^HUAWEI did not answer from \d\d:\d\d UTC\+2 to \d\d:\d\d UTC\+2\. Up to 6 plants failed\.$/,
    );
    const of = { incidentId: past?.id, states: ['RESOLVED'] as const, limit: 50 };
    expect(await listAlerts(database.db, of)).toHaveLength(6);
  });

  test('explains a plant only while its own poll failed in it', async () => {
    failsWith = 'VENDOR_ERROR';
    await live(30);
    const failingMs = nowMs;
    failsWith = null;
    await live(10);
    // Every plant is polled OK, and the incident stays open for one interval more.
    const [incident] = await open();
    expect(incident).toMatchObject({ plants_failed: 0 });
    expect(incident?.recovering_since).toBeInstanceOf(Date);
    expect(await whyIncident('h-1', null)).toBeNull();
    expect(await whyIncident('h-1', nowMs)).toBeNull();
    expect((await whyIncident('h-1', failingMs))?.sentence).toMatch(/^HUAWEI not answering since/);
    await live(30);
    expect(await open()).toEqual([]);
    expect(await whyIncident('h-1', nowMs)).toBeNull();
  });

  test('is none of credentials that the vendor was never shown', async () => {
    await database.db.deleteFrom('integration_credentials').execute();
    await live(30);
    expect(calls).toEqual([]);
    expect(await incidents()).toEqual([]);
    expect(new Set(await statuses())).toEqual(new Set(['PAUSED_AUTH_ERROR']));
  });
});

describe('what fails in the fleet', () => {
  const judged = async (component: Component<FleetTrouble>) => {
    const at = { takenAtMs: nowMs, tookMs: 1, zone: null };
    return component.judge(await readFleetTrouble(database.db), at);
  };

  test('is nothing while all answers, nor by one failed poll', async () => {
    await live(20);
    for (const component of [openIncidents, accounts, failingPlants])
      expect(await judged(component)).toMatchObject({ state: 'ok' });
    failsWith = 'VENDOR_ERROR';
    await live(10);
    expect(await judged(failingPlants)).toMatchObject({
      state: 'ok',
      sentence: expect.stringMatching(/^No plant fails lastingly\. The newest poll of \d/),
    });
  });

  test('is the incident, and each of its plants since its own first failed poll', async () => {
    await live(20);
    failsWith = 'VENDOR_ERROR';
    await live(30);
    expect(await judged(openIncidents)).toMatchObject({
      state: 'degraded',
      sentence: expect.stringMatching(/^HUAWEI not answering since .* 6 of 6 plants fail\.$/),
      subjects: [{ kind: 'INCIDENT_OPEN', facts: { incident: 'HUAWEI' } }],
    });
    const { plants } = await readFleetTrouble(database.db);
    expect(plants.map(({ plant_id }) => plant_id).toSorted()).toEqual(plantIds);
    for (const { plant_id: id, since } of plants) {
      const first = await database.db
        .selectFrom('poll_logs')
        .select('scheduled_for')
        .where('plant_id', '=', id)
        .where('status', '=', 'ERROR')
        .orderBy('scheduled_for')
        .executeTakeFirstOrThrow();
      expect(since).toEqual(first.scheduled_for);
    }
    expect((await judged(failingPlants))?.subjects?.[0]).toMatchObject({
      kind: 'PLANT_FAILS',
      sentence: expect.stringContaining('VENDOR_ERROR: as wanted.'),
    });
    failsWith = null;
    await live(10);
    expect((await findPlant(database.db, 'h-1'))?.failing_since).toBeNull();
    expect(await judged(failingPlants)).toMatchObject({ state: 'ok' });
  });

  test('are plants that their vendor does not know, from the first poll on', async () => {
    failsWith = 'PLANT_NOT_FOUND';
    await live(10);
    expect(await judged(openIncidents)).toMatchObject({ state: 'ok' });
    expect(await judged(failingPlants)).toMatchObject({
      state: 'degraded',
      sentence: expect.stringMatching(/^6 plants fail, .*: 6 PLANT_NOT_FOUND\.$/),
    });
  });

  test('are accounts that the vendor refuses, and accounts without credentials, each with its reason', async () => {
    await database.db
      .deleteFrom('integration_credentials')
      .where('account_id', '=', 'account-h-1')
      .execute();
    await live(10);
    failsWith = 'AUTH_FAILED';
    await live(10);
    failsWith = null;
    const judgement = await judged(accounts);
    expect(judgement?.state).toBe('degraded');
    const says = new Map(
      judgement?.subjects?.map(({ facts, sentence }) => [facts['account_id'], sentence]),
    );
    expect(says.get('account-h-1')).toMatch(/^1 plant is not polled, without credentials since/);
    expect(says.get('account-h-2')).toMatch(/refused by the vendor since .*: as wanted\.$/);
    const [h1, h2] = await listPlants(database.db, { ids: ['h-1', 'h-2'] }).then((rows) =>
      rows.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    );
    expect(h1?.status_reason).toBe('NO_CREDENTIALS');
    expect(h2?.status_reason).toBe('PAUSED_AUTH_ERROR');
  });
});

test('the list says it of each plant, below those with a cause of their own', async () => {
  failsWith = 'VENDOR_ERROR';
  await live(30);
  const [plant] = await listPlants(database.db, { ids: ['h-1'] });
  expect(plant).toMatchObject({ incident_brand: 'HUAWEI' });
  expect(plant?.incident_since).toBeInstanceOf(Date);
});

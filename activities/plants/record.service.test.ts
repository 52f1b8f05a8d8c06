import { beforeEach, describe, expect } from 'vitest';

import { listPollLogs } from '../../db/plants/poll-logs.ts';
import { findPlant } from '../../db/plants/plants.ts';
import type { Reading } from '../../domain/plants/reading.ts';
import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';
import type { PollLogArgs, ReconcileArgs } from './contract.ts';

const plantId = 'plant';
const slotMs = Date.parse('2026-06-11T12:00:00Z');
const tenMinutesMs = 600_000;

beforeEach(async () => {
  await database.db.deleteFrom('poll_logs').execute();
  await database.db.deleteFrom('plants').execute();
  await insertTestPlant(database.db, { activated_at: new Date(slotMs - 3_600_000) });
});

function reading(todayEnergyKwh: number, atMs: number): Reading {
  return {
    summary: {
      todayEnergyKwh,
      powerW: 4_000,
      lifetimeEnergyKwh: null,
      lifetimeResolutionKwh: null,
      lastSeenAt: new Date(atMs).toISOString(),
      devices: [],
      refused: [],
    },
    alarms: null,
  };
}

function reconcileArgs(atSlotMs: number, overrides: Partial<ReconcileArgs> = {}): ReconcileArgs {
  return {
    plantId,
    slotMs: atSlotMs,
    nowMs: atSlotMs,
    startedAtMs: atSlotMs,
    durationMs: 5,
    attempts: 1,
    result: { kind: 'READING', reading: reading(20, atSlotMs) },
    credentialsVersion: 1,
    booked: {
      bookedDate: '2026-06-11',
      todayEnergyKwh: 20,
      powerW: 4_000,
      lifetimeEnergyKwh: null,
      sourceTimeMs: atSlotMs,
      seenAtMs: atSlotMs,
      seenSource: 'VENDOR',
    },
    ...overrides,
  };
}

function logArgs(atSlotMs: number, overrides: Partial<PollLogArgs> = {}): PollLogArgs {
  return {
    plantId,
    slotMs: atSlotMs,
    jobType: 'POLL',
    trigger: 'SCHEDULE',
    outcome: 'OK',
    startedAtMs: atSlotMs,
    requestedAtMs: null,
    durationMs: 5,
    attempts: 1,
    errorType: null,
    error: null,
    booked: null,
    ...overrides,
  };
}

const storedDay = () =>
  database.db
    .selectFrom('metric_snapshots')
    .selectAll()
    .where('plant_id', '=', plantId)
    .executeTakeFirstOrThrow();

describe('the snapshot step', () => {
  test('the same slot again changes nothing and returns what was booked first', async () => {
    const { activities } = testActivities(database);
    const first = await activities.upsertSnapshot({
      plantId,
      slotMs,
      nowMs: slotMs,
      reading: reading(20, slotMs),
    });
    const again = await activities.upsertSnapshot({
      plantId,
      slotMs,
      nowMs: slotMs + 1_000,
      reading: reading(25, slotMs),
    });
    expect(again.booked).toEqual(first.booked);
    expect((await storedDay()).today_energy_kwh).toBe(20);
  });

  test('a slot that is older than the one that wrote last changes nothing', async () => {
    const { activities } = testActivities(database);
    await activities.upsertSnapshot({
      plantId,
      slotMs,
      nowMs: slotMs,
      reading: reading(20, slotMs),
    });
    const stored = await storedDay();
    await activities.upsertSnapshot({
      plantId,
      slotMs: slotMs - tenMinutesMs,
      nowMs: slotMs - tenMinutesMs,
      reading: reading(33, slotMs - tenMinutesMs),
    });
    expect(await storedDay()).toEqual(stored);
  });

  test('of two that write one slot at once, one does', async () => {
    const { activities } = testActivities(database);
    const results = await Promise.all(
      [20, 21, 22, 23].map((energyKwh) =>
        activities.upsertSnapshot({
          plantId,
          slotMs,
          nowMs: slotMs,
          reading: reading(energyKwh, slotMs),
        }),
      ),
    );
    const booked = new Set(results.map((result) => result.booked.todayEnergyKwh));
    expect(booked.size).toBe(1);
    expect([...booked]).toEqual([(await storedDay()).today_energy_kwh]);
  });
});

describe('the alert step', () => {
  test('the same slot again changes nothing and returns the poll as booked', async () => {
    const { activities } = testActivities(database);
    const first = await activities.reconcileAlerts(reconcileArgs(slotMs));
    const stored = await findPlant(database.db, plantId);
    const again = await activities.reconcileAlerts(
      reconcileArgs(slotMs, {
        result: { kind: 'FAILURE', failure: { type: 'VENDOR_ERROR', message: 'later' } },
        booked: null,
        attempts: 2,
      }),
    );
    expect(again.poll).toEqual(first.poll);
    expect(await findPlant(database.db, plantId)).toEqual(stored);
  });

  test('a late writer of half an hour ago changes nothing, refused credentials included', async () => {
    const { activities } = testActivities(database);
    await activities.reconcileAlerts(reconcileArgs(slotMs));
    const stored = await findPlant(database.db, plantId);
    await activities.reconcileAlerts(
      reconcileArgs(slotMs - 3 * tenMinutesMs, {
        result: { kind: 'FAILURE', failure: { type: 'AUTH_FAILED', message: 'refused' } },
        booked: null,
      }),
    );
    expect(await findPlant(database.db, plantId)).toEqual(stored);
    expect(await database.db.selectFrom('alerts').selectAll().execute()).toEqual([]);
  });

  test('refused credentials pause every plant of the account, by one alert and one announcement', async () => {
    const { activities } = testActivities(database);
    await insertTestPlant(database.db, { id: 'sister', vendor_plant_id: '1300000000000000002' });
    const version = (
      await database.db
        .selectFrom('integration_credentials')
        .select('version')
        .executeTakeFirstOrThrow()
    ).version;
    await activities.reconcileAlerts(
      reconcileArgs(slotMs, {
        result: { kind: 'FAILURE', failure: { type: 'AUTH_FAILED', message: 'refused' } },
        booked: null,
        credentialsVersion: version,
      }),
    );
    const plants = await database.db
      .selectFrom('plants')
      .select(['id', 'integration_status'])
      .orderBy('id')
      .execute();
    expect(plants).toEqual([
      { id: plantId, integration_status: 'PAUSED_AUTH_ERROR' },
      { id: 'sister', integration_status: 'PAUSED_AUTH_ERROR' },
    ]);
    expect(
      await database.db
        .selectFrom('alerts')
        .select(['type', 'vendor_alarm_code', 'severity'])
        .execute(),
    ).toEqual([{ type: 'API_ERROR', vendor_alarm_code: 'AUTH', severity: 'RED' }]);
    expect(await database.db.selectFrom('notifications').select('kind').execute()).toEqual([
      { kind: 'RAISED' },
    ]);
  });

  test('a refusal of one plant pauses nothing, and its scope is kept', async () => {
    const { activities } = testActivities(database);
    const { version } = await database.db
      .selectFrom('integration_credentials')
      .select('version')
      .executeTakeFirstOrThrow();
    const failure = { type: 'AUTH_FAILED', scope: 'PLANT', message: 'not authorised' } as const;
    const { poll } = await activities.reconcileAlerts(
      reconcileArgs(slotMs, {
        result: { kind: 'FAILURE', failure },
        booked: null,
        credentialsVersion: version,
      }),
    );
    expect(await findPlant(database.db, plantId)).toMatchObject({
      integration_status: 'ACTIVE',
      consecutive_failures: 1,
      last_poll: { errorType: 'AUTH_FAILED', errorScope: 'PLANT', error: 'not authorised' },
    });
    await activities.writePollLog({
      ...poll,
      plantId,
      slotMs,
      jobType: 'POLL',
      trigger: 'SCHEDULE',
      requestedAtMs: null,
    });
    const [log] = await listPollLogs(database.db, plantId, 1);
    expect(log).toMatchObject({ adapter_error_type: 'AUTH_FAILED', adapter_error_scope: 'PLANT' });
  });

  /** A poll that the vendor refused with what `tried` says of the stored credentials' version. */
  async function refuse(tried: (version: number) => Partial<ReconcileArgs>): Promise<void> {
    const { activities } = testActivities(database);
    const { version } = await database.db
      .selectFrom('integration_credentials')
      .select('version')
      .executeTakeFirstOrThrow();
    const failure = { type: 'AUTH_FAILED', message: 'refused' } as const;
    const result = { kind: 'FAILURE', failure } as const;
    await activities.reconcileAlerts(
      reconcileArgs(slotMs, { result, booked: null, ...tried(version) }),
    );
  }

  test("credentials that were replaced meanwhile are not paused for the old ones' refusal", async () => {
    await refuse((version) => ({ credentialsVersion: version - 1 }));
    expect((await findPlant(database.db, plantId))?.integration_status).toBe('ACTIVE');
  });

  test("the account that a plant was moved to is not paused for the other one's refusal", async () => {
    await refuse((version) => ({ credentialsVersion: version, accountId: 'before-the-move' }));
    expect((await findPlant(database.db, plantId))?.integration_status).toBe('ACTIVE');
  });

  test('a change by people that the evaluation has not seen keeps it from writing', async () => {
    const { activities } = testActivities(database);
    const seen = (await findPlant(database.db, plantId))?.revision ?? 0;
    await database.db
      .updateTable('plants')
      .set({ integration_status: 'DISABLED_BY_OPERATOR' })
      .where('id', '=', plantId)
      .execute();
    const answer = await activities.evaluatePlant({
      plantId,
      nowMs: slotMs,
      revision: seen,
      closing: null,
    });
    expect(answer.revision).toBe(seen + 1);
    expect((await findPlant(database.db, plantId))?.status_reason).toBe(
      'WAITING_FOR_FIRST_READING',
    );
    await activities.evaluatePlant({ plantId, nowMs: slotMs, revision: seen + 1, closing: null });
    expect((await findPlant(database.db, plantId))?.status_reason).toBe('DISABLED_BY_OPERATOR');
  });
});

describe('the ledger', () => {
  test('a slot has one row, the first that was written', async () => {
    const { activities } = testActivities(database);
    await Promise.all(
      [1, 2, 3, 4].map((attempts) => activities.writePollLog(logArgs(slotMs, { attempts }))),
    );
    const [row, ...others] = await listPollLogs(database.db, plantId, 10);
    expect(others).toEqual([]);
    await activities.writePollLog(logArgs(slotMs, { outcome: 'FAILED', errorType: 'UNKNOWN' }));
    expect(await listPollLogs(database.db, plantId, 10)).toEqual([row]);
  });

  test('a poll and a closing at the same instant have a row each', async () => {
    const { activities } = testActivities(database);
    await activities.writePollLog(logArgs(slotMs));
    await activities.writePollLog(logArgs(slotMs, { jobType: 'DAILY' }));
    expect(await listPollLogs(database.db, plantId, 10)).toHaveLength(2);
  });

  test('missed slots get a row each, and the rows that are there stay', async () => {
    const { activities } = testActivities(database);
    await activities.writePollLog(logArgs(slotMs + tenMinutesMs));
    await activities.writeMissed({
      plantId,
      intervalMs: tenMinutesMs,
      rows: { fromMs: slotMs, toMs: slotMs + 3 * tenMinutesMs },
      overflow: { slotMs: slotMs - tenMinutesMs, slots: 7 },
    });
    const rows = (await listPollLogs(database.db, plantId, 10)).reverse();
    expect(
      rows.map((row) => [row.scheduled_for.getTime() - slotMs, row.outcome, row.slots_missed]),
    ).toEqual([
      [-tenMinutesMs, 'MISSED', 7],
      [0, 'MISSED', 1],
      [tenMinutesMs, 'OK', null],
      [2 * tenMinutesMs, 'MISSED', 1],
      [3 * tenMinutesMs, 'MISSED', 1],
    ]);
  });
});

describe('the fetch', () => {
  const fetchArgs = (atSlotMs: number) => ({
    plantId,
    slotMs: atSlotMs,
    intervalMs: tenMinutesMs,
    nowMs: atSlotMs,
  });

  test('a slot whose snapshot was committed is answered without the vendor', async () => {
    const { activities, setClock } = testActivities(database, {
      openAdapter: () => {
        throw new Error('the vendor was asked');
      },
    });
    setClock(slotMs);
    await activities.upsertSnapshot({
      plantId,
      slotMs,
      nowMs: slotMs,
      reading: reading(20, slotMs),
    });
    const result = await activities.fetchReadings(fetchArgs(slotMs));
    expect(result).toMatchObject({ kind: 'READING', nowMs: slotMs, reading: reading(20, slotMs) });
  });

  test('a slot whose alert step was committed is booked already, and so is every older one', async () => {
    const { activities, setClock } = testActivities(database);
    setClock(slotMs);
    const { poll } = await activities.reconcileAlerts(reconcileArgs(slotMs));
    expect(await activities.fetchReadings(fetchArgs(slotMs))).toEqual({
      kind: 'ALREADY_BOOKED',
      poll,
    });
    expect(await activities.fetchReadings(fetchArgs(slotMs - tenMinutesMs))).toEqual({
      kind: 'ALREADY_BOOKED',
      poll,
    });
  });

  test("the later of the workflow's time and the worker's clock is the poll's clock", async () => {
    const { activities, setClock } = testActivities(database);
    setClock(slotMs + 5_000);
    expect(await activities.fetchReadings(fetchArgs(slotMs))).toMatchObject({
      kind: 'READING',
      nowMs: slotMs + 5_000,
    });
    setClock(slotMs - 5_000);
    expect(await activities.fetchReadings(fetchArgs(slotMs + 1))).toMatchObject({
      kind: 'READING',
      nowMs: slotMs + 1,
    });
  });

  test('a plant that is not ACTIVE, or gone, is skipped without a request', async () => {
    const { activities } = testActivities(database, {
      openAdapter: () => {
        throw new Error('the vendor was asked');
      },
    });
    await database.db
      .updateTable('plants')
      .set({ integration_status: 'DISABLED_BY_OPERATOR' })
      .where('id', '=', plantId)
      .execute();
    expect((await activities.fetchReadings(fetchArgs(slotMs))).kind).toBe('SKIPPED_INACTIVE');
    await database.db.deleteFrom('plants').where('id', '=', plantId).execute();
    expect((await activities.fetchReadings(fetchArgs(slotMs))).kind).toBe('SKIPPED_INACTIVE');
  });
});

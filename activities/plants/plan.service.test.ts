import { beforeEach, describe, expect } from 'vitest';

import { listPollLogs } from '../../db/plants/poll-logs.ts';
import { listFleet } from '../../db/plants/fleet.ts';
import { removePlants } from '../../operations/plants/correct.ts';
import { nextSlotAfter, phaseMs } from '../../domain/slots.ts';
import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { periodsOf } from '../../test/support/periods.ts';
import { insertAlarm } from '../../test/support/alerts.ts';
import { database, test } from '../../test/support/test-database.ts';

const plantId = 'plant';
const startMs = Date.parse('2026-06-11T12:00:00Z');
const gridOf = (intervalMs: number) => ({ intervalMs, phaseMs: phaseMs(plantId, intervalMs) });
const tenMinutes = gridOf(600_000);

beforeEach(async () => {
  await database.db.deleteFrom('poll_logs').execute();
  await database.db.deleteFrom('plants').execute();
  await insertTestPlant(database.db, { activated_at: new Date(startMs - 1) });
});

const periods = () => periodsOf(database.db, plantId);
const set = (values: object) =>
  database.db.updateTable('plants').set(values).where('id', '=', plantId).execute();
const missed = async () =>
  (await listPollLogs(database.db, plantId, 100))
    .reverse()
    .map((row) => row.scheduled_for.getTime());

describe('plant periods', () => {
  test('the first look opens a period with the first slot after it, and a second look leaves it', async () => {
    const { activities } = testActivities(database);
    const plan = await activities.planPlant({ plantId, nowMs: startMs });
    const fromMs = nextSlotAfter(tenMinutes, startMs);
    expect(plan).toMatchObject({
      kind: 'PLAN',
      periodFromMs: fromMs,
      startDue: true,
      lastSlotMs: null,
      phaseMs: tenMinutes.phaseMs,
    });
    await activities.planPlant({ plantId, nowMs: startMs + 3_600_000 });
    expect(await periods()).toEqual([{ from: fromMs, to: null, intervalS: 600, reason: 'ACTIVE' }]);
  });

  test('an interval change ends the old grid, writes off its slots without a row, and begins the new one at its next slot', async () => {
    const { activities } = testActivities(database);
    await activities.planPlant({ plantId, nowMs: startMs });
    const first = nextSlotAfter(tenMinutes, startMs);
    const changedAtMs = first + 2 * tenMinutes.intervalMs + 1_000;
    await set({ poll_interval_s: 300 });
    const plan = await activities.planPlant({ plantId, nowMs: changedAtMs });
    const next = nextSlotAfter(gridOf(300_000), changedAtMs);
    expect(plan).toMatchObject({ intervalMs: 300_000, periodFromMs: next });
    expect(await periods()).toEqual([
      { from: first, to: changedAtMs, intervalS: 600, reason: 'ACTIVE' },
      { from: next, to: null, intervalS: 300, reason: 'ACTIVE' },
    ]);
    expect(await missed()).toEqual([
      first,
      first + tenMinutes.intervalMs,
      first + 2 * tenMinutes.intervalMs,
    ]);
  });

  test("a slot exactly at the change belongs to the new period's time, not to the closed one", async () => {
    const { activities } = testActivities(database);
    await activities.planPlant({ plantId, nowMs: startMs });
    const first = nextSlotAfter(tenMinutes, startMs);
    await set({ poll_interval_s: 300 });
    await activities.planPlant({ plantId, nowMs: first });
    expect((await periods())[0]).toMatchObject({ intervalS: 300 });
    expect(await missed()).toEqual([]);
  });

  test('a pause is a period with its reason; the resume opens an active one, and slots between are not due', async () => {
    const { activities } = testActivities(database);
    await activities.planPlant({ plantId, nowMs: startMs });
    const pausedAtMs = startMs + 7_200_000;
    const resumedAtMs = pausedAtMs + 7_200_000;
    await activities.setIntegration({ plantId, to: 'DISABLED_BY_OPERATOR', nowMs: pausedAtMs });
    await activities.planPlant({ plantId, nowMs: pausedAtMs });
    await activities.setIntegration({ plantId, to: 'ACTIVE', nowMs: resumedAtMs });
    const plan = await activities.planPlant({ plantId, nowMs: resumedAtMs });
    expect(plan).toMatchObject({ startDue: true, integrationStatus: 'ACTIVE' });
    expect(await periods()).toEqual([
      {
        from: nextSlotAfter(tenMinutes, startMs),
        to: pausedAtMs,
        intervalS: 600,
        reason: 'ACTIVE',
      },
      { from: pausedAtMs, to: resumedAtMs, intervalS: 600, reason: 'DISABLED_BY_OPERATOR' },
      { from: nextSlotAfter(tenMinutes, resumedAtMs), to: null, intervalS: 600, reason: 'ACTIVE' },
    ]);
    expect((await missed()).every((slot) => slot < pausedAtMs)).toBe(true);
    expect(await missed()).toHaveLength(12);
  });

  test('a poll that was woken early and refused before its slot leaves its row in the period that ends', async () => {
    const { activities } = testActivities(database);
    await activities.planPlant({ plantId, nowMs: startMs });
    const slotMs = nextSlotAfter(tenMinutes, startMs);
    await set({ integration_status: 'DISABLED_BY_OPERATOR' });
    await activities.writePollLog({
      plantId,
      slotMs,
      jobType: 'POLL',
      trigger: 'SCHEDULE',
      requestedAtMs: null,
      outcome: 'SKIPPED_INACTIVE',
      startedAtMs: null,
      durationMs: null,
      attempts: 0,
      errorType: null,
      error: null,
      booked: null,
    });
    await activities.planPlant({ plantId, nowMs: slotMs - 90 });
    expect(await periods()).toEqual([
      { from: slotMs, to: slotMs + 1, intervalS: 600, reason: 'ACTIVE' },
      { from: slotMs + 1, to: null, intervalS: 600, reason: 'DISABLED_BY_OPERATOR' },
    ]);
    // Resumed before the slot, it is due again from the next one on.
    await set({ integration_status: 'ACTIVE' });
    await activities.planPlant({ plantId, nowMs: slotMs - 50 });
    expect((await periods()).at(-1)).toEqual({
      from: slotMs + tenMinutes.intervalMs,
      to: null,
      intervalS: 600,
      reason: 'ACTIVE',
    });
  });

  test('a change of the interval that is seen before the slot of the last row begins after that slot', async () => {
    const { activities } = testActivities(database);
    await activities.planPlant({ plantId, nowMs: startMs });
    const { intervalMs } = tenMinutes;
    const slotMs = nextSlotAfter(tenMinutes, startMs) + intervalMs;
    await activities.writeMissed({
      plantId,
      intervalMs,
      rows: { fromMs: slotMs - intervalMs, toMs: slotMs },
      overflow: null,
    });
    await set({ poll_interval_s: 60 });
    const plan = await activities.planPlant({ plantId, nowMs: slotMs - 61_000 });
    expect(plan).toMatchObject({ periodFromMs: nextSlotAfter(gridOf(60_000), slotMs) });
  });

  test('a period that never began leaves no row behind', async () => {
    const { activities } = testActivities(database);
    await activities.planPlant({ plantId, nowMs: startMs });
    await activities.setIntegration({ plantId, to: 'DISABLED_BY_OPERATOR', nowMs: startMs + 1 });
    await activities.planPlant({ plantId, nowMs: startMs + 1 });
    expect(await periods()).toEqual([
      { from: startMs + 1, to: null, intervalS: 600, reason: 'DISABLED_BY_OPERATOR' },
    ]);
  });

  test('a change of the interval while paused changes nothing but what comes after the resume', async () => {
    const { activities } = testActivities(database);
    await set({ integration_status: 'DISABLED_BY_OPERATOR' });
    await activities.planPlant({ plantId, nowMs: startMs });
    await set({ poll_interval_s: 60 });
    await activities.planPlant({ plantId, nowMs: startMs + 1_000 });
    expect(await periods()).toHaveLength(1);
    await activities.setIntegration({ plantId, to: 'ACTIVE', nowMs: startMs + 2_000 });
    expect(await activities.planPlant({ plantId, nowMs: startMs + 2_000 })).toMatchObject({
      intervalMs: 60_000,
    });
  });

  test('resume and pause leave PENDING_DOCS alone', async () => {
    const { activities } = testActivities(database);
    await set({ integration_status: 'PENDING_DOCS' });
    for (const to of ['ACTIVE', 'DISABLED_BY_OPERATOR'] as const)
      await activities.setIntegration({ plantId, to, nowMs: startMs });
    expect(await activities.planPlant({ plantId, nowMs: startMs })).toMatchObject({
      integrationStatus: 'PENDING_DOCS',
      startDue: false,
    });
  });

  test('a plant that is gone ends its loop', async () => {
    const { activities } = testActivities(database);
    expect(await activities.planPlant({ plantId: 'nobody', nowMs: startMs })).toEqual({
      kind: 'GONE',
    });
  });
});

describe('closings', () => {
  test('of the last 3 dates, those on which the plant was active and that have no row were missed, oldest first', async () => {
    const { activities } = testActivities(database);
    await activities.planPlant({ plantId, nowMs: startMs });
    const laterMs = startMs + 5 * 86_400_000;
    const plan = await activities.planPlant({ plantId, nowMs: laterMs });
    if (plan.kind !== 'PLAN') throw new Error('no plan');
    expect(plan.missedClosings.map((closing) => closing.date)).toEqual([
      '2026-06-13',
      '2026-06-14',
      '2026-06-15',
    ]);
    expect(plan.nextClosing?.date).toBe('2026-06-16');
    const [first] = plan.missedClosings;
    await activities.writePollLog({
      plantId,
      slotMs: first?.atMs ?? 0,
      jobType: 'DAILY',
      trigger: 'CATCH_UP',
      outcome: 'OK',
      startedAtMs: laterMs,
      requestedAtMs: null,
      durationMs: 1,
      attempts: 1,
      errorType: null,
      error: null,
      booked: null,
    });
    expect(await activities.planPlant({ plantId, nowMs: laterMs })).toMatchObject({
      missedClosings: [{ date: '2026-06-14' }, { date: '2026-06-15' }],
    });
  });

  test('a plant that was paused all day has no closing of it, one that was paused at noon has', async () => {
    const { activities } = testActivities(database);
    await activities.planPlant({ plantId, nowMs: startMs });
    const pausedAtMs = startMs + 3_600_000;
    await activities.setIntegration({ plantId, to: 'DISABLED_BY_OPERATOR', nowMs: pausedAtMs });
    expect(await activities.planPlant({ plantId, nowMs: pausedAtMs })).toMatchObject({
      nextClosing: { date: '2026-06-11' },
    });
    const nextDay = await activities.planPlant({ plantId, nowMs: pausedAtMs + 86_400_000 });
    expect(nextDay).toMatchObject({ nextClosing: null, missedClosings: [{ date: '2026-06-11' }] });
  });
});

describe('a removed plant', () => {
  test('ends its period at the removal, its alerts and its loop', async () => {
    const { activities } = testActivities(database);
    await activities.planPlant({ plantId, nowMs: startMs });
    const first = nextSlotAfter(tenMinutes, startMs);
    const removedMs = first + tenMinutes.intervalMs + 1_000;
    await removePlants(
      {
        db: database.db,
        by: { actor: 'ana', requestId: null },
        at: new Date(removedMs),
        scope: { customerId: null },
      },
      [plantId],
    );
    // A poll that was under way raises an alert.
    await insertAlarm(database.db, plantId, new Date(removedMs));
    const lookedMs = removedMs + 10 * tenMinutes.intervalMs;
    expect(await activities.planPlant({ plantId, nowMs: lookedMs })).toEqual({ kind: 'GONE' });
    expect(await periods()).toEqual([
      { from: first, to: removedMs, intervalS: 600, reason: 'ACTIVE' },
      { from: removedMs, to: null, intervalS: 600, reason: 'DISABLED_BY_OPERATOR' },
    ]);
    expect(await missed()).toEqual([first, first + tenMinutes.intervalMs]);
    const alerts = await database.db.selectFrom('alerts').select('state').execute();
    expect(alerts).toEqual([{ state: 'RESOLVED' }]);
    expect(await listFleet(database.db)).toEqual([]);
  });

  test('is asked nothing at a closing either', async () => {
    const { activities } = testActivities(database, {
      openAdapter: () => {
        throw new Error('the vendor was asked');
      },
    });
    await set({ removed_at: new Date(startMs) });
    const closing = { plantId, date: '2026-06-11', nowMs: startMs };
    await expect(activities.refreshDays(closing)).rejects.toThrow('is no longer there');
  });
});

import { expect } from 'vitest';

import { playPlant } from '../../cli/demo/play.ts';
import { findLossesDue, writeLosses } from '../../db/plants/losses.ts';
import { estimateLoss } from '../../domain/plants/losses.ts';
import { addDays, hourMs, minuteMs } from '../../domain/zone.ts';
import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';

const today = '2026-06-11';
/** 08:00 at the plant. */
const morningMs = Date.parse('2026-06-11T06:00:00Z');

async function estimate(nowMs: number): Promise<number> {
  const { db } = database;
  const due = await findLossesDue(db, nowMs, 100);
  await writeLosses(
    db,
    due.map(({ alertId, facts }) => ({ alertId, ...estimateLoss(facts, nowMs) })),
    nowMs,
  );
  return due.length;
}

test('a plant with a twentieth of its usual energy loses what is missing, estimated every 10 min and at the end', async () => {
  const { db } = database;
  await insertTestPlant(db, {
    vendor_plant_id: '1298491919448631806',
    timezone: 'Europe/Madrid',
    latitude: 40.4,
    longitude: -3.7,
    activated_at: new Date(morningMs - 24 * hourMs),
  });
  const player = testActivities(database);
  player.setClock(morningMs);
  const dates = [1, 2, 3, 4, 5, 6, 7].map((age) => addDays(today, -age));
  await player.activities.backfillDays({
    plantId: 'plant',
    dates,
    nowMs: morningMs,
    source: 'BACKFILL',
  });
  const eveningMs = morningMs + 8 * hourMs;
  await playPlant(player, 'plant', morningMs, eveningMs);
  expect(await estimate(eveningMs)).toBe(1);
  const alert = () =>
    db
      .selectFrom('alerts')
      .selectAll()
      .where('type', '=', 'LOW_GENERATION')
      .executeTakeFirstOrThrow();
  const first = await alert();
  expect(first).toMatchObject({ at_risk_kwh: null, estimated_at: new Date(eveningMs) });
  const day = await db
    .selectFrom('metric_snapshots')
    .select('today_energy_kwh')
    .where('date', '=', today)
    .executeTakeFirstOrThrow();
  // Its sentence is of the newest poll, which gave this total, not of the one that raised it.
  const [, total, usual] = /^([\d.]+) kWh by .* of the ([\d.]+) kWh/.exec(first.message) ?? [];
  expect(Number(total)).toBeCloseTo(day.today_energy_kwh, 1);
  // All that is missing by then is lost, also what was missing before the alert.
  expect(first.estimated_lost_kwh).toBeCloseTo(Number(usual) - Number(total), 0);
  expect(await estimate(eveningMs + 10 * minuteMs)).toBe(0);
  expect(await estimate(eveningMs + 10 * minuteMs + 1)).toBe(1);
  await db
    .updateTable('alerts')
    .set({ state: 'RESOLVED', resolved_at: new Date(eveningMs + 15 * minuteMs) })
    .execute();
  expect(await estimate(eveningMs + 16 * minuteMs)).toBe(1);
  await db
    .updateTable('metric_snapshots')
    .set({ updated_at: new Date(0) })
    .execute();
  expect(await estimate(eveningMs + 60 * minuteMs)).toBe(0);
  await db
    .updateTable('metric_snapshots')
    .set({
      today_energy_kwh: 99,
      quality: 'BACKFILLED',
      updated_at: new Date(eveningMs + 61 * minuteMs),
    })
    .where('date', '=', today)
    .execute();
  expect(await estimate(eveningMs + 62 * minuteMs)).toBe(1);
  expect((await alert()).estimated_lost_kwh).toBe(0);
});

test('of a silent plant the energy since its last measurement is at risk, not since its alert', async () => {
  const { db } = database;
  await db.deleteFrom('plants').execute();
  await insertTestPlant(db, { timezone: 'UTC' });
  const raisedMs = Date.parse('2026-06-11T10:00:00Z');
  const day = (age: number, seenAtMs: number, kwh: number) => ({
    plant_id: 'plant',
    date: addDays(today, -age),
    today_energy_kwh: kwh,
    quality: 'FINAL' as const,
    complete: true,
    last_seen_at: new Date(seenAtMs),
    slot: new Date(seenAtMs),
    // 4 kWh an hour from 08:00 to 18:00.
    totals_by_time: JSON.stringify(
      Array.from({ length: 145 }, (_, mark) => Math.min(40, Math.max(0, (mark / 6 - 8) * 4))),
    ),
  });
  const seenMs = raisedMs - 24 * hourMs;
  const days = [2, 3, 4].map((age) => day(age, raisedMs - age * 24 * hourMs, 40));
  await db
    .insertInto('metric_snapshots')
    .values([...days, { ...day(1, seenMs, 8), quality: 'LIVE', complete: false }])
    .execute();
  await db
    .insertInto('poll_logs')
    .values({
      plant_id: 'plant',
      job_type: 'POLL',
      scheduled_for: new Date(seenMs),
      trigger: 'SCHEDULE',
      status: 'SUCCESS',
      outcome: 'OK',
      started_at: new Date(seenMs),
      today_energy_kwh: 8,
      booked_date: addDays(today, -1),
      workflow_id: 'w',
      run_id: 'r',
    })
    .execute();
  const seen = { started_at: new Date(raisedMs), last_seen_at: new Date(raisedMs) };
  const alert = { type: 'OFFLINE', severity: 'RED', state: 'NEW', message: 'm' } as const;
  await db
    .insertInto('alerts')
    .values({ plant_id: 'plant', ...alert, ...seen })
    .execute();
  expect(await estimate(raisedMs + 4 * hourMs)).toBe(1);
  const { at_risk_kwh: atRiskKwh } = await db
    .selectFrom('alerts')
    .select('at_risk_kwh')
    .executeTakeFirstOrThrow();
  // 32 kWh of the day before from 10:00 on, and 24 kWh until 14:00.
  expect(atRiskKwh).toBeCloseTo(56, 6);
  // The vendor's series has filled the day since, and does not know when the plant was seen: the plant does.
  await db
    .updateTable('plants')
    .set({ last_seen_at: new Date(seenMs), last_seen_source: 'VENDOR' })
    .execute();
  await db
    .updateTable('metric_snapshots')
    .set({ last_seen_at: null })
    .where('date', '=', addDays(today, -1))
    .execute();
  const [due] = await findLossesDue(db, raisedMs + 5 * hourMs, 1);
  expect(due?.facts.seenBeforeMs).toBe(seenMs);
});

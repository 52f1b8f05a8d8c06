import { describe, expect } from 'vitest';

import { playPlant } from '../../cli/demo/play.ts';
import { explain, type Why } from '../../domain/plants/why.ts';
import { hourMs, minuteMs } from '../../domain/zone.ts';
import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';
import { ackAlert } from './alerts-in-hand.ts';
import { allPlants } from '../scope.ts';
import { pausePlants } from './plants.ts';
import { findWhyFacts } from './why.ts';

/** 12:00 at the plant. */
const noonMs = Date.parse('2026-06-11T10:00:00Z');
const pausedMs = noonMs + 4 * hourMs;
const nowMs = noonMs + 6 * hourMs;

test.beforeAll(async () => {
  const { db } = database;
  // A fault alarm comes, rises and goes every four hours.
  await insertTestPlant(db, {
    vendor_plant_id: '1298491919448631807',
    timezone: 'Europe/Madrid',
    latitude: 40.4,
    longitude: -3.7,
    activated_at: new Date(noonMs),
  });
  const player = testActivities(database);
  player.setClock(noonMs);
  await playPlant(player, 'plant', noonMs, pausedMs);
  await pausePlants(db, ['plant'], { until: null, reason: null });
  player.setClock(pausedMs);
  const plan = await player.activities.planPlant({ plantId: 'plant', nowMs: pausedMs });
  await player.activities.evaluatePlant({
    plantId: 'plant',
    nowMs: pausedMs,
    revision: plan.kind === 'PLAN' ? plan.revision : 0,
    closing: null,
  });
});

async function why(atMs: number | null): Promise<Why> {
  const facts = await findWhyFacts(database.db, 'plant', atMs, nowMs);
  if (facts === null) throw new Error('the plant is not there');
  return explain(facts);
}

describe('why a plant had its colour', () => {
  test('at every time is what the loop decided then', async () => {
    const { db } = database;
    const alerts = await db.selectFrom('alerts').selectAll().orderBy('id').execute();
    const red = alerts.find(({ severity }) => severity === 'RED');
    expect(red?.resolved_at).toBeInstanceOf(Date);
    const raised = await db
      .selectFrom('alert_events')
      .selectAll()
      .where('severity', '=', 'RED')
      .orderBy('id')
      .execute();
    const [first, last] = [raised[0], raised.at(-1)];
    const during = await why((first?.at.getTime() ?? 0) + minuteMs);
    expect(during).toMatchObject({
      status: 'RED',
      status_reason: 'CRITICAL_ALERT',
      alerts: [{ severity: 'RED', state: 'NEW', type: 'MOCK_FAULT' }],
      inputs: { integration_status: 'ACTIVE', last_seen_source: 'VENDOR' },
      poll: { outcome: 'OK', booked_date: '2026-06-11' },
    });
    expect(during.limits[0]).toContain('Reconstructed');
    const after = await why((last?.at.getTime() ?? 0) + minuteMs);
    expect(after).toMatchObject({ status: 'GREEN', status_reason: 'SEEN_RECENTLY', alerts: [] });
  });

  test('while it was paused, and now, is the pause', async () => {
    expect(await why(pausedMs + hourMs)).toMatchObject({
      status: 'GREY',
      status_reason: 'DISABLED_BY_OPERATOR',
    });
    expect(await why(null)).toMatchObject({
      status: 'GREY',
      status_reason: 'DISABLED_BY_OPERATOR',
      limits: [],
    });
  });

  test('before its first period cannot be said', async () => {
    expect(await why(noonMs - hourMs)).toMatchObject({
      status: null,
      status_reason: null,
      poll: null,
      limits: expect.arrayContaining(['No poll before this time is in the ledger.']),
    });
  });

  test('shows the totals of its days as they were then', async () => {
    const { db } = database;
    await db
      .insertInto('snapshot_revisions')
      .values({
        plant_id: 'plant',
        date: '2026-06-10',
        old_energy_kwh: 12,
        new_energy_kwh: 30,
        source: 'CLOSING',
        at: new Date(noonMs + hourMs),
      })
      .execute();
    await db
      .updateTable('metric_snapshots')
      .set({ today_energy_kwh: 30 })
      .where('date', '=', '2026-06-10')
      .execute();
    const dayOf = (one: Why) => one.low_generation.days.find(({ date }) => date === '2026-06-10');
    expect(dayOf(await why(noonMs + 30 * minuteMs))?.today_energy_kwh).toBe(12);
    expect(dayOf(await why(noonMs + 2 * hourMs))?.today_energy_kwh).toBe(30);
  });

  test('after a failed poll, names what was booked to the day by then, not what was booked later', async () => {
    const { db } = database;
    const polls = await db
      .selectFrom('poll_logs')
      .select(['scheduled_for', 'today_energy_kwh'])
      .where('booked_date', '=', '2026-06-11')
      .where('today_energy_kwh', '>', 0)
      .orderBy('scheduled_for')
      .execute();
    const [before, failed, last] = [polls.at(-5), polls.at(-4), polls.at(-1)];
    if (before === undefined || failed === undefined) throw new Error('too few polls');
    const kwh = (row: typeof before | undefined) => `${row?.today_energy_kwh?.toFixed(1)} kWh`;
    expect(kwh(before)).not.toBe(kwh(last));
    await db
      .updateTable('poll_logs')
      .set({
        status: 'ERROR',
        outcome: 'FAILED',
        adapter_error_type: 'VENDOR_ERROR',
        error: 'HTTP 503',
        power_w: null,
        today_energy_kwh: null,
        booked_date: null,
        source_time: null,
      })
      .where('scheduled_for', '=', failed.scheduled_for)
      .execute();
    const { note } = (await why(failed.scheduled_for.getTime() + 1_000)).low_generation;
    expect(note).toContain(`The ${kwh(before)} that were booked to today before stay.`);
  });

  test('an acknowledgement of later is not told of before', async () => {
    const { db } = database;
    const at = new Date(noonMs + 30 * minuteMs);
    const { id } = await db
      .insertInto('alerts')
      .values({
        plant_id: 'plant',
        type: 'API_ERROR',
        vendor_alarm_code: 'ALARMS',
        severity: 'YELLOW',
        state: 'NEW',
        message: 'm',
        started_at: at,
        last_seen_at: at,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await db
      .insertInto('alert_events')
      .values({ alert_id: id, at, to_state: 'NEW', severity: 'YELLOW', actor: 'loop', reason: 'm' })
      .execute();
    const ackedAt = new Date(noonMs + 3 * hourMs);
    const by = { actor: 'ana@example.com', requestId: null };
    await ackAlert(db, id, { comment: 'c', until: null }, { by, at: ackedAt, scope: allPlants });
    const stateAt = async (atMs: number) =>
      (await why(atMs)).alerts.find((alert) => alert.id === id)?.state;
    expect(await stateAt(noonMs + 2 * hourMs)).toBe('NEW');
    expect(await stateAt(noonMs + 4 * hourMs - minuteMs)).toBe('ACKED');
  });
});

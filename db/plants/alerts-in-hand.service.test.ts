import { beforeEach, describe, expect } from 'vitest';

import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';
import { ackAlert, silencePlants } from './alerts-in-hand.ts';
import { plantSubjects } from './alerts.ts';
import { findFlawedAlerts } from '../check-alerts.ts';
import { findPlant } from './plants.ts';
import { allPlants } from '../scope.ts';

const by = { actor: 'ana@example.com', requestId: 'request-1' };
const nowMs = Date.parse('2026-06-11T12:00:00Z');
const at = new Date(nowMs);
const decision = { by, at, scope: allPlants };

let alertId: number;

beforeEach(async () => {
  const { db } = database;
  await db.deleteFrom('audit_log').execute();
  await db.deleteFrom('plants').execute();
  await insertTestPlant(db, { customer_id: 'noord', activated_at: new Date(nowMs - 86_400_000) });
  const row = await db
    .insertInto('alerts')
    .values({
      plant_id: 'plant',
      type: 'API_ERROR',
      vendor_alarm_code: 'ALARMS',
      severity: 'YELLOW',
      state: 'NEW',
      message: 'No complete answer about alarms.',
      started_at: at,
      last_seen_at: at,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  alertId = row.id;
  await db
    .insertInto('alert_events')
    .values({
      alert_id: alertId,
      at,
      to_state: 'NEW',
      severity: 'YELLOW',
      actor: 'loop',
      reason: 'r',
    })
    .execute();
});

const alert = () =>
  database.db.selectFrom('alerts').selectAll().where('id', '=', alertId).executeTakeFirstOrThrow();
const decisions = () => database.db.selectFrom('audit_log').selectAll().orderBy('id').execute();
const revision = async () => (await findPlant(database.db, 'plant'))?.revision ?? 0;
const evaluate = async (atMs: number) =>
  testActivities(database).activities.evaluatePlant({
    plantId: 'plant',
    nowMs: atMs,
    revision: await revision(),
    closing: null,
  });

describe('an acknowledgement', () => {
  test('is written with its event, its audit row and a new revision', async () => {
    const before = await revision();
    const until = new Date(nowMs + 3_600_000);
    const result = await ackAlert(database.db, alertId, { comment: 'on it', until }, decision);
    expect(result).toMatchObject({ kind: 'ACKED', alert: { plant_id: 'plant' } });
    expect(await alert()).toMatchObject({
      state: 'ACKED',
      acked_by: 'ana@example.com',
      ack_comment: 'on it',
      acked_until: until,
    });
    expect(await revision()).toBe(before + 1);
    expect(await decisions()).toMatchObject([
      {
        actor: 'ana@example.com',
        action: 'alert.ack',
        subject_id: String(alertId),
        request_id: 'request-1',
        before: { state: 'NEW' },
        after: { state: 'ACKED', ack_comment: 'on it' },
      },
    ]);
  });

  test('given twice keeps one event, and the chain that the audit wants', async () => {
    await ackAlert(database.db, alertId, { comment: 'on it', until: null }, decision);
    await ackAlert(database.db, alertId, { comment: 'still on it', until: null }, decision);
    expect((await alert()).ack_comment).toBe('still on it');
    expect(await decisions()).toHaveLength(2);
    expect((await findFlawedAlerts(database.db, plantSubjects, 0, 10)).alerts).toEqual([]);
  });

  test('ends at its time, when the loop looks: NEW again, announced', async () => {
    const until = new Date(nowMs + 3_600_000);
    await ackAlert(database.db, alertId, { comment: 'c', until }, decision);
    await evaluate(nowMs + 3_599_999);
    expect((await alert()).state).toBe('ACKED');
    await evaluate(nowMs + 3_600_000);
    expect((await alert()).state).toBe('NEW');
    expect((await findFlawedAlerts(database.db, plantSubjects, 0, 10)).alerts).toEqual([]);
  });

  test('of a resolved alert changes nothing', async () => {
    await database.db
      .updateTable('alerts')
      .set({ state: 'RESOLVED', resolved_at: at })
      .where('id', '=', alertId)
      .execute();
    const result = await ackAlert(database.db, alertId, { comment: 'c', until: null }, decision);
    expect(result).toMatchObject({ kind: 'RESOLVED', plantId: 'plant' });
    expect(await decisions()).toEqual([]);
  });

  test("of another customer's alert, or of none, is UNKNOWN", async () => {
    const ack = { comment: 'c', until: null };
    const foreign = await ackAlert(database.db, alertId, ack, {
      by,
      at,
      scope: { customerId: 'sul' },
    });
    expect(foreign).toEqual({ kind: 'UNKNOWN' });
    expect(await ackAlert(database.db, 999_999, ack, decision)).toEqual({ kind: 'UNKNOWN' });
    expect((await alert()).state).toBe('NEW');
    const own = await ackAlert(database.db, alertId, ack, {
      by,
      at,
      scope: { customerId: 'noord' },
    });
    expect(own.kind).toBe('ACKED');
  });
});

describe('a silence', () => {
  test('holds announcements back until its end, and is in the audit log', async () => {
    const until = new Date(nowMs + 7_200_000);
    const ids = await silencePlants(
      database.db,
      ['plant', 'none'],
      { until, reason: 'r' },
      decision,
    );
    expect(ids).toEqual(['plant']);
    await evaluate(nowMs + 60_000);
    expect((await alert()).last_notified_at).toBeNull();
    await silencePlants(database.db, ['plant'], { until: null, reason: null }, decision);
    await evaluate(nowMs + 120_000);
    expect((await alert()).last_notified_at).not.toBeNull();
    expect((await decisions()).map((row) => [row.action, row.after])).toEqual([
      ['plant.silence', { alerts_silenced_until: until.toISOString(), reason: 'r' }],
      ['plant.unsilence', { alerts_silenced_until: null, reason: null }],
    ]);
  });
});

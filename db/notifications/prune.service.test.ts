import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { dayMs } from '../../domain/zone.ts';
import { insertTestPlant } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';
import { onPruneSession } from '../ledger/prune.ts';
import { readTold, retryDelivery } from './delivery-list.ts';
import { findToldFrom, planNotifications, pruneNotifications } from './prune.ts';
import type { DeliveryState } from './tables.ts';

/** What a prune of notifications takes away, and everything that must outlive its age. */

const nowMs = Date.parse('2026-12-01T00:00:00Z');
const lineMs = nowMs - 90 * dayMs;
const daysAgo = (days: number) => new Date(nowMs - days * dayMs);

let routeId: number;
let channelId: number;

beforeEach(async () => {
  const { db } = database;
  for (const table of [
    'deliveries',
    'notification_lines',
    'messages',
    'notifications',
    'notification_routes',
    'notification_channels',
    'problems',
    'notifications_kept',
    'brand_incidents',
    'plants',
  ] as const)
    await db.deleteFrom(table).execute();
  await insertTestPlant(db);
  const channel = {
    kind: 'EMAIL',
    name: 'mail',
    source: 'ENVIRONMENT',
    created_by: 'test',
  } as const;
  ({ id: channelId } = await db
    .insertInto('notification_channels')
    .values(channel)
    .returning('id')
    .executeTakeFirstOrThrow());
  ({ id: routeId } = await db
    .insertInto('notification_routes')
    .values({
      name: 'all',
      channel_id: channelId,
      recipients: ['ana@example.org'],
      created_by: 'test',
    })
    .returning('id')
    .executeTakeFirstOrThrow());
});

/** An alert of the plant; null: it is active. */
async function addAlert(code: string, startedDays: number, endedDays: number | null) {
  const { rows } = await sql<{ id: number }>`
    insert into alerts (plant_id, type, vendor_alarm_code, severity, state, message, started_at, last_seen_at, resolved_at)
    values ('plant', 'MOCK_FAULT', ${code}, 'RED', ${endedDays === null ? 'NEW' : 'RESOLVED'}, 'fault',
      ${daysAgo(startedDays)}, ${daysAgo(startedDays)}, ${endedDays === null ? null : daysAgo(endedDays)})
    returning id`.execute(database.db);
  return rows[0]?.id ?? 0;
}

interface Said {
  days: number;
  alertId?: number;
  problemId?: number;
  subject?: [kind: string, id: string];
  isEnd?: boolean;
  isRouted?: boolean;
}

async function say({ days, alertId, problemId, subject, isEnd, isRouted }: Said): Promise<number> {
  const at = daysAgo(days);
  const [kind, id] = subject ?? ['PLANT', 'plant'];
  const { rows } = await sql<{ id: number }>`
    insert into notifications (subject_kind, subject_id, alert_id, problem_id, kind, is_end, severity, created_at, not_before, routed_at)
    values (${kind}, ${id}, ${alertId ?? null}, ${problemId ?? null}, ${isEnd === true ? 'RECOVERED' : 'RAISED'}, ${isEnd ?? false},
      'RED', ${at}, ${at}, ${isRouted === false ? null : at}) returning id`.execute(database.db);
  return rows[0]?.id ?? 0;
}

/** A message about notifications, with a delivery in this state. */
async function tell(days: number, ids: readonly number[], state: DeliveryState = 'SENT') {
  const { db } = database;
  const at = daysAgo(days);
  const { id } = await db
    .insertInto('messages')
    .values({ route_id: routeId, kind: 'ALERTS', created_at: at, remark: null })
    .returning('id')
    .executeTakeFirstOrThrow();
  for (const notificationId of ids)
    await sql`
      insert into notification_lines (route_id, notification_id, due_at, message_id)
      values (${routeId}, ${notificationId}, ${at}, ${id})`.execute(db);
  const isFinal = ['SENT', 'DEAD', 'SUPPRESSED'].includes(state);
  const delivery = await db
    .insertInto('deliveries')
    .values({
      message_id: id,
      channel_id: channelId,
      recipient: 'ana@example.org',
      state,
      next_attempt_at: at,
      tried_at: at,
      finished_at: isFinal ? at : null,
      leased_until: state === 'SENDING' ? at : null,
      created_at: at,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return delivery.id;
}

async function prune(interrupt: () => Promise<void> = async () => {}) {
  return onPruneSession(database.db, async (session) => {
    const plan = await planNotifications(session, lineMs, nowMs);
    await interrupt();
    const by = { actor: 'test', requestId: null };
    const removed = await pruneNotifications(session, plan, {
      by,
      at: new Date(nowMs),
      olderThanDays: 90,
    });
    return { plan, removed };
  });
}

async function left() {
  const count = async (table: 'messages' | 'notifications' | 'deliveries' | 'problems') => {
    const { n } = await database.db
      .selectFrom(table)
      .select(({ fn }) => fn.countAll<number>().as('n'))
      .executeTakeFirstOrThrow();
    return n;
  };
  return {
    messages: await count('messages'),
    notifications: await count('notifications'),
    deliveries: await count('deliveries'),
    problems: await count('problems'),
  };
}

describe('a prune of notifications', () => {
  test('takes what was told of an alert that ended long ago, and says from when it is known who was told', async () => {
    const alertId = await addAlert('1', 120, 119);
    const raised = await say({ days: 120, alertId });
    const over = await say({ days: 119, alertId, isEnd: true });
    await tell(120, [raised]);
    await tell(119, [over]);
    const { plan, removed } = await prune();
    const gone = { deliveries: 2, messages: 2, lines: 2, notifications: 2, problems: 0 };
    expect(plan.remove).toEqual(gone);
    expect(removed).toEqual(gone);
    expect(await left()).toMatchObject({ messages: 0, notifications: 0, deliveries: 0 });
    expect(await readTold(database.db, [alertId])).toEqual({
      lines: [],
      knownFrom: new Date(lineMs),
    });
    expect(await findToldFrom(database.db)).toEqual(new Date(lineMs));
  });

  test.each([
    [
      'an alert that is still active',
      async () => tell(120, [await say({ days: 120, alertId: await addAlert('1', 120, null) })]),
    ],
    [
      'an alert that ended after the line',
      async () => tell(120, [await say({ days: 120, alertId: await addAlert('1', 120, 10) })]),
    ],
    [
      'a delivery that waits',
      async () =>
        tell(120, [await say({ days: 120, alertId: await addAlert('1', 120, 119) })], 'PENDING'),
    ],
    [
      'a delivery that failed and is tried again',
      async () =>
        tell(120, [await say({ days: 120, alertId: await addAlert('1', 120, 119) })], 'FAILED'),
    ],
    [
      'a delivery whose worker was lost',
      async () =>
        tell(120, [await say({ days: 120, alertId: await addAlert('1', 120, 119) })], 'SENDING'),
    ],
    [
      'an outbox that nobody empties',
      async () => say({ days: 120, alertId: await addAlert('1', 120, 119), isRouted: false }),
    ],
    [
      'a line that waits for its message',
      async () => {
        const id = await say({ days: 120, alertId: await addAlert('1', 120, 119) });
        await sql`insert into notification_lines (route_id, notification_id, due_at) values (${routeId}, ${id}, ${daysAgo(120)})`.execute(
          database.db,
        );
      },
    ],
    [
      'a brand incident that is still open',
      async () => {
        const { rows } = await sql<{ id: number }>`
          insert into brand_incidents (brand, suspected_at, sightings, opened_at, plants_failed, plants_active, errors)
          values ('HUAWEI', ${daysAgo(120)}, 3, ${daysAgo(120)}, 3, 3, '{}') returning id`.execute(
          database.db,
        );
        await tell(120, [await say({ days: 120, subject: ['INCIDENT', String(rows[0]?.id)] })]);
      },
    ],
  ])('leaves %s', async (_, arrange) => {
    await arrange();
    const before = await left();
    const { plan } = await prune();
    expect(Object.values(plan.remove)).toEqual([0, 0, 0, 0, 0]);
    expect(await left()).toEqual(before);
  });

  test('leaves a message whole of which one line is still open', async () => {
    const open = await say({ days: 120, alertId: await addAlert('1', 120, null) });
    const over = await say({ days: 120, alertId: await addAlert('2', 120, 119) });
    await tell(120, [open, over]);
    const { plan } = await prune();
    expect(plan).toMatchObject({ stay: { messages: 1, notifications: 2 } });
    expect(await left()).toMatchObject({ messages: 1, notifications: 2 });
  });

  test('takes a closed problem with its notifications, and leaves an open one', async () => {
    const { db } = database;
    const problem = {
      subject_kind: 'SYSTEM',
      code: 'NOT_WELL',
      severity: 'RED',
      message: 'down',
      opened_at: daysAgo(120),
      last_seen_at: daysAgo(119),
    } as const;
    const rows = await db
      .insertInto('problems')
      .values([
        { ...problem, subject_id: 'redis', state: 'CLOSED', closed_at: daysAgo(119) },
        { ...problem, subject_id: 'disk', closed_at: null },
      ])
      .returning('id')
      .execute();
    for (const { id } of rows)
      await tell(120, [await say({ days: 120, problemId: id, subject: ['SYSTEM', String(id)] })]);
    const { removed } = await prune();
    expect(removed).toMatchObject({ problems: 1, notifications: 1, messages: 1 });
    const kept = await db.selectFrom('problems').select('subject_id').execute();
    expect(kept).toEqual([{ subject_id: 'disk' }]);
  });

  test('leaves a delivery that a person tries again between the count and the end', async () => {
    const id = await say({ days: 120, alertId: await addAlert('1', 120, 119) });
    const deliveryId = await tell(120, [id], 'DEAD');
    const { removed } = await prune(async () => {
      expect(await retryDelivery(database.db, deliveryId, nowMs)).toBe('DEAD');
    });
    expect(removed).toEqual({
      deliveries: 0,
      messages: 0,
      lines: 0,
      notifications: 0,
      problems: 0,
    });
    expect(await left()).toMatchObject({ messages: 1, notifications: 1, deliveries: 1 });
  });

  test('goes through thousands in batches, and a second one finds nothing', async () => {
    const alertId = await addAlert('1', 120, 119);
    await sql`
      with n as (
        insert into notifications (subject_kind, subject_id, alert_id, kind, is_end, severity, created_at, not_before, routed_at)
        select 'PLANT', 'plant', ${alertId}::bigint, 'REMINDER', false, 'RED', ${daysAgo(120)}::timestamptz + k * interval '1 s',
          ${daysAgo(120)}, ${daysAgo(120)} from generate_series(1, 1700) k returning id)
      select 1`.execute(database.db);
    const { removed } = await prune();
    expect(removed.notifications).toBe(1_700);
    const { plan } = await prune();
    expect(Object.values(plan.remove)).toEqual([0, 0, 0, 0, 0]);
  });
});

import { beforeEach, expect } from 'vitest';

import { readNotificationFigures } from '../../db/notifications/figures.ts';
import { minuteMs } from '../../domain/zone.ts';
import { database, test } from '../../test/support/test-database.ts';
import { notifications } from './components.ts';

const nowMs = Date.parse('2026-12-01T09:00:00Z');

async function judgement() {
  const figures = await readNotificationFigures(database.db, nowMs);
  return notifications.judge(figures, { takenAtMs: nowMs, tookMs: 1, zone: null });
}

beforeEach(async () => {
  for (const table of [
    'deliveries',
    'messages',
    'notification_routes',
    'notification_channels',
  ] as const)
    await database.db.deleteFrom(table).execute();
});

async function addChannel(kind: 'EMAIL' | 'HEARTBEAT', failingMinutes: number | null) {
  const failing_since =
    failingMinutes === null ? null : new Date(nowMs - failingMinutes * minuteMs);
  const { id } = await database.db
    .insertInto('notification_channels')
    .values({ kind, name: kind, source: 'ENVIRONMENT', created_by: 'test', failing_since })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

async function addRoute(channelId: number) {
  await database.db
    .insertInto('notification_routes')
    .values({
      name: 'a',
      channel_id: channelId,
      recipients: ['op@example.org'],
      created_by: 'test',
    })
    .execute();
}

test('without a channel nobody is told, and nothing is wrong; the heartbeat tells nobody', async () => {
  const sentence = 'Nobody is told: there is no channel.';
  expect(await judgement()).toEqual({ state: 'ok', sentence });
  await addChannel('HEARTBEAT', null);
  expect(await judgement()).toEqual({ state: 'ok', sentence });
});

test('without a route nobody is told', async () => {
  await addChannel('EMAIL', null);
  expect(await judgement()).toMatchObject({
    sentence: 'Nobody is told: no route leads to a channel.',
  });
});

test.each([
  [null, 'ok'],
  [14, 'ok'],
  [15, 'degraded'],
])('a channel that has failed for %s min is %s', async (minutes, state) => {
  await addRoute(await addChannel('EMAIL', minutes));
  expect(await judgement()).toMatchObject({ state });
});

test('the public sentence counts failing channels by kind, and their names are apart', async () => {
  await addRoute(await addChannel('EMAIL', 41));
  await addChannel('HEARTBEAT', 20);
  await database.db
    .updateTable('notification_channels')
    .set({ name: 'ana of Vale' })
    .where('kind', '=', 'EMAIL')
    .execute();
  const judged = await judgement();
  expect(judged?.sentence).toBe(
    '1 e-mail channel has failed for 41 min; 1 heartbeat channel has failed for 20 min.',
  );
  expect(JSON.stringify({ ...judged, subjects: [] })).not.toContain('ana of Vale');
  expect(judged?.subjects?.map(({ sentence }) => sentence)).toContain(
    'Channel ana of Vale has failed for 41 min.',
  );
});

test('what waits and what was given up is counted, but not of a channel that was removed', async () => {
  const channelId = await addChannel('EMAIL', null);
  await addRoute(channelId);
  const { id: message_id } = await database.db
    .insertInto('messages')
    .values({ kind: 'TEST', created_at: new Date(nowMs) })
    .returning('id')
    .executeTakeFirstOrThrow();
  const at = (minutes: number) => new Date(nowMs - minutes * minuteMs);
  const delivery = { message_id, channel_id: channelId, next_attempt_at: at(0) };
  await database.db
    .insertInto('deliveries')
    .values([
      { ...delivery, recipient: 'a', created_at: at(7) },
      { ...delivery, recipient: 'b', created_at: at(9), state: 'DEAD', finished_at: at(1) },
      { ...delivery, recipient: 'c', created_at: at(9), state: 'DEAD', finished_at: at(1_441) },
    ])
    .execute();
  expect(await judgement()).toMatchObject({
    sentence:
      '1 channel in use, the oldest message has waited for 7 min; 1 delivery was given up in 24 h.',
  });
  await database.db
    .updateTable('notification_channels')
    .set({ removed_at: at(0) })
    .execute();
  const { oldestPendingAt } = await readNotificationFigures(database.db, nowMs);
  expect(oldestPendingAt).toBeNull();
});

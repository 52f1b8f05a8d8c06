import { beforeEach, expect } from 'vitest';

import { database, test } from '../test/support/test-database.ts';
import { minuteMs } from '../domain/zone.ts';
import { createSystemReconciler, type PartJudged } from './system.ts';

const startMs = Date.parse('2026-12-01T09:00:00Z');
let parts: PartJudged[] = [];

beforeEach(async () => {
  await database.db.deleteFrom('notifications').execute();
  await database.db.deleteFrom('problems').execute();
});

function part(state: PartJudged['state']): PartJudged {
  return {
    component: 'polling',
    state,
    sentence: 'Polling is watched.',
    advice: 'Look at the log.',
  };
}

async function told() {
  const rows = await database.db
    .selectFrom('notifications')
    .select(['kind', 'severity'])
    .orderBy('id')
    .execute();
  return rows.map(({ kind, severity }) => `${kind} ${severity}`);
}

test('what is down for a minute is told once, and its end too', async () => {
  const reconcile = createSystemReconciler(database, async () => parts);
  parts = [part('down')];
  for (const seconds of [0, 30]) await reconcile(startMs + seconds * 1_000);
  expect(await told()).toEqual([]);
  for (const seconds of [60, 90, 120]) await reconcile(startMs + seconds * 1_000);
  expect(await told()).toEqual(['OPENED RED']);
  parts = [part('ok')];
  for (const seconds of [150, 180]) await reconcile(startMs + seconds * 1_000);
  expect(await told()).toEqual(['OPENED RED', 'CLOSED RED']);
});

test('what is degraded for five minutes is yellow, and told again when it is down', async () => {
  const reconcile = createSystemReconciler(database, async () => parts);
  parts = [part('degraded')];
  for (let minute = 0; minute <= 6; minute += 1) await reconcile(startMs + minute * minuteMs);
  expect(await told()).toEqual(['OPENED YELLOW']);
  parts = [part('down')];
  await reconcile(startMs + 7 * minuteMs);
  expect(await told()).toEqual(['OPENED YELLOW', 'ESCALATED RED']);
});

test('a restart of less than a minute is no problem', async () => {
  const reconcile = createSystemReconciler(database, async () => parts);
  for (const [seconds, state] of [
    [0, 'down'],
    [30, 'down'],
    [60, 'ok'],
    [90, 'down'],
    [120, 'down'],
  ] as const) {
    parts = [part(state)];
    await reconcile(startMs + seconds * 1_000);
  }
  expect(await told()).toEqual([]);
});

test('a second worker tells nobody again, and closes what the first opened', async () => {
  const one = createSystemReconciler(database, async () => parts);
  const other = createSystemReconciler(database, async () => parts);
  parts = [part('down')];
  for (const seconds of [0, 60, 120]) {
    await one(startMs + seconds * 1_000);
    await other(startMs + seconds * 1_000 + 1);
  }
  expect(await told()).toEqual(['OPENED RED']);
  parts = [part('ok')];
  await other(startMs + 150_000);
  await one(startMs + 151_000);
  expect(await told()).toEqual(['OPENED RED', 'CLOSED RED']);
});

test('a problem names what its public sentence only counts', async () => {
  const failing = {
    ...part('down'),
    subjects: [{ sentence: 'Channel office has failed for 20 min.' }],
  };
  const reconcile = createSystemReconciler(database, async () => [failing]);
  for (const seconds of [0, 60]) await reconcile(startMs + seconds * 1_000);
  const { message } = await database.db
    .selectFrom('problems')
    .select('message')
    .where('state', '<>', 'CLOSED')
    .executeTakeFirstOrThrow();
  expect(message).toContain('Channel office has failed for 20 min.');
});

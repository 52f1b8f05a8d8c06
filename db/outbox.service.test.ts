import { afterAll, beforeAll, expect, test } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { addNotification, type Notification } from './outbox.ts';

const nowMs = Date.parse('2026-06-10T12:00:00Z');
const failed: Notification = {
  subject: { kind: 'IMPORT_JOB', id: '7' },
  alertId: null,
  kind: 'FAILED',
  isEnd: false,
  severity: 'YELLOW',
  notBeforeMs: nowMs,
};

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('what is said of a subject without an alert is written once for an instant', async () => {
  const say = (notification: Notification, atMs: number) =>
    addNotification(database.db, notification, atMs);
  await say(failed, nowMs);
  await say(failed, nowMs);
  await say(failed, nowMs + 1);
  await say({ ...failed, subject: { kind: 'IMPORT_JOB', id: '8' } }, nowMs);
  await say({ ...failed, subject: { kind: 'GATEWAY', id: '7' } }, nowMs);
  await say({ ...failed, kind: 'STUCK' }, nowMs);
  const rows = await database.db
    .selectFrom('notifications')
    .select(['subject_kind', 'subject_id', 'kind', 'alert_id', 'created_at'])
    .orderBy('id')
    .execute();
  const row = { subject_kind: 'IMPORT_JOB', subject_id: '7', kind: 'FAILED', alert_id: null };
  expect(rows).toEqual([
    { ...row, created_at: new Date(nowMs) },
    { ...row, created_at: new Date(nowMs + 1) },
    { ...row, subject_id: '8', created_at: new Date(nowMs) },
    { ...row, subject_kind: 'GATEWAY', created_at: new Date(nowMs) },
    { ...row, kind: 'STUCK', created_at: new Date(nowMs) },
  ]);
});

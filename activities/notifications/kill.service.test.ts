import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { expect } from 'vitest';

import { minuteMs } from '../../domain/zone.ts';
import type { DeliveringPlan } from '../../test/support/delivering.ts';
import { startMailServer } from '../../test/support/mail-server.ts';
import { database, test } from '../../test/support/test-database.ts';

/** Ten processes that deliver are killed between sending and recording. */

const startMs = Date.parse('2026-12-01T09:00:00Z');
const messages = 30;
const recipients = ['ana@example.org', 'ben@example.org'];
const kills = 10;

async function fillOutbox(): Promise<void> {
  const { db } = database;
  const { id: channelId } = await db
    .insertInto('notification_channels')
    .values({ kind: 'EMAIL', name: 'mail', source: 'ENVIRONMENT', created_by: 'test' })
    .returning('id')
    .executeTakeFirstOrThrow();
  const { id: routeId } = await db
    .insertInto('notification_routes')
    .values({ name: 'all', channel_id: channelId, recipients, created_by: 'test' })
    .returning('id')
    .executeTakeFirstOrThrow();
  const at = new Date(startMs);
  for (let n = 0; n < messages; n += 1) {
    const { id: notificationId } = await db
      .insertInto('notifications')
      .values({
        subject_kind: 'THING',
        subject_id: `thing-${n}`,
        alert_id: null,
        problem_id: null,
        kind: 'RAISED',
        is_end: false,
        severity: 'RED',
        created_at: at,
        not_before: at,
        dropped_at: null,
        drop_reason: null,
        routed_at: at,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const { id: messageId } = await db
      .insertInto('messages')
      .values({ route_id: routeId, kind: 'ALERTS', created_at: at, remark: null })
      .returning('id')
      .executeTakeFirstOrThrow();
    await db
      .insertInto('notification_lines')
      .values({
        route_id: routeId,
        notification_id: notificationId,
        due_at: at,
        message_id: messageId,
        suppressed_at: null,
        suppressed_reason: null,
      })
      .execute();
    await db
      .insertInto('deliveries')
      .values(
        recipients.map((recipient) => ({
          message_id: messageId,
          channel_id: channelId,
          recipient,
          next_attempt_at: at,
          created_at: at,
          leased_until: null,
          tried_at: null,
          finished_at: null,
          answer: null,
        })),
      )
      .execute();
  }
}

/** @returns the signal that ended it; null: it ended by itself. */
async function deliver(plan: DeliveringPlan): Promise<NodeJS.Signals | null> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../../test/support/delivering.ts', import.meta.url))],
    {
      env: { ...process.env, HELIOGRAPH_DELIVERING: JSON.stringify(plan) },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (signal === null) expect(code).toBe(0);
  return signal;
}

test('no delivery is lost, and a repeated mail has the same Message-ID', async ({
  onTestFinished,
}) => {
  const mail = await startMailServer();
  onTestFinished(mail.close);
  await fillOutbox();
  const plan = { databaseUrl: database.url, mailPort: mail.port };
  for (let round = 0; round < kills; round += 1) {
    const nowMs = startMs + round * 2 * minuteMs;
    expect(await deliver({ ...plan, nowMs, diesAfter: 3 })).toBe('SIGKILL');
  }
  const nowMs = startMs + kills * 2 * minuteMs;
  expect(await deliver({ ...plan, nowMs, diesAfter: null })).toBeNull();

  const states = await database.db.selectFrom('deliveries').select('state').distinct().execute();
  expect(states).toEqual([{ state: 'SENT' }]);
  const received = mail.received.map(({ to, raw }) => ({
    id: /^Message-ID: (.*)$/m.exec(raw)?.[1]?.trim() ?? '',
    about: `${to.join()} ${/^Subject: (.*)$/m.exec(raw)?.[1]}`,
  }));
  const ids = new Set(received.map(({ id }) => id));
  const about = new Set(received.map((one) => one.about));
  expect(about.size).toBe(messages * recipients.length);
  // Each death repeats the one mail that it did not record.
  expect(received).toHaveLength(messages * recipients.length + kills);
  expect(ids.size).toBe(about.size);
}, 120_000);

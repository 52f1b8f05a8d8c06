import { expect, vi } from 'vitest';

import { insertUser } from '../../db/people/users.ts';
import { seal } from '../../db/sealing.ts';
import { loadConfig, requireMasterKeys } from '../../environment/config.ts';
import { triggerReconciliation } from '../../operations/fleet-schedule.ts';
import { findByToken, subscribe } from '../../operations/notifications/subscriptions.ts';
import { runTestCommand } from '../support/command-line.ts';
import { addPlant } from '../support/fleet.ts';
import { startReceiver } from '../support/http-receiver.ts';
import { startMailServer } from '../support/mail-server.ts';
import { placesOf, placesWith } from '../support/secrets.ts';
import { fleet, test } from '../support/test-fleet.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

/** From a row of the outbox to a mail and a webhook, through Temporal, on real servers. */

const by = { actor: 'test', requestId: null };

async function raiseAlert(plantId: string) {
  const now = new Date();
  const { id } = await fleet.db
    .insertInto('alerts')
    .values({
      plant_id: plantId,
      type: 'OFFLINE',
      vendor_alarm_code: null,
      device_sn: null,
      severity: 'RED',
      state: 'NEW',
      message: 'Not seen for 31 h.',
      started_at: now,
      last_seen_at: now,
    } as never)
    .returning('id')
    .executeTakeFirstOrThrow();
  await announce(plantId, id, 'RAISED');
  return id;
}

async function announce(plantId: string, alertId: number, kind: 'RAISED' | 'RECOVERED') {
  const now = new Date();
  await fleet.db
    .insertInto('notifications')
    .values({
      subject_kind: 'PLANT',
      subject_id: plantId,
      alert_id: alertId,
      kind,
      is_end: kind === 'RECOVERED',
      severity: 'RED',
      created_at: now,
      not_before: now,
    } as never)
    .execute();
}

/** They are in the settings of channels; the address of the webhook holds one too. */
const canaries = ['canary-mail-password', 'canary-webhook-key', 'canary-secret'] as const;

test('an alarm and its recovery reach a mailbox and a webhook, each once, and no secret is left anywhere', async ({
  onTestFinished,
}) => {
  const mail = await startMailServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: ({ password }, _, done) =>
      done(password === canaries[0] ? null : new Error('refused'), { user: 'sun' }),
  });
  const hook = await startReceiver();
  onTestFinished(async () => {
    await mail.close();
    await hook.close();
  });
  const config = loadConfig({
    ...fleet.env,
    ADMIN_EMAIL: 'ana@example.org',
    MAIL_HOST: '127.0.0.1',
    MAIL_PORT: String(mail.port),
    MAIL_TLS: 'none',
    MAIL_FROM: 'sun@heliograph.test',
    MAIL_USERNAME: 'sun',
    MAIL_PASSWORD: canaries[0],
    WEBHOOK_URL: hook.url,
    WEBHOOK_SECRET: canaries[1],
    PUBLIC_URL: 'https://sun.example.org',
  });
  const plantId = await addPlant(fleet.db, config, {
    id: 'vale-2',
    vendorPlantId: '1298491919448631809',
    active: false,
  });
  const worker = await startTestWorker({ config });
  onTestFinished(() => stopWorker(worker));
  await triggerReconciliation(fleet.client);

  const alertId = await raiseAlert(plantId);
  await vi.waitFor(() => expect([mail.received.length, hook.received.length]).toEqual([1, 1]), {
    timeout: 60_000,
    interval: 500,
  });
  expect(mail.received[0]?.raw).toContain('Subject: RED: vale-2: OFFLINE');

  await fleet.db
    .updateTable('alerts')
    .set({ state: 'RESOLVED', resolved_at: new Date() })
    .where('id', '=', alertId)
    .execute();
  await announce(plantId, alertId, 'RECOVERED');
  await vi.waitFor(() => expect([mail.received.length, hook.received.length]).toEqual([2, 2]), {
    timeout: 60_000,
    interval: 500,
  });
  expect(mail.received[1]?.raw).toContain('Subject: Over: vale-2: OFFLINE');
  const states = await fleet.db.selectFrom('deliveries').select(['state', 'attempts']).execute();
  expect(states).toEqual([1, 2, 3, 4].map(() => ({ state: 'SENT', attempts: 1 })));
  const { REDIS_URL: redisUrl = '', REDIS_KEY_PREFIX: redisKeyPrefix } = config;
  const places = await placesOf({ ...fleet, redisUrl, redisKeyPrefix });
  expect([...places.keys()].some((place) => place.startsWith('history notifications:'))).toBe(true);
  places.set('mails', mail.received.map(({ raw }) => raw).join());
  places.set(
    'webhook',
    hook.received.map(({ body, headers }) => body + JSON.stringify(headers)).join(),
  );
  expect(placesWith(canaries, places)).toEqual([]);
}, 180_000);

test('a channel that people added is tested through the worker, and a subscriber ends its mails by their link', async ({
  onTestFinished,
}) => {
  const mail = await startMailServer();
  onTestFinished(() => mail.close());
  const env = { ...fleet.env, PUBLIC_URL: 'https://sun.example.org' };
  const config = loadConfig(env);
  const settings = `host=127.0.0.1\nport=${mail.port}\ntls=none\nfrom=sun@heliograph.test\n`;
  const add = ['notifications', 'channels', 'add', 'office', '--kind', 'email'];
  expect(await runTestCommand(add, { env, input: settings })).toMatchObject({ code: 0 });
  const worker = await startTestWorker({ config });
  onTestFinished(() => stopWorker(worker));
  await triggerReconciliation(fleet.client);

  const tested = await runTestCommand(
    ['notifications', 'test', '--channel', 'office', '--to', 'op@example.org', '--timeout', '60'],
    { env },
  );
  expect(tested).toMatchObject({ code: 0, stdout: expect.stringMatching(/: SENT\n.*SENT, /s) });
  expect(mail.received).toHaveLength(1);
  expect(mail.received[0]?.raw).not.toContain('List-Unsubscribe');

  const userId = await insertUser(
    fleet.db,
    {
      email: 'ana@example.org',
      passwordHash: 'x',
      role: 'OPERATOR',
      customerId: null,
      mustChangePassword: false,
    },
    by,
    new Date(),
  );
  const act = { db: fleet.db, by, at: new Date() };
  const person = { userId: userId ?? 0, email: 'ana@example.org', scope: { customerId: null } };
  const keys = requireMasterKeys(config);
  const wish = { severities: ['RED' as const], customer_ids: [] };
  await subscribe(act, person, wish, (place, secrets) => seal(keys, place, secrets));
  const plantId = await addPlant(fleet.db, config, {
    id: 'vale-3',
    vendorPlantId: '1298491919448631810',
    active: false,
  });
  await raiseAlert(plantId);
  const mailOf = (name: string) => mail.received.find(({ raw }) => raw.includes(name));
  await vi.waitFor(() => expect(mailOf('vale-3')).toBeDefined(), {
    timeout: 90_000,
    interval: 500,
  });
  // Long headers are folded.
  const raw = mailOf('vale-3')?.raw.replaceAll(/\r\n\s+/g, ' ') ?? '';
  const link = /^List-Unsubscribe:\s*<https:\/\/sun\.example\.org\/unsubscribe\?token=([\w-]+)>/m;
  const token = link.exec(raw)?.[1] ?? '';
  expect(await findByToken(fleet.db, token)).toMatchObject({ subscriber: 'ana@example.org' });
}, 240_000);

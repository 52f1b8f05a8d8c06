import { randomBytes } from 'node:crypto';

import { expect } from 'vitest';

import { createNotificationActivities } from '../../activities/create.ts';
import { noticeReaders } from '../../activities/notice-readers.ts';
import { findPollingTrouble, readPlantsBrief } from '../../activities/plants/notices.ts';
import { playPlant } from '../../cli/demo/play.ts';
import { createFixtureAdapter } from '../../adapters/clouds/registry.ts';
import { noLocks } from '../../db/lock.ts';
import { keepEnvironmentChannels } from '../../db/notifications/channels.ts';
import { loadConfig, requireMasterKeys } from '../../environment/config.ts';
import { notificationSettings } from '../../environment/notifications/variables.ts';
import { hourMs, minuteMs } from '../../domain/zone.ts';
import { acknowledge } from '../../operations/plants/actions.ts';
import { channelOpener, environmentChannels } from '../../worker/channels.ts';
import { insertTestPlant, testActivities } from '../support/activities.ts';
import { type MailServer, startMailServer } from '../support/mail-server.ts';
import { database, test } from '../support/test-database.ts';

/** A plant that stays silent is told again after six hours, from the poll to the mail, on a clock that the test moves. */

/** 07:00 by the clock of the plant's zone, so that two reminders fall into its day. */
const beganMs = Date.parse('2026-06-10T05:00:00Z');
/** A plant of the vendor's that is well. */
const ordinaryId = '1300000000000000001';
/** As the plants of tests are polled. */
const intervalMs = 10 * minuteMs;

/** The production activities of notifications, with the settings of an environment, at `nowMs()`. */
async function senders(mail: MailServer, nowMs: () => number) {
  const config = loadConfig({
    DATABASE_URL: database.url,
    MASTER_KEY_CURRENT: randomBytes(32).toString('base64'),
    ADMIN_EMAIL: 'ana@example.org',
    MAIL_HOST: '127.0.0.1',
    MAIL_PORT: String(mail.port),
    MAIL_TLS: 'none',
    MAIL_FROM: 'sun@heliograph.test',
  });
  const settings = notificationSettings(config);
  const { db } = database;
  await keepEnvironmentChannels(db, environmentChannels(settings));
  return createNotificationActivities(
    {
      db,
      locks: noLocks,
      lockDomain: 'cluster/namespace',
      clock: nowMs,
      log: { info() {}, warn() {}, error() {} },
      checkpoint: async () => {},
      notices: noticeReaders,
      readBrief: readPlantsBrief,
      findTrouble: findPollingTrouble,
      openChannel: channelOpener(db, requireMasterKeys(config), settings),
      findUnsubscribeToken: async () => null,
      publicUrl: 'https://sun.example.org',
    },
    () => ({
      workflowId: 'notifications:email',
      runId: 'run',
      isLocal: false,
      signal: new AbortController().signal,
      heartbeat() {},
    }),
  );
}

test('a plant that stays silent is told once, again after six hours each until somebody acknowledges it, and when it is back, in one thread', async ({
  onTestFinished,
}) => {
  const mail = await startMailServer();
  onTestFinished(mail.close);
  const { db } = database;
  // The vendor's fixture of this id was last measured 26 h before the test begins.
  const silentSinceS = (beganMs - 26 * hourMs) / 1_000;
  const plant = await insertTestPlant(db, {
    name: 'Vale 2',
    vendor_plant_id: `129849192${silentSinceS}`,
    activated_at: new Date(beganMs - intervalMs),
  });
  let isBack = false;
  const player = testActivities(database, {
    openAdapter(options) {
      if (!isBack) return createFixtureAdapter(options);
      const well = { ...options.plant, vendorPlantId: ordinaryId };
      const adapter = createFixtureAdapter({ ...options, plant: well });
      return {
        capabilities: () => adapter.capabilities(),
        testConnection: () => adapter.testConnection(),
        getPlantSummary: () => adapter.getPlantSummary(well),
        getDailyEnergySeries: (_, from, to) => adapter.getDailyEnergySeries(well, from, to),
        getAlarmsSince: (_, since) => adapter.getAlarmsSince(well, since),
      };
    },
  });
  let nowMs = beganMs;
  const { composeMessages, deliverMessages } = await senders(mail, () => nowMs);
  /** What each mail told, and when: hours after the beginning. */
  const told: { subject: string; text: string; atH: number; thread: string }[] = [];

  async function liveUntil(untilH: number): Promise<void> {
    while (nowMs < beganMs + untilH * hourMs) {
      await playPlant(player, plant.id, nowMs, nowMs + intervalMs);
      nowMs += intervalMs;
      // What comes within half a minute is one message, so a line waits for the second look.
      for (const atMs of [nowMs, nowMs + minuteMs]) {
        await composeMessages({ nowMs: atMs });
        await deliverMessages({ kind: 'EMAIL', nowMs: atMs });
      }
      for (const { raw } of mail.received.slice(told.length)) {
        const header = (name: string) =>
          new RegExp(`^${name}: (.*)$`, 'm').exec(raw.replaceAll(/\r\n[ \t]+/g, ' '))?.[1] ?? '';
        told.push({
          subject: header('Subject'),
          text: raw,
          atH: (nowMs - beganMs) / hourMs,
          thread: header('In-Reply-To') || header('Message-ID'),
        });
      }
    }
  }

  await liveUntil(13);
  expect(told.map(({ subject }) => subject)).toEqual(Array(3).fill('RED: Vale 2: OFFLINE'));
  const [first, second, third] = told.map(({ atH }) => atH) as [number, number, number];
  // A poll each ten minutes: the first one after more than six hours reminds.
  for (const hours of [second - first, third - second]) {
    expect(hours).toBeGreaterThan(6);
    expect(hours).toBeLessThanOrEqual(6 + (2 * intervalMs) / hourMs);
  }
  expect(told.map(({ text }) => text.includes('OFFLINE (still)'))).toEqual([false, true, true]);

  const { id: alertId } = await db.selectFrom('alerts').select('id').executeTakeFirstOrThrow();
  const by = { actor: 'op@example.org', requestId: null };
  const act = { db, by, at: new Date(nowMs), scope: { customerId: null } };
  await acknowledge(act, alertId, { until: null, comment: null });
  await liveUntil(26);
  expect(told).toHaveLength(3);

  isBack = true;
  await liveUntil(27);
  expect(told.map(({ subject }) => subject).slice(3)).toEqual(['Over: Vale 2: OFFLINE']);
  expect(told[0]?.thread).toMatch(/^<.+@.+>$/);
  expect(new Set(told.map(({ thread }) => thread)).size).toBe(1);
}, 180_000);

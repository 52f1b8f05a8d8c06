import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import type { Outgoing, Sent } from '../../adapters/notifications/contract.ts';
import type { Notice } from '../../domain/notice.ts';
import { hourMs, minuteMs } from '../../domain/zone.ts';
import { claimDelivery, endAttempt } from '../../db/notifications/deliveries.ts';
import { addNotification } from '../../db/outbox.ts';
import { testNotice } from '../../test/support/notices.ts';
import { database, test } from '../../test/support/test-database.ts';
import type { ReadNotices } from '../notices.ts';
import { createCompose } from './compose.ts';
import { createDeliver } from './deliver.ts';
import type { NotificationDeps } from './deps.ts';

/** Composing and delivering on PostgreSQL, with a channel that records what it is given and answers as told. */

const startMs = Date.parse('2026-12-01T09:00:00Z');
let nowMs = startMs;
/** What is over, by subject id. */
const over = new Set<string>();
const acknowledged = new Set<string>();
const sent: Outgoing[] = [];
let answers: Sent[] = [];
let trouble: string | null = null;

const readThings: ReadNotices = async (_, rows) =>
  rows.map((row): Notice =>
    testNotice({
      notificationId: row.id,
      subject: { kind: row.subjectKind, id: row.subjectId },
      kind: row.kind,
      sense: row.isEnd ? 'END' : 'PROBLEM',
      severity: row.severity,
      holds: row.isEnd === over.has(row.subjectId),
      isAcknowledged: acknowledged.has(row.subjectId),
    }),
  );

function deps(): NotificationDeps {
  return {
    db: database.db,
    locks: undefined as never,
    lockDomain: 'test',
    clock: () => nowMs,
    log: { info() {}, warn() {}, error() {} },
    notices: { THING: readThings },
    readBrief: async () => [],
    findTrouble: async () => trouble,
    findUnsubscribeToken: async () => null,
    openChannel: async () => ({
      async send(message, { handsOver }) {
        await handsOver();
        sent.push(message);
        return answers.shift() ?? { outcome: 'SENT', answer: 'taken' };
      },
    }),
    publicUrl: 'https://sun.example.org',
    checkpoint: async () => {},
  };
}

const context = () => ({
  workflowId: 'notifications:email',
  runId: 'r',
  isLocal: false,
  signal: new AbortController().signal,
  heartbeat() {},
});

/** Composes and delivers at a moment. */
async function tick(atMs = nowMs) {
  nowMs = atMs;
  const composed = await createCompose(deps())({ nowMs });
  const delivered = await createDeliver(deps(), context)({ kind: 'EMAIL', nowMs });
  return { composed, delivered };
}

async function say(
  id: string,
  changes: { isEnd?: boolean; severity?: 'RED' | 'YELLOW'; kind?: Uppercase<string> } = {},
) {
  await addNotification(
    database.db,
    {
      subject: { kind: 'THING', id },
      alertId: null,
      kind: changes.kind ?? (changes.isEnd === true ? 'RECOVERED' : 'RAISED'),
      isEnd: changes.isEnd ?? false,
      severity: changes.severity ?? 'RED',
      notBeforeMs: nowMs,
    },
    nowMs,
  );
}

async function addRoute(changes: Record<string, unknown> = {}) {
  const { id: channelId } = await database.db
    .insertInto('notification_channels')
    .values({
      kind: 'EMAIL',
      name: `mail ${Math.random()}`,
      source: 'ENVIRONMENT',
      created_by: 'test',
    } as never)
    .onConflict((conflict) =>
      conflict
        .column('kind')
        .where('source', '=', 'ENVIRONMENT')
        .where('removed_at', 'is', null)
        .doUpdateSet({ created_by: 'test' }),
    )
    .returning('id')
    .executeTakeFirstOrThrow();
  const { id } = await database.db
    .insertInto('notification_routes')
    .values({
      name: `route ${Math.random()}`,
      channel_id: channelId,
      recipients: ['ana@example.org'],
      created_by: 'test',
      ...changes,
    } as never)
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

beforeEach(async () => {
  nowMs = startMs;
  sent.length = 0;
  answers = [];
  trouble = null;
  over.clear();
  acknowledged.clear();
  for (const table of [
    'delivery_attempts',
    'deliveries',
    'notification_lines',
    'messages',
    'notifications',
    'notification_routes',
    'notification_channels',
  ] as const)
    await database.db.deleteFrom(table).execute();
});

const told = () =>
  sent.map(({ recipient, content }) => [
    recipient,
    content.notices.map(({ subject, kind }) => `${subject.id} ${kind}`),
  ]);

describe('a route', () => {
  test('without any, the outbox fills and nothing is dropped', async () => {
    await say('a');
    await tick(startMs + 25 * hourMs);
    const rows = await database.db
      .selectFrom('notifications')
      .select(['dropped_at', 'routed_at'])
      .execute();
    expect(rows).toEqual([{ dropped_at: null, routed_at: null }]);
  });

  test('sends what is due within 30 s as one message, and says when to look again', async () => {
    await addRoute();
    await tick();
    await say('a');
    const { composed } = await tick(startMs + 1_000);
    expect(composed).toMatchObject({ routed: 1, messages: 0, againAtMs: startMs + 31_000 });
    await say('b', { severity: 'YELLOW' });
    await tick(startMs + 31_000);
    expect(told()).toEqual([['ana@example.org', ['a RAISED', 'b RAISED']]]);
  });

  test('tells a thing once in a message: a reminder stands for what it reminds of', async () => {
    await addRoute();
    await tick();
    await say('a');
    await say('a', { kind: 'REMINDER' });
    await say('b');
    await tick();
    await tick(startMs + minuteMs);
    expect(told()).toEqual([['ana@example.org', ['a REMINDER', 'b RAISED']]]);
  });

  test('begins with what is open, and only with that', async () => {
    await say('open');
    await say('closed');
    over.add('closed');
    await addRoute();
    await tick();
    await tick(startMs + minuteMs);
    expect(told()).toEqual([['ana@example.org', ['open RAISED']]]);
  });

  test('tells each recipient in a message of his own', async () => {
    await addRoute({ recipients: ['ana@example.org', 'ben@example.org'] });
    await tick();
    await say('a');
    await tick();
    await tick(startMs + minuteMs);
    expect(told().map(([recipient]) => recipient)).toEqual(['ana@example.org', 'ben@example.org']);
  });
});

describe('what has ended', () => {
  test('before its message was written is told neither as a beginning nor as an end', async () => {
    await addRoute();
    await tick();
    await say('a');
    await tick();
    over.add('a');
    await say('a', { isEnd: true });
    await tick(startMs + minuteMs);
    await tick(startMs + 5 * minuteMs);
    expect(told()).toEqual([]);
    const lines = await database.db
      .selectFrom('notification_lines')
      .select('suppressed_reason')
      .execute();
    expect(lines).toEqual([{ suppressed_reason: 'ENDED' }]);
  });

  test('between writing and sending is suppressed with its recovery', async () => {
    await addRoute();
    await tick();
    await say('a');
    nowMs = startMs + minuteMs;
    await createCompose(deps())({ nowMs });
    nowMs += minuteMs;
    await createCompose(deps())({ nowMs });
    over.add('a');
    await say('a', { isEnd: true });
    await tick();
    await tick(nowMs + minuteMs);
    expect(told()).toEqual([]);
    const states = await database.db
      .selectFrom('deliveries')
      .select('state')
      .orderBy('id')
      .execute();
    expect(states).toEqual([{ state: 'SUPPRESSED' }, { state: 'SUPPRESSED' }]);
  });

  test('is told to whoever heard of its beginning, and to nobody else', async () => {
    const route = await addRoute();
    await tick();
    await say('a');
    await tick();
    await tick(startMs + minuteMs);
    await database.db
      .updateTable('notification_routes')
      .set({ recipients: ['ana@example.org', 'new@example.org'] })
      .where('id', '=', route)
      .execute();
    over.add('a');
    await say('a', { isEnd: true });
    await tick(startMs + 2 * minuteMs);
    await tick(startMs + 3 * minuteMs);
    expect(told()).toEqual([
      ['ana@example.org', ['a RAISED']],
      ['ana@example.org', ['a RECOVERED']],
    ]);
    expect(sent[1]?.threadOf).toBe(sent[0]?.deliveryId);
  });

  test('is told where the beginning may have arrived', async () => {
    await addRoute();
    await tick();
    await say('a');
    await tick();
    answers = [{ outcome: 'RETRY', answer: 'cut off after DATA' }];
    await tick(startMs + minuteMs);
    over.add('a');
    await say('a', { isEnd: true });
    await tick(startMs + 90_000);
    sent.length = 0;
    await tick(startMs + 3 * minuteMs);
    expect(told()).toEqual([['ana@example.org', ['a RECOVERED']]]);
  });
});

describe('what is late', () => {
  test('by more than a day is dropped as too old', async () => {
    await addRoute();
    await tick();
    await say('a');
    await tick(startMs + 24 * hourMs + 1);
    await tick(startMs + 25 * hourMs);
    expect(told()).toEqual([]);
    const rows = await database.db.selectFrom('notifications').select('drop_reason').execute();
    expect(rows).toEqual([{ drop_reason: 'TOO_OLD' }]);
  });
});

describe('a second call', () => {
  async function withSecond() {
    const second = await addRoute({
      recipients: ['boss@example.org'],
      severities: ['RED'],
      subject_kinds: ['NOTHING'],
    });
    await addRoute({ second_call_after_s: 1_800, second_route_id: second });
    await tick();
    await say('a');
    await tick();
    await tick(startMs + minuteMs);
    sent.length = 0;
  }

  test('goes out half an hour after a red problem was told, once', async () => {
    await withSecond();
    await tick(startMs + 30 * minuteMs);
    expect(told()).toEqual([]);
    for (const minutes of [31, 32, 62, 93]) await tick(startMs + minutes * minuteMs);
    expect(told()).toEqual([['boss@example.org', ['a RAISED']]]);
  });

  test('is stopped by an acknowledgement', async () => {
    await withSecond();
    acknowledged.add('a');
    for (const minutes of [31, 32, 62]) await tick(startMs + minutes * minuteMs);
    expect(told()).toEqual([]);
  });
});

describe('a delivery', () => {
  async function due() {
    await addRoute();
    await tick();
    await say('a');
    await tick();
  }

  test('that fails is tried again after 1, 2, 4 minutes, with the same number', async () => {
    await due();
    answers = [1, 2, 3].map(() => ({ outcome: 'RETRY', answer: '450 try later' }));
    const times: number[] = [];
    for (let second = 30; second <= 600; second += 10) {
      const before = sent.length;
      await tick(startMs + second * 1_000);
      if (sent.length > before) times.push(second);
    }
    expect(times).toEqual([30, 90, 210, 450]);
    expect(new Set(sent.map(({ deliveryId }) => deliveryId)).size).toBe(1);
    const attempts = await database.db
      .selectFrom('delivery_attempts')
      .select(['attempt', 'outcome'])
      .orderBy('attempt')
      .execute();
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['RETRY', 'RETRY', 'RETRY', 'SENT']);
  });

  test('that its recipient refuses is dead, and the channel is well', async () => {
    await due();
    answers = [{ outcome: 'RECIPIENT_REFUSED', answer: '550 no such user' }];
    await tick(startMs + minuteMs);
    const { state } = await database.db
      .selectFrom('deliveries')
      .select('state')
      .executeTakeFirstOrThrow();
    const { failing_since } = await database.db
      .selectFrom('notification_channels')
      .select('failing_since')
      .executeTakeFirstOrThrow();
    expect({ state, failing_since }).toEqual({ state: 'DEAD', failing_since: null });
  });

  test('of a channel that refuses us waits, and the channel is failing since then', async () => {
    await due();
    answers = [{ outcome: 'CHANNEL_REFUSED', answer: '535 wrong password' }];
    await tick(startMs + minuteMs);
    const channel = await database.db
      .selectFrom('notification_channels')
      .selectAll()
      .executeTakeFirstOrThrow();
    expect(channel.failing_since).toEqual(new Date(startMs + minuteMs));
    sent.length = 0;
    await tick(startMs + 5 * minuteMs);
    expect(sent).toHaveLength(0);
    await tick(startMs + 6 * minuteMs);
    expect(sent).toHaveLength(1);
  });

  test('a receiver that asks for a pause gets it for the whole channel', async () => {
    await due();
    answers = [{ outcome: 'RETRY', answer: '429', retryAfterMs: 10 * minuteMs }];
    await tick(startMs + minuteMs);
    await say('b');
    await tick(startMs + 2 * minuteMs);
    await tick(startMs + 3 * minuteMs);
    expect(sent).toHaveLength(1);
    await tick(startMs + 11 * minuteMs);
    expect(sent).toHaveLength(3);
  });

  test('of a channel that was removed while it was being sent ends too, whatever became of the attempt', async () => {
    await addRoute({ recipients: ['ana@example.org', 'ben@example.org'] });
    await tick();
    await say('a');
    await tick();
    nowMs = startMs + minuteMs;
    await createCompose(deps())({ nowMs });
    const [lost, failed] = [
      await claimDelivery(database.db, 'EMAIL', nowMs),
      await claimDelivery(database.db, 'EMAIL', nowMs),
    ];
    const sealed = {
      source: 'DATABASE',
      sealed: Buffer.of(1),
      iv: Buffer.of(1),
      key_version: 'k',
    } as const;
    await database.db
      .updateTable('notification_channels')
      .set({ ...sealed, removed_at: new Date(nowMs) })
      .execute();
    if (lost === null || failed === null) throw new Error('two deliveries were due');
    await endAttempt(database.db, failed, { outcome: 'RETRY', answer: '450 later' }, nowMs);
    const states = async () =>
      (await database.db.selectFrom('deliveries').select('state').orderBy('id').execute()).map(
        ({ state }) => state,
      );
    await tick(nowMs + 1_000);
    expect(await states()).toEqual(['SENDING', 'SUPPRESSED']);
    await tick(nowMs + 2 * minuteMs);
    expect(await states()).toEqual(['SUPPRESSED', 'SUPPRESSED']);
    expect(sent).toEqual([]);
  });

  test('whose worker was lost is taken by another when its lease has ended, and the lost one changes nothing', async () => {
    await due();
    nowMs = startMs + minuteMs;
    await createCompose(deps())({ nowMs });
    const stuck = Promise.withResolvers<void>();
    const slow = {
      ...deps(),
      openChannel: async () => ({
        async send() {
          await stuck.promise;
          return { outcome: 'RECIPIENT_REFUSED', answer: 'much too late' } as const;
        },
      }),
    };
    const lost = createDeliver(slow, context)({ kind: 'EMAIL', nowMs });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await tick(startMs + minuteMs + 59_000);
    expect(sent).toHaveLength(0);
    await tick(startMs + 2 * minuteMs);
    expect(sent).toHaveLength(1);
    stuck.resolve();
    await lost;
    const { state, attempts } = await database.db
      .selectFrom('deliveries')
      .select(['state', 'attempts'])
      .executeTakeFirstOrThrow();
    expect({ state, attempts }).toEqual({ state: 'SENT', attempts: 2 });
  });
});

describe("the dead man's switch", () => {
  async function beat(atMs: number) {
    nowMs = atMs;
    await createCompose(deps())({ nowMs });
    await createDeliver(deps(), context)({ kind: 'HEARTBEAT', nowMs });
  }

  beforeEach(async () => {
    await database.db
      .insertInto('notification_channels')
      .values({ kind: 'HEARTBEAT', name: 'watchdog', source: 'ENVIRONMENT', created_by: 'test' })
      .execute();
  });

  test('is fed once a minute, also without any route', async () => {
    for (let second = 0; second <= 180; second += 10) await beat(startMs + second * 1_000);
    expect(sent.map(({ nowMs: at }) => (at - startMs) / 1_000)).toEqual([0, 60, 120, 180]);
  });

  test('is fed beside an outbox that nobody empties', async () => {
    const at = new Date(startMs);
    await sql`
      insert into notifications (subject_kind, subject_id, kind, is_end, severity, created_at, not_before)
      select 'THING', n::text, 'RAISED', false, 'RED', ${at}, ${at} from generate_series(1, 2001) n`.execute(
      database.db,
    );
    await beat(startMs);
    await beat(startMs + minuteMs);
    expect(sent).toHaveLength(2);
    const untouched = await database.db
      .selectFrom('notifications')
      .select('id')
      .where('subject_kind', '=', 'THING')
      .where('routed_at', 'is', null)
      .execute();
    expect(untouched).toHaveLength(2001);
  });

  test('is not fed while polling has stopped, and says why', async () => {
    trouble = '12 of 12 plants were not polled in time';
    await beat(startMs);
    expect(sent).toEqual([]);
    const { state, answer } = await database.db
      .selectFrom('deliveries')
      .select(['state', 'answer'])
      .executeTakeFirstOrThrow();
    expect({ state, answer }).toEqual({ state: 'SUPPRESSED', answer: `not sent: ${trouble}` });
    trouble = null;
    await beat(startMs + minuteMs);
    expect(sent).toHaveLength(1);
  });

  test('is not fed while a mail waits for more than 15 minutes', async () => {
    await addRoute();
    await beat(startMs);
    await say('a');
    answers = Array.from(
      { length: 30 },
      () => ({ outcome: 'CHANNEL_REFUSED', answer: '535' }) as const,
    );
    for (let minute = 1; minute <= 3; minute += 1) await tick(startMs + minute * minuteMs);
    answers = [];
    sent.length = 0;
    await beat(startMs + 10 * minuteMs);
    expect(sent).toHaveLength(1);
    await beat(startMs + 30 * minuteMs);
    expect(sent).toHaveLength(1);
  });
});

test('a thousand alarms within a minute are three messages at most, and every one is counted', async () => {
  await addRoute();
  await tick();
  for (let second = 0; second < 60; second += 10) {
    nowMs = startMs + second * 1_000;
    for (let n = 0; n < 167; n += 1)
      await say(`plant-${second}-${n}`, { severity: n % 3 === 0 ? 'RED' : 'YELLOW' });
    await tick();
  }
  const within = sent.length;
  await tick(startMs + 2 * minuteMs);
  expect(within).toBeLessThanOrEqual(3);
  const counted = sent.reduce(
    (sum, { content }) => sum + content.notices.length + content.moreCount,
    0,
  );
  expect(counted).toBe(6 * 167);
  expect(sent.every(({ content }) => content.notices.length <= 20)).toBe(true);
});

import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { createEmailChannel } from '../../adapters/notifications/email/email.ts';
import { query } from '../../db/database.ts';
import { takeLease } from '../../db/gateways/leases.ts';
import { decidePeriods, setDisabled } from '../../db/gateways/periods.ts';
import { factsOf, lockToJudge } from '../../db/gateways/standing.ts';
import { writeBatch } from '../../db/gateways/write-batch.ts';
import { disableLimitsDefault } from '../../domain/gateways/disable.ts';
import { factsAfterPoll, type GatewayFacts, type PollEnd } from '../../domain/gateways/facts.ts';
import { shardOf } from '../../domain/gateways/gateway.ts';
import { standingOf } from '../../domain/gateways/status.ts';
import { hourMs, minuteMs } from '../../domain/zone.ts';
import { insertTestPlant } from '../../test/support/activities.ts';
import {
  failedPoll,
  failedPolls,
  intervalMs,
  noonMs,
  samplePoll,
  storedState,
} from '../../test/support/gateway-facts.ts';
import { type MailServer, startMailServer } from '../../test/support/mail-server.ts';
import { database, test } from '../../test/support/test-database.ts';
import { type OutboxRow, outboxColumns } from '../../db/outbox.ts';
import { readNotices } from '../notices.ts';
import { noticeReaders } from '../notice-readers.ts';
import { createCompose } from '../notifications/compose.ts';
import { createDeliver } from '../notifications/deliver.ts';
import type { NotificationDeps } from '../notifications/deps.ts';
import { createEvaluateGateways, type EvaluateGateways } from './evaluate.ts';

/** Gateways are judged on PostgreSQL by what a walker stored of them, and people are told by a real mail server. */

const shards = 1;
const owner = 'boot/1/2/3';
const log = { info() {}, warn() {}, error() {} };
let lease = { shard: 0, epoch: 0, owner };
let evaluate: EvaluateGateways;

beforeEach(async () => {
  const { db } = database;
  await sql`truncate messages, notification_routes, notifications, problems, alerts, audit_log, gateways, plants, gateway_shards
    cascade`.execute(db);
  lease = await leaseAnew();
  evaluate = createEvaluateGateways({ db, limits: disableLimitsDefault, shards, log });
});

async function leaseAnew() {
  await sql`update gateway_shards set owner = null`.execute(database.db);
  const taken = await takeLease(database.db, { shard: 0, owner, worker: 'test', ttlMs: 600_000 });
  if (taken.kind !== 'TAKEN') throw new Error('the lease of the test is held');
  return { shard: 0, epoch: taken.epoch, owner };
}

async function insertGateway(
  id: string,
  different: { priority?: 'HIGH' | 'NORMAL' | 'LOW'; plantId?: string } = {},
): Promise<string> {
  const { db } = database;
  const { id: mapId } = await db
    .insertInto('gateway_maps')
    .values({ digest: Buffer.from('points'), points: '[]' })
    .onConflict((conflict) => conflict.column('digest').doUpdateSet({ points: '[]' }))
    .returning('id')
    .executeTakeFirstOrThrow();
  await db
    .insertInto('gateways')
    .values({
      id,
      name: `Gateway ${id}`,
      host: '10.0.0.5',
      plant_id: different.plantId ?? null,
      customer_id: null,
      poll_interval_s: intervalMs / 1_000,
      priority: different.priority ?? 'NORMAL',
      pause_reason: null,
      quirks: '{}',
      map_id: mapId,
      address_hash: shardOf('10.0.0.5', 502, 2 ** 32),
      alerts_silenced_until: null,
      removed_at: null,
    })
    .execute();
  await decidePeriods(db, [id], noonMs - hourMs);
  return id;
}

async function readFacts(id: string): Promise<GatewayFacts> {
  const [gateway] = await lockToJudge(database.db, [id], noonMs);
  if (gateway === undefined) throw new Error(`no gateway ${id}`);
  return factsOf(gateway.state);
}

/** What a walker does with polls: the facts that follow from them are stored with the batch. */
async function poll(id: string, polls: readonly PollEnd[]): Promise<void> {
  const [gateway] = await lockToJudge(database.db, [id], noonMs);
  if (gateway === undefined) throw new Error(`no gateway ${id}`);
  let facts = factsOf(gateway.state);
  for (const one of polls) {
    facts = factsAfterPoll(facts, one);
    facts = { ...facts, standing: standingOf(facts, gateway.plan, one.measuredAtMs) };
  }
  const row = { shard: 0, gatewayId: id, reading: null, state: storedState(facts), texts: [] };
  const held = await writeBatch(database.db, {
    owner,
    ttlMs: 600_000,
    leases: [lease],
    rows: [row],
  });
  expect(held).toHaveLength(1);
}

const probe = (atMs: number) => samplePoll(atMs, { trigger: 'PROBE' });
const offAfterMs = 10 * minuteMs;
/** Fails from noon on for ten minutes. */
const tenMinutes = [...failedPolls(60, noonMs), failedPoll(noonMs + offAfterMs)];

const alerts = () =>
  query(database.db)<{ gateway_id: string; type: string; severity: string; state: string }>`
    select gateway_id, type, severity, state from alerts order by id`;
const decisions = () =>
  database.db
    .selectFrom('audit_log')
    .select(['action', 'actor', 'subject_type', 'subject_id'])
    .orderBy('id')
    .execute();
const periods = (id: string) =>
  database.db
    .selectFrom('gateway_periods')
    .select(['from_at', 'to_at', 'reason'])
    .where('gateway_id', '=', id)
    .orderBy('from_at')
    .execute();
const problems = () =>
  query(database.db)<{ code: string; state: string; message: string }>`
    select code, state, message from problems order by id`;

describe('alerts', () => {
  test('GATEWAY_OFFLINE comes and goes, RED for HIGH', async () => {
    const id = await insertGateway('roof', { priority: 'HIGH' });
    await poll(id, [samplePoll(noonMs), ...failedPolls(6, noonMs + intervalMs)]);
    await evaluate({ lease, gatewayIds: [id] }, noonMs + minuteMs);
    expect(await alerts()).toEqual([
      { gateway_id: id, type: 'GATEWAY_OFFLINE', severity: 'RED', state: 'NEW' },
    ]);
    await poll(id, [samplePoll(noonMs + 2 * minuteMs)]);
    await evaluate({ lease, gatewayIds: [id] }, noonMs + 2 * minuteMs);
    expect(await alerts()).toMatchObject([{ state: 'RESOLVED' }]);
  });

  test('a repeated evaluation changes nothing', async () => {
    const id = await insertGateway('roof');
    await poll(id, [samplePoll(noonMs), ...failedPolls(6, noonMs + intervalMs)]);
    for (let n = 0; n < 3; n += 1)
      await evaluate({ lease, gatewayIds: [id] }, noonMs + minuteMs + n);
    expect(await alerts()).toHaveLength(1);
    const told = await database.db.selectFrom('notifications').select('kind').execute();
    expect(told).toEqual([{ kind: 'RAISED' }]);
  });

  test('what a walker left unjudged is judged under the next lease', async () => {
    const id = await insertGateway('roof');
    await evaluate({ lease, gatewayIds: [] }, noonMs);
    await poll(id, [samplePoll(noonMs), ...failedPolls(6, noonMs + intervalMs)]);
    // The walker died here: nobody names the gateway.
    await evaluate({ lease, gatewayIds: [] }, noonMs + minuteMs);
    expect(await alerts()).toEqual([]);
    lease = await leaseAnew();
    await evaluate({ lease, gatewayIds: [] }, noonMs + minuteMs);
    expect(await alerts()).toMatchObject([{ type: 'GATEWAY_OFFLINE' }]);
  });

  test('alerts are judged now and then without a poll, so that people are reminded', async () => {
    const id = await insertGateway('roof', { priority: 'HIGH' });
    await poll(id, [samplePoll(noonMs), ...failedPolls(6, noonMs + intervalMs)]);
    await evaluate({ lease, gatewayIds: [id] }, noonMs + minuteMs);
    await poll(id, failedPolls(1, noonMs + 7 * hourMs));
    await evaluate({ lease, gatewayIds: [] }, noonMs + 7 * hourMs);
    const told = await database.db
      .selectFrom('notifications')
      .select('kind')
      .orderBy('id')
      .execute();
    expect(told).toEqual([{ kind: 'RAISED' }, { kind: 'REMINDER' }]);
  });

  test('more gateways than fit into one transaction are all judged', async () => {
    const ids = await Promise.all(Array.from({ length: 60 }, (_, n) => insertGateway(`g-${n}`)));
    const bad = samplePoll(noonMs, {
      outcome: 'PARTIAL',
      points: [{ unitId: 1, key: 'x' }],
      quality: [3],
    });
    for (const id of ids)
      await poll(
        id,
        Array.from({ length: 10 }, () => bad),
      );
    await evaluate({ lease, gatewayIds: ids }, noonMs);
    expect(await alerts()).toHaveLength(60);
  });

  test('a walker that lost its lease changes nothing', async () => {
    const id = await insertGateway('roof');
    await poll(id, [samplePoll(noonMs), ...tenMinutes]);
    const lost = lease;
    await leaseAnew();
    expect(await evaluate({ lease: lost, gatewayIds: [id] }, noonMs + offAfterMs)).toEqual({
      isHeld: false,
      disabled: [],
      returned: [],
    });
    expect(await alerts()).toEqual([]);
    expect(await decisions()).toEqual([]);
    expect(await periods(id)).toHaveLength(1);
  });

  test('of a removed gateway end', async () => {
    const id = await insertGateway('roof');
    await poll(id, [samplePoll(noonMs), ...failedPolls(6, noonMs + intervalMs)]);
    await evaluate({ lease, gatewayIds: [id] }, noonMs + minuteMs);
    const at = new Date(noonMs + 2 * minuteMs);
    await database.db.updateTable('gateways').set({ removed_at: at }).execute();
    await decidePeriods(database.db, [id], at.getTime());
    await evaluate({ lease, gatewayIds: [] }, noonMs + 10 * minuteMs);
    expect(await alerts()).toMatchObject([{ state: 'RESOLVED' }]);
  });
});

test('a notice names the point, the unit, the plant and the customer', async () => {
  const plant = await insertTestPlant(database.db, { name: 'Vale 2', customer_id: 'vale' });
  const id = await insertGateway('roof', { plantId: plant.id });
  const bad = samplePoll(noonMs, {
    outcome: 'PARTIAL',
    points: [{ unitId: 3, key: 'power_w' }],
    quality: [102],
  });
  await poll(
    id,
    Array.from({ length: 10 }, () => bad),
  );
  await evaluate({ lease, gatewayIds: [id] }, noonMs);
  const { rows } = await sql<OutboxRow>`select ${outboxColumns} from notifications n`.execute(
    database.db,
  );
  expect(await readNotices(noticeReaders, database.db, rows, noonMs)).toMatchObject([
    {
      kind: 'RAISED',
      sense: 'PROBLEM',
      severity: 'YELLOW',
      holds: true,
      brand: plant.brand,
      customerId: 'vale',
      plantId: plant.id,
      name: 'Gateway roof (Vale 2)',
      what: 'POINT_BAD power_w unit 3',
      sinceMs: noonMs,
      timezone: plant.timezone,
      why: 'power_w of unit 3 is bad for 10 polls: the device refuses it with exception 2.',
      action: expect.stringContaining('data sheet'),
      path: '/gateways/roof',
    },
  ]);
});

describe('failures', () => {
  test('switch a gateway off after 10 minutes, with its period, an alert and the audit log', async () => {
    const id = await insertGateway('roof');
    await poll(id, [samplePoll(noonMs - intervalMs), ...tenMinutes.slice(0, -1)]);
    await evaluate({ lease, gatewayIds: [id] }, noonMs + offAfterMs - 1);
    expect(await decisions()).toEqual([]);
    await poll(id, tenMinutes.slice(-1));
    const offMs = noonMs + offAfterMs + 500;
    expect(await evaluate({ lease, gatewayIds: [id] }, offMs)).toEqual({
      isHeld: true,
      disabled: [id],
      returned: [],
    });
    expect(await periods(id)).toEqual([
      { from_at: new Date(noonMs - hourMs), to_at: new Date(offMs), reason: 'ACTIVE' },
      { from_at: new Date(offMs), to_at: null, reason: 'DISABLED' },
    ]);
    expect(await alerts()).toMatchObject([
      { type: 'GATEWAY_OFFLINE', severity: 'YELLOW', state: 'NEW' },
      { type: 'GATEWAY_DISABLED', severity: 'RED', state: 'NEW' },
    ]);
    expect(await decisions()).toEqual([
      { action: 'gateway.disable', actor: 'walker', subject_type: 'GATEWAY', subject_id: id },
    ]);
    expect(await readFacts(id)).toMatchObject({
      standing: { status: 'DISABLED', reason: 'CONNECTION_REFUSED', sinceMs: offMs },
      disabledAtMs: offMs,
      nextProbeAtMs: offMs + minuteMs,
      consecutiveFailures: 61,
    });
  });

  test('two good probes bring it back', async () => {
    const id = await insertGateway('roof');
    await poll(id, [samplePoll(noonMs - intervalMs), ...tenMinutes]);
    const offMs = noonMs + offAfterMs;
    await evaluate({ lease, gatewayIds: [id] }, offMs);
    await poll(id, [probe(offMs + minuteMs)]);
    expect(await evaluate({ lease, gatewayIds: [id] }, offMs + minuteMs)).toMatchObject({
      returned: [],
    });
    const backMs = offMs + minuteMs + 10_000;
    await poll(id, [probe(backMs)]);
    expect(await evaluate({ lease, gatewayIds: [id] }, backMs)).toMatchObject({ returned: [id] });
    expect((await periods(id)).map(({ reason }) => reason)).toEqual([
      'ACTIVE',
      'DISABLED',
      'ACTIVE',
    ]);
    expect(await readFacts(id)).toMatchObject({
      standing: { status: 'ONLINE', sinceMs: backMs },
      lastSeenAtMs: backMs,
      disabledAtMs: null,
      nextProbeAtMs: null,
      consecutiveFailures: 0,
      recent: '',
    });
    expect(await alerts()).toMatchObject([{ type: 'GATEWAY_DISABLED', state: 'RESOLVED' }]);
    expect((await decisions()).map(({ action }) => action)).toEqual([
      'gateway.disable',
      'gateway.return',
    ]);
  });

  test('a person brings it back at once, and it is not switched off by its old failures', async () => {
    const id = await insertGateway('roof');
    await poll(id, [samplePoll(noonMs - intervalMs), ...tenMinutes.slice(0, 30)]);
    await evaluate({ lease, gatewayIds: [id] }, noonMs + 5 * minuteMs);
    await poll(id, tenMinutes.slice(30));
    const offMs = noonMs + offAfterMs;
    await evaluate({ lease, gatewayIds: [id] }, offMs);
    await setDisabled(database.db, [id], { disabledAtMs: null, nowMs: offMs + 1 });
    expect(await readFacts(id)).toMatchObject({
      consecutiveFailures: 0,
      failingSinceMs: null,
      recent: '',
    });
    await poll(id, [failedPoll(offMs + intervalMs)]);
    expect(await evaluate({ lease, gatewayIds: [id] }, offMs + intervalMs)).toMatchObject({
      disabled: [],
    });
    expect(await alerts()).toMatchObject([
      { type: 'GATEWAY_OFFLINE', state: 'NEW' },
      { type: 'GATEWAY_DISABLED', state: 'RESOLVED' },
    ]);
  });

  test('a batch that was under way does not bring it back', async () => {
    const id = await insertGateway('roof');
    await poll(id, [samplePoll(noonMs - intervalMs), ...tenMinutes]);
    const stale = storedState(await readFacts(id));
    const offMs = noonMs + offAfterMs;
    await evaluate({ lease, gatewayIds: [id] }, offMs);
    const row = { shard: 0, gatewayId: id, reading: null, state: stale, texts: [] };
    await writeBatch(database.db, { owner, ttlMs: 600_000, leases: [lease], rows: [row] });
    expect((await readFacts(id)).disabledAtMs).toBe(offMs);
  });
});

describe('our network', () => {
  async function fail(count: number, of: number): Promise<string[]> {
    const ids = await Promise.all(Array.from({ length: of }, (_, n) => insertGateway(`g-${n}`)));
    for (const [n, id] of ids.entries())
      await poll(
        id,
        n < count
          ? [samplePoll(noonMs - intervalMs), ...tenMinutes]
          : [samplePoll(noonMs + offAfterMs)],
      );
    return ids;
  }

  test('fails with 6 of 25: nothing is switched off, and a problem says so', async () => {
    const ids = await fail(6, 25);
    const evaluated = await evaluate({ lease, gatewayIds: ids }, noonMs + offAfterMs);
    expect(evaluated.disabled).toEqual([]);
    expect(await problems()).toMatchObject([
      { code: 'OUR_NETWORK', state: 'OPEN', message: expect.stringContaining('6 of 25 gateways') },
    ]);
    const told = await database.db
      .selectFrom('notifications')
      .select(['subject_kind', 'subject_id', 'kind'])
      .execute();
    expect(told).toEqual([{ subject_kind: 'SYSTEM', subject_id: 'gateways', kind: 'OPENED' }]);
  });

  test('does not fail with 5 of 25: all five are switched off', async () => {
    const ids = await fail(5, 25);
    const evaluated = await evaluate({ lease, gatewayIds: ids }, noonMs + offAfterMs);
    expect(evaluated.disabled).toHaveLength(5);
    expect(await problems()).toEqual([]);
  });

  test('does not fail with four gateways, which are all there are', async () => {
    const ids = await fail(4, 4);
    const evaluated = await evaluate({ lease, gatewayIds: ids }, noonMs + offAfterMs);
    expect(evaluated.disabled).toHaveLength(4);
  });

  test('is well again: the problem is closed, and what still fails is switched off 10 minutes later', async () => {
    const ids = await fail(6, 25);
    await evaluate({ lease, gatewayIds: ids }, noonMs + offAfterMs);
    const laterMs = noonMs + offAfterMs + minuteMs;
    for (const [n, id] of ids.entries())
      await poll(id, n === 0 ? [failedPoll(laterMs)] : [samplePoll(laterMs)]);
    // The others may not have been polled since.
    expect(await evaluate({ lease, gatewayIds: ids }, laterMs)).toMatchObject({ disabled: [] });
    expect(await problems()).toMatchObject([{ state: 'CLOSED' }]);
    const holdsMs = laterMs + 10 * minuteMs;
    expect(await evaluate({ lease, gatewayIds: ids }, holdsMs - 1)).toMatchObject({ disabled: [] });
    const evaluated = await evaluate({ lease, gatewayIds: ids }, holdsMs);
    expect(evaluated.disabled).toEqual([ids[0]]);
  });

  test('gateways that nobody polls say nothing about it', async () => {
    const ids = await fail(6, 25);
    for (const id of ids.slice(6)) await poll(id, [samplePoll(noonMs + hourMs)]);
    const [first = ''] = ids;
    // The other five were polled last before 10 minutes, by a worker that is gone.
    await poll(first, [failedPoll(noonMs + hourMs)]);
    expect(await evaluate({ lease, gatewayIds: [first] }, noonMs + hourMs)).toMatchObject({
      disabled: expect.arrayContaining([first]),
    });
  });
});

describe('mails', () => {
  let mail: MailServer;
  let nowMs = noonMs;

  async function addRoute(filter: { brands?: string[] } = {}): Promise<void> {
    const { db } = database;
    // All routes of the test share one channel.
    const { id } = await db
      .insertInto('notification_channels')
      .values({ kind: 'EMAIL', name: 'mail', source: 'ENVIRONMENT', created_by: 'test' })
      .onConflict((conflict) =>
        conflict
          .column('kind')
          .where('source', '=', 'ENVIRONMENT')
          .where('removed_at', 'is', null)
          .doUpdateSet({ created_by: 'test' }),
      )
      .returning('id')
      .executeTakeFirstOrThrow();
    await db
      .insertInto('notification_routes')
      .values({
        name: `route ${Math.random()}`,
        channel_id: id,
        recipients: [`${filter.brands?.[0]?.toLowerCase() ?? 'all'}@example.org`],
        brands: filter.brands ?? [],
        created_by: 'test',
      })
      .execute();
  }

  function deps(): NotificationDeps {
    return {
      db: database.db,
      locks: undefined as never,
      lockDomain: 'test',
      clock: () => nowMs,
      log,
      notices: noticeReaders,
      readBrief: async () => [],
      findTrouble: async () => null,
      findUnsubscribeToken: async () => null,
      openChannel: async () =>
        createEmailChannel({
          host: '127.0.0.1',
          port: mail.port,
          from: 'sun@heliograph.test',
          tls: 'none',
          username: null,
          password: null,
        }),
      publicUrl: 'https://sun.example.org',
      checkpoint: async () => {},
    };
  }

  /** Composes and delivers at a moment, and once more when the grouping of 30 s is over. */
  async function deliver(atMs: number): Promise<void> {
    const context = () => ({
      workflowId: 'notifications:email',
      runId: 'r',
      isLocal: false,
      signal: new AbortController().signal,
      heartbeat() {},
    });
    for (const at of [atMs, atMs + 31_000, atMs + 62_000]) {
      nowMs = at;
      await createCompose(deps())({ nowMs });
      await createDeliver(deps(), context)({ kind: 'EMAIL', nowMs });
    }
  }

  test('a disabled gateway and its return each arrive once', async ({ onTestFinished }) => {
    mail = await startMailServer();
    onTestFinished(mail.close);
    await addRoute();
    const id = await insertGateway('roof');
    const inbox = () =>
      mail.received.map(({ raw }) => /^Subject: (.*)$/m.exec(raw)?.[1]?.trim() ?? '');
    await poll(id, [samplePoll(noonMs - intervalMs), ...tenMinutes.slice(0, 30)]);
    await evaluate({ lease, gatewayIds: [id] }, noonMs + 5 * minuteMs);
    await deliver(noonMs + 5 * minuteMs);
    expect(inbox()).toEqual(['YELLOW: Gateway roof: GATEWAY_OFFLINE']);

    await poll(id, tenMinutes.slice(30));
    const offMs = noonMs + offAfterMs;
    for (let n = 0; n < 3; n += 1) await evaluate({ lease, gatewayIds: [id] }, offMs + n * 1_000);
    await deliver(offMs + 5_000);
    expect(inbox().slice(1)).toEqual(['RED: Gateway roof: GATEWAY_DISABLED']);
    expect(mail.received[1]?.raw).toContain('org/gateways/roof');
    expect(mail.received[1]?.raw).toContain('refuses the connection');

    const firstMs = offMs + 5 * minuteMs;
    await poll(id, [probe(firstMs)]);
    await evaluate({ lease, gatewayIds: [id] }, firstMs);
    await deliver(firstMs);
    expect(inbox()).toHaveLength(2);
    await poll(id, [probe(firstMs + 10_000)]);
    for (let n = 0; n < 3; n += 1)
      await evaluate({ lease, gatewayIds: [id] }, firstMs + 10_000 + n * 1_000);
    await deliver(firstMs + 2 * minuteMs);
    await deliver(firstMs + hourMs);
    expect(inbox()).toHaveLength(3);
    const [, , over] = mail.received;
    expect(over?.raw).toContain('over Gateway roof: GATEWAY_DISABLED');
    expect(over?.raw).toContain('over Gateway roof: GATEWAY_OFFLINE');
  });

  test('a route for a brand gets the gateways of its plants, and none without a plant', async ({
    onTestFinished,
  }) => {
    mail = await startMailServer();
    onTestFinished(mail.close);
    await addRoute({ brands: ['SOLIS'] });
    await addRoute({ brands: ['HUAWEI'] });
    const plant = await insertTestPlant(database.db, { brand: 'SOLIS' });
    for (const [id, plantId] of [
      ['on-plant', plant.id],
      ['alone', undefined],
    ] as const) {
      await insertGateway(id, plantId === undefined ? {} : { plantId });
      await poll(id, [samplePoll(noonMs - intervalMs), ...tenMinutes]);
      await evaluate({ lease, gatewayIds: [id] }, noonMs + offAfterMs);
    }
    await deliver(noonMs + offAfterMs + 5_000);
    expect(mail.received.map(({ to }) => to)).toEqual([['solis@example.org']]);
    expect(mail.received[0]?.raw).toContain('on-plant');
    expect(mail.received[0]?.raw).not.toContain('alone');
  });
});

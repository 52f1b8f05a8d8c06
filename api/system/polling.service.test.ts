import { sql } from 'kysely';
import { afterAll, beforeEach, expect } from 'vitest';

import { openDatabase } from '../../db/database.ts';
import { createTestApi, type TestApi } from '../../test/support/api.ts';
import { saveGateways } from '../../test/support/gateway-rows.ts';
import { fleet, test } from '../../test/support/test-fleet.ts';

/** `/api/polling/…`, and the same below /api/v1. */

let api: TestApi;
const operator = 'operator@example.org';

test.beforeAll(async () => {
  api = await createTestApi({ db: fleet.db, temporal: fleet.client });
});
afterAll(() => api.close());
beforeEach(async () => {
  for (const table of ['polling_halts', 'polling_checks', 'gateways', 'plants'] as const)
    await fleet.db.deleteFrom(table).execute();
});

/** An API that has kept nothing yet. */
async function asked(path: string, email: string | null = null) {
  const own = await createTestApi({ db: fleet.db, temporal: fleet.client });
  const answer = await own.ask(email, 'GET', path);
  const body = (await answer.json()) as Record<string, unknown>;
  await own.close();
  return { status: answer.status, body };
}

/** Ten gateways that are due; as many as said have had no row for an hour. */
async function gateways(unpolled: number): Promise<void> {
  const ids = Array.from({ length: 11 }, (_, n) => ({ id: `g${n}` }));
  await saveGateways(fleet.db, ids, Date.now() - 3_600_000);
  await sql`
    update gateway_state set last_slot = now() - case when gateway_id = any(${ids
      .slice(0, unpolled)
      .map(({ id }) => id)}::text[]) then interval '1 h' else interval '5 s' end`.execute(fleet.db);
}

test.each(['/api', '/api/v1'])(
  '%s/polling/health: 200 while most is polled, 503 when a tenth is not',
  async (root) => {
    await gateways(0);
    expect(await asked(`${root}/polling/health`)).toMatchObject({
      status: 200,
      body: {
        status: 'healthy',
        halted: false,
        gateways: { total: 11, due: 11, not_polled: 0 },
        plants: { total: 0, due: 0, not_polled: 0 },
      },
    });
    await sql`update gateway_state set last_slot = now() - interval '1 h' where gateway_id = 'g0'`.execute(
      fleet.db,
    );
    expect(await asked(`${root}/polling/health`)).toMatchObject({
      status: 200,
      body: { status: 'warning', gateways: { not_polled: 1 } },
    });
    await sql`update gateway_state set last_slot = now() - interval '1 h' where gateway_id = 'g1'`.execute(
      fleet.db,
    );
    expect(await asked(`${root}/polling/health`)).toMatchObject({
      status: 503,
      body: { status: 'error', message: 'Polling of gateways has stopped.' },
    });
  },
);

test('in an emergency stop health is 503, and does not tell the public who stopped it', async () => {
  await sql`insert into polling_halts (by, reason) values ('ana@example.org', 'a secret reason')`.execute(
    fleet.db,
  );
  const { status, body } = await asked('/api/polling/health');
  expect(status).toBe(503);
  expect(body).toMatchObject({ status: 'error', halted: true });
  expect(JSON.stringify(body)).not.toMatch(/ana|secret/);
});

test('health is 503 while PostgreSQL is away, and names no host', async () => {
  const db = openDatabase({ url: 'postgresql://user:canary-secret@127.0.0.1:9/none' });
  const own = await createTestApi({ db, temporal: fleet.client });
  const answer = await own.app.request('/api/polling/health');
  expect(answer.status).toBe(503);
  const text = await answer.text();
  expect(JSON.parse(text)).toMatchObject({ status: 'error', halted: null, gateways: null });
  expect(text + JSON.stringify(own.logged)).not.toMatch(/127\.0\.0\.1|canary/);
  await own.close();
  await db.destroy();
});

test.each(['diagnostics', 'queue-status'])(
  '%s is for operators: 401 without a token, 403 for a customer',
  async (path) => {
    expect((await api.ask(null, 'GET', `/api/polling/${path}`)).status).toBe(401);
    expect((await api.ask('customer@example.org', 'GET', `/api/polling/${path}`)).status).toBe(403);
    expect((await api.ask(operator, 'GET', `/api/v1/polling/${path}`)).status).toBe(200);
  },
);

test('diagnostics are those of the command: parts, words and whether they can be mended', async () => {
  await gateways(11);
  const { body } = await asked('/api/polling/diagnostics', operator);
  const { results } = body as { results: { component: string; details: { issues: object[] } }[] };
  const gatewaysPart = results.find(({ component }) => component === 'gateways');
  expect(gatewaysPart).toMatchObject({ status: 'error' });
  expect(gatewaysPart?.details.issues).toContainEqual(
    expect.objectContaining({ issue: 'overdue_polling', gateway_id: 'g3' }),
  );
  const workers = results.find(({ component }) => component === 'workers');
  expect(workers).toMatchObject({ status: 'warning', can_auto_fix: false });
  expect(workers?.details.issues).toContainEqual(
    expect.objectContaining({ issue: 'worker_absent', gateway_id: null }),
  );
});

test('queue-status lists every queue and shard', async () => {
  await gateways(0);
  const { body } = await asked('/api/polling/queue-status', operator);
  const { queues, shards } = body as { queues: { queue: string }[]; shards: object[] };
  expect(queues.map(({ queue }) => queue)).toContain('queue:fleet');
  expect(shards).toHaveLength(4);
});

test('queue-status says which service does not answer', async () => {
  const away = await createTestApi({ db: fleet.db });
  const answer = await away.ask(operator, 'GET', '/api/polling/queue-status');
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain('Temporal does not answer');
  await away.close();
});

test('the System page shows what the automatic checks found', async () => {
  await fleet.db
    .insertInto('polling_checks')
    .values({
      kind: 'AUDIT',
      started_at: new Date(),
      ended_at: new Date(),
      state: 'down',
      findings: 1,
      kinds: JSON.stringify({ SLOT_MISSING: 1 }),
      counts: JSON.stringify({ slots_due: 10 }),
      sentences: JSON.stringify(['SLOT_MISSING roof <b>The slot has no row.']),
    })
    .execute();
  const answer = await api.ask(operator, 'GET', '/system', undefined, { accept: 'text/html' });
  expect(answer.status).toBe(200);
  const text = await answer.text();
  expect(text).toContain('1 finding: 1 SLOT_MISSING');
  expect(text).toContain('&lt;b&gt;The slot has no row.');
});

import { afterEach, beforeEach, describe, expect } from 'vitest';

import { sql } from 'kysely';

import { insertTestPlant } from '../../test/support/activities.ts';
import { addGateways, deleteGateways, testGateway } from '../../test/support/gateways.ts';
import { api, test } from '../../test/support/test-api.ts';

const operator = 'gateway-operator@example.org';
/** Of the customer noord. */
const customer = 'gateway-customer@example.org';
const nowMs = () => api.clock.nowMs;

test.beforeAll(async () => {
  await api.user(operator, 'OPERATOR');
  await api.user(customer, 'CUSTOMER', { customerId: 'noord' });
});
beforeEach(async () => {
  await insertTestPlant(api.db, { id: 'site', name: 'Site', customer_id: 'noord' });
  await addGateways(
    api.db,
    [
      testGateway('roof', { plantId: 'site', name: 'Roof <inverter>' }),
      testGateway('hall', { customerId: 'zuid', priority: 'LOW', pollIntervalS: 300 }),
      testGateway('yard'),
    ],
    // Before the API's present, so that their periods have begun; not so long that they count as not polled.
    Math.min(Date.now(), nowMs()) - 30_000,
  );
});
afterEach(async () => {
  await deleteGateways(api.db);
  await api.db.deleteFrom('plants').execute();
});

async function read(email: string, path: string) {
  const response = await api.ask(email, 'GET', path);
  const text = await response.text();
  return { status: response.status, text, body: text.startsWith('{') ? JSON.parse(text) : null };
}

/** Writes a row of the ledger, newest of its gateway. */
async function poll(
  id: string,
  atMs: number,
  row: { values?: number[]; quality?: number[] | null } = {},
) {
  const { values = [41_200, 88_214.5], quality = null } = row;
  await sql`
    insert into gateway_readings (gateway_id, read_at, "trigger", outcome, late_ms, duration_ms, requests, map_id, "values", quality)
    select id, ${new Date(atMs)}, 'SCHEDULE', ${quality === null ? 'OK' : 'PARTIAL'}, 2, 38, 1, map_id, ${values}::float8[], ${quality}::smallint[]
    from gateways where id = ${id}`.execute(api.db);
  await sql`
    update gateway_state s set status = 'ONLINE', last_slot = ${new Date(atMs)}, last_polled_at = ${new Date(atMs)}, last_seen_at = ${new Date(atMs)},
      last_reading = json_build_object('mapId', g.map_id, 'values', ${JSON.stringify(values)}::json, 'quality', ${JSON.stringify(quality)}::json)
    from gateways g where g.id = s.gateway_id and g.id = ${id}`.execute(api.db);
}

describe('GET /api/v1/gateways', () => {
  test('lists gateways with their values, worst first, a page at a time', async () => {
    await poll('roof', Date.now());
    await sql`update gateway_state set status = 'OFFLINE', status_reason = 'TIMEOUT', status_message = 'No answer' where gateway_id = 'hall'`.execute(
      api.db,
    );
    const first = await read(operator, '/api/v1/gateways?limit=2');
    expect(first.status).toBe(200);
    expect(first.body.gateways.map((one: { id: string }) => one.id)).toEqual(['hall', 'yard']);
    expect(first.body.gateways[0]).toMatchObject({
      status: 'OFFLINE',
      status_sentence: 'No answer.',
    });
    const next = await read(operator, `/api/v1/gateways?limit=2&cursor=${first.body.next_cursor}`);
    expect(next.body.gateways).toMatchObject([
      {
        id: 'roof',
        last_values: [
          { key: 'power_w', value: 41_200, unit: 'W', quality: 'GOOD', why: null },
          { key: 'total_kwh', value: 88_214.5, unit: 'kWh', quality: 'GOOD', why: null },
        ],
      },
    ]);
    expect(next.body.next_cursor).toBeNull();
    expect(next.body.totals).toMatchObject({ gateways: 3, offline: 1 });
  });

  test('holds exactly the fields that the document names', async () => {
    const document = await read(operator, '/api/v1/openapi.json');
    for (const [path, name, at] of [
      ['/api/v1/gateways', 'Gateway', (body: { gateways: object[] }) => body.gateways[0]],
      ['/api/v1/gateways/roof', 'GatewayDetail', (body: object) => body],
    ] as const) {
      const { body } = await read(operator, path);
      const named = Object.keys(document.body.components.schemas[name].properties ?? {});
      expect(Object.keys(at(body) ?? {}).sort()).toEqual(expect.arrayContaining(named.sort()));
    }
  });

  test('shows a customer the gateways of own plants only', async () => {
    const { body } = await read(customer, '/api/v1/gateways');
    expect(body.gateways.map((one: { id: string }) => one.id)).toEqual(['roof']);
    expect(body.totals).toMatchObject({ gateways: 1 });
    for (const path of ['hall', 'hall/points', 'hall/readings'])
      expect((await read(customer, `/api/v1/gateways/${path}`)).status).toBe(404);
    expect((await read(customer, '/gateways/hall')).status).toBe(404);
  });
});

describe('GET /api/v1/gateways/{id}/readings', () => {
  test('gives a point that is not good no value, and says why', async () => {
    await poll('roof', nowMs() - 60_000, { values: [41_200, 0], quality: [0, 102] });
    const { body } = await read(operator, '/api/v1/gateways/roof/readings');
    expect(body.readings[0]).toMatchObject({ outcome: 'PARTIAL', late_ms: 2 });
    expect(body.readings[0].points[1]).toMatchObject({
      value: null,
      quality: 'BAD',
      why: 'refused: illegal data address (2)',
    });
  });

  test('gives the values of a point by buckets', async () => {
    const startMs = Math.floor(nowMs() / 60_000) * 60_000 - 600_000;
    await poll('roof', startMs + 1_000, { values: [100, 1] });
    await poll('roof', startMs + 11_000, { values: [300, 1] });
    const { body } = await read(
      operator,
      `/api/v1/gateways/roof/readings?point=power_w&bucket=1m&from=${new Date(startMs).toISOString()}&to=${new Date(startMs + 120_000).toISOString()}`,
    );
    expect(body.values).toMatchObject([
      { at: new Date(startMs).toISOString(), min: 100, mean: 200, max: 300, readings: 2, good: 2 },
    ]);
  });

  test('exports rows as CSV, with an empty cell for what is not good', async () => {
    await poll('roof', nowMs() - 60_000, { values: [41_200, 0], quality: [0, 4] });
    const { text } = await read(operator, '/api/v1/gateways/roof/readings?format=csv');
    const [head, line] = text.split('\r\n');
    expect(head).toBe('read_at,trigger,outcome,reason,slots_missed,late_ms,power_w,total_kwh');
    expect(line).toMatch(/,SCHEDULE,PARTIAL,,0,2,41200,$/);
  });

  test.each([
    ['point=nothing', /no number called nothing/],
    [
      'point=power_w&bucket=raw&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z',
      /bucket: 15m, 1h or 1d/,
    ],
    ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', /from: lies after to/],
  ])('refuses ?%s in words', async (query, words) => {
    const answer = await read(operator, `/api/v1/gateways/roof/readings?${query}`);
    expect(answer.status).toBe(422);
    expect(answer.text).toMatch(words);
  });
});

describe('the pages', () => {
  test('list gateways, escape names, and filter', async () => {
    await poll('roof', Date.now());
    const { text, status } = await read(operator, '/gateways');
    expect(status).toBe(200);
    expect(text).toContain('Roof &lt;inverter&gt;');
    expect(text).toContain('41.2 kW');
    const { text: low } = await read(operator, '/gateways?priority=LOW');
    expect(low).not.toContain('roof.example.org');
    expect(low).toContain('hall.example.org:502 u1');
  });

  test("show a gateway's fresh power on its plant's page", async () => {
    await poll('roof', Date.now());
    const { text } = await read(operator, '/plants/site');
    expect(text).toContain('Gateways on site');
    expect(text).toContain('<b>41.2 kW</b>');
  });

  test('show one gateway with its values, a chart and its polls', async () => {
    await poll('roof', Date.now() - 30_000, { values: [41_200, 0], quality: [0, 102] });
    const { text, status } = await read(operator, '/gateways/roof');
    expect(status).toBe(200);
    expect(text).toContain('refused: illegal data address (2)');
    expect(text).toContain('data-chart="point"');
    expect((await read(operator, '/gateways/roof/readings')).text).toContain('41.2 kW');
  });
});

describe('what people do with gateways', () => {
  const admin = 'gateway-admin@example.org';
  test.beforeAll(async () => api.user(admin, 'ADMIN'));
  const write = async (email: string, method: string, path: string, body?: unknown) => {
    const response = await api.ask(email, method, `/api/v1/gateways${path}`, body);
    const text = await response.text();
    return { status: response.status, text, body: text.startsWith('{') ? JSON.parse(text) : null };
  };
  const definition = {
    id: 'new-one',
    name: 'New one',
    host: '10.4.3.21',
    units: [{ unit_id: 1, preset: 'sunspec-inverter' }],
  };

  test('add one from a definition, with its first period and a row of the audit log', async () => {
    const added = await write(admin, 'POST', '', definition);
    expect(added).toMatchObject({ status: 201, body: { id: 'new-one', poll_interval_s: 60 } });
    expect(added.body.next_slot).not.toBeNull();
    const { rows } = await sql`
      select action, actor from audit_log where subject_type = 'GATEWAY' and subject_id = 'new-one'`.execute(
      api.db,
    );
    expect(rows).toEqual([{ action: 'gateway.add', actor: admin }]);
    expect(await write(admin, 'POST', '', definition)).toMatchObject({ status: 409 });
  });

  test('see every problem of a definition with its path, and nothing is stored', async () => {
    const { status, body } = await write(admin, 'POST', '', {
      ...definition,
      port: 0,
      units: [{ unit_id: 300, preset: 'no-such' }],
    });
    expect(status).toBe(422);
    const paths = body.errors.map(({ path }: { path: string }) => path);
    expect(paths).toEqual(expect.arrayContaining(['port', 'units[0].unit_id']));
    expect((await write(admin, 'GET', '/new-one')).status).toBe(404);
  });

  test('change the interval: the old period ends where the new one begins', async () => {
    const changed = await write(admin, 'PATCH', '/roof', { poll_interval_s: 30 });
    expect(changed).toMatchObject({
      status: 200,
      body: { poll_interval_s: 30, name: 'Roof <inverter>' },
    });
    const { rows } = await sql<{ interval_s: number; joined: boolean }>`
      select interval_s, from_at = lag(to_at) over (order by from_at) as joined
      from gateway_periods where gateway_id = 'roof' order by from_at`.execute(api.db);
    expect(rows).toMatchObject([{ interval_s: 10 }, { interval_s: 30, joined: true }]);
    const stale = await api.ask(
      admin,
      'PATCH',
      '/api/v1/gateways/roof',
      { name: 'Other' },
      { 'if-match': '"1"' },
    );
    expect(stale.status).toBe(412);
  });

  test('pause, resume, silence and remove; only ADMINs add, change and remove', async () => {
    expect(await write(operator, 'POST', '/roof/pause', { reason: 'roof works' })).toMatchObject({
      status: 200,
      body: { status: 'PAUSED', status_sentence: 'Paused: “roof works”.', next_slot: null },
    });
    expect(await write(operator, 'POST', '/roof/poll')).toMatchObject({ status: 409 });
    expect(await write(operator, 'POST', '/roof/resume')).toMatchObject({
      status: 200,
      body: { is_active: true },
    });
    const until = new Date(Date.now() + 3_600_000).toISOString();
    expect(await write(operator, 'POST', '/roof/silence', { until })).toMatchObject({
      body: { alerts_silenced_until: until },
    });
    for (const [method, path, body] of [
      ['POST', '', definition],
      ['PATCH', '/roof', { name: 'x' }],
      ['DELETE', '/roof', undefined],
    ] as const)
      expect((await write(operator, method, path, body)).status).toBe(403);
    expect((await write(customer, 'POST', '/roof/pause', { reason: null })).status).toBe(403);
    expect((await write(admin, 'DELETE', '/roof')).status).toBe(204);
    expect((await write(admin, 'DELETE', '/roof')).status).toBe(409);
    expect((await read(operator, '/api/v1/gateways')).body.totals.gateways).toBe(2);
  });

  test('see alerts of gateways by API and page, and acknowledge them', async () => {
    const { rows } = await sql<{ id: number }>`
      insert into alerts (gateway_id, type, severity, state, message, started_at, last_seen_at)
      values ('hall', 'GATEWAY_OFFLINE', 'YELLOW', 'NEW', 'No answer for 30 min', now(), now()) returning id`.execute(
      api.db,
    );
    const id = rows[0]?.id;
    const list = async (email: string) => (await read(email, '/api/v1/gateway-alerts')).body.alerts;
    expect(await list(operator)).toMatchObject([{ id, gateway_id: 'hall', state: 'NEW' }]);
    expect(await list(customer)).toEqual([]);
    const page = await read(operator, '/alerts?area=gateways');
    expect(page.text).toContain('No answer for 30 min');
    expect((await read(operator, '/alerts?area=plants')).text).not.toContain('No answer for 30');
    const ack = await api.ask(operator, 'POST', `/api/v1/gateway-alerts/${id}/ack`, {
      comment: 'on it',
    });
    expect(await ack.json()).toMatchObject({ state: 'ACKED', acked_by: operator });
    expect((await read(operator, '/gateways/hall')).text).toContain('on it');
    const foreign = await api.ask(operator, 'POST', '/api/v1/gateway-alerts/999999/ack', {});
    expect(foreign.status).toBe(404);
  });

  test('are told in words when no walker answers a poll', async () => {
    const answer = await write(operator, 'POST', '/yard/poll');
    expect(answer.status).toBe(504);
    expect(answer.text).toContain('does a gateway worker run?');
  });
});

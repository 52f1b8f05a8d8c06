import { afterEach, describe, expect } from 'vitest';

import { insertTestPlant } from '../../test/support/activities.ts';
import { api, test } from '../../test/support/test-api.ts';
import { countQueries } from '../../test/support/count-queries.ts';
import { addDays, localDateAt } from '../../domain/zone.ts';

const admin = 'admin@example.org';
const operator = 'operator@example.org';
/** Of the customer noord. */
const customer = 'customer@example.org';

test.beforeAll(async () => {
  await api.user(admin, 'ADMIN');
  await api.user(operator, 'OPERATOR');
  await api.user(customer, 'CUSTOMER', { customerId: 'noord' });
});
afterEach(async () => {
  await api.db.deleteFrom('plants').execute();
  await api.db.deleteFrom('audit_log').execute();
  // The fleet is kept for a moment.
  api.clock.nowMs = Math.max(Date.now(), api.clock.nowMs + 5_000);
});

const add = (id: string, plant: Parameters<typeof insertTestPlant>[1] = {}) =>
  insertTestPlant(api.db, { id, name: id, vendor_plant_id: `vendor-${id}`, ...plant });
async function ask(
  email: string,
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) {
  const response = await api.ask(email, method, `/api/v1${path}`, body, headers);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text.startsWith('{') ? JSON.parse(text) : null,
  };
}
const ids = (plants: { id: string }[]) => plants.map(({ id }) => id);

describe('GET /plants', () => {
  test('answers lines with totals, a page at a time', async () => {
    for (const id of ['a', 'b', 'c']) await add(id);
    const first = await ask(operator, 'GET', '/plants?limit=2');
    expect(first.status).toBe(200);
    expect(ids(first.body.plants)).toEqual(['a', 'b']);
    expect(first.body).toMatchObject({ matching: 3, totals: { plants: 3, grey: 3 } });
    const second = await ask(operator, 'GET', `/plants?limit=2&cursor=${first.body.next_cursor}`);
    expect(ids(second.body.plants)).toEqual(['c']);
    expect(second.body.next_cursor).toBeNull();
    const other = await ask(operator, 'GET', `/plants?sort=name&cursor=${first.body.next_cursor}`);
    expect(other).toMatchObject({
      status: 422,
      body: { errors: [{ in: 'query', path: 'cursor' }] },
    });
  });

  test('holds exactly the fields that the document names', async () => {
    await add('a');
    const document = await ask(operator, 'GET', '/openapi.json');
    const { body } = await ask(operator, 'GET', '/plants');
    const named = Object.keys(document.body.components.schemas.FleetPlant.properties);
    expect(Object.keys(body.plants[0]).sort()).toEqual(named.sort());
  });

  test('filters by colour, brand, customer, text and staleness', async () => {
    await add('a', { customer_id: 'noord', name: 'Canal House' });
    await add('b', { brand: 'HUAWEI' });
    await api.db.updateTable('plants').set({ status: 'RED' }).where('id', '=', 'b').execute();
    await api.db
      .updateTable('plants')
      .set({ last_polled_at: new Date(Date.now() - 86_400_000) })
      .where('id', '=', 'a')
      .execute();
    const found = async (query: string) =>
      ids((await ask(operator, 'GET', `/plants?${query}`)).body.plants);
    expect(await found('status=RED')).toEqual(['b']);
    expect(await found('brand=HUAWEI')).toEqual(['b']);
    expect(await found('customer=noord')).toEqual(['a']);
    expect(await found('q=canal')).toEqual(['a']);
    expect(await found('stale=true')).toEqual(['a']);
    expect(await found('stale=false&status=GREY')).toEqual([]);
  });

  test('totals are of the plants that match the filters', async () => {
    await add('a', { customer_id: 'noord' });
    await add('b', { customer_id: 'noord', brand: 'HUAWEI' });
    await add('c', { customer_id: 'sul' });
    await api.db
      .updateTable('plants')
      .set({ status: 'RED' })
      .where('id', 'in', ['b', 'c'])
      .execute();
    const totalsOf = async (query: string) =>
      (await ask(operator, 'GET', `/plants?${query}`)).body.totals;
    expect(await totalsOf('customer=noord')).toMatchObject({ plants: 2, red: 1, grey: 1 });
    expect(await totalsOf('customer=noord&status=RED')).toMatchObject({
      plants: 1,
      red: 1,
      grey: 0,
    });
    expect(await totalsOf('limit=1')).toMatchObject({ plants: 3, red: 2 });
  });

  test('says of no plant that it waits for its first reading beside energy of a day', async () => {
    await add('a', { brand: 'HUAWEI' });
    const sentence = async () => (await ask(operator, 'GET', '/plants/a')).body.status_sentence;
    expect(await sentence()).toMatch(/^Waiting for the first reading since .*UTC/);
    const day = { plant_id: 'a', date: '2026-06-10', today_energy_kwh: 347.8, slot: new Date() };
    await api.db
      .insertInto('metric_snapshots')
      .values({ ...day, quality: 'BACKFILLED', complete: true })
      .execute();
    expect(await sentence()).toMatch(/^Not seen producing yet since .*UTC/);
  });

  test('shows a customer nothing of others, not even in the totals', async () => {
    await add('mine', { customer_id: 'noord' });
    await add('theirs', { customer_id: 'zuid' });
    const { body } = await ask(customer, 'GET', '/plants');
    expect(ids(body.plants)).toEqual(['mine']);
    expect(body.totals.plants).toBe(1);
    expect((await ask(customer, 'GET', '/plants?customer=zuid')).body.matching).toBe(0);
    expect((await ask(customer, 'GET', '/plants?format=csv')).text).not.toContain('theirs');
  });

  test('as CSV begins no cell like a formula, by format or Accept', async () => {
    await add('a', { name: '=HYPERLINK("http://x","y")' });
    await add('b', { name: 'roof;=1+1' });
    await add('c', { name: '＝1+1' });
    for (const csv of [
      await ask(operator, 'GET', '/plants?format=csv'),
      await ask(operator, 'GET', '/plants', undefined, { accept: 'text/csv' }),
    ]) {
      expect(csv.headers.get('content-type')).toContain('text/csv');
      const [header, line, ...others] = csv.text.split('\r\n');
      expect(header).toMatch(/^id,name,/);
      expect(line).toMatch(/^a,"'=HYPERLINK\(""http:\/\/x"",""y""\)",/);
      expect(others.join('\n')).toMatch(/^b,roof;'=1\+1,.*\nc,'＝1\+1,/);
    }
  });

  test('costs as many statements for a thousand plants as for one, and none within its second', async () => {
    await add('a');
    const read = () => ask(operator, 'GET', '/plants?limit=200');
    const counted = async () => {
      api.clock.nowMs += 5_000;
      return countQueries(api.db, read);
    };
    await counted();
    const one = await counted();
    await api.db
      .insertInto('plants')
      .values(
        Array.from({ length: 999 }, (_, n) => ({
          id: `p${n}`,
          name: 'x',
          brand: 'SOLIS' as const,
          vendor_account_id: 'account-SOLIS',
          vendor_plant_id: `v${n}`,
          timezone: 'UTC',
        })),
      )
      .execute();
    await counted();
    expect(await counted()).toBe(one);
    const again = await countQueries(api.db, read);
    // Who asks is kept as long; what remains is the test's own look for its user.
    expect(again).toBe(one - 2);
    const page = await countQueries(api.db, () => ask(operator, 'GET', '/plants/a'));
    expect(page).toBeLessThanOrEqual(10);
  });
});

describe('a plant', () => {
  test('is shown with its settings, days, polls and alerts; of another customer it is not there', async () => {
    await add('a', { customer_id: 'zuid' });
    const { status, body, headers } = await ask(operator, 'GET', '/plants/a');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: 'a',
      status_sentence: expect.any(String),
      account: { id: 'account-SOLIS', has_credentials: true },
      next_slot: null,
      alerts: [],
      last_polls: [],
      days: [],
      devices: [],
      workflow_id: 'poll:plant:a:latest',
    });
    expect(headers.get('etag')).toBe(`"${body.revision}"`);
    for (const path of ['/plants/a', '/plants/a/polls', '/plants/a/snapshots', '/plants/a/power'])
      expect((await ask(customer, 'GET', path)).status).toBe(404);
  });

  test('is made with its account and credentials, which nothing tells again; a second time is a conflict', async () => {
    const body = {
      id: 'new',
      name: 'New',
      brand: 'SOLIS',
      vendor_account_id: 'new-account',
      vendor_plant_id: '1300000000000000777',
      timezone: 'Europe/Amsterdam',
      credentials: { key_id: 'canary-id', key_secret: 'canary-secret' },
    };
    const made = await ask(admin, 'POST', '/plants', body);
    expect(made.status).toBe(201);
    expect(made.headers.get('location')).toBe('/api/v1/plants/new');
    expect(made.body).toMatchObject({
      integration_status: 'ACTIVE',
      account: { has_credentials: true },
    });
    expect(made.text + JSON.stringify(api.logged)).not.toContain('canary');
    const again = await ask(admin, 'POST', '/plants', body);
    expect(again).toMatchObject({
      status: 409,
      body: { errors: expect.arrayContaining([expect.objectContaining({ path: 'id' })]) },
    });
    expect(again.text).not.toContain('canary');
    expect((await ask(operator, 'GET', '/plants')).body.plants).toHaveLength(1);
    const log = await api.db
      .selectFrom('audit_log')
      .select(['actor', 'action', 'request_id'])
      .where('subject_id', '=', 'new')
      .execute();
    expect(log).toEqual([
      { actor: admin, action: 'plant.create', request_id: made.headers.get('x-request-id') },
    ]);
  });

  test('is made with values that look wrong, with warnings that its page shows too', async () => {
    const body = {
      id: 'odd',
      name: 'Odd',
      brand: 'SOLIS',
      vendor_account_id: 'odd-account',
      vendor_plant_id: '1300000000000000778',
      timezone: 'Europe/Zurich',
      latitude: 47.4,
      longitude: 107,
      installed_capacity_kw: 0.01,
    };
    const made = await ask(admin, 'POST', '/plants', body);
    expect(made.status).toBe(201);
    expect(made.body.warnings).toEqual([
      { path: 'longitude', message: expect.stringContaining('far outside of the zone') },
      { path: 'installed_capacity_kw', message: 'is 0.01, less than two panels: is it in MW?' },
    ]);
    const page = await api.ask(admin, 'GET', '/plants/odd', undefined, { accept: 'text/html' });
    expect(await page.text()).toContain('longitude is 107, far outside of the zone Europe/Zurich');
    const right = { longitude: 8.5, installed_capacity_kw: 10 };
    expect((await ask(admin, 'PATCH', '/plants/odd', right)).body.warnings).toEqual([]);
  });

  test('is not made with a zone, brand, interval or place that cannot be', async () => {
    const good = {
      id: 'new',
      name: 'New',
      brand: 'SOLIS',
      vendor_account_id: 'acc',
      vendor_plant_id: 'v',
      timezone: 'UTC',
    };
    for (const wrong of [
      { timezone: 'Mars/Olympus' },
      { timezone: '+01:00' },
      { brand: 'ACME' },
      { poll_interval_s: 0 },
      { poll_interval_s: 86_401 },
      { latitude: 91 },
      { name: ' ' },
      { name: 'a\u0000b' },
      { name: 'a\ud800' },
      { id: '../etc' },
      { status_profile: 'DAYLIGHT' },
      { credentials: { key_id: 'x' } },
      { unknown: 1 },
    ]) {
      const answer = await ask(admin, 'POST', '/plants', { ...good, ...wrong });
      expect({ wrong, status: answer.status }).toEqual({ wrong, status: 422 });
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
    }
    expect(await api.db.selectFrom('plants').select('id').execute()).toEqual([]);
  });

  test('is changed, once by whoever read it first', async () => {
    await add('a');
    const { body } = await ask(operator, 'GET', '/plants/a');
    const change = (name: string, revision: number) =>
      ask(admin, 'PATCH', '/plants/a', { name }, { 'if-match': `"${revision}"` });
    expect(await change('First', body.revision)).toMatchObject({
      status: 200,
      body: { name: 'First', revision: body.revision + 1 },
    });
    expect(await change('Second', body.revision)).toMatchObject({
      status: 412,
      body: { revision: body.revision + 1 },
    });
    expect((await ask(operator, 'GET', '/plants')).body.plants[0].name).toBe('First');
    expect((await ask(admin, 'PATCH', '/plants/a', { status_profile: 'DAYLIGHT' })).status).toBe(
      422,
    );
    expect((await ask(admin, 'PATCH', '/plants/a', { brand: 'HUAWEI' })).status).toBe(422);
    expect((await ask(admin, 'PATCH', '/plants/a', {})).status).toBe(422);
  });

  test('is corrected while it never answered, and moved to another account', async () => {
    await add('a');
    const correct = (body: object) => ask(admin, 'PATCH', '/plants/a', body);
    expect((await correct({ vendor_plant_id: 'right' })).body).toMatchObject({
      vendor_plant_id: 'right',
    });
    expect((await correct({ vendor_plant_id: 'x', name: 'Y' })).status).toBe(422);
    await ask(admin, 'POST', '/plants/a/move', { vendor_account_id: 'elsewhere' });
    expect((await ask(admin, 'GET', '/plants/a')).body.account).toMatchObject({ id: 'elsewhere' });
    await api.db
      .updateTable('plants')
      .set({ last_seen_at: new Date(), last_seen_source: 'VENDOR' })
      .execute();
    expect((await correct({ vendor_plant_id: 'wrong' })).status).toBe(409);
  });

  test('that is removed leaves the fleet, answers by its id, and is purged later', async () => {
    await add('a');
    expect((await ask(operator, 'DELETE', '/plants/a')).status).toBe(403);
    expect((await ask(admin, 'POST', '/plants/a/purge')).status).toBe(409);
    expect((await ask(admin, 'DELETE', '/plants/a')).status).toBe(200);
    expect((await ask(admin, 'DELETE', '/plants/a')).status).toBe(409);
    const fleet = (await ask(operator, 'GET', '/plants')).body;
    expect(fleet).toMatchObject({ plants: [], totals: { plants: 0, active: 0 } });
    expect((await ask(operator, 'GET', '/plants/a')).body).toMatchObject({
      removed_at: expect.any(String),
      status_sentence: expect.stringContaining('nothing polls it'),
    });
    expect((await ask(operator, 'GET', '/plants/a/polls')).status).toBe(200);
    expect((await ask(operator, 'POST', '/plants/a/resume')).status).toBe(409);
    const page = await api.ask(admin, 'GET', '/plants/a', undefined, { accept: 'text/html' });
    const text = await page.text();
    expect(text).toContain('nothing polls it');
    expect(text).not.toContain('/plants/a/pause');
    expect((await ask(admin, 'POST', '/plants/a/purge')).body).toEqual({ ledger_rows: 0 });
    expect((await ask(operator, 'GET', '/plants/a')).status).toBe(404);
  });

  test('is removed on its page by administrators alone', async () => {
    await add('a');
    const form = (email: string) =>
      api.ask(email, 'POST', '/plants/a/remove', '', {
        accept: 'text/html',
        'content-type': 'application/x-www-form-urlencoded',
      });
    const pageOf = async (email: string) =>
      (await api.ask(email, 'GET', '/plants/a', undefined, { accept: 'text/html' })).text();
    expect(await pageOf(operator)).not.toContain('/plants/a/remove');
    expect((await form(operator)).status).toBe(403);
    expect(await pageOf(admin)).toContain('/plants/a/remove');
    const answer = await form(admin);
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/plants/a']);
    expect(await pageOf(admin)).not.toContain('/plants/a/remove');
  });

  test('that waited for its documents becomes ACTIVE; a paused one does not by that', async () => {
    await add('a', { integration_status: 'PENDING_DOCS' });
    const activate = () => ask(admin, 'PATCH', '/plants/a', { integration_status: 'ACTIVE' });
    expect((await ask(operator, 'POST', '/plants/a/pause', {})).status).toBe(409);
    expect((await ask(operator, 'POST', '/plants/a/resume')).status).toBe(409);
    expect((await activate()).body.integration_status).toBe('ACTIVE');
    expect((await ask(operator, 'POST', '/plants/a/pause', { reason: 'works' })).status).toBe(200);
    expect((await activate()).status).toBe(409);
  });

  test('is paused, resumed and silenced by an operator, also while Temporal is away', async () => {
    await add('a');
    const until = new Date(api.clock.nowMs + 3_600_000).toISOString();
    expect(
      await ask(operator, 'POST', '/plants/a/pause', { until, reason: 'works' }),
    ).toMatchObject({
      status: 200,
      body: { loop_told: false },
    });
    expect((await ask(operator, 'GET', '/plants')).body.plants[0]).toMatchObject({
      integration_status: 'DISABLED_BY_OPERATOR',
      paused_until: until,
      pause_reason: 'works',
      paused_by: operator,
      status_sentence: expect.stringMatching(
        /^Paused by operator@example.org until .*: “works”\.$/,
      ),
    });
    expect((await ask(operator, 'POST', '/plants/a/poll')).status).toBe(409);
    expect((await ask(operator, 'POST', '/plants/a/resume')).status).toBe(200);
    expect(
      (await ask(operator, 'POST', '/plants/a/silence', { until, reason: 'dust' })).status,
    ).toBe(200);
    const alert = { type: 'OFFLINE', severity: 'RED', state: 'NEW', message: 'm' } as const;
    const seen = { started_at: new Date(), last_seen_at: new Date() };
    await api.db
      .insertInto('alerts')
      .values({ plant_id: 'a', ...alert, ...seen })
      .execute();
    const silence = {
      alerts_silenced_until: until,
      alerts_silenced_by: operator,
      alerts_silence_reason: 'dust',
    };
    const resumed = { integration_status: 'ACTIVE', paused_by: null, ...silence };
    expect((await ask(operator, 'GET', '/plants/a')).body).toMatchObject({
      ...resumed,
      alerts: [resumed],
    });
    expect((await ask(operator, 'GET', '/alerts?plant=a')).body.alerts).toMatchObject([resumed]);
    const past = new Date(api.clock.nowMs - 1).toISOString();
    expect((await ask(operator, 'POST', '/plants/a/silence', { until: past })).status).toBe(422);
    const log = await api.db
      .selectFrom('audit_log')
      .select('action')
      .where('subject_id', '=', 'a')
      .orderBy('id')
      .execute();
    expect(log.map(({ action }) => action)).toEqual([
      'plant.pause',
      'plant.resume',
      'plant.silence',
    ]);
    expect((await ask(operator, 'POST', '/plants/a/poll')).status).toBe(503);
  });

  test('gets new credentials for its account, which resumes what the old ones had paused', async () => {
    await add('a');
    await api.db
      .updateTable('plants')
      .set({ integration_status: 'PAUSED_AUTH_ERROR' })
      .where('id', '=', 'a')
      .execute();
    const credentials = { key_id: 'canary-1', key_secret: 'canary-2' };
    const answer = await ask(admin, 'PUT', '/plants/a/credentials', { credentials });
    expect(answer).toMatchObject({
      status: 200,
      body: { account_id: 'account-SOLIS', version: expect.any(Number), resumed: ['a'], active: 1 },
    });
    const wrong = await ask(admin, 'PUT', '/plants/a/credentials', {
      credentials: { ...credentials, other: 'canary-3' },
    });
    expect(wrong.status).toBe(422);
    expect(answer.text + wrong.text + JSON.stringify(api.logged)).not.toContain('canary');
  });

  test('names the allowed values of a choice, and not the one that was sent', async () => {
    const answer = await ask(admin, 'POST', '/integrations/test', {
      brand: 'GOODWE',
      vendor_plant_id: '5e3f0c1a-7b2d-4c8e-9f11-000000000001',
      credentials: { account: 'a', password: 'b', portal: 'canary-4' },
    });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('portal (SEMS or SEMS_PLUS; SEMS_PLUS if left out)');
    expect(answer.text).not.toContain('canary');
  });

  test('has its days, its ledger and its power read by its own calendar', async () => {
    const timezone = 'Pacific/Kiritimati';
    await add('a', { timezone });
    const today = localDateAt(api.clock.nowMs, timezone);
    for (const age of [0, 1, 40]) {
      await api.db
        .insertInto('metric_snapshots')
        .values({
          plant_id: 'a',
          date: addDays(today, -age),
          today_energy_kwh: age,
          quality: 'FINAL',
          complete: true,
        })
        .execute();
    }
    const days = async (query: string) =>
      (await ask(operator, 'GET', `/plants/a/snapshots?${query}`)).body.snapshots.map(
        (day: { today_energy_kwh: number }) => day.today_energy_kwh,
      );
    expect(await days('')).toEqual([1, 0]);
    expect(await days(`from=${addDays(today, -40)}&to=${addDays(today, -1)}`)).toEqual([40, 1]);
    for (const wrong of [
      'from=2026-02-30',
      'from=0000-01-01',
      'from=2026-02-02&to=2026-02-01',
      'from=2000-01-01',
    ])
      expect((await ask(operator, 'GET', `/plants/a/snapshots?${wrong}`)).status).toBe(422);
    const csv = await ask(operator, 'GET', '/plants/a/snapshots?format=csv');
    expect(csv.text.split('\r\n')[1]).toBe(`${addDays(today, -1)},1,,,FINAL,true,`);

    const at = (secondsAgo: number) => new Date(api.clock.nowMs - secondsAgo * 1_000);
    await api.db
      .insertInto('poll_logs')
      .values(
        [0, 1, 2].map((n) => ({
          plant_id: 'a',
          job_type: 'POLL' as const,
          scheduled_for: at(n * 60),
          trigger: 'SCHEDULE' as const,
          status: n === 1 ? ('ERROR' as const) : ('SUCCESS' as const),
          outcome: n === 1 ? ('FAILED' as const) : ('OK' as const),
          started_at: at(n * 60),
          power_w: n === 1 ? null : 1_000 * n,
          workflow_id: 'w',
          run_id: 'r',
        })),
      )
      .execute();
    const polls = await ask(operator, 'GET', '/plants/a/polls?limit=2');
    expect(polls.body.polls.map((poll: { outcome: string }) => poll.outcome)).toEqual([
      'OK',
      'FAILED',
    ]);
    const older = await ask(operator, 'GET', `/plants/a/polls?before=${polls.body.next_cursor}`);
    expect(older.body).toMatchObject({ polls: [{ power_w: 2_000 }], next_cursor: null });
    const whole = await ask(operator, 'GET', '/plants/a/polls?limit=3');
    expect(whole.body).toMatchObject({ polls: [{}, {}, {}], next_cursor: null });
    const power = await ask(
      operator,
      'GET',
      `/plants/a/power?date=${localDateAt(at(120).getTime(), timezone)}`,
    );
    expect(power.status, power.text).toBe(200);
    expect(power.body.points[0]).toEqual([at(120).toISOString(), 2_000]);
    const all = await ask(operator, 'GET', '/plants/a/power');
    if (localDateAt(at(120).getTime(), timezone) === today)
      expect(all.body.points.map(([, watts]: [string, number | null]) => watts)).toEqual([
        2_000,
        null,
        0,
      ]);
    await api.db.deleteFrom('poll_logs').execute();
  });
});

describe('POST /integrations/test', () => {
  test('tells what the vendor said, and no credential', async () => {
    const body = {
      brand: 'SOLIS',
      vendor_plant_id: '1300000000000000001',
      credentials: { key_id: 'canary-1', key_secret: 'canary-2' },
    };
    const answer = await ask(admin, 'POST', '/integrations/test', body);
    expect(answer.body).toEqual({ ok: true, adapter_error_type: null, message: 'signed in' });
    const wrong = await ask(admin, 'POST', '/integrations/test', {
      ...body,
      credentials: { key_id: 'canary-1' },
    });
    expect(wrong.status).toBe(422);
    expect(answer.text + wrong.text + JSON.stringify(api.logged)).not.toContain('canary');
  });
});

import { afterAll, beforeEach, describe, expect } from 'vitest';

import { createTestApi, type TestApi } from '../../test/support/api.ts';
import { addPlant } from '../../test/support/fleet.ts';
import { insertTestIncident, removeTestIncident } from '../../test/support/incident.ts';
import { fleet, test } from '../../test/support/test-fleet.ts';
import { openDatabase } from '../../db/database.ts';
import { components } from '../../operations/components.ts';
import { diskReader } from '../../operations/disks.ts';
import { pulse } from '../../operations/plants/figures.ts';
import { createHealth } from './health.ts';

/** A fleet with a real Temporal that no worker serves, and an API on its database. */
let api: TestApi;

test.beforeAll(async () => {
  api = await createTestApi({ db: fleet.db, temporal: fleet.client });
});
afterAll(() => api.close());
beforeEach(async () => {
  await fleet.db.deleteFrom('poll_logs').execute();
  await fleet.db.deleteFrom('plants').execute();
  api.clock.nowMs = Date.now();
});

const minuteMs = 60_000;

/** ACTIVE for a day, with its newest ledger row so long ago; null: none at all. */
async function plantPolled(agoMs: number | null): Promise<string> {
  const id = await addPlant(fleet.db, fleet.config, { vendorPlantId: `v${Math.random()}` });
  await fleet.db
    .updateTable('plants')
    .set({ activated_at: new Date(api.clock.nowMs - 24 * 60 * minuteMs) })
    .where('id', '=', id)
    .execute();
  if (agoMs !== null) await writeRow(id, api.clock.nowMs - agoMs);
  return id;
}

async function writeRow(plantId: string, atMs: number): Promise<void> {
  await fleet.db
    .insertInto('poll_logs')
    .values({
      plant_id: plantId,
      job_type: 'POLL',
      scheduled_for: new Date(atMs),
      trigger: 'SCHEDULE',
      outcome: 'SKIPPED_LOCKED',
      status: null,
      workflow_id: 'w',
      run_id: 'r',
    })
    .execute();
}

async function readChecks(deps = api.deps) {
  const health = await createHealth(deps)();
  const states = Object.fromEntries(health.findings.map((each) => [each.component, each.state]));
  return { ...health, states };
}

describe('health', () => {
  test('is public, and the same at both addresses', async () => {
    for (const path of ['/health', '/api/v1/health']) {
      const answer = await api.ask(null, 'GET', path);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({
        checks: expect.arrayContaining([
          expect.objectContaining({ name: 'postgres', state: 'ok' }),
        ]),
      });
    }
  });

  test('and the System page show every component of the diagnosis', async () => {
    const askRedis = async () => ({ evictionPolicy: 'noeviction' });
    const own = await createTestApi({ db: fleet.db, temporal: fleet.client, askRedis });
    const { checks } = (await (await own.app.request('/health')).json()) as {
      checks: { name: string; figure: string }[];
    };
    const page = await (await own.ask('operator@example.org', 'GET', '/system')).text();
    await own.close();
    expect(checks.map(({ name }) => name)).toEqual(components.map(({ name }) => name));
    for (const { name, figure } of checks) {
      expect(page).toContain(`>${name}</th>`);
      if (!figure.endsWith(' ms.')) expect(page).toContain(figure);
    }
  });

  test('a new period counts as a sign of life: its first slot is still to come', async () => {
    const id = await plantPolled(60 * minuteMs);
    const open = (fromMs: number) =>
      fleet.db
        .insertInto('plant_periods')
        .values({
          plant_id: id,
          from_at: new Date(fromMs),
          to_at: null,
          interval_s: 600,
          phase_ms: 0,
          reason: 'ACTIVE',
        })
        .execute();
    expect((await readChecks()).states['polling']).toBe('down');
    await open(api.clock.nowMs - minuteMs);
    expect((await readChecks()).states['polling']).toBe('ok');
  });

  test('polling is ok with a row 2 intervals + 1 min old, and not a moment later', async () => {
    await plantPolled(21 * minuteMs);
    expect((await readChecks()).states['polling']).toBe('ok');
    api.clock.nowMs += 1_000;
    expect((await readChecks()).states['polling']).toBe('down');
  });

  test('a tenth of the active plants without a row is down, fewer is degraded', async () => {
    for (let n = 0; n < 10; n += 1) await plantPolled(minuteMs);
    await plantPolled(null);
    const degraded = await readChecks();
    expect(degraded).toMatchObject({ state: 'degraded', states: { polling: 'degraded' } });
    await plantPolled(null);
    const down = await readChecks();
    expect(down).toMatchObject({ state: 'down', states: { polling: 'down' } });
    expect(await down.look(pulse)).toMatchObject({ value: { active: 12, unpolled: 2 } });
  });

  test('503 when down', async () => {
    await plantPolled(null);
    const own = await createTestApi({ db: fleet.db, temporal: fleet.client });
    const answer = await own.ask(null, 'GET', '/health');
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ state: 'down' });
    await own.close();
  });

  test('a plant that was activated a moment ago is not missed yet', async () => {
    const id = await plantPolled(60 * minuteMs);
    await fleet.db
      .updateTable('plants')
      .set({ activated_at: new Date(api.clock.nowMs - 5 * minuteMs) })
      .where('id', '=', id)
      .execute();
    expect((await readChecks()).states['polling']).toBe('ok');
  });

  test('says which brand has plants and no worker, and how many loops are missing', async () => {
    await plantPolled(minuteMs);
    const { states, findings } = await readChecks();
    expect(states).toMatchObject({
      'workers queue:poll:solis': 'degraded',
      'workers queue:poll:huawei': 'ok',
      'workers queue:fleet': 'degraded',
      loops: 'degraded',
    });
    expect(findings.find((each) => each.component === 'loops')?.sentence).toBe(
      '0 loops run for 1 plant.',
    );
  });

  test('Temporal away is degraded: PostgreSQL alone says that polling has stopped', async () => {
    await plantPolled(minuteMs);
    const away = await createTestApi();
    const { state, states } = await readChecks({ ...api.deps, temporal: away.deps.temporal });
    await away.close();
    expect(state).toBe('degraded');
    expect(states).toMatchObject({ temporal: 'degraded', loops: 'degraded', polling: 'ok' });
  });

  test('PostgreSQL away is down, in an answer that names no host', async () => {
    const db = openDatabase({ url: 'postgresql://user:canary-secret@127.0.0.1:9/none' });
    const own = await createTestApi({ db, temporal: fleet.client });
    const answer = await own.app.request('/health');
    expect(answer.status).toBe(503);
    const text = await answer.text();
    expect(text).toContain('"name":"postgres","state":"down"');
    expect(text + JSON.stringify(own.logged)).not.toMatch(/127\.0\.0\.1|canary/);
    await own.close();
    await db.destroy();
  });

  test('a disk that is nearly full is degraded, and the answer says which and how full', async () => {
    const readDisks = diskReader(['/srv/data'], async () => ({
      bsize: 4_096,
      blocks: 10_000_000,
      bavail: 20_000,
    }));
    const own = await createTestApi({ db: fleet.db, temporal: fleet.client, readDisks });
    const answer = await own.app.request('/health');
    await own.close();
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      state: 'degraded',
      checks: expect.arrayContaining([
        expect.objectContaining({
          name: 'disk',
          state: 'degraded',
          figure: 'The disk of /srv/data has 81.9 MB of 40.9 GB left.',
        }),
      ]),
    });
  });

  test('tells the state of the fleet apart: what fails there is counted, and the state of the system stays', async () => {
    const before = await readChecks();
    expect(before.fleet).toBe('ok');
    const incident = await insertTestIncident(fleet.db, api.clock.nowMs);
    const own = await createTestApi({ db: fleet.db, temporal: fleet.client });
    own.clock.nowMs = api.clock.nowMs;
    const answer = await own.app.request('/health');
    const text = await answer.text();
    const page = await (await own.ask('operator@example.org', 'GET', '/system')).text();
    await own.close();
    await removeTestIncident(fleet.db);
    expect(answer.status).toBe(200);
    const {
      state,
      fleet: fleetState,
      checks,
    } = JSON.parse(text) as {
      state: string;
      fleet: string;
      checks: { name: string; about: string; state: string; figure: string }[];
    };
    expect([state, fleetState]).toEqual([before.state, 'degraded']);
    const figures = new Map(checks.map(({ name, figure }) => [name, figure]));
    expect(figures.get('incidents')).toContain('HUAWEI not answering since');
    expect(figures.get('plants')).toMatch(
      /^3 plants fail, the longest since .* UTC: 3 VENDOR_ERROR\.$/,
    );
    // Public: no account and no plant is named there; the page for staff names them.
    for (const id of incident.plantIds) {
      expect(text).not.toContain(id);
      expect(page).toContain(`<b>${id}</b>: 3 polls failed since`);
    }
    expect(page).toContain('Something fails in the fleet');
    expect(page).not.toContain('Everything works');
  });

  test('asks each service once, however many ask at once', async () => {
    let asked = 0;
    const askRedis = async () => {
      asked += 1;
      return { evictionPolicy: 'noeviction' };
    };
    const health = createHealth({ ...api.deps, askRedis });
    await Promise.all(Array.from({ length: 50 }, () => health()));
    await health('Asia/Tokyo');
    expect(asked).toBe(1);
  });

  test('the System page tells its times by the clock that the reader chose', async () => {
    await insertTestIncident(fleet.db, api.clock.nowMs);
    const own = await createTestApi({ db: fleet.db, temporal: fleet.client });
    own.clock.nowMs = api.clock.nowMs;
    const headers = { cookie: 'heliograph-zone=Asia/Tokyo' };
    const answer = await own.ask('operator@example.org', 'GET', '/system', undefined, headers);
    const page = await answer.text();
    await own.close();
    await removeTestIncident(fleet.db);
    expect(page).toMatch(/HUAWEI not answering since [^<]*UTC[+]9[.]/);
    expect(page).toMatch(/3 plants fail, the longest since [^<]* UTC[+]9:/);
    expect(page).toMatch(/3 polls failed since [^<]* UTC[+]9,/);
  });

  test('a Redis that hangs is degraded after 3 s, and one that may evict at once', async () => {
    const hanging = await readChecks({ ...api.deps, askRedis: () => new Promise(() => {}) });
    expect(hanging.states['redis']).toBe('degraded');
    const askRedis = async () => ({ evictionPolicy: 'allkeys-lru' });
    expect((await readChecks({ ...api.deps, askRedis })).states['redis']).toBe('degraded');
  });
});

describe('metrics', () => {
  test('tell of plants by id', async () => {
    const id = 'vale-2';
    await addPlant(fleet.db, fleet.config, { id, vendorPlantId: 'v1' });
    await fleet.db
      .updateTable('plants')
      .set({ last_seen_at: new Date(api.clock.nowMs - 90_000), last_seen_source: 'VENDOR' })
      .execute();
    await writeRow(id, api.clock.nowMs - 1_000);
    const answer = await api.ask('operator@example.org', 'GET', '/metrics');
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const lines = (await answer.text()).split('\n');
    expect(lines).toContain(
      'heliograph_plant_last_seen_age_seconds{plant="vale-2",brand="SOLIS"} 90',
    );
    expect(lines).toContain('heliograph_polls_5m{outcome="SKIPPED_LOCKED"} 1');
    expect(lines).toContain('heliograph_plants_active 1');
    expect(lines.some((line) => line.startsWith('heliograph_oldest_due_slot_age_seconds '))).toBe(
      true,
    );
  });

  test('the age of the oldest due slot is that of the slot after the newest row', async () => {
    const id = await plantPolled(25 * minuteMs);
    const intervalMs = 10 * minuteMs;
    const newestMs = Math.floor((api.clock.nowMs - 25 * minuteMs) / intervalMs) * intervalMs;
    await fleet.db.deleteFrom('poll_logs').execute();
    await writeRow(id, newestMs);
    await fleet.db
      .insertInto('plant_periods')
      .values({
        plant_id: id,
        from_at: new Date(newestMs - 24 * intervalMs),
        to_at: null,
        interval_s: 600,
        phase_ms: 0,
        reason: 'ACTIVE',
      })
      .execute();
    const text = await (await api.ask('operator@example.org', 'GET', '/metrics')).text();
    const age = Number(/^heliograph_oldest_due_slot_age_seconds (.*)$/m.exec(text)?.[1]);
    expect(age).toBeCloseTo((api.clock.nowMs - newestMs - intervalMs) / 1000, 3);
  });

  test('are for operators, and for the token of the scraper', async () => {
    const metricsToken = 'a-token-for-scraping';
    const own = await createTestApi({ metricsToken });
    const get = async (authorization?: string) =>
      (
        await own.app.request('/metrics', {
          headers: authorization === undefined ? {} : { authorization },
        })
      ).status;
    expect(await get()).toBe(401);
    expect(await get('Bearer another-token-for-scr')).toBe(401);
    expect(await get(`Bearer ${metricsToken}`)).toBe(200);
    expect((await own.ask('customer@example.org', 'GET', '/metrics')).status).toBe(403);
    await own.close();
  });

  test('say that PostgreSQL is away, and nothing that would then be wrong', async () => {
    const db = openDatabase({ url: 'postgresql://nobody@127.0.0.1:9/none' });
    const own = await createTestApi({ db, metricsToken: 'a-token-for-scraping' });
    const answer = await own.app.request('/metrics', {
      headers: { authorization: 'Bearer a-token-for-scraping' },
    });
    const text = await answer.text();
    expect(text).toMatch(/^heliograph_postgres_up 0$/m);
    expect(text).not.toMatch(/^heliograph_(oldest_due|plants_active)/m);
    await own.close();
    await db.destroy();
  });
});

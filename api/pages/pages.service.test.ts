import { describe, expect } from 'vitest';

import { issueSession } from '../auth/tokens.ts';
import { findUserByEmail } from '../../db/people/users.ts';
import { countMissedSlots } from '../../db/ledger/missed.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import { api, test } from '../../test/support/test-api.ts';

test.beforeAll(async () => {
  await api.user('ana@example.org', 'ADMIN');
  await api.user('lent@example.org', 'ADMIN', { mustChangePassword: true });
  await api.user('carla@example.org', 'CUSTOMER', { customerId: 'noord' });
});

/** A browser's request for a page. */
async function browse(
  email: string | null,
  path: string,
  init: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Response> {
  const headers: Record<string, string> = { accept: 'text/html', ...init.headers };
  if (email !== null) {
    const user = await findUserByEmail(api.db, email);
    if (user === undefined) throw new Error(`there is no user ${email}`);
    const who = { userId: user.id, sessionVersion: user.session_version };
    headers['cookie'] = `heliograph=${await issueSession(api.deps, who, api.deps.clock())}`;
  }
  return api.app.request(path, { ...init, headers });
}

describe('who gets a page', () => {
  test('without a session: the sign-in, and back afterwards', async () => {
    const answer = await browse(null, '/plants/a?x=1');
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe('/login?next=%2Fplants%2Fa%3Fx%3D1');
    const renewal = await browse(null, '/', { headers: { 'hx-request': 'true' } });
    expect(renewal.status).toBe(401);
  });

  test('with a lent password: nothing but the page for a new one', async () => {
    for (const path of ['/', '/alerts', '/system']) {
      const answer = await browse('lent@example.org', path);
      expect(answer.headers.get('location')).toBe('/password');
    }
  });

  test('a customer: neither System nor actions', async () => {
    expect((await browse('carla@example.org', '/system')).status).toBe(403);
    const form = { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } };
    expect((await browse('carla@example.org', '/alerts/1/ack', form)).status).toBe(403);
    expect(await (await browse('carla@example.org', '/')).text()).not.toContain('/system');
  });

  test('a form of another site is refused', async () => {
    const form = { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } };
    expect((await browse('ana@example.org', '/plants/a/pause', form)).status).toBe(403);
  });
});

test('programs get problems, browsers pages', async () => {
  const page = await browse('ana@example.org', '/nowhere');
  expect(page.status).toBe(404);
  expect(page.headers.get('content-type')).toContain('text/html');
  const problem = await api.app.request('/nowhere');
  expect(problem.headers.get('content-type')).toContain('application/problem+json');
});

test('assets bear the hash of their content and are kept for ever; pages are never kept', async () => {
  const page = await browse('ana@example.org', '/');
  expect(page.headers.get('cache-control')).toBe('no-store');
  const links = [...(await page.text()).matchAll(/"(\/assets\/[^"]+)"/g)].map(([, link]) => link);
  expect(links.length).toBeGreaterThan(3);
  for (const link of links) {
    const asset = await api.app.request(link ?? '');
    expect(asset.status).toBe(200);
    expect(asset.headers.get('cache-control')).toContain('immutable');
    const etag = asset.headers.get('etag') ?? '';
    const again = await api.app.request(link ?? '', { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
  }
});

test('pages travel compressed', async () => {
  const answer = await browse('ana@example.org', '/', { headers: { 'accept-encoding': 'gzip' } });
  expect(answer.headers.get('content-encoding')).toBe('gzip');
});

test('pages hold no inline script and no inline style', async () => {
  for (const path of ['/', '/alerts', '/system', '/password']) {
    const text = await (await browse('ana@example.org', path)).text();
    expect(text, path).not.toMatch(/<style|style="|<script(?![^>]*src=)|\son\w+="/);
  }
});

test('missed slots are counted when read: a worker that is gone writes no rows', async () => {
  await api.db
    .insertInto('vendor_accounts')
    .values({ id: 'solis', brand: 'SOLIS', name: 'solis' })
    .execute();
  await api.db
    .insertInto('plants')
    .values({
      id: 'a',
      name: 'A',
      brand: 'SOLIS',
      vendor_account_id: 'solis',
      vendor_plant_id: '1',
      timezone: 'UTC',
      integration_status: 'ACTIVE',
      customer_id: null,
      latitude: null,
      longitude: null,
      installed_capacity_kw: null,
      paused_until: null,
      pause_reason: null,
      alerts_silenced_until: null,
      activated_at: null,
      last_seen_at: null,
      last_seen_source: null,
      last_polled_at: null,
      alarms_complete_at: null,
      last_slot: null,
    })
    .execute();
  const minute = 60_000;
  const hourMs = Date.parse('2026-06-05T08:00:00Z');
  await api.db
    .insertInto('plant_periods')
    .values({
      plant_id: 'a',
      from_at: new Date(hourMs + 3 * minute),
      to_at: null,
      interval_s: 600,
      phase_ms: 3 * minute,
      reason: 'ACTIVE',
    })
    .execute();
  // Due at :03, :13, :23, :33, :43, :53.
  expect(
    await countMissedSlots(api.db, plantLedger, { fromMs: hourMs, toMs: hourMs + 60 * minute }),
  ).toEqual({
    due: 6,
    missed: 6,
  });
  const row = {
    plant_id: 'a',
    job_type: 'POLL',
    trigger: 'SCHEDULE',
    workflow_id: 'w',
    run_id: 'r',
  } as const;
  const none = {
    status: null,
    started_at: null,
    requested_at: null,
    request_id: null,
    duration_ms: null,
    late_ms: null,
    slots_missed: null,
    adapter_error_type: null,
    error: null,
    power_w: null,
    today_energy_kwh: null,
    lifetime_energy_kwh: null,
    booked_date: null,
    source_time: null,
  };
  const at = (minutes: number) => new Date(hourMs + minutes * minute);
  await api.db
    .insertInto('poll_logs')
    .values([
      { ...row, ...none, outcome: 'SKIPPED_LOCKED', scheduled_for: at(3) },
      { ...row, ...none, outcome: 'MISSED', slots_missed: 1, scheduled_for: at(13) },
      // Off the grid: a person's poll answers no slot.
      { ...row, ...none, trigger: 'MANUAL', outcome: 'SKIPPED_LOCKED', scheduled_for: at(24) },
    ])
    .execute();
  expect(
    await countMissedSlots(api.db, plantLedger, { fromMs: hourMs, toMs: hourMs + 60 * minute }),
  ).toEqual({
    due: 6,
    missed: 5,
  });
  expect(
    await countMissedSlots(api.db, plantLedger, {
      fromMs: hourMs + 3 * minute,
      toMs: hourMs + 13 * minute,
    }),
  ).toEqual({
    due: 1,
    missed: 0,
  });
});

import { describe, expect } from 'vitest';

import { insertTestPlant } from '../../../test/support/activities.ts';
import { api, test } from '../../../test/support/test-api.ts';

/** Two plants of noord, one of them RED; one RED plant of sul. */
test.beforeAll(async () => {
  await api.user('customer@example.org', 'CUSTOMER', { customerId: 'noord' });
  for (const [id, customer, status] of [
    ['n-red', 'noord', 'RED'],
    ['n-green', 'noord', 'GREEN'],
    ['s-red', 'sul', 'RED'],
  ] as const) {
    await insertTestPlant(api.db, {
      id,
      name: id,
      vendor_plant_id: `vendor-${id}`,
      customer_id: customer,
    });
    await api.db
      .updateTable('plants')
      .set({ status, last_polled_at: new Date() })
      .where('id', '=', id)
      .execute();
  }
});

const operator = 'operator@example.org';

async function show(path: string, email = operator, headers = {}): Promise<string> {
  const answer = await api.ask(email, 'GET', path, undefined, { accept: 'text/html', ...headers });
  expect(answer.status).toBe(200);
  return (await answer.text()).replaceAll(/\s+/g, ' ');
}

/** Each count of the header with the plants to which its link leads. */
async function countsOf(path: string, email = operator) {
  const page = await show(path, email);
  const links = page.matchAll(/id="count-(\w+)".*?href="([^"]+)".*?<b>(\d+)<\/b>/g);
  const counts: Record<string, { count: number; leadsTo: number }> = {};
  for (const [, kind = '', href = '', count = ''] of links) {
    const there = await show(href.replaceAll('&amp;', '&'), email);
    counts[kind] = {
      count: Number(count),
      leadsTo: there.split('<tr role="row" id="p-').length - 1,
    };
  }
  return counts;
}

describe('the header of the fleet page', () => {
  test('counts what the filter leaves, and its links keep the filter', async () => {
    const counts = await countsOf('/?customer=noord');
    expect(counts).toMatchObject({
      RED: { count: 1, leadsTo: 1 },
      GREEN: { count: 1, leadsTo: 1 },
      YELLOW: { count: 0, leadsTo: 0 },
    });
    expect(await show('/?customer=noord')).toContain('from 0 of 2 plants');
    expect(await show('/?customer=noord&status=RED')).toContain('from 0 of 1 plants');
  });

  test('with a status chosen, its other counts are what their links lead to', async () => {
    const { GREEN, YELLOW } = await countsOf('/?customer=noord&status=RED');
    expect({ GREEN, YELLOW }).toEqual({
      GREEN: { count: 1, leadsTo: 1 },
      YELLOW: { count: 0, leadsTo: 0 },
    });
  });

  test('counts for a customer its own plants', async () => {
    expect(await countsOf('/', 'customer@example.org')).toMatchObject({
      RED: { count: 1, leadsTo: 1 },
    });
  });
});

describe('the pages', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' };

  test('say who silenced and paused a plant, until when and why, wherever it is', async () => {
    const seen = { started_at: new Date(), last_seen_at: new Date() };
    const alert = { type: 'OFFLINE', severity: 'RED', state: 'NEW', message: 'm' } as const;
    await api.db
      .insertInto('alerts')
      .values({ plant_id: 's-red', ...alert, ...seen })
      .execute();
    const act = async (action: string, body: string) =>
      (await api.ask(operator, 'POST', `/plants/s-red/${action}`, body, form)).status;
    expect(await act('silence', 'for=3600&reason=dust')).toBe(303);
    expect(await act('pause', 'for=3600&reason=roof')).toBe(303);
    for (const path of ['/', '/plants/s-red', '/alerts']) {
      const page = await show(path);
      expect(page, path).toMatch(
        /Alerts silenced by operator@example.org until [^<]*UTC[^<]*: “dust”/,
      );
      expect(page, path).toMatch(/Paused by operator@example.org until [^<]*UTC[^<]*: “roof”/);
    }
  });

  test('tell times in the zone that their reader chose once, and name it', async () => {
    const since = new Date('2026-06-01T22:05:00Z');
    await api.db
      .updateTable('plants')
      .set({ status_since: since, timezone: 'Europe/Madrid' })
      .execute();
    const choose = async (body: string) => api.ask(operator, 'POST', '/zone', body, form);
    const sinceAfter = async (body: string | null) => {
      const chosen = body === null ? null : (await choose(body)).headers.get('set-cookie');
      const cookie = chosen?.split(';')[0] ?? '';
      const page = await show('/plants/n-green', operator, { cookie });
      return /since <time [^>]*>([^<]+)</.exec(page)?.[1];
    };
    expect(await sinceAfter(null)).toBe('2026-06-02 00:05 UTC+2');
    expect(await sinceAfter('zone=utc&own=')).toBe('2026-06-01 22:05 UTC');
    expect(await sinceAfter('zone=own&own=Asia/Kathmandu')).toBe('2026-06-02 03:50 UTC+5:45');
    expect(await sinceAfter('zone=plant&own=Asia/Kathmandu')).toBe('2026-06-02 00:05 UTC+2');
    expect((await choose('zone=utc&back=/alerts')).headers.get('location')).toBe('/alerts');
    expect((await choose('zone=own&own=Mars')).status).toBe(422);
  });
});

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
    await api.db.updateTable('plants').set({ status, last_polled_at: new Date() }).where('id', '=', id).execute();
  }
});

async function show(path: string, email = 'operator@example.org'): Promise<string> {
  const answer = await api.ask(email, 'GET', path, undefined, { accept: 'text/html' });
  expect(answer.status).toBe(200);
  return (await answer.text()).replaceAll(/\s+/g, ' ');
}

/** Each count of the header with the plants to which its link leads. */
async function countsOf(path: string, email?: string) {
  const page = await show(path, email);
  const links = page.matchAll(/id="count-(\w+)".*?href="([^"]+)".*?<b>(\d+)<\/b>/g);
  const counts: Record<string, { count: number; leadsTo: number }> = {};
  for (const [, kind = '', href = '', count = ''] of links) {
    const there = await show(href.replaceAll('&amp;', '&'), email);
    counts[kind] = { count: Number(count), leadsTo: there.split('<tr role="row" id="p-').length - 1 };
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

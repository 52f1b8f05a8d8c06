import { describe, expect } from 'vitest';

import { insertTestPlant } from '../../test/support/activities.ts';
import {
  closeTestIncident,
  insertTestIncident,
  type TestIncident,
} from '../../test/support/incident.ts';
import { api, test } from '../../test/support/test-api.ts';

/** An incident has one face: the fleet page, the alerts page and REST show the same one, while it is open and afterwards. */

const operator = 'operator@example.org';
/** Of the customer noord. */
const customer = 'customer@example.org';
let incident: TestIncident;

test.beforeAll(async () => {
  incident = await insertTestIncident(api.db, api.clock.nowMs);
  await insertTestPlant(api.db, { id: 'well', vendor_plant_id: 'w' });
});

interface Incidents {
  incidents: { id: number; sentence: string; since: string; alerts: number }[];
}
const get = async <Body>(email: string, path: string) =>
  (await (await api.ask(email, 'GET', `/api/v1${path}`)).json()) as Body;
const pageOf = async (email: string, path: string) =>
  (await (await api.ask(email, 'GET', path)).text()).replaceAll(/\s+/g, ' ');
const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16);

describe('an open incident', () => {
  test('is a banner of the fleet page, in the words of REST, and filters its plants', async () => {
    const { incidents } = await get<Incidents>(operator, '/incidents');
    expect(incidents).toMatchObject([
      {
        id: incident.id,
        brand: 'HUAWEI',
        state: 'open',
        since: new Date(incident.sinceMs).toISOString(),
        plants_failed: 3,
        plants_active: 3,
        alerts: 3,
        errors: { VENDOR_ERROR: 3 },
      },
    ]);
    const sentence = incidents[0]?.sentence ?? '';
    expect(sentence).toContain(`HUAWEI not answering since`);
    expect(sentence).toContain(`${clock(incident.sinceMs)} UTC. 3 of 3 plants fail.`);
    const page = await pageOf(operator, '/');
    expect(page).toContain(`<strong>${sentence}</strong>`);
    expect(page).toContain(`href="/?incident=${incident.id}"`);
    const filtered = await pageOf(operator, `/?incident=${incident.id}`);
    expect(filtered).toContain('id="p-away-2"');
    expect(filtered).not.toContain('id="p-well"');
    const { plants } = await get<{ plants: { id: string }[] }>(
      operator,
      `/plants?incident=${incident.id}`,
    );
    expect(plants.map(({ id }) => id).toSorted()).toEqual(incident.plantIds);
  });

  test('is one line of the alerts page that unfolds; what it does not explain stays outside', async () => {
    const page = await pageOf(operator, '/alerts');
    const fold = new RegExp(
      `<details class="incident" id="incident-${incident.id}">.*?</details>\\s*<table`,
    );
    const inside = fold.exec(page)?.[0] ?? '';
    for (const id of incident.plantIds) expect(inside).toContain(`API_ERROR of ${id}`);
    expect(inside).toContain('3 alerts kept, none announced');
    expect(inside).not.toContain('MOCK_FAULT of away-1');
    expect(page.replace(inside, '')).toContain('MOCK_FAULT of away-1');
    const { alerts } = await get<{ alerts: { incident_id: number | null; type: string }[] }>(
      operator,
      '/alerts',
    );
    expect(new Set(alerts.map(({ type, incident_id }) => `${type} ${incident_id}`))).toEqual(
      new Set([`API_ERROR ${incident.id}`, 'MOCK_FAULT null']),
    );
    const of = await get<{ alerts: unknown[] }>(operator, `/alerts?incident=${incident.id}`);
    expect(of.alerts).toHaveLength(3);
  });

  test('tells a customer of their own plants alone, and of no incident without one', async () => {
    expect(await get<Incidents>(customer, '/incidents')).toMatchObject({
      incidents: [{ plants_failed: 1, plants_active: 1, alerts: 1, errors: null }],
    });
    await api.db
      .updateTable('plants')
      .set({ customer_id: 'sul' })
      .where('id', '=', 'away-1')
      .execute();
    expect(await get<Incidents>(customer, '/incidents')).toEqual({ incidents: [] });
  });
});

test('a closed incident is history: gone from the fleet page, a line among the resolved alerts', async () => {
  await closeTestIncident(api.db, incident, api.clock.nowMs);
  expect(await get<Incidents>(operator, '/incidents')).toEqual({ incidents: [] });
  const { incidents } = await get<Incidents>(operator, '/incidents?state=closed');
  const sentence = incidents[0]?.sentence ?? '';
  expect(sentence).toContain('HUAWEI did not answer from');
  expect(sentence).toContain('Up to 3 plants failed.');
  expect(await pageOf(operator, '/')).not.toContain('class="banner"');
  const resolved = await pageOf(operator, '/alerts?tab=resolved');
  expect(resolved).toContain(`<strong>${sentence}</strong>`);
  expect(resolved).toContain('API_ERROR of away-3');
  expect(await pageOf(operator, '/alerts')).not.toContain('did not answer');
});

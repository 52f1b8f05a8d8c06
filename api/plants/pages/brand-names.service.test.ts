import { randomBytes } from 'node:crypto';

import { describe, expect } from 'vitest';

import { setSession } from '../../auth/session.ts';
import { loadConfig } from '../../../environment/config.ts';
import { findUserByEmail } from '../../../db/people/users.ts';
import { addPlant } from '../../../test/support/fleet.ts';
import { api, test } from '../../../test/support/test-api.ts';

const ana = 'operator@example.org';

/** The text of a page as an operator sees it, without its tags. */
async function textOf(cookie: string, path: string): Promise<string> {
  const answer = await api.app.request(path, { headers: { cookie } });
  expect(answer.status).toBe(200);
  return (await answer.text()).replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');
}

describe('pages', () => {
  let cookie = '';
  test.beforeAll(async () => {
    const config = loadConfig({ MASTER_KEY_CURRENT: randomBytes(32).toString('base64') });
    await addPlant(api.db, config, { id: 'attic', brand: 'DELE', vendorPlantId: '4711' });
    await api.user(ana, 'OPERATOR');
    const { id = 0, session_version = 1 } = (await findUserByEmail(api.db, ana)) ?? {};
    api.app.get('/test/session', async (c) => {
      await setSession(c, api.deps, { userId: id, sessionVersion: session_version });
      return c.body(null, 204);
    });
    const answer = await api.app.request('/test/session');
    cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  });

  test('call a plant of DELE by the name on its inverter', async () => {
    expect(await textOf(cookie, '/plants/attic')).toContain('Deye (DELE) · ');
    // The plant's row, and the filter's choice.
    expect((await textOf(cookie, '/')).match(/Deye \(DELE\)/g)).toHaveLength(2);
    expect(await textOf(cookie, '/?brand=DELE')).toContain('attic');
  });
});

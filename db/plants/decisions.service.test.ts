import { describe, expect } from 'vitest';

import { insertTestPlant } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';
import { decideCredentials, decidePause, decideResume, decideSettings } from './decisions.ts';
import { findPlant, pauseAccount, type PlantSettings } from './plants.ts';

const by = { actor: 'ana@example.org', requestId: 'request-1' };
let count = 0;

async function addPlant(plant: Parameters<typeof insertTestPlant>[1] = {}): Promise<string> {
  count += 1;
  const id = `plant-${count}`;
  await insertTestPlant(database.db, { id, vendor_plant_id: id, vendor_account_id: id, ...plant });
  return id;
}
const set = (id: string, settings: PlantSettings, ifRevision?: number) =>
  decideSettings(database.db, [id], { settings, activates: false, ifRevision }, by, new Date());
const logOf = (subjectId: string) =>
  database.db
    .selectFrom('audit_log')
    .select(['actor', 'action', 'subject_type', 'before', 'after', 'request_id'])
    .where('subject_id', '=', subjectId)
    .orderBy('id')
    .execute();

describe('a decision', () => {
  test('is logged with who made it, and what it changed', async () => {
    const id = await addPlant();
    const pause = { until: null, reason: 'works on the roof' };
    expect(await decidePause(database.db, [id], pause, by, new Date())).toEqual([id]);
    expect(await logOf(id)).toEqual([
      {
        actor: 'ana@example.org',
        action: 'plant.pause',
        subject_type: 'PLANT',
        before: { integration_status: 'ACTIVE', pause_reason: null },
        after: { integration_status: 'DISABLED_BY_OPERATOR', pause_reason: 'works on the roof' },
        request_id: 'request-1',
      },
    ]);
  });

  test('that changes nothing leaves no row', async () => {
    const id = await addPlant();
    expect(await decideResume(database.db, [id], by, new Date())).toEqual([]);
    expect(await set(id, { poll_interval_s: 600 })).toEqual({ kind: 'SET', ids: [id] });
    expect(await logOf(id)).toEqual([]);
  });

  test('that fails leaves neither change nor row', async () => {
    const id = await addPlant();
    await expect(set(id, { name: 'Renamed', poll_interval_s: 0 })).rejects.toMatchObject({
      code: '23514',
    });
    expect(await findPlant(database.db, id)).toMatchObject({ name: 'Plant', revision: 1 });
    expect(await logOf(id)).toEqual([]);
  });

  test('about a revision that is no more changes nothing, and says which one stands', async () => {
    const id = await addPlant();
    const rename = (name: string) => set(id, { name }, 1);
    expect((await rename('First')).kind).toBe('SET');
    expect(await rename('Second')).toEqual({ kind: 'CHANGED_MEANWHILE', revision: 2 });
    expect(await findPlant(database.db, id)).toMatchObject({ name: 'First' });
  });

  test('to store credentials resumes what their refusal had paused, and logs no secret', async () => {
    const id = await addPlant();
    await pauseAccount(database.db, id);
    const sealed = {
      accountId: id,
      keyVersion: 'k',
      iv: Buffer.alloc(12),
      sealed: Buffer.from('a sealed secret, longer'),
    };
    expect(await decideCredentials(database.db, sealed, by, new Date())).toEqual({
      version: 2,
      resumed: [id],
      active: [id],
    });
    expect((await logOf(id)).map(({ action, after }) => ({ action, after }))).toEqual([
      { action: 'account.credentials', after: { version: 2 } },
      { action: 'plant.resume', after: { integration_status: 'ACTIVE' } },
    ]);
  });
});

import { beforeEach, describe, expect } from 'vitest';

import { createFixtureAdapter } from '../../adapters/clouds/registry.ts';
import { playPlant } from '../../cli/demo/play.ts';
import { listAlerts } from '../../db/plants/alerts.ts';
import { storeCredentials } from '../../db/plants/decisions.ts';
import { findPlant, listPlants } from '../../db/plants/plants.ts';
import { findWhyFacts } from '../../db/plants/why.ts';
import { explain } from '../../domain/plants/why.ts';
import { hourMs, minuteMs } from '../../domain/zone.ts';
import { resume } from '../../operations/plants/actions.ts';
import { plantSentence } from '../../operations/plants/plant-view.ts';
import { allPlants } from '../../db/scope.ts';
import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { database, test } from '../../test/support/test-database.ts';

/** 10:00 at the plants. */
const startMs = Date.parse('2026-06-11T08:00:00Z');
const by = { actor: 'ana@example.org', requestId: null };

beforeEach(async () => {
  for (const table of [
    'poll_logs',
    'plants',
    'integration_credentials',
    'vendor_accounts',
  ] as const)
    await database.db.deleteFrom(table).execute();
  for (const [index, id] of ['h-1', 'h-2'].entries())
    await insertTestPlant(database.db, {
      id,
      brand: 'HUAWEI',
      vendor_account_id: 'eu',
      vendor_plant_id: `NE=9000000${index}`,
      timezone: 'Europe/Madrid',
      activated_at: new Date(startMs - hourMs),
    });
});

/** One interval of h-1, whose vendor account has this host. */
async function live(host: string | null): Promise<void> {
  const { activities, setClock } = testActivities(database, {
    openAdapter: (options) =>
      createFixtureAdapter({
        ...options,
        credentials: { ...options.credentials, ...(host === null ? {} : { host }) },
      }),
  });
  setClock(startMs + 10 * minuteMs);
  await playPlant({ activities, setClock }, 'h-1', startMs, startMs + 10 * minuteMs);
}

const viewOf = async (id: string) => {
  const [plant] = await listPlants(database.db, { ids: [id] });
  if (plant === undefined) throw new Error('the plant is not there');
  return plant;
};
const reasonsOf = async (id: string) => {
  const plant = await viewOf(id);
  const facts = await findWhyFacts(database.db, id, null, startMs + hourMs);
  return {
    listed: plant.status_reason,
    explained: facts === null ? null : explain(facts).status_reason,
    sentence: plantSentence(plant, startMs + hourMs),
  };
};
const act = () => ({ db: database.db, by, at: new Date(startMs + hourMs), scope: allPlants });
const evaluate = async (id: string) =>
  testActivities(database).activities.evaluatePlant({
    plantId: id,
    nowMs: startMs + hourMs,
    revision: (await findPlant(database.db, id))?.revision ?? 0,
    closing: null,
  });

describe('an account', () => {
  test('without credentials says so, is not resumed, and its alert ends when some are stored', async () => {
    await database.db.deleteFrom('integration_credentials').execute();
    await live(null);
    await evaluate('h-2');
    for (const id of ['h-1', 'h-2'])
      expect(await reasonsOf(id)).toEqual({
        listed: 'NO_CREDENTIALS',
        explained: 'NO_CREDENTIALS',
        sentence: 'The account has no credentials yet: store some, and the plant is polled.',
      });
    const alerts = await listAlerts(database.db, { limit: 9 });
    expect(alerts).toMatchObject([
      { plant_id: 'h-1', vendor_alarm_code: 'NO_CREDENTIALS', severity: 'YELLOW' },
    ]);
    const noUse = { refusal: 'NO_USE', accountId: 'eu', fault: 'MISSING' };
    expect(await resume(act(), ['h-1', 'h-2'])).toEqual({
      plantIds: [],
      refused: [
        { ...noUse, plantId: 'h-1' },
        { ...noUse, plantId: 'h-2' },
      ],
    });
    const sealed = {
      accountId: 'eu',
      keyVersion: 'k',
      iv: Buffer.alloc(12),
      sealed: Buffer.from('a sealed secret, longer'),
    };
    const stored = await database.db
      .transaction()
      .execute((trx) => storeCredentials(trx, sealed, by, new Date(startMs + hourMs)));
    expect(stored.resumed.toSorted()).toEqual(['h-1', 'h-2']);
    await evaluate('h-1');
    expect(await listAlerts(database.db, { limit: 9 })).toEqual([]);
  });

  test("with a host that is not the vendor's own is refused by us, in other words than by the vendor", async () => {
    await live('https://eu5.fusionsolar.huawei.com');
    expect(await reasonsOf('h-1')).toEqual({
      listed: 'UNUSABLE_CREDENTIALS',
      explained: 'UNUSABLE_CREDENTIALS',
      sentence:
        "The stored credentials cannot be used (the account's host is no sub-domain of fusionsolar.huawei.com): store others, and the plant is polled.",
    });
    const [alert] = await listAlerts(database.db, { limit: 9 });
    expect(alert).toMatchObject({ vendor_alarm_code: 'UNUSABLE_CREDENTIALS', severity: 'RED' });
    const rows = await database.db
      .selectFrom('poll_logs')
      .select(['attempts', 'outcome'])
      .execute();
    expect(rows).toEqual([{ attempts: 0, outcome: 'FAILED' }]);
    expect((await resume(act(), ['h-1'])).refused).toMatchObject([
      { refusal: 'NO_USE', fault: 'UNUSABLE' },
    ]);
  });

  test('that the vendor refused is asked again by a resume, which says so', async () => {
    await database.db
      .updateTable('vendor_accounts')
      .set({
        refusal: 'REFUSED',
        refusal_message: 'login: refused.',
        refused_at: new Date(startMs),
      })
      .execute();
    await database.db
      .updateTable('plants')
      .set({ integration_status: 'PAUSED_AUTH_ERROR' })
      .where('id', '=', 'h-1')
      .execute();
    await evaluate('h-1');
    expect(await reasonsOf('h-1')).toEqual({
      listed: 'PAUSED_AUTH_ERROR',
      explained: 'PAUSED_AUTH_ERROR',
      sentence:
        'The vendor refuses the credentials of this account (login: refused): store new ones and resume the plant.',
    });
    expect(await resume(act(), ['h-1'])).toEqual({
      plantIds: ['h-1'],
      refused: [],
      askedAgain: ['h-1'],
    });
  });
});

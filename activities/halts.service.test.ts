import { beforeEach, expect } from 'vitest';

import { createFixtureAdapter } from '../adapters/clouds/registry.ts';
import { openDatabase } from '../db/database.ts';
import { beginHalt, findOpenHalt, liftHalt } from '../db/halts.ts';
import { insertTestPlant, testActivities } from '../test/support/activities.ts';
import { countQueries } from '../test/support/count-queries.ts';
import { database, test } from '../test/support/test-database.ts';
import type { OpenAdapter } from './plants/vendor.ts';
import { createHaltWatch } from './halts.ts';

const slotMs = Date.parse('2026-06-11T12:00:00Z');
const at = new Date(slotMs);
const by = { actor: 'op@example.org', requestId: null };
const slot = { plantId: 'plant', slotMs, intervalMs: 600_000, nowMs: slotMs };

/** Vendors that note what is asked of them. */
function countingVendors(): { openAdapter: OpenAdapter; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    openAdapter: (options) => {
      const adapter = createFixtureAdapter(options);
      return {
        ...adapter,
        capabilities: () => adapter.capabilities(),
        testConnection: () => adapter.testConnection(),
        getPlantSummary: (plant) => (asked.push('summary'), adapter.getPlantSummary(plant)),
        getAlarmsSince: (plant, since) => (
          asked.push('alarms'),
          adapter.getAlarmsSince(plant, since)
        ),
        getDailyEnergySeries: (plant, from, to) => (
          asked.push('series'),
          adapter.getDailyEnergySeries(plant, from, to)
        ),
      };
    },
  };
}

const halt = () => beginHalt(database.db, { by, reason: 'smoke', at });

beforeEach(async () => {
  for (const table of ['polling_halts', 'audit_log', 'poll_logs', 'plants'] as const)
    await database.db.deleteFrom(table).execute();
  await insertTestPlant(database.db, { activated_at: new Date(slotMs - 3_600_000) });
});

test('a halt is begun once and lifted once, each with a row of the audit log', async () => {
  const { db } = database;
  expect(await findOpenHalt(db)).toBeNull();
  const first = await halt();
  expect(first).toMatchObject({ isNew: true, by: 'op@example.org', reason: 'smoke', fromAt: at });
  expect(await beginHalt(db, { by, reason: 'again', at })).toMatchObject({
    id: first.id,
    isNew: false,
    reason: 'smoke',
  });
  expect(await liftHalt(db, { by, at })).toMatchObject({ id: first.id });
  expect(await liftHalt(db, { by, at })).toBeNull();
  expect(await findOpenHalt(db)).toBeNull();
  const log = await db.selectFrom('audit_log').select(['action', 'subject_id']).execute();
  expect(log).toEqual([
    { action: 'polling.halt', subject_id: `halt ${first.id}` },
    { action: 'polling.lift_halt', subject_id: `halt ${first.id}` },
  ]);
});

test.each(['pollWhole', 'fetchReadings'] as const)(
  'in a halt %s asks no vendor, and the slot is SKIPPED_INACTIVE; after it the vendor is asked',
  async (step) => {
    const { openAdapter, asked } = countingVendors();
    const { activities, setClock } = testActivities(database, { openAdapter });
    setClock(slotMs);
    const poll = async () =>
      step === 'pollWhole'
        ? activities.pollWhole({ ...slot, trigger: 'SCHEDULE', requestedAtMs: null, missed: null })
        : activities.fetchReadings(slot);
    await halt();
    const skipped = { kind: 'SKIPPED_INACTIVE', nowMs: slotMs };
    expect(await poll()).toEqual(
      step === 'pollWhole' ? { kind: 'FETCHED', fetched: skipped } : skipped,
    );
    expect(asked).toEqual([]);
    await liftHalt(database.db, { by, at });
    await poll();
    expect(asked).toContain('summary');
  },
);

test('a halt that begins after the poll has read its plant still keeps the request back', async () => {
  const { openAdapter, asked } = countingVendors();
  const { activities, setClock } = testActivities(database, {
    openAdapter,
    checkpoint: async (name) => void (name === 'before vendor call' && (await halt())),
  });
  setClock(slotMs);
  expect(await activities.fetchReadings(slot)).toEqual({ kind: 'SKIPPED_INACTIVE', nowMs: slotMs });
  expect(asked).toEqual([]);
});

test('days that are filled or closed in a halt ask no vendor, and say why', async () => {
  const { openAdapter, asked } = countingVendors();
  const { activities } = testActivities(database, { openAdapter });
  await halt();
  const { failure } = await activities.backfillDays({
    plantId: 'plant',
    dates: ['2026-06-10'],
    nowMs: slotMs,
    source: 'BACKFILL',
  });
  expect(failure?.message).toContain('all polling is stopped');
  expect(asked).toEqual([]);
});

test('polls of one second share one question; a second later the next one sees the halt', async () => {
  let nowMs = 0;
  const { db } = database;
  const isHalted = createHaltWatch(db, () => nowMs);
  const ask = () => Promise.all([isHalted(), isHalted()]);
  expect(await countQueries(db, ask)).toBe(1);
  await halt();
  nowMs = 999;
  expect(await countQueries(db, async () => expect(await ask()).toEqual([false, false]))).toBe(0);
  nowMs = 1_000;
  expect(await isHalted()).toBe(true);
});

test('an answer that could not be read is not kept', async () => {
  const away = openDatabase({ url: 'postgresql://127.0.0.1:9/none' });
  const isHalted = createHaltWatch(away, () => 0);
  await expect(isHalted()).rejects.toThrow();
  await away.destroy();
  await expect(isHalted()).rejects.toThrow('destroyed');
});

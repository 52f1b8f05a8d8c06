import { beforeEach, describe, expect } from 'vitest';

import type { Refusal } from '../../domain/gateways/read-plan.ts';
import { addGateways, deleteGateways, testGateway } from '../../test/support/gateways.ts';
import { database, test } from '../../test/support/test-database.ts';
import {
  loadLayouts,
  loadLearned,
  resetLearned,
  saveLayout,
  saveLearned,
  siteKey,
} from './learned.ts';

const nowMs = Date.parse('2026-11-30T12:00:00Z');
const site = { host: 'north.example.org', port: 502 };
const other = { host: 'north.example.org', port: 503 };
const refusal = (different: Partial<Refusal> = {}): Refusal => ({
  unitId: 1,
  function: 3,
  address: 100,
  count: 20,
  code: 2,
  times: 2,
  atMs: nowMs,
  ...different,
});
const layout = { base: 40_000, models: [{ id: 1, address: 40_002, length: 66 }], problems: [] };

beforeEach(() => deleteGateways(database.db));

describe('what a unit refuses', () => {
  test('is loaded as it was stored, by address, however the host is written', async () => {
    const { db } = database;
    const refusals = [refusal(), refusal({ unitId: 2, function: 4, code: 1, times: 7 })];
    await saveLearned(db, { host: 'North.Example.ORG.', port: 502 }, refusals);
    await saveLearned(db, other, [refusal({ address: 5 })]);
    const loaded = await loadLearned(db, [site, { host: 'unknown', port: 502 }]);
    expect([...loaded]).toEqual([[siteKey(site), refusals]]);
  });

  test('replaces what was stored: what is not among it is forgotten', async () => {
    const { db } = database;
    await saveLearned(db, site, [refusal(), refusal({ address: 200 })]);
    await saveLearned(db, other, [refusal()]);
    const again = refusal({ code: 3, times: 3, atMs: nowMs + 60_000 });
    await saveLearned(db, site, [again]);
    expect((await loadLearned(db, [site])).get(siteKey(site))).toEqual([again]);
    await saveLearned(db, site, []);
    expect([...(await loadLearned(db, [site, other])).keys()]).toEqual([siteKey(other)]);
  });
});

describe('the SunSpec models of a unit', () => {
  test('are loaded as they were stored last; null: the unit is no SunSpec device', async () => {
    const { db } = database;
    await saveLayout(db, site, { unitId: 1, layout: null, foundAtMs: nowMs });
    await saveLayout(db, site, { unitId: 2, layout: null, foundAtMs: nowMs });
    await saveLayout(db, site, { unitId: 1, layout, foundAtMs: nowMs + 1_000 });
    expect((await loadLayouts(db, [site, other])).get(siteKey(site))).toEqual([
      { unitId: 1, layout, foundAtMs: nowMs + 1_000 },
      { unitId: 2, layout: null, foundAtMs: nowMs },
    ]);
  });
});

describe('a reset', () => {
  const revisions = async () =>
    Object.fromEntries(
      (
        await database.db.selectFrom('gateways').select(['id', 'revision']).orderBy('id').execute()
      ).map(({ id, revision }) => [id, revision]),
    );

  beforeEach(async () => {
    const { db } = database;
    await addGateways(
      db,
      [
        testGateway('north', { host: 'North.example.org' }),
        testGateway('port', { host: site.host, port: 503 }),
        testGateway('south'),
      ],
      nowMs,
    );
    for (const one of [site, other]) {
      await saveLearned(db, one, [refusal(), refusal({ unitId: 2 })]);
      await saveLayout(db, one, { unitId: 2, layout, foundAtMs: nowMs });
    }
  });

  test('of an address forgets all of its units, and its gateways alone have a new revision', async () => {
    const { db } = database;
    const before = await revisions();
    expect(await resetLearned(db, site, null)).toEqual({ refusals: 2, layouts: 1 });
    expect([...(await loadLearned(db, [site, other])).keys()]).toEqual([siteKey(other)]);
    expect([...(await loadLayouts(db, [site, other])).keys()]).toEqual([siteKey(other)]);
    expect(await revisions()).toEqual({ ...before, north: (before['north'] ?? 0) + 1 });
    expect(await resetLearned(db, site, null)).toEqual({ refusals: 0, layouts: 0 });
  });

  test('of one unit leaves what the others refuse', async () => {
    const { db } = database;
    expect(await resetLearned(db, site, 1)).toEqual({ refusals: 1, layouts: 0 });
    expect((await loadLearned(db, [site])).get(siteKey(site))).toEqual([refusal({ unitId: 2 })]);
    expect((await loadLayouts(db, [site])).size).toBe(1);
  });
});

import fc from 'fast-check';
import { beforeEach, describe, expect } from 'vitest';

import type { UnitPoint } from '../../domain/gateways/point.ts';
import {
  addGateways,
  deleteGateways,
  testGateway,
  testPoint,
  testReading,
  testRow,
} from '../../test/support/gateways.ts';
import { database, test } from '../../test/support/test-database.ts';
import { takeLease } from './leases.ts';
import { saveMaps } from './points.ts';
import { findRolledUntil, rollUp } from './rollups.ts';
import { writeBatch } from './write-batch.ts';

const dayMs = 86_400_000;
const quarterMs = 900_000;
/** A midnight. */
const startMs = Date.parse('2026-03-10T00:00:00Z');
/** Polls around a midnight. */
const eveningMs = startMs + dayMs - 4 * quarterMs;
const nightMs = 8 * quarterMs;
const place = { shard: 0, shards: 1 };
const owner = 'boot/1/42/7';

const power = testPoint('power_w');
const total = testPoint('total_kwh', { address: 2 });
const inUnit = (points: (typeof power)[]): UnitPoint[] =>
  points.map((point) => ({ ...point, unitId: 1 }));

let epoch: number;
/** Two lists of points: the second one has the same points the other way round. */
let maps: number[];
beforeEach(async () => {
  const { db } = database;
  await deleteGateways(db);
  await addGateways(db, [testGateway('north', {}, [power, total])], startMs);
  maps = await saveMaps(db, [inUnit([power, total]), inUnit([total, power])]);
  const taken = await takeLease(db, { shard: 0, owner, worker: 'w', ttlMs: 60_000 });
  epoch = taken.kind === 'TAKEN' ? taken.epoch : 0;
});

/** A poll: null is a failed one. */
interface Poll {
  atMs: number;
  map: 0 | 1;
  values: { power: number | null; total: number | null } | null;
}

async function write(polls: readonly Poll[]): Promise<void> {
  const rows = polls.map(({ atMs, map, values }) => {
    const inOrder =
      values === null
        ? null
        : map === 0
          ? [values.power, values.total]
          : [values.total, values.power];
    const failed = { outcome: 'FAILED', reason: 'TIMEOUT', mapId: null } as const;
    return testRow('north', {
      reading: testReading(atMs, inOrder, {
        mapId: maps[map] ?? null,
        ...(values === null ? failed : {}),
      }),
    });
  });
  await writeBatch(database.db, { owner, ttlMs: 60_000, leases: [{ shard: 0, epoch }], rows });
}

const roll = (untilMs: number) =>
  rollUp(database.db, place, { nowMs: untilMs + 60_000, quartersMax: 1_000 });

interface Rolled {
  at: number;
  map: number;
  readings: number;
  power: Cell;
  total: Cell;
}
interface Cell {
  min: number | null;
  mean: number | null;
  max: number | null;
  last: number | null;
  delta: number | null;
  good: number;
}

async function rolled(table: 'gateway_rollups_15min' | 'gateway_rollups_day'): Promise<Rolled[]> {
  const rows = await database.db
    .selectFrom(table)
    .selectAll()
    .orderBy('bucket_at')
    .orderBy('map_id')
    .execute();
  return rows.map((row) => {
    const map = maps.indexOf(row.map_id);
    const cell = (n: number): Cell => ({
      min: row.min[n] ?? null,
      mean: row.mean[n] ?? null,
      max: row.max[n] ?? null,
      last: row.last[n] ?? null,
      delta: row.delta[n] ?? null,
      good: row.good[n] ?? 0,
    });
    const [first, second] = [cell(0), cell(1)];
    return {
      at: row.bucket_at.getTime(),
      map,
      readings: row.readings,
      power: map === 0 ? first : second,
      total: map === 0 ? second : first,
    };
  });
}

/** The same by a loop over all polls, in order. */
function naive(polls: readonly Poll[], bucketMs: number): Rolled[] {
  const rows = new Map<string, Rolled>();
  const sums = new Map<Cell, number>();
  let before: number | null = null;
  const none = (): Cell => ({ min: null, mean: null, max: null, last: null, delta: null, good: 0 });
  const add = (cell: Cell, value: number): void => {
    cell.min = Math.min(cell.min ?? value, value);
    cell.max = Math.max(cell.max ?? value, value);
    cell.last = value;
    cell.good += 1;
    sums.set(cell, (sums.get(cell) ?? 0) + value);
    cell.mean = (sums.get(cell) ?? 0) / cell.good;
  };
  for (const { atMs, map: ofPoll, values } of polls.toSorted((a, b) => a.atMs - b.atMs)) {
    // A failed poll counts for the present list.
    const map = values === null ? 0 : ofPoll;
    const at = Math.floor(atMs / bucketMs) * bucketMs;
    const row = rows.get(`${at}/${map}`) ?? { at, map, readings: 0, power: none(), total: none() };
    rows.set(`${at}/${map}`, row);
    row.readings += 1;
    if (values === null) continue;
    if (values.power !== null) add(row.power, values.power);
    if (values.total === null) continue;
    add(row.total, values.total);
    if (before !== null) {
      const fall = values.total < before / 2 ? values.total : 0;
      row.total.delta =
        (row.total.delta ?? 0) + (values.total >= before ? values.total - before : fall);
    }
    before = values.total;
  }
  return [...rows.values()].toSorted((a, b) => a.at - b.at || a.map - b.map);
}

/** Sums of floating-point numbers depend on their order in the last digits. */
function rounded(rows: readonly Rolled[]): Rolled[] {
  const round = (cell: Cell): Cell => ({
    ...cell,
    mean: cell.mean === null ? null : Number(cell.mean.toPrecision(10)),
    delta: cell.delta === null ? null : Number(cell.delta.toPrecision(10)),
  });
  return rows.map((row) => ({ ...row, power: round(row.power), total: round(row.total) }));
}

const value = fc.option(fc.integer({ min: 0, max: 1_000_000 }).map((n) => n / 8));
const values = fc.option(fc.record({ power: value, total: value }), { freq: 6 });
const polls = fc.uniqueArray(
  fc.record({
    atMs: fc.integer({ min: 0, max: nightMs / 10_000 - 1 }).map((n) => eveningMs + 10_000 * n),
    map: fc.constantFrom(0 as const, 1 as const),
    values,
  }),
  { selector: ({ atMs }) => atMs, minLength: 1, maxLength: 40 },
);

describe('roll-ups', () => {
  test('equal a recomputation of all rows, also where rows come late and in any order', async () => {
    await fc.assert(
      fc.asyncProperty(polls, fc.double({ min: 0, max: 1, noNaN: true }), async (all, share) => {
        await database.db.deleteFrom('gateway_readings').execute();
        for (const table of [
          'gateway_rollups_15min',
          'gateway_rollups_day',
          'gateway_rollups_done',
          'gateway_rollups_due',
        ] as const)
          await database.db.deleteFrom(table).execute();
        for (const unit of ['15min', 'day'] as const)
          await database.db
            .insertInto('gateway_rollups_done')
            .values({ ...place, unit, until_at: new Date(unit === 'day' ? startMs : eveningMs) })
            .execute();
        const inTime = Math.floor(all.length * share);
        await write(all.slice(0, inTime));
        await roll(eveningMs + nightMs);
        await write(all.slice(inTime));
        await roll(eveningMs + nightMs);
        expect(rounded(await rolled('gateway_rollups_15min'))).toEqual(
          rounded(naive(all, quarterMs)),
        );
        const firstDay = all.filter(({ atMs }) => atMs < startMs + dayMs);
        expect(rounded(await rolled('gateway_rollups_day'))).toEqual(
          rounded(naive(firstDay, dayMs)),
        );
        expect(await database.db.selectFrom('gateway_rollups_due').selectAll().execute()).toEqual(
          [],
        );
      }),
      { numRuns: 20 },
    );
  });

  const at = (n: number, totalKwh: number | null, powerW: number | null = 100): Poll => ({
    atMs: startMs + n * 10_000,
    map: 0,
    values: { power: powerW, total: totalKwh },
  });

  test('a rise across the edge belongs to the bucket of its later value, also after a long gap', async () => {
    await write([at(0, 10), at(89, 12), at(90, 15), at(900, 40)]);
    await roll(startMs + dayMs);
    expect((await rolled('gateway_rollups_15min')).map((row) => row.total.delta)).toEqual([
      2, 3, 25,
    ]);
    expect(await rolled('gateway_rollups_day')).toMatchObject([
      { readings: 4, total: { delta: 30, last: 40, good: 4 }, power: { delta: null, mean: 100 } },
    ]);
  });

  test('a bucket in which a counter is BAD carries its last value on', async () => {
    await write([at(0, 10), at(95, null), at(200, 14)]);
    await roll(startMs + dayMs);
    expect((await rolled('gateway_rollups_15min')).map((row) => row.total.delta)).toEqual([
      null,
      null,
      4,
    ]);
  });

  test('a restart counts from zero, a small fall counts nothing', async () => {
    await write([at(0, 100), at(1, 99.9), at(2, 3), at(3, 5)]);
    await roll(startMs + quarterMs);
    expect((await rolled('gateway_rollups_15min'))[0]?.total.delta).toBeCloseTo(5);
  });

  test('only buckets that are over are rolled up, each once, and the line follows', async () => {
    await write([at(0, 10), at(90, 20)]);
    expect(await findRolledUntil(database.db)).toBeNull();
    const { quarters } = await rollUp(database.db, place, { nowMs: startMs + quarterMs + 59_999 });
    expect(quarters).toBe(0);
    expect(await roll(startMs + quarterMs)).toMatchObject({ quarters: 1, days: 0 });
    expect(await findRolledUntil(database.db)).toBe(startMs + quarterMs);
    expect(await rolled('gateway_rollups_15min')).toHaveLength(1);
    expect(await roll(startMs + quarterMs)).toMatchObject({ quarters: 0 });
  });

  test('another number of shards goes on where all shards of the earlier number were', async () => {
    await write([at(0, 10), at(90, 20)]);
    await roll(startMs + dayMs + quarterMs);
    const results = [];
    for (const shard of [0, 1, 2])
      results.push(
        await rollUp(
          database.db,
          { shard, shards: 3 },
          { nowMs: startMs + dayMs + 2 * quarterMs + 60_000 },
        ),
      );
    expect(results.map(({ quarters }) => quarters).toSorted((a, b) => a - b)).toEqual([0, 0, 2]);
    expect((await rolled('gateway_rollups_15min')).map((row) => row.total.delta)).toEqual([
      null,
      10,
    ]);
  });
});

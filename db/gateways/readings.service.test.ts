import { sql } from 'kysely';
import { describe, expect } from 'vitest';

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
import { readSeries, type SeriesBucket, type SeriesValue } from './readings.ts';
import { rollUp } from './rollups.ts';
import { writeBatch } from './write-batch.ts';

/** The course of a point over days that are rolled up, quarters that are, and readings that are not. */

const minuteMs = 60_000;
const quarterMs = 15 * minuteMs;
const hourMs = 4 * quarterMs;
const dayMs = 24 * hourMs;
/** A midnight. */
const startMs = Date.parse('2026-03-10T00:00:00Z');
/** Midnight of the second day, which is not over. */
const todayMs = startMs + dayMs;
const nowMs = todayMs + 12 * hourMs + 40 * minuteMs;
const owner = 'boot/1/42/7';
const place = { shard: 0, shards: 1 };

const power = testPoint('power_w');
const total = testPoint('total_kwh', { address: 2 });
const inUnit = (points: (typeof power)[]): UnitPoint[] =>
  points.map((point) => ({ ...point, unitId: 1 }));

/** A poll each five minutes from the first midnight until now; the one at `n` has the power n and the total 2n. */
const count = Math.floor((nowMs - startMs) / (5 * minuteMs)) + 1;
const atOf = (n: number) => startMs + n * 5 * minuteMs;
/** So that a failed poll and a BAD value are among those of each kind. */
const isFailed = (n: number) => n % 50 === 7;
const isBad = (n: number) => n % 40 === 9;
/** From here on the points stand the other way round. */
const turnsAt = Math.floor((12 * hourMs) / (5 * minuteMs));

interface Poll {
  n: number;
  atMs: number;
  power: number | null;
}
const all: Poll[] = Array.from({ length: count }, (_, n) => ({
  n,
  atMs: atOf(n),
  power: isFailed(n) || isBad(n) ? null : n,
}));

async function fill(): Promise<void> {
  const { db } = database;
  await deleteGateways(db);
  await addGateways(db, [testGateway('north', {}, [power, total])], startMs);
  const maps = await saveMaps(db, [inUnit([power, total]), inUnit([total, power])]);
  const taken = await takeLease(db, { shard: 0, owner, worker: 'w', ttlMs: 60_000 });
  const epoch = taken.kind === 'TAKEN' ? taken.epoch : 0;
  const rows = all.map(({ n, atMs, power: watts }) => {
    const inOrder = n < turnsAt ? [watts, 2 * n] : [2 * n, watts];
    const reading = isFailed(n)
      ? testReading(atMs, null, { outcome: 'FAILED', reason: 'TIMEOUT' })
      : testReading(atMs, inOrder, { mapId: maps[n < turnsAt ? 0 : 1] ?? null });
    return testRow('north', { reading });
  });
  await writeBatch(db, { owner, ttlMs: 60_000, leases: [{ shard: 0, epoch }], rows });
}

const roll = () => rollUp(database.db, place, { nowMs, quartersMax: 1_000 });

const read = (bucket: SeriesBucket, key = 'power_w', limit = 10_000) =>
  readSeries(
    database.db,
    'north',
    { unitId: 1, key },
    { fromMs: startMs, toMs: nowMs + 1, bucket, limit },
  );

/** The same by a loop over all polls. */
function naive(bucketMs: number, polls: readonly Poll[] = all) {
  const buckets = Map.groupBy(polls, ({ atMs }) => Math.floor(atMs / bucketMs) * bucketMs);
  return [...buckets].map(([at, of]) => {
    const good = of.flatMap((poll) => poll.power ?? []);
    return {
      at,
      min: good.length === 0 ? null : Math.min(...good),
      mean: good.length === 0 ? null : good.reduce((sum, n) => sum + n, 0) / good.length,
      max: good.length === 0 ? null : Math.max(...good),
      last: good.at(-1) ?? null,
      readings: of.length,
      good: good.length,
    };
  });
}

/** Sums of floating-point numbers depend on their order in the last digits. */
const plain = (values: readonly SeriesValue[]) =>
  values.map(({ at, min, mean, max, last, readings, good }) => ({
    at: at.getTime(),
    min,
    mean: mean === null ? null : Number(mean.toPrecision(10)),
    max,
    last,
    readings,
    good,
  }));
const rounded = (values: ReturnType<typeof naive>) =>
  values.map((value) => ({
    ...value,
    mean: value.mean === null ? null : Number(value.mean.toPrecision(10)),
  }));

const lengths = { '1m': minuteMs, '5m': 5 * minuteMs, '15m': quarterMs, '1h': hourMs, '1d': dayMs };
const buckets = Object.keys(lengths) as (keyof typeof lengths)[];

describe('before any roll-up', () => {
  test.beforeAll(fill);

  test.each(buckets)('the course in buckets of %s is that of all polls', async (bucket) => {
    expect(plain(await read(bucket))).toEqual(rounded(naive(lengths[bucket])));
  });

  test('that of single polls is each of them, null where it failed or the value is BAD', async () => {
    const values = await read('raw');
    expect(values.map(({ at, last }) => [at.getTime(), last])).toEqual(
      all.map((poll) => [poll.atMs, poll.power]),
    );
    expect(values.reduce((sum, { good }) => sum + good, 0)).toBe(
      all.filter((poll) => poll.power !== null).length,
    );
  });
});

describe('from days, quarters and readings together', () => {
  test.beforeAll(async () => {
    await fill();
    expect(await roll()).toMatchObject({ days: 1 });
  });

  test.each(buckets)('the course in buckets of %s is that of all polls', async (bucket) => {
    expect(plain(await read(bucket))).toEqual(rounded(naive(lengths[bucket])));
  });

  test('a limit gives the newest part of it, the oldest value first', async () => {
    expect(plain(await read('1h', 'power_w', 3))).toEqual(rounded(naive(hourMs)).slice(-3));
  });

  test('of a counter it says what it rose', async () => {
    const rises = (await read('1h', 'total_kwh')).map(({ delta }) => delta);
    // Twelve polls an hour raise it by two each. Its first value has none before it.
    expect(rises.slice(0, 2)).toEqual([22, 24]);
    const [day] = await read('1d', 'total_kwh');
    expect(day?.delta).toBe(2 * (dayMs / (5 * minuteMs) - 1));
    expect((await read('5m', 'total_kwh')).every(({ delta }) => delta === null)).toBe(true);
  });

  test('of a point that no list has it is null, and its polls count', async () => {
    const values = await read('1h', 'nothing');
    expect(values.every(({ last, good }) => last === null && good === 0)).toBe(true);
    expect(values.reduce((sum, { readings }) => sum + readings, 0)).toBe(count);
  });
});

describe('after a prune', () => {
  test.beforeAll(async () => {
    await fill();
    await roll();
  });

  const forget = (table: 'gateway_readings' | 'gateway_rollups_15min', at: string) =>
    sql`delete from ${sql.table(table)} where ${sql.ref(at)} < ${new Date(todayMs)}`.execute(
      database.db,
    );

  test('of the readings the course in quarters, hours and days is the same', async () => {
    await forget('gateway_readings', 'read_at');
    for (const bucket of ['15m', '1h', '1d'] as const)
      expect(plain(await read(bucket))).toEqual(rounded(naive(lengths[bucket])));
  });

  test('of the quarters too, the days are left', async () => {
    await forget('gateway_readings', 'read_at');
    await forget('gateway_rollups_15min', 'bucket_at');
    const [first, ...others] = rounded(naive(dayMs));
    const [day, ...today] = plain(await read('1d'));
    // The list of points changed within that day, and only its quarters say which list came last.
    expect(day).toEqual({ ...first, last: expect.any(Number) });
    expect(today).toEqual(others);
    expect(plain(await read('1h'))).toEqual(
      rounded(
        naive(
          hourMs,
          all.filter(({ atMs }) => atMs >= todayMs),
        ),
      ),
    );
  });
});

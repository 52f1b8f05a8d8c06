import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { takeLease } from '../../../db/gateways/leases.ts';
import { saveMaps } from '../../../db/gateways/points.ts';
import { rollUp } from '../../../db/gateways/rollups.ts';
import { writeBatch } from '../../../db/gateways/write-batch.ts';
import { dayMs, hourMs } from '../../../domain/zone.ts';
import {
  addGateways,
  deleteGateways,
  testGateway,
  testReading,
  testRow,
} from '../../../test/support/gateways.ts';
import { cli, test } from '../../../test/support/test-commands.ts';

/** `heliograph prune` on nine days of readings of a gateway that is polled every hour. */

const pruneSteadily = ['prune', '--older-than', '90d'];
const days = 9;
const owner = 'boot/1/42/7';
const place = { shard: 0, shards: 1 };

let nowMs = 0;
/** The midnight seven days ago, before which readings go unless said otherwise. */
let lineMs = 0;
let beganMs = 0;

const midnight = (ageDays: number) => Math.floor((nowMs - ageDays * dayMs) / dayMs) * dayMs;

beforeEach(async () => {
  const { db } = cli.fleet;
  nowMs = Date.now();
  lineMs = midnight(7);
  beganMs = midnight(days);
  await deleteGateways(db);
  // All days but the oldest have a partition; that one is in the DEFAULT partition.
  for (let age = days - 1; age >= 0; age -= 1)
    await sql`
      select make_ledger_part('gateway_readings', 'day', ${new Date(midnight(age)).toISOString().slice(0, 10)}::timestamp)`.execute(
      db,
    );
  const north = testGateway('north', { pollIntervalS: 3_600 });
  await addGateways(db, [north], beganMs);
  const [mapId = 0] = await saveMaps(db, [north.points]);
  const taken = await takeLease(db, { shard: 0, owner, worker: 'w', ttlMs: 60_000 });
  const epoch = taken.kind === 'TAKEN' ? taken.epoch : 0;
  const rows = [];
  for (let atMs = beganMs; atMs < nowMs; atMs += hourMs)
    rows.push(testRow('north', { reading: testReading(atMs, [1, 2], { mapId }) }));
  await writeBatch(db, { owner, ttlMs: 60_000, leases: [{ shard: 0, epoch }], rows });
});

/** Rolls up to this many days ago. */
const rollTo = (ageDays: number) =>
  rollUp(cli.fleet.db, place, { nowMs: midnight(ageDays) + 60_000, quartersMax: 10_000 });

async function readingsBefore(beforeMs: number): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from gateway_readings where read_at < ${new Date(beforeMs)}`.execute(
    cli.fleet.db,
  );
  return rows[0]?.n ?? 0;
}

async function partitionsOf(table: 'gateway_readings' | 'gateway_rollups_15min') {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = ${table}::regclass order by 1`.execute(cli.fleet.db);
  return rows.map(({ name }) => name);
}

const decisions = () =>
  cli.fleet.db.selectFrom('audit_log').select(['action', 'after']).orderBy('id').execute();

const pruneNow = async (args: readonly string[] = pruneSteadily) => {
  const { code, stdout } = await cli.run([...args, '--yes', '--json']);
  expect(code).toBe(0);
  return JSON.parse(stdout);
};

describe('readings', () => {
  test('that are rolled up and older than seven days are shown first, and then go', async () => {
    await rollTo(1);
    const before = await readingsBefore(nowMs);
    const old = await readingsBefore(lineMs);
    const partitions = await partitionsOf('gateway_readings');
    const shown = await cli.run([...pruneSteadily, '--dry-run']);
    expect(shown.stdout).toContain('readings of gateways');
    const planned = (await cli.json([...pruneSteadily, '--dry-run'])) as {
      gateways: { readings: { before: string; rows: number; months: { way: string }[] } };
    };
    expect(planned.gateways.readings.before).toBe(new Date(lineMs).toISOString());
    // The newest row before the line stays, as of plants.
    expect(planned.gateways.readings.rows).toBe(old - 1);
    expect(await readingsBefore(nowMs)).toBe(before);
    expect(await partitionsOf('gateway_readings')).toEqual(partitions);
    expect(await decisions()).toEqual([]);

    await pruneNow();
    expect(await readingsBefore(lineMs)).toBe(1);
    expect(await readingsBefore(nowMs)).toBe(before - old + 1);
    expect((await partitionsOf('gateway_readings')).length).toBeLessThan(partitions.length);
    expect(await decisions()).toMatchObject([
      { after: { kept_from: new Date(lineMs).toISOString(), older_than_days: 7 } },
    ]);
    // Nothing remains for a second one.
    expect(await pruneNow()).toMatchObject({ pruned: null, gateways: { readings: { rows: 0 } } });
  });

  test('that are not rolled up yet stay, however old they are', async () => {
    const before = await readingsBefore(nowMs);
    expect(await pruneNow()).toMatchObject({ pruned: null, gateways: { readings: null } });
    expect(await readingsBefore(nowMs)).toBe(before);
    await rollTo(8);
    const unrolled = before - (await readingsBefore(midnight(8)));
    expect(await pruneNow()).toMatchObject({
      gateways: { readings: { before: new Date(midnight(8)).toISOString() } },
    });
    expect(await readingsBefore(nowMs)).toBe(unrolled + 1);
  });

  test('have a retention of their own', async () => {
    await rollTo(7);
    const before = await readingsBefore(nowMs);
    await pruneNow([...pruneSteadily, '--gateway-readings-older-than', '8d']);
    expect(await readingsBefore(midnight(8))).toBe(1);
    expect(await readingsBefore(nowMs)).toBe(before - 24 + 1);
  });
});

describe('roll-ups of 15 minutes', () => {
  /** A month that ended at least 400 days ago, and one that did not. */
  const monthAt = (ageDays: number) =>
    `${new Date(nowMs - ageDays * dayMs).toISOString().slice(0, 7)}-01`;
  beforeEach(async () => {
    for (const age of [450, 380])
      await sql`
        select make_ledger_part('gateway_rollups_15min', 'month', ${monthAt(age)}::timestamp)`.execute(
        cli.fleet.db,
      );
    for (const table of ['gateway_rollups_15min', 'gateway_rollups_day'] as const)
      for (const age of [450, 380])
        await sql`
          insert into ${sql.table(table)} (gateway_id, bucket_at, map_id, readings, min, mean, max, last, delta, counter, good)
          values ('north', ${monthAt(age)}::timestamp at time zone 'UTC', 1, 1, '{1}', '{1}', '{1}', '{1}', '{null}', '{null}', '{1}')`.execute(
          cli.fleet.db,
        );
  });

  const rolled = async (table: 'gateway_rollups_15min' | 'gateway_rollups_day') =>
    (await cli.fleet.db.selectFrom(table).select('bucket_at').orderBy('bucket_at').execute()).map(
      ({ bucket_at: at }) => at.toISOString().slice(0, 10),
    );

  test('go by whole months after 400 days; the days stay for ever', async () => {
    const partitions = await partitionsOf('gateway_rollups_15min');
    const { stdout } = await cli.run([...pruneSteadily, '--dry-run']);
    expect(stdout).toMatch(/gateway_rollups_15min_\S+ is dropped: older than 400 days/);
    expect(await partitionsOf('gateway_rollups_15min')).toEqual(partitions);

    const pruned = await pruneNow();
    expect(pruned.gateways.rollups_15min).toHaveLength(1);
    expect(await partitionsOf('gateway_rollups_15min')).toEqual(
      partitions.filter((name) => name !== pruned.gateways.rollups_15min[0].table),
    );
    expect(await rolled('gateway_rollups_15min')).toEqual([monthAt(380)]);
    expect(await rolled('gateway_rollups_day')).toEqual([monthAt(450), monthAt(380)]);
  });
});

import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { database, test } from '../../test/support/test-database.ts';
import {
  addGateways,
  deleteGateways,
  testGateway,
  testReading,
  testRow,
  testState,
} from '../../test/support/gateways.ts';
import { instant } from '../database.ts';
import { releaseLease, takeLease } from './leases.ts';
import { type Batch, type BatchRow, isRowRefused, writeBatch } from './write-batch.ts';

const startMs = Date.parse('2026-03-10T12:00:00Z');
const slotMs = (n: number) => startMs + n * 10_000;
const owner = 'boot/1/42/7';

let epoch: number;
beforeEach(async () => {
  const { db } = database;
  await deleteGateways(db);
  await addGateways(db, [testGateway('north'), testGateway('south')], startMs);
  epoch = await take(owner);
});

async function take(by: string, shard = 0): Promise<number> {
  const taken = await takeLease(database.db, {
    shard,
    owner: by,
    worker: by,
    ttlMs: 4_000,
    deadOwners: [owner],
  });
  if (taken.kind !== 'TAKEN') throw new Error(`shard ${shard} is held`);
  return taken.epoch;
}

const batch = (rows: BatchRow[], other: Partial<Batch> = {}): Batch => ({
  owner,
  ttlMs: 4_000,
  leases: [{ shard: 0, epoch }],
  rows,
  ...other,
});
const write = (rows: BatchRow[], other: Partial<Batch> = {}) =>
  writeBatch(database.db, batch(rows, other));

const poll = (n: number, id = 'north'): BatchRow =>
  testRow(id, { reading: testReading(slotMs(n)), state: testState(slotMs(n)) });

/** All that a batch may change. */
async function stored() {
  const { db } = database;
  const readings = await db
    .selectFrom('gateway_readings')
    .selectAll()
    .orderBy('gateway_id')
    .orderBy('read_at')
    .execute();
  const states = await db.selectFrom('gateway_state').selectAll().orderBy('gateway_id').execute();
  const facts = await db.selectFrom('gateway_facts').selectAll().execute();
  return { readings, states, facts };
}

const held = [{ shard: 0, wantedBy: null }];

describe('a batch', () => {
  test('writes rows, states and texts, and renews the lease', async () => {
    await sql`update gateway_shards set expires_at = now() - interval '1 s'`.execute(database.db);
    const partial = testReading(slotMs(1), [1.5, null], {
      outcome: 'PARTIAL',
      reason: 'EXCEPTION_2',
      quality: [0, 102],
    });
    const written = await write([
      testRow('north', {
        reading: testReading(slotMs(1), [-0.1, 1e300]),
        state: testState(slotMs(1)),
        texts: [{ unitId: 1, key: 'serial', value: 'A"1\\{,}' }],
      }),
      testRow('south', { reading: partial }),
    ]);
    expect(written).toEqual(held);
    const { readings, states, facts } = await stored();
    expect(readings).toEqual([
      {
        gateway_id: 'north',
        read_at: instant(slotMs(1)),
        trigger: 'SCHEDULE',
        outcome: 'OK',
        reason: null,
        slots_missed: 0,
        measured_at: instant(slotMs(1) + 40),
        late_ms: 2,
        duration_ms: 38,
        requests: 1,
        map_id: null,
        values: [-0.1, 1e300],
        quality: null,
      },
      expect.objectContaining({ gateway_id: 'south', values: [1.5, null], quality: [0, 102] }),
    ]);
    expect(states[0]).toMatchObject({
      status: 'ONLINE',
      last_slot: instant(slotMs(1)),
      last_polled_at: instant(slotMs(1) + 2),
      last_seen_at: instant(slotMs(1) + 40),
      recent: 'O',
      counters: { '1/total_kwh': { value: 20 } },
      last_reading: { values: [1_000, 20] },
    });
    expect(states[1]).toMatchObject({ gateway_id: 'south', status: 'WAITING', last_slot: null });
    expect(facts).toMatchObject([{ gateway_id: 'north', key: 'serial', value: 'A"1\\{,}' }]);
    const { rows } = await sql`
      select expires_at > now() as renewed from gateway_shards`.execute(database.db);
    expect(rows).toEqual([{ renewed: true }]);
  });

  test('keeps instants to the millisecond', async () => {
    const oddMs = slotMs(0) + 123;
    await write([testRow('north', { reading: testReading(oddMs), state: testState(oddMs) })]);
    const { readings, states } = await stored();
    expect(readings[0]?.read_at.getTime()).toBe(oddMs);
    expect(states[0]?.last_slot?.getTime()).toBe(oddMs);
  });

  test('without rows renews the lease', async () => {
    expect(await write([])).toEqual(held);
  });

  test('written again changes nothing', async () => {
    const rows = [
      poll(1),
      testRow('south', {
        reading: testReading(slotMs(2)),
        texts: [{ unitId: 1, key: 'model', value: 'X' }],
      }),
    ];
    await write(rows);
    const before = await stored();
    expect(await write(rows)).toEqual(held);
    expect(await stored()).toEqual(before);
  });

  test('leaves the first row of a slot as it is', async () => {
    await write([poll(1)]);
    await write([testRow('north', { reading: testReading(slotMs(1), [9, 9]) })]);
    expect((await stored()).readings).toMatchObject([{ values: [1_000, 20] }]);
  });

  test('of several states of a gateway the last one counts', async () => {
    await write([poll(1), poll(2), poll(3, 'south')]);
    expect((await stored()).states).toMatchObject([
      { last_slot: instant(slotMs(2)) },
      { last_slot: instant(slotMs(3)) },
    ]);
  });
});

describe('a walker whose lease is lost writes nothing', () => {
  test('after its own process took the lease again with a new epoch', async () => {
    await take(owner);
    expect(await write([poll(1)])).toEqual([]);
    expect((await stored()).readings).toEqual([]);
    expect((await stored()).states[0]?.last_slot).toBeNull();
  });

  test('after another process took it over', async () => {
    const other = await take('boot/1/43/8');
    const text = { unitId: 1, key: 'serial', value: '1' };
    expect(await write([{ ...poll(1), texts: [text] }])).toEqual([]);
    // Not even with the epoch of the new owner.
    expect(await write([poll(1)], { leases: [{ shard: 0, epoch: other }] })).toEqual([]);
    expect(await stored()).toMatchObject({ readings: [], facts: [] });
  });

  test('after it released the lease itself', async () => {
    await releaseLease(database.db, { shard: 0, epoch, owner });
    expect(await write([poll(1)])).toEqual([]);
    expect((await stored()).readings).toEqual([]);
  });

  test('of two shards only the one that is lost', async () => {
    const second = await take(owner, 1);
    await take('boot/1/43/8');
    const leases = [
      { shard: 0, epoch },
      { shard: 1, epoch: second },
    ];
    const written = await write([poll(1), { ...poll(1, 'south'), shard: 1 }], { leases });
    expect(written).toEqual([{ shard: 1, wantedBy: null }]);
    expect((await stored()).readings).toMatchObject([{ gateway_id: 'south' }]);
    expect((await stored()).states.map((state) => state.last_slot !== null)).toEqual([false, true]);
  });

  test('while the other one takes it: the batch waits, and then sees the new epoch', async () => {
    let written: Promise<unknown> | undefined;
    await database.db.transaction().execute(async (trx) => {
      await sql`update gateway_shards set epoch = epoch + 1, owner = 'other'`.execute(trx);
      written = write([poll(1)]);
      // The batch waits for the row of the lease.
      for (let waits = false; !waits;) {
        const { rows } = await sql`
          select from pg_stat_activity where wait_event_type = 'Lock' and query like '%gateway-batch%'
            and datname = current_database()`.execute(database.db);
        waits = rows.length > 0;
      }
    });
    expect(await written).toEqual([]);
    expect((await stored()).readings).toEqual([]);
  });
});

describe('a row that the database refuses', () => {
  const refused: [string, BatchRow][] = [
    ['a value that is no number', testRow('south', { reading: testReading(slotMs(1), [NaN, 1]) })],
    ['an infinite value', testRow('south', { reading: testReading(slotMs(1), [1, -Infinity]) })],
    [
      'a number beyond its column',
      testRow('south', { reading: testReading(slotMs(1), [1], { lateMs: 3e9 }) }),
    ],
    [
      'a fraction in a whole column',
      testRow('south', { reading: testReading(slotMs(1), [1], { requests: 0.5 }) }),
    ],
    ['a text with NUL', testRow('south', { texts: [{ unitId: 1, key: 'serial', value: 'A\0B' }] })],
    [
      'a reason with NUL',
      testRow('south', {
        reading: testReading(slotMs(1), null, { outcome: 'FAILED', reason: '\0' }),
      }),
    ],
    [
      'counters with NUL',
      testRow('south', { state: testState(slotMs(1), { counters: { 'a\0': 1 } }) }),
    ],
    [
      'an unknown outcome',
      testRow('south', { reading: testReading(slotMs(1), [1], { outcome: 'GOOD' as 'OK' }) }),
    ],
    [
      'a MISSED row without slots',
      testRow('south', { reading: testReading(slotMs(1), null, { outcome: 'MISSED' }) }),
    ],
  ];
  test.each(refused)('%s is an error, and nothing of the batch is written', async (_, row) => {
    const before = await stored();
    const error = await write([poll(1), row]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(isRowRefused(error)).toBe(true);
    expect(await stored()).toEqual(before);
    // The other half of the batch is written.
    await write([poll(1)]);
    expect((await stored()).readings).toHaveLength(1);
  });

  test('is told from a database that is away', () => {
    expect(isRowRefused(Object.assign(new Error('away'), { code: '57P01' }))).toBe(false);
    expect(isRowRefused(Object.assign(new Error('away'), { code: 'ECONNREFUSED' }))).toBe(false);
    expect(isRowRefused(new Error('Connection terminated'))).toBe(false);
  });
});

describe('a state never goes back', () => {
  test('to an older slot', async () => {
    await write([poll(5)]);
    await write([poll(4)]);
    expect((await stored()).states[0]?.last_slot).toEqual(instant(slotMs(5)));
    // The row of the older slot is written.
    expect((await stored()).readings).toHaveLength(2);
  });

  test('to an older poll of the same slot', async () => {
    const manual = testState(slotMs(5), { lastPolledAtMs: slotMs(5) + 4_000, recent: 'OO' });
    await write([testRow('north', { state: manual })]);
    await write([poll(5)]);
    expect((await stored()).states[0]).toMatchObject({ recent: 'OO' });
  });

  test('goes on with an equal one, such as a standing that time alone changes', async () => {
    await write([poll(5)]);
    await write([testRow('north', { state: testState(slotMs(5), { status: 'DEGRADED' }) })]);
    expect((await stored()).states[0]).toMatchObject({ status: 'DEGRADED' });
  });

  test('leaves alone since when the gateway is disabled', async () => {
    await sql`update gateway_state set disabled_at = now()`.execute(database.db);
    await write([poll(5)]);
    expect((await stored()).states[0]?.disabled_at).not.toBeNull();
  });
});

test('texts are written where they change, and of a gateway that is gone not at all', async () => {
  const text = (value: string, n: number, id = 'north') =>
    testRow(id, {
      reading: testReading(slotMs(n)),
      texts: [{ unitId: 1, key: 'firmware', value }],
    });
  await write([text('1.0', 1), text('1.0', 2), text('9', 2, 'gone')]);
  await write([text('1.0', 3)]);
  expect((await stored()).facts).toMatchObject([
    { value: '1.0', changed_at: instant(slotMs(2) + 40) },
  ]);
  await write([text('1.1', 4)]);
  await write([text('1.0', 3)]);
  expect((await stored()).facts).toMatchObject([
    { value: '1.1', changed_at: instant(slotMs(4) + 40) },
  ]);
});

test('a row that comes after its bucket ended marks it for another roll-up', async () => {
  const nowMs = Date.now();
  await write([
    testRow('north', { reading: testReading(slotMs(1)) }),
    testRow('south', { reading: testReading(nowMs) }),
  ]);
  expect(await database.db.selectFrom('gateway_rollups_due').selectAll().execute()).toEqual([
    { gateway_id: 'north', unit: '15min', bucket_at: instant(startMs) },
  ]);
});

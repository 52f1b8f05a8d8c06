import { beforeEach, expect, test } from 'vitest';

import type { BatchRow } from '../../../db/gateways/write-batch.ts';
import { testReading, testState } from '../../../test/support/gateways.ts';
import { noonMs, VirtualClock } from '../../../test/support/walk.ts';
import { createWriter, type Writer } from './writer.ts';

/** What the writer keeps in memory while PostgreSQL is away. */

const bufferBytes = 64 * 1_024 * 1_024;
/** As the writer counts: 300 bytes for a row, 12 for each point. */
const values = Array.from({ length: 1_000 }, () => 1);
const rowBytes = 300 + 12 * values.length;
const intervalMs = 10_000;

let clock: VirtualClock;
let isAway: boolean;
let written: BatchRow[];
let writer: Writer;

beforeEach(() => {
  clock = new VirtualClock(noonMs);
  isAway = true;
  written = [];
  writer = createWriter({
    ports: {
      clock,
      log: { info() {}, warn() {}, error() {} },
      store: {
        async writeBatch(leases, rows) {
          if (isAway) throw new Error('PostgreSQL is away');
          written.push(...rows);
          return leases.map(({ shard }) => ({ shard, wantedBy: null }));
        },
        isRowRefused: () => false,
      },
    },
    leases: () => [{ shard: 0, epoch: 1 }],
    onRenewed: () => {},
  });
});

/** Adds slot `n` of a gateway. @param ofSlot false: a poll that a person asked for. */
function add(gatewayId: string, n: number, ofSlot = true): void {
  const slotMs = noonMs + n * intervalMs;
  writer.add({
    shard: 0,
    gatewayId,
    reading: testReading(slotMs, values, ofSlot ? {} : { trigger: 'MANUAL' }),
    texts: [],
    state: testState(slotMs),
    intervalMs: ofSlot ? intervalMs : null,
  });
}

async function comeBack(): Promise<void> {
  isAway = false;
  await clock.pass(5_000);
}

const rowsOf = (id: string) =>
  written.flatMap((row) => (row.gatewayId === id && row.reading !== null ? [row.reading] : []));

test('up to 64 MB wait, and all of it is written when PostgreSQL returns', async () => {
  const count = Math.floor(bufferBytes / rowBytes);
  for (let n = 0; n < count; n += 1) add('a', n);
  await clock.pass(3_000);
  expect(writer.waiting(0)).toEqual({ rows: count, oldestMs: noonMs });
  await comeBack();
  expect(rowsOf('a')).toHaveLength(count);
  expect(rowsOf('a').every(({ outcome }) => outcome === 'OK')).toBe(true);
});

test('beyond 64 MB the oldest of each gateway become one row MISSED/NO_DATABASE; no slot is lost', async () => {
  const perGateway = 3_000;
  for (let n = 0; n < perGateway; n += 1) {
    add('a', n);
    add('b', n);
  }
  await clock.pass(3_000);
  const waiting = writer.waiting(0).rows;
  expect(waiting * rowBytes).toBeLessThanOrEqual(bufferBytes + 2 * rowBytes);
  expect(waiting * rowBytes).toBeGreaterThan(bufferBytes / 2);
  await comeBack();
  for (const id of ['a', 'b']) {
    const [missed, ...kept] = rowsOf(id);
    expect(missed).toMatchObject({
      readAtMs: noonMs,
      outcome: 'MISSED',
      reason: 'NO_DATABASE',
      values: null,
    });
    const lost = missed?.slotsMissed ?? 0;
    expect(lost).toBe(perGateway - kept.length);
    expect(kept.map(({ readAtMs }) => readAtMs)).toEqual(
      Array.from({ length: kept.length }, (_, n) => noonMs + (lost + n) * intervalMs),
    );
    expect(kept.every(({ outcome }) => outcome === 'OK')).toBe(true);
    const newest = written.findLast((row) => row.gatewayId === id && row.state !== null);
    expect(newest?.state?.lastSlotMs).toBe(noonMs + (perGateway - 1) * intervalMs);
  }
  expect(writer.waiting(0).rows).toBe(0);
});

test('polls that people asked for stand for no slot, and are forgotten first when they are the oldest', async () => {
  add('a', 0, false);
  for (let n = 0; n < Math.ceil(bufferBytes / rowBytes); n += 1) add('b', n);
  await comeBack();
  expect(rowsOf('a')).toEqual([]);
  expect(rowsOf('b')[0]).toMatchObject({ outcome: 'MISSED', reason: 'NO_DATABASE' });
});

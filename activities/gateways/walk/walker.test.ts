import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createWalkBed, noonMs, putGateway, type WalkBed } from '../../../test/support/walk.ts';
import type { Walk } from './shards.ts';

/** The walk on a virtual clock: which slots are polled, which are written off, and what stops it. */

let bed: WalkBed;
let walk: Walk;

beforeEach(() => {
  bed = createWalkBed(noonMs - 500);
});
afterEach(() => bed.walker.close());

async function begin(): Promise<void> {
  walk = bed.walker.walk({ shard: 0, shards: 1 }, 1);
  await bed.clock.pass(10);
}

const second = 1_000;
const slots = (id: string) => bed.rowsOf(id).map(({ readAtMs }) => (readAtMs - noonMs) / second);
const outcomes = (id: string) =>
  bed.rowsOf(id).map((row) => `${row.outcome}${row.reason === null ? '' : `/${row.reason}`}`);

describe('slots', () => {
  test('are polled at the configured rate, one row each, on the slot', async () => {
    putGateway(bed, 'a');
    await begin();
    await bed.clock.pass(60 * second);
    expect(slots('a')).toEqual([0, 10, 20, 30, 40, 50]);
    expect(bed.rowsOf('a').every(({ trigger }) => trigger === 'SCHEDULE')).toBe(true);
    expect(bed.states.get('a')).toMatchObject({
      lastSlotMs: noonMs + 50 * second,
      recent: 'OOOOOO',
    });
  });

  test('late_ms is measured from the slot to the start of the poll', async () => {
    putGateway(bed, 'first', { port: 7 });
    putGateway(bed, 'second', { port: 7 });
    bed.behaviours.set(7, { takesMs: 400 });
    await begin();
    await bed.clock.pass(5 * second);
    expect(bed.rows.map(({ lateMs }) => lateMs)).toEqual([0, 400]);
    expect(bed.rows.map(({ durationMs }) => durationMs)).toEqual([400, 400]);
  });

  test('missed without a worker share one row for each UTC day, and the newest is polled', async () => {
    bed = createWalkBed(Date.UTC(2026, 11, 1, 0, 0, 35));
    putGateway(bed, 'a', { state: { lastSlotMs: Date.UTC(2026, 10, 30, 23, 59, 30) } });
    await begin();
    await bed.clock.pass(second);
    expect(
      bed.rows.map(({ readAtMs, outcome, reason, slotsMissed, trigger }) => [
        new Date(readAtMs).toISOString(),
        outcome,
        reason,
        slotsMissed,
        trigger,
      ]),
    ).toEqual([
      ['2026-11-30T23:59:40.000Z', 'MISSED', 'NO_WORKER', 2, 'SCHEDULE'],
      ['2026-12-01T00:00:00.000Z', 'MISSED', 'NO_WORKER', 3, 'SCHEDULE'],
      ['2026-12-01T00:00:30.000Z', 'OK', null, 0, 'CATCH_UP'],
    ]);
  });

  test('of an ended period are written off, up to its end', async () => {
    bed = createWalkBed(noonMs + 95 * second);
    bed.past.push({
      gatewayId: 'a',
      fromMs: noonMs - 3_600_000,
      toMs: noonMs + 30 * second,
      intervalMs: 10_000,
      phaseMs: 0,
    });
    const period = { fromMs: noonMs + 60 * second, intervalMs: 20_000, phaseMs: 0 };
    putGateway(bed, 'a', { period });
    await begin();
    await bed.clock.pass(second);
    expect(bed.rows.map(({ slotsMissed, outcome }) => [slotsMissed, outcome])).toEqual([
      [3, 'MISSED'],
      [1, 'MISSED'],
      [0, 'OK'],
    ]);
    expect(slots('a')).toEqual([0, 60, 80]);
  });

  test('with less than a second left are OVERRUN', async () => {
    putGateway(bed, 'slow', { port: 7, priority: 'HIGH' });
    putGateway(bed, 'waits', { port: 7 });
    bed.behaviours.set(7, { takesMs: 9_500 });
    await begin();
    // The deadline of a poll is 8 s: the other one has 2 s left in the first slot, and is cut before the next.
    await bed.clock.pass(30 * second);
    expect(bed.overlapMax).toBe(1);
    expect(bed.polls.every(({ deadlineMs }) => deadlineMs <= 8_000)).toBe(true);
    const polls = bed.polls.map(({ atMs, deadlineMs }) => (atMs + deadlineMs - noonMs) / second);
    expect(polls[1]).toBe(10);
    putGateway(bed, 'third', { port: 7, priority: 'LOW' });
    bed.walker.hearGateway('third');
    await bed.clock.pass(60 * second);
    expect(outcomes('third').filter((one) => one === 'MISSED/OVERRUN').length).toBeGreaterThan(0);
    expect(bed.overlapMax).toBe(1);
  });

  test('of a gateway that somebody else locks are SKIPPED_LOCKED, and nothing is sent', async () => {
    putGateway(bed, 'a');
    bed.takenLocks.add('a');
    await begin();
    await bed.clock.pass(15 * second);
    expect(outcomes('a')).toEqual(['SKIPPED_LOCKED/LOCKED', 'SKIPPED_LOCKED/LOCKED']);
    expect(bed.polls).toEqual([]);
    expect(bed.states.get('a')).toMatchObject({ recent: '', lastSlotMs: noonMs + 10 * second });
  });

  test('locks are asked for in one call before the slots', async () => {
    for (const id of ['a', 'b', 'c']) putGateway(bed, id);
    await begin();
    await bed.clock.pass(480);
    expect(bed.lockCalls.map((ids) => ids.toSorted())).toEqual([['a', 'b', 'c']]);
    expect(bed.polls).toEqual([]);
  });

  test('of a HIGH gateway go first when many are due at once', async () => {
    for (let n = 0; n < 300; n += 1) putGateway(bed, `low-${n}`, { priority: 'LOW' });
    putGateway(bed, 'high', { priority: 'HIGH' });
    await begin();
    await bed.clock.pass(500);
    expect(bed.polls[0]?.port).toBe(bed.gateways.get('high')?.port);
    expect(bed.polls).toHaveLength(301);
  });

  test('a wall clock that is set forward writes off what it jumped over', async () => {
    putGateway(bed, 'a');
    await begin();
    await bed.clock.pass(5 * second);
    bed.clock.stand(1_900);
    await bed.clock.pass(30 * second);
    expect(slots('a')).toEqual([0, 10, 20, 30]);
  });
});

describe('failures', () => {
  test('never move last_seen_at', async () => {
    putGateway(bed, 'a');
    await begin();
    await bed.clock.pass(5 * second);
    const seenAtMs = bed.states.get('a')?.lastSeenAtMs;
    bed.behaviours.set(1_000, { failure: { reason: 'TIMEOUT', message: 'no answer' } });
    await bed.clock.pass(40 * second);
    expect(outcomes('a').slice(1)).toEqual(Array.from({ length: 4 }, () => 'FAILED/TIMEOUT'));
    expect(seenAtMs).toBe(noonMs + 5);
    expect(bed.states.get('a')).toMatchObject({ lastSeenAtMs: seenAtMs, consecutiveFailures: 4 });
  });

  test('of one gateway do not make another one late', async () => {
    putGateway(bed, 'hangs');
    putGateway(bed, 'answers');
    bed.behaviours.set(1_000, { takesMs: Infinity });
    await begin();
    await bed.clock.pass(35 * second);
    expect(bed.rowsOf('answers').map(({ lateMs }) => lateMs)).toEqual([0, 0, 0, 0]);
    expect(outcomes('hangs')).toEqual(Array.from({ length: 3 }, () => 'FAILED/TIMEOUT'));
  });
});

describe('changes', () => {
  test('are in force within a second, and touch no other gateway', async () => {
    putGateway(bed, 'a');
    putGateway(bed, 'b');
    await begin();
    await bed.clock.pass(2 * second);
    putGateway(bed, 'a', { period: { fromMs: bed.clock.now(), reason: 'PAUSED' } });
    bed.walker.hearGateway('a');
    await bed.clock.pass(30 * second);
    expect(slots('a')).toEqual([0]);
    expect(slots('b')).toEqual([0, 10, 20, 30]);
    putGateway(bed, 'a', { period: { fromMs: bed.clock.now(), reason: 'ACTIVE' } });
    bed.walker.hearGateway('a');
    await bed.clock.pass(10 * second);
    expect(slots('a')).toEqual([0, 40]);
  });

  test('are found within five seconds when their notice is lost', async () => {
    await begin();
    putGateway(bed, 'new');
    await bed.clock.pass(6 * second);
    expect(bed.polls).toHaveLength(1);
  });

  test('a gateway whose first slot is far away is polled at once', async () => {
    await begin();
    const period = { fromMs: bed.clock.now(), intervalMs: 3_600_000, phaseMs: 1_800_000 };
    putGateway(bed, 'new', { period });
    bed.walker.hearGateway('new');
    await bed.clock.pass(second);
    expect(bed.rowsOf('new').map(({ trigger }) => trigger)).toEqual(['START']);
  });

  test('removed gateways are polled no more, and their socket is closed', async () => {
    putGateway(bed, 'a');
    await begin();
    await bed.clock.pass(second);
    bed.gateways.delete('a');
    bed.walker.hearGateway('a');
    await bed.clock.pass(30 * second);
    expect(slots('a')).toEqual([0]);
    expect(bed.closed).toEqual([1_000]);
  });
});

describe('requests', () => {
  test('a poll now goes before all slots of its socket, and is answered once it is stored', async () => {
    putGateway(bed, 'a');
    await begin();
    bed.behaviours.set(1_000, { values: [42] });
    bed.requests.push({ id: 1, gatewayId: 'a', kind: 'POLL', requestedBy: 'ana' });
    bed.walker.hearRequest();
    await bed.clock.pass(100);
    expect(bed.answers.get(1)).toMatchObject({ outcome: 'OK', points: [{ value: 42 }] });
    expect(bed.rowsOf('a').map(({ trigger }) => trigger)).toEqual(['MANUAL']);
    await bed.clock.pass(15 * second);
    expect(bed.rowsOf('a').map(({ trigger }) => trigger)).toEqual([
      'MANUAL',
      'SCHEDULE',
      'SCHEDULE',
    ]);
  });

  test('a read answers with bytes, and leaves no row', async () => {
    putGateway(bed, 'a');
    await begin();
    const read = { unitId: 1, function: 3 as const, address: 9, count: 1 };
    const request = { id: 2, gatewayId: 'a', kind: 'READ' as const, requestedBy: 'ana' };
    bed.requests.push({ ...request, arguments: read });
    bed.walker.hearRequest();
    await bed.clock.pass(100);
    expect(bed.answers.get(2)).toEqual({ bytes_hex: '1267' });
    expect(bed.rows).toEqual([]);
  });

  test('of a paused gateway are refused in words', async () => {
    putGateway(bed, 'a', { period: { reason: 'PAUSED' } });
    await begin();
    bed.requests.push({ id: 3, gatewayId: 'a', kind: 'POLL', requestedBy: 'ana' });
    bed.walker.hearRequest();
    await bed.clock.pass(100);
    expect(bed.answers.get(3)).toMatchObject({ failure: { reason: 'PAUSED' } });
    expect(bed.polls).toEqual([]);
  });
});

describe('while PostgreSQL is away', () => {
  test('polling goes on, and the rows come when it returns', async () => {
    putGateway(bed, 'a');
    await begin();
    bed.database.isAway = true;
    await bed.clock.pass(25 * second);
    expect(bed.rows).toEqual([]);
    expect(bed.polls).toHaveLength(3);
    bed.database.isAway = false;
    await bed.clock.pass(2 * second);
    expect(slots('a')).toEqual([0, 10, 20]);
    expect(outcomes('a')).toEqual(['OK', 'OK', 'OK']);
  });

  test('what is older than ten minutes becomes one MISSED row', async () => {
    putGateway(bed, 'a');
    await begin();
    bed.database.isAway = true;
    await bed.clock.pass(15 * 60 * second);
    bed.database.isAway = false;
    await bed.clock.pass(2 * second);
    const [missed, ...others] = bed.rowsOf('a');
    expect(missed).toMatchObject({ readAtMs: noonMs, outcome: 'MISSED', reason: 'NO_DATABASE' });
    expect((missed?.slotsMissed ?? 0) + others.length).toBe(91);
    expect(others.length).toBeGreaterThanOrEqual(59);
    expect(others.every(({ outcome }) => outcome === 'OK')).toBe(true);
  });

  test('when a walk begins, the slots until its return are MISSED, and the database is the reason', async () => {
    putGateway(bed, 'a', { state: { lastSlotMs: noonMs - 30 * second } });
    bed.database.isAway = true;
    await begin();
    await bed.clock.pass(35 * second);
    expect(bed.polls).toEqual([]);
    bed.database.isAway = false;
    await bed.clock.pass(10 * second);
    expect(
      bed.rowsOf('a').map((row) => [(row.readAtMs - noonMs) / second, row.reason, row.slotsMissed]),
    ).toEqual([
      [-20, 'NO_WORKER', 2],
      [0, 'NO_DATABASE', 3],
      [30, null, 0],
      [40, null, 0],
    ]);
  });

  test('and Temporal too, a walk ends after a minute', async () => {
    putGateway(bed, 'a');
    await begin();
    bed.database.isAway = true;
    walk.attend(false);
    await bed.clock.pass(58 * second);
    const before = bed.polls.length;
    await bed.clock.pass(10 * second);
    expect(await walk.ended).toBe('ALONE');
    await bed.clock.pass(60 * second);
    expect(bed.polls.length).toBeLessThanOrEqual(before + 1);
  });

  test('a row that it refuses becomes FAILED, and the others of the batch are written', async () => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) putGateway(bed, id);
    bed.database.refuses = (row) => row.gatewayId === 'c' && row.reading?.values !== null;
    await begin();
    await bed.clock.pass(5 * second);
    expect(outcomes('c')).toEqual(['FAILED/ROW_REFUSED']);
    for (const id of ['a', 'b', 'd', 'e']) expect(outcomes(id)).toEqual(['OK']);
  });
});

describe('rows', () => {
  test('that end within 100 ms go into one statement', async () => {
    for (let n = 0; n < 40; n += 1) putGateway(bed, `g-${n}`);
    await begin();
    await bed.clock.pass(5 * second);
    expect(bed.batches).toEqual([40]);
  });
});

describe('the lease', () => {
  test('that is lost ends the walk: nothing is sent or stored any more', async () => {
    putGateway(bed, 'a');
    bed.behaviours.set(1_000, { takesMs: 3_000 });
    await begin();
    await bed.clock.pass(second);
    bed.database.isHeld = false;
    await bed.clock.pass(60 * second);
    expect(await walk.ended).toBe('LOST');
    expect(bed.polls).toHaveLength(1);
    expect(bed.rows).toEqual([]);
  });

  test('that another attempt wants is given up, after what is in flight', async () => {
    putGateway(bed, 'a');
    bed.behaviours.set(1_000, { takesMs: 800 });
    await begin();
    await bed.clock.pass(600);
    bed.database.wantedBy = 'boot/1/2/3';
    await bed.clock.pass(10 * second);
    expect(await walk.ended).toBe('WANTED');
    expect(outcomes('a')).toEqual(['OK']);
    expect(bed.closed).toEqual([1_000]);
  });

  test('leaving cuts what takes longer than a second: it leaves no row, and the successor polls it', async () => {
    putGateway(bed, 'a');
    bed.behaviours.set(1_000, { takesMs: 5_000 });
    await begin();
    await bed.clock.pass(600);
    const left = walk.end('LEAVING');
    await bed.clock.pass(2 * second);
    expect(await left).toBe('LEAVING');
    expect(bed.rows).toEqual([]);
    expect(bed.states.get('a')?.lastSlotMs ?? noonMs - 10 * second).toBe(noonMs - 10 * second);
  });

  test('is read before anything is sent after the process stood still', async () => {
    putGateway(bed, 'a');
    await begin();
    await bed.clock.pass(5 * second);
    const before = bed.polls.length;
    bed.clock.stand(20 * second);
    bed.database.isHeld = false;
    expect(bed.walker.maySend()).toBe(false);
    await bed.clock.pass(60 * second);
    expect(await walk.ended).toBe('LOST');
    expect(bed.polls).toHaveLength(before);
  });

  test('that still holds after the process stood still lets the walk go on', async () => {
    putGateway(bed, 'a');
    await begin();
    await bed.clock.pass(5 * second);
    bed.clock.stand(20 * second);
    await bed.clock.pass(10 * second);
    expect(bed.rowsOf('a').map((row) => [row.outcome, row.slotsMissed])).toEqual([
      ['OK', 0],
      ['MISSED', 1],
      ['OK', 0],
      ['OK', 0],
    ]);
  });
});

describe('an emergency stop', () => {
  test('stops everything within two seconds, also what is in flight, and its slots are HALTED', async () => {
    putGateway(bed, 'a');
    putGateway(bed, 'slow');
    bed.behaviours.set(1_001, { takesMs: 7_000 });
    await begin();
    await bed.clock.pass(2 * second);
    bed.database.isHalted = true;
    await bed.clock.pass(2 * second);
    const before = bed.polls.length;
    await bed.clock.pass(30 * second);
    expect(bed.polls).toHaveLength(before);
    expect(outcomes('slow')).toEqual(['MISSED/HALTED']);
    bed.database.isHalted = false;
    await bed.clock.pass(8 * second);
    expect(outcomes('a')).toEqual(['OK', 'MISSED/HALTED', 'OK', 'OK']);
  });
});

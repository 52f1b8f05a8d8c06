import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import {
  countSlots,
  findDoubledSlots,
  findLedgerStart,
  findSlotGaps,
  findStrayRows,
  hasLedgerKey,
} from './check.ts';
import { type Ledger, makeLedgerParts } from './ledger.ts';
import { countMissedSlots, insertMissed } from './missed.ts';
import { findOpenPeriod, replacePeriod, wasActiveBetween } from './periods.ts';
import { findLedgerKeptFrom, onPruneSession, planPrune, prune } from './prune.ts';

/**
 * The kit over a ledger that is not the plants': other names, every row is of a slot, partitions of a day, and a gap is one
 * row with a count for each UTC day.
 */
const wells: Ledger = {
  subjects: 'wells',
  subject: 'well',
  periods: 'well_periods',
  rows: 'well_levels',
  slot: 'read_at',
  job: null,
  betweenSlots: ['MANUAL'],
  heardWithinMs: 2_000,
  gap: 'ROW_WITH_COUNT',
  parts: { unit: 'day', ahead: 1 },
  kept: 'well_levels_kept',
};

const minuteMs = 60_000;
const dayMs = 86_400_000;
/** Noon. */
const startMs = Date.parse('2026-03-10T12:00:00Z');
const every = { intervalMs: 10_000, phaseMs: 3_000 };
const id = 'north';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
  await sql
    .raw(`
    create table wells (id text primary key);
    create table well_periods (well text not null references wells, from_at timestamptz not null, to_at timestamptz,
      interval_s integer not null, phase_ms integer not null, reason text not null, primary key (well, from_at));
    create table well_levels (well text not null, read_at timestamptz not null, "trigger" text not null, outcome text not null,
      slots_missed integer, note text, primary key (well, read_at)) partition by range (read_at);
    create table well_levels_default partition of well_levels default;
    create table well_levels_kept (only_row boolean primary key default true, from_at timestamptz not null);
    insert into wells values ('north'), ('south')`)
    .execute(database.db);
});
afterEach(() => database.drop());

const slotMs = (n: number) => startMs + every.phaseMs + n * every.intervalMs;

async function read(fromMs: number, toMs: number): Promise<void> {
  await sql`
    insert into well_levels (well, read_at, "trigger", outcome)
    select ${id}, at, 'SCHEDULE', 'OK' from generate_series(${new Date(fromMs)}::timestamptz, ${new Date(toMs)}::timestamptz,
      interval '10 s') as at`.execute(database.db);
}

const open = () =>
  replacePeriod(database.db, wells, id, {
    closeAtMs: startMs,
    fromMs: startMs,
    ...every,
    reason: 'ACTIVE',
  });

async function rowsLeft() {
  const { rows } = await sql<{ read_at: Date; slots_missed: number | null; part: string }>`
    select read_at, slots_missed, tableoid::regclass::text as part from well_levels order by 1`.execute(
    database.db,
  );
  return rows;
}

describe('periods', () => {
  test('are opened, and closed where the next one opens', async () => {
    const { db } = database;
    expect(await findOpenPeriod(db, wells, id)).toBeUndefined();
    await open();
    const paused = { fromMs: slotMs(6), ...every, reason: 'PAUSED' };
    await replacePeriod(db, wells, id, { closeAtMs: slotMs(6), ...paused });
    expect(await findOpenPeriod(db, wells, id)).toEqual(paused);
    expect(await findOpenPeriod(db, wells, 'south')).toBeUndefined();
    const at = (fromMs: number, toMs: number) => wasActiveBetween(db, wells, id, { fromMs, toMs });
    expect(await at(slotMs(6) - 1, slotMs(9))).toBe(true);
    expect(await at(slotMs(6), slotMs(9))).toBe(false);
    expect(await at(startMs - minuteMs, startMs)).toBe(false);
  });

  test('one that never began leaves no row', async () => {
    await open();
    await replacePeriod(database.db, wells, id, {
      closeAtMs: startMs,
      fromMs: slotMs(2),
      ...every,
      reason: 'PAUSED',
    });
    const { rows } = await sql`select reason from well_periods`.execute(database.db);
    expect(rows).toEqual([{ reason: 'PAUSED' }]);
  });
});

describe('a gap', () => {
  test('is one row for each UTC day, and every slot of it is counted as missed', async () => {
    const { db } = database;
    await open();
    await read(slotMs(0), slotMs(2));
    const midnightMs = Date.parse('2026-03-11T00:00:00Z');
    const lastMs = midnightMs + 5 * minuteMs + every.phaseMs;
    const gap = {
      subjectId: id,
      fromMs: slotMs(3),
      toMs: lastMs,
      intervalMs: every.intervalMs,
      columns: { note: 'NO_WORKER' },
    };
    await insertMissed(db, wells, gap);
    await insertMissed(db, wells, gap);
    const missed = (await rowsLeft()).filter((row) => row.slots_missed !== null);
    expect(missed.map((row) => [row.read_at.getTime(), row.slots_missed])).toEqual([
      [slotMs(3), 12 * 360 - 3],
      [midnightMs + every.phaseMs, 31],
    ]);
    const window = { fromMs: startMs, toMs: lastMs + 1 };
    const slots = 12 * 360 + 31;
    expect(await countMissedSlots(db, wells, window)).toEqual({ due: slots, missed: slots - 3 });
    expect(await countSlots(db, wells, { ...window, isKeyed: true })).toEqual({
      due: slots,
      polled: 3,
      skipped: 0,
      missed: slots - 3,
      without: 0,
      doubled: 0,
      strays: 0,
      unscheduled: 0,
    });
    // Also of a window that begins within the gap.
    const part = { fromMs: slotMs(10), toMs: slotMs(20), isKeyed: true };
    expect(await countSlots(db, wells, part)).toMatchObject({ due: 10, missed: 10, without: 0 });
  });

  test('is one row for each slot in a ledger that says so', async () => {
    await insertMissed(
      database.db,
      { ...wells, gap: 'ROW_PER_SLOT' },
      {
        subjectId: id,
        fromMs: slotMs(0),
        toMs: slotMs(4),
        intervalMs: every.intervalMs,
        columns: {},
      },
    );
    expect((await rowsLeft()).map((row) => [row.read_at.getTime(), row.slots_missed])).toEqual(
      [0, 1, 2, 3, 4].map((n) => [slotMs(n), 1]),
    );
  });
});

test('the check finds gaps, doubled slots and rows off the grid', async () => {
  const { db } = database;
  await open();
  await read(slotMs(0), slotMs(4));
  await read(slotMs(7), slotMs(8));
  const scope = { fromMs: startMs, toMs: slotMs(11), isKeyed: await hasLedgerKey(db, wells) };
  expect(scope.isKeyed).toBe(true);
  expect(await findLedgerStart(db, wells)).toBe(startMs);
  const gap = { subjectId: id, intervalMs: every.intervalMs };
  expect(await findSlotGaps(db, wells, scope, 10)).toEqual([
    { ...gap, firstMs: slotMs(9), lastMs: slotMs(10), slots: 2, newest: true },
    { ...gap, firstMs: slotMs(5), lastMs: slotMs(6), slots: 2, newest: false },
  ]);
  expect(await findSlotGaps(db, wells, { ...scope, subjectIds: ['south'] }, 10)).toEqual([]);
  // A row that stands for one slot too many, and one that claims no slot.
  await sql`insert into well_levels values (${id}, ${new Date(slotMs(5))}, 'SCHEDULE', 'MISSED', 3),
    (${id}, ${new Date(slotMs(2) + 1)}, 'SCHEDULE', 'OK', null)`.execute(db);
  expect(await findDoubledSlots(db, wells, scope, 10)).toEqual([
    { subjectId: id, at: new Date(slotMs(7)), rows: 1, covered: 1 },
  ]);
  expect(await findStrayRows(db, wells, scope, 10)).toMatchObject({
    total: 1,
    rows: [{ subjectId: id, grid: { intervalS: 10, phaseMs: 3_000 } }],
  });
});

test('partitions of a day are made once, and take what the DEFAULT one holds of the day', async () => {
  await read(slotMs(0), slotMs(2));
  const now = new Date(startMs + minuteMs);
  expect(await makeLedgerParts(database.db, wells, now)).toEqual(['2026-03-10', '2026-03-11']);
  expect(await makeLedgerParts(database.db, wells, now)).toEqual([]);
  expect(new Set((await rowsLeft()).map(({ part }) => part))).toEqual(
    new Set(['well_levels_2026_03_10']),
  );
});

test('a prune drops whole days, deletes the rest, and leaves the newest row and a gap that reaches the line', async () => {
  const { db } = database;
  await open();
  await makeLedgerParts(db, wells, new Date(startMs));
  await makeLedgerParts(db, wells, new Date(startMs + 2 * dayMs));
  await read(slotMs(0), slotMs(99));
  await sql`
    insert into well_levels values ('south', ${new Date(slotMs(1))}, 'SCHEDULE', 'OK'),
      ('gone', ${new Date(slotMs(1))}, 'SCHEDULE', 'OK')`.execute(db);
  const line = startMs + 2 * dayMs;
  const gap = { subjectId: id, intervalMs: every.intervalMs, columns: {} };
  await insertMissed(db, wells, {
    ...gap,
    fromMs: slotMs(100),
    toMs: line - minuteMs + every.phaseMs,
  });
  await insertMissed(db, wells, {
    ...gap,
    fromMs: line - 50_000 + every.phaseMs,
    toMs: line + every.phaseMs,
  });
  await read(line + 10_000 + every.phaseMs, line + minuteMs + every.phaseMs);
  const window = { fromMs: line, toMs: line + minuteMs, isKeyed: true };
  const before = await countSlots(db, wells, window);
  await onPruneSession(db, async (session) => {
    const plan = await planPrune(session, wells, line);
    const by = { actor: 'test', requestId: null };
    const done = await prune(session, plan, { by, at: new Date(), olderThanDays: 1 }, () => {});
    expect(done.partitions).toEqual(['well_levels_2026_03_10', 'well_levels_2026_03_11']);
  });
  const left = (await rowsLeft()).filter((row) => row.read_at.getTime() < line);
  expect(left.map((row) => [row.read_at.getTime(), row.part])).toEqual([
    [slotMs(1), 'well_levels_default'],
    [line - 50_000 + every.phaseMs, 'well_levels_2026_03_12'],
  ]);
  expect(await findLedgerKeptFrom(db, wells)).toBe(line);
  expect(await findLedgerStart(db, wells)).toBe(line);
  expect(await countSlots(db, wells, window)).toEqual(before);
  const { rows } = await sql`select subject_id from audit_log`.execute(db);
  expect(rows).toEqual([{ subject_id: 'well_levels' }]);
});

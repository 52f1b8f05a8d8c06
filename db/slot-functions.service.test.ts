import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Grid, isOnGrid, nextSlotAfter } from '../domain/slots.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';

/** The SQL functions of slots say what domain/slots.ts says, and cost no call. */

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** Any grid that the tables allow, the second and the day among them. */
const grids = fc
  .oneof(fc.constantFrom(1, 86_400), fc.integer({ min: 1, max: 86_400 }))
  .chain((intervalS) =>
    fc.record({
      intervalMs: fc.constant(intervalS * 1_000),
      phaseMs: fc.oneof(
        fc.constantFrom(0, intervalS * 1_000 - 1),
        fc.integer({ min: 0, max: intervalS * 1_000 - 1 }),
      ),
    }),
  );
/** An instant before or after the epoch, or at most 1 ms from a slot. */
const cases = fc
  .record({
    grid: grids,
    n: fc.integer({ min: -1_000, max: 20_000_000 }),
    besideMs: fc.oneof(
      fc.constantFrom(-1, 0, 1),
      fc.integer({ min: -86_400_000, max: 86_400_000 }),
    ),
    spanMs: fc.oneof(fc.constantFrom(-1, 0, 1), fc.integer({ min: 0, max: 7 * 86_400_000 })),
  })
  .map(({ grid, n, besideMs, spanMs }) => {
    // No later than the year 2100.
    const slotMs = grid.phaseMs + (n % Math.floor(4e12 / grid.intervalMs)) * grid.intervalMs;
    return { grid, fromMs: slotMs + besideMs, toMs: slotMs + besideMs + spanMs };
  });

/** Slots in [`fromMs`, `toMs`), counted one by one where there are few. */
function slotsIn({ grid, fromMs, toMs }: { grid: Grid; fromMs: number; toMs: number }): number {
  const firstMs = nextSlotAfter(grid, fromMs - 1);
  if ((toMs - firstMs) / grid.intervalMs > 1_000)
    return (nextSlotAfter(grid, toMs - 1) - firstMs) / grid.intervalMs;
  let slots = 0;
  for (let slotMs = firstMs; slotMs < toMs; slotMs = nextSlotAfter(grid, slotMs)) slots += 1;
  return slots;
}

test('SQL and the domain agree on slots and their number; stale is what is older than two intervals and a minute', async () => {
  const asked = fc.sample(cases, { numRuns: 20_000, seed: 1 });
  const { rows } = await sql<{
    first_ms: number;
    on_grid: boolean;
    slots: number;
    stale_ms: number;
  }>`
    select round(extract(epoch from slot_at_or_after(from_at, interval_s, phase_ms)) * 1000)::bigint as first_ms,
      is_slot(from_at, interval_s, phase_ms) as on_grid,
      slots_between(from_at, to_at, interval_s, phase_ms) as slots,
      (extract(epoch from stale_after(interval_s)) * 1000)::bigint as stale_ms
    from unnest(${asked.map(({ fromMs }) => new Date(fromMs))}::timestamptz[],
      ${asked.map(({ toMs }) => new Date(toMs))}::timestamptz[], ${asked.map(({ grid }) => grid.intervalMs / 1_000)}::int[],
      ${asked.map(({ grid }) => grid.phaseMs)}::int[]) with ordinality as t (from_at, to_at, interval_s, phase_ms, n)
    order by n`.execute(database.db);
  expect(rows.map((row, index) => ({ ...asked[index], ...row }))).toEqual(
    asked.map((one) => ({
      ...one,
      first_ms: nextSlotAfter(one.grid, one.fromMs - 1),
      on_grid: isOnGrid(one.grid, one.fromMs),
      slots: slotsIn(one),
      stale_ms: 2 * one.grid.intervalMs + 60_000,
    })),
  );
  // The cases hold what they are made for.
  expect(asked.filter(({ fromMs }) => fromMs < 0).length).toBeGreaterThan(100);
  expect(rows.filter(({ on_grid }) => on_grid).length).toBeGreaterThan(1_000);
});

test('an instant between two milliseconds belongs to the slot after it', async () => {
  const { rows } = await sql<{ at: Date; on_grid: boolean }>`
    select slot_at_or_after('2026-11-30T00:00:00.000001Z', 600, 0) as at,
      is_slot('2026-11-30T00:00:00.000001Z', 600, 0) as on_grid`.execute(database.db);
  expect(rows).toEqual([{ at: new Date('2026-11-30T00:10:00Z'), on_grid: false }]);
});

test.each([
  'slot_at_or_after(from_at, interval_s, phase_ms)',
  'slot_at_or_after(greatest(from_at, now()), interval_s, phase_ms)',
  'is_slot(from_at, interval_s, phase_ms)',
  'slots_between(from_at, to_at, interval_s, phase_ms)',
  'stale_after(interval_s)',
])('%s is inlined', async (call) => {
  const { rows } = await sql<Record<string, string>>`
    explain (verbose, costs off) select ${sql.raw(call)} from plant_periods`.execute(database.db);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toContain('make_interval');
  expect(plan).not.toMatch(/slot_at_or_after|is_slot|slots_between|stale_after/);
});

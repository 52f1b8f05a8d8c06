import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { phaseMs } from '../../domain/slots.ts';
import { saveGateways } from '../../test/support/gateway-rows.ts';
import { database, test } from '../../test/support/test-database.ts';
import { auditGateways } from './check.ts';

/** The check of gateways finds each broken invariant, and nothing on a ledger as walkers write it. */

const intervalMs = 10_000;
const nowMs = Date.now();
/** A slot of the gateway about 10 minutes ago. */
const slotMs = (n = 0) =>
  Math.ceil((nowMs - 600_000 - phaseMs('roof', intervalMs)) / intervalMs) * intervalMs +
  phaseMs('roof', intervalMs) +
  n * intervalMs;
const at = (n: number) => new Date(slotMs(n));

const audit = () => auditGateways(database.db, { shards: 4, toMs: slotMs(6) });

async function row(
  n: number,
  {
    outcome = 'OK',
    missed = 0,
    trigger = 'SCHEDULE',
    durationMs = 100,
    offMs = 0,
  }: {
    outcome?: string;
    missed?: number;
    trigger?: string;
    durationMs?: number | null;
    offMs?: number;
  } = {},
): Promise<void> {
  await sql`
    insert into gateway_readings (gateway_id, read_at, "trigger", outcome, reason, slots_missed, late_ms, duration_ms)
    values ('roof', ${new Date(slotMs(n) + offMs)}, ${trigger}, ${outcome}, null, ${missed}, 0, ${durationMs})`.execute(
    database.db,
  );
}

beforeEach(async () => {
  for (const table of ['gateway_readings', 'gateway_shards', 'polling_halts', 'gateways'] as const)
    await database.db.deleteFrom(table).execute();
  await saveGateways(database.db, [{ id: 'roof' }], slotMs(0) - 1);
  // Six slots: polled, two in one row of a gap, polled.
  for (const n of [0, 1, 4, 5]) await row(n);
  await row(2, { outcome: 'MISSED', missed: 2, durationMs: null });
});

test('a ledger as walkers write it violates nothing, and every slot is counted once', async () => {
  await row(1, { trigger: 'MANUAL', offMs: 500 });
  const { counts, violations } = await audit();
  expect(violations).toEqual([]);
  expect(counts).toMatchObject({
    slots_due: 6,
    polled: 4,
    missed: 2,
    pending: 0,
    lost: 0,
    doubled: 0,
    strays: 0,
    overlapping: 0,
  });
});

describe('it finds', () => {
  test.each<[what: string, breakIt: () => Promise<unknown>, kinds: string[]]>([
    [
      'a slot without a row',
      () => database.db.deleteFrom('gateway_readings').where('read_at', '=', at(1)).execute(),
      ['SLOT_MISSING'],
    ],
    ['a row of a slot that another row counts', () => row(3), ['SLOT_DOUBLED']],
    ['a row off the grid', () => row(1, { offMs: 3_000 }), ['ROW_OFF_GRID']],
    ['a row while the gateway was not due', () => row(-3), ['ROW_OUTSIDE_PERIOD']],
    [
      'polls at the same time',
      () =>
        sql`update gateway_readings set duration_ms = 12000 where read_at = ${at(0)}`.execute(
          database.db,
        ),
      ['POLLS_OVERLAP'],
    ],
    [
      'a period that begins before the one before it ends',
      () =>
        sql`insert into gateway_periods values ('roof', ${at(-60)}, ${at(1)}, 10, 0, 'PAUSED')`.execute(
          database.db,
        ),
      ['PERIODS_BROKEN'],
    ],
    [
      'time without a period',
      () =>
        sql`insert into gateway_periods values ('roof', ${at(-60)}, ${at(-30)}, 10, 0, 'PAUSED')`.execute(
          database.db,
        ),
      ['PERIODS_BROKEN'],
    ],
    [
      'a gateway without an open period',
      () => sql`update gateway_periods set to_at = ${at(6)}`.execute(database.db),
      ['PERIODS_BROKEN'],
    ],
    [
      'an open period of another interval than the row',
      () => sql`update gateways set poll_interval_s = 60`.execute(database.db),
      ['PERIOD_UNLIKE_GATEWAY'],
    ],
    [
      'an ACTIVE period of a paused gateway',
      () => sql`update gateways set is_active = false`.execute(database.db),
      ['PERIOD_UNLIKE_GATEWAY'],
    ],
    [
      'a lease of a shard that does not exist',
      () =>
        sql`insert into gateway_shards (shard, owner, expires_at) values (7, 'a', now() + interval '1 h')`.execute(
          database.db,
        ),
      ['LEASE_DOUBLED'],
    ],
  ])('%s', async (_, breakIt, kinds) => {
    await breakIt();
    const { violations } = await audit();
    expect(violations.map(({ kind }) => kind)).toEqual(kinds);
    for (const one of violations) expect(one.sentence).toMatch(/[.]$/);
  });

  test('newest slots that no walker wrote off, and not those that may still come', async () => {
    const whole = await auditGateways(database.db, { shards: 4 });
    expect(whole.violations).toEqual([
      expect.objectContaining({
        kind: 'SLOT_MISSING',
        gateway_id: 'roof',
        at: at(6).toISOString(),
        sentence: expect.stringMatching(/and no walker has written that they were missed\.$/),
      }),
    ]);
    expect(whole.counts.pending).toBeGreaterThan(0);
    expect(whole.counts.pending + whole.counts.lost + 6).toBe(whole.counts.slots_due);
  });
});

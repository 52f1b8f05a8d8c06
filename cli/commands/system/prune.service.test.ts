import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect } from 'vitest';

import { findLastSlot } from '../../../db/plants/poll-logs.ts';
import { onPruneSession, planPrune, prune } from '../../../db/ledger/prune.ts';
import { plantLedger } from '../../../db/plants/ledger.ts';
import { readStrips } from '../../../db/plants/strips.ts';
import { phaseMs } from '../../../domain/slots.ts';
import { dayMs, hourMs } from '../../../domain/zone.ts';
import { cli, test } from '../../../test/support/test-commands.ts';
import { pollWorkflowId } from '../../../workflows/plants/messages.ts';
import { audit as checkAll } from '../../../operations/plants/check.ts';

/** `heliograph prune` on a ledger of 160 days, with everything in it that must outlive its age. */

const intervalMs = 6 * hourMs;
const ages = { began: 160, paused: 130, outage: 95, outageSlots: 40 };

let nowMs = 0;
let lineMs = 0;
/** Polled to this day; a plant that was paused 130 days ago; one with a row that stands for ten days across the line. */
let ids: { steady: string; paused: string; absent: string };

const agoMs = (days: number) => nowMs - days * dayMs;

beforeEach(async () => {
  nowMs = Date.now();
  lineMs = Math.floor(agoMs(90) / dayMs) * dayMs;
  // All months but the oldest have a partition; that one is in the DEFAULT partition.
  for (let age = ages.began - 31; age > 0; age -= 28)
    await sql`select make_poll_log_month(${new Date(agoMs(age)).toISOString().slice(0, 10)}::date)`.execute(
      cli.fleet.db,
    );
  ids = {
    steady: await cli.add({ id: 'steady', intervalS: intervalMs / 1_000 }),
    paused: await cli.add({ id: 'paused', intervalS: intervalMs / 1_000 }),
    absent: await cli.add({ id: 'absent', intervalS: intervalMs / 1_000 }),
  };
  await addPast(ids.steady, ages.began, null);
  await addPast(ids.paused, ages.began, ages.paused);
  await addPast(ids.absent, ages.began, null);
  await addOutage(ids.absent);
});
afterEach(async () => {
  const { db } = cli.fleet;
  await db.deleteFrom('poll_logs').execute();
  await db.deleteFrom('plants').execute();
  await db.deleteFrom('audit_log').execute();
  await db.deleteFrom('ledger_kept').execute();
});

/** A period of a plant, the rows of its slots until now, and the days that they booked. */
async function addPast(id: string, fromDays: number, toDays: number | null): Promise<void> {
  const { db } = cli.fleet;
  const fromAt = new Date(agoMs(fromDays));
  const toAt = toDays === null ? null : new Date(agoMs(toDays));
  const phase = phaseMs(id, intervalMs);
  await sql`
    insert into plant_periods (plant_id, from_at, to_at, interval_s, phase_ms, reason)
    values (${id}, ${fromAt}, ${toAt}, ${intervalMs / 1_000}, ${phase}, 'ACTIVE')`.execute(db);
  if (toAt !== null)
    await sql`
      insert into plant_periods (plant_id, from_at, interval_s, phase_ms, reason)
      values (${id}, ${toAt}, ${intervalMs / 1_000}, ${phase}, 'DISABLED_BY_OPERATOR')`.execute(db);
  const firstMs = Math.ceil((fromAt.getTime() - phase) / intervalMs) * intervalMs + phase;
  await sql`
    insert into poll_logs (plant_id, job_type, scheduled_for, "trigger", status, outcome, started_at, duration_ms, late_ms,
      attempts, power_w, today_energy_kwh, booked_date, source_time, workflow_id, run_id)
    select ${id}, 'POLL', at, 'SCHEDULE', 'SUCCESS', 'OK', at, 100, 0, 1, 1000, extract(hour from local), local::date, at, 'w', 'r'
    from generate_series(${new Date(firstMs)}::timestamptz, ${toAt ?? new Date(nowMs)}::timestamptz - interval '1 ms',
      make_interval(secs => ${intervalMs / 1_000})) as at
    cross join lateral (select at at time zone 'Europe/Amsterdam' as local) here`.execute(db);
  await sql`
    insert into metric_snapshots (plant_id, date, today_energy_kwh, peak_power_w, quality, complete, slot)
    select plant_id, booked_date, max(today_energy_kwh), max(power_w), 'LIVE', true, max(scheduled_for)
    from poll_logs where plant_id = ${id} group by plant_id, booked_date`.execute(db);
  await sql`
    update plants set created_at = ${fromAt}, activated_at = ${fromAt}, integration_status = ${toAt === null ? 'ACTIVE' : 'DISABLED_BY_OPERATOR'},
      last_slot = (select max(scheduled_for) from poll_logs where plant_id = ${id}) where id = ${id}`.execute(
    db,
  );
}

/** One row stands for ten days in which nobody polled, and the line lies within them. */
async function addOutage(id: string): Promise<void> {
  const { db } = cli.fleet;
  await sql`
    with gone as (
      delete from poll_logs where plant_id = ${id} and scheduled_for in (
        select scheduled_for from poll_logs where plant_id = ${id} and scheduled_for > ${new Date(agoMs(ages.outage))}
        order by scheduled_for limit ${ages.outageSlots})
      returning scheduled_for)
    insert into poll_logs (plant_id, job_type, scheduled_for, "trigger", outcome, slots_missed, workflow_id, run_id)
    select ${id}, 'POLL', min(scheduled_for), 'SCHEDULE', 'MISSED', ${ages.outageSlots}, 'w', 'r' from gone`.execute(
    db,
  );
  await sql`delete from metric_snapshots where plant_id = ${id}`.execute(db);
}

const countRows = async (beforeMs = Infinity) => {
  const result = await sql<{ rows: number }>`
    select count(*) as rows from poll_logs
    where scheduled_for < ${beforeMs === Infinity ? 'infinity' : new Date(beforeMs)}::timestamptz`.execute(
    cli.fleet.db,
  );
  return result.rows[0]?.rows ?? 0;
};

const listPartitions = async () => {
  const result = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'poll_logs'::regclass order by 1`.execute(cli.fleet.db);
  return result.rows.map(({ name }) => name);
};

async function audit() {
  const plantIds = Object.values(ids);
  return checkAll({
    db: cli.fleet.db,
    locks: { list: async () => [] },
    loops: {
      listRunning: async () => new Set(plantIds.map(pollWorkflowId)),
      isRunning: async () => true,
      findPolling: async () => null,
      lockDomain: async () => 'cluster/default',
    },
    toMs: nowMs,
  });
}

const pruneSteadily = ['prune', '--older-than', '90d'];

/** Prunes, as agreed to with --yes. */
async function pruneNow(args: readonly string[] = pruneSteadily): Promise<unknown> {
  const { code, stdout } = await cli.run([...args, '--yes', '--json']);
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

describe('a dry run', () => {
  test('shows each month with its rows, and changes nothing', async () => {
    const before = { rows: await countRows(), partitions: await listPartitions() };
    const old = await countRows(lineMs);
    const shown = (await cli.json([...pruneSteadily, '--dry-run'])) as {
      before: string;
      rows: number;
      months: { month: string; way: string; rows: number; stay: number; bytes: number }[];
      pruned: unknown;
    };
    expect(shown.before).toBe(new Date(lineMs).toISOString());
    expect(shown.pruned).toBeNull();
    expect(shown.rows + shown.months.reduce((sum, { stay }) => sum + stay, 0)).toBe(old);
    expect(shown.months.map(({ way }) => way)).toEqual(expect.arrayContaining(['DROP', 'DELETE']));
    for (const { rows, bytes } of shown.months) expect(bytes > 0 || rows === 0).toBe(true);
    const { code, stdout } = await cli.run([...pruneSteadily, '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toContain('is dropped');
    expect({ rows: await countRows(), partitions: await listPartitions() }).toEqual(before);
    expect(await cli.fleet.db.selectFrom('audit_log').selectAll().execute()).toEqual([]);
    expect((await audit()).checked_from).toBe(new Date(agoMs(ages.began)).toISOString());
  });

  test('comes first: without --yes a person is asked, and nobody is no person', async () => {
    const before = await countRows();
    const unasked = await cli.run(pruneSteadily);
    expect(unasked.code).toBe(2);
    expect(unasked.stdout).toContain('MONTH');
    expect(unasked.stderr).toContain('say --yes');
    const refused = await cli.run(pruneSteadily, { typed: 'no\n' });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('nothing was changed');
    expect(await countRows()).toBe(before);
    const agreed = await cli.run(pruneSteadily, { typed: 'yes\n' });
    expect(agreed.code).toBe(0);
    expect(agreed.stdout).toMatch(/\d+ rows deleted, \d partitions? dropped; the ledger begins at/);
    expect(await countRows()).toBeLessThan(before);
  });
});

describe('a prune', () => {
  test('leaves a clean audit, which begins where the ledger does, and keeps what is still needed', async () => {
    const { db } = cli.fleet;
    const before = await audit();
    expect(before.violations).toEqual([]);
    const lastSlotMs = await findLastSlot(db, ids.paused);
    const pruned = (await pruneNow()) as {
      rows: number;
      pruned: { rows: number; partitions: string[] };
    };
    expect(pruned.pruned.rows).toBe(pruned.rows);
    expect(pruned.pruned.partitions.length).toBeGreaterThan(0);
    for (const partition of pruned.pruned.partitions)
      expect(await listPartitions()).not.toContain(partition);

    const after = await audit();
    expect(after.violations).toEqual([]);
    expect(after.checked_from).toBe(new Date(lineMs).toISOString());
    expect(after.counts.lost + after.counts.pending).toBe(0);
    // The slots of the outage that lie after the line are still known to be missed.
    expect(after.counts.missed).toBeGreaterThan(0);
    expect(after.counts.missed).toBeLessThan(ages.outageSlots);

    // Of each plant its newest row before the line, and the one that stands for the outage.
    const left = await sql<{ plant_id: string }>`
      select plant_id from poll_logs where scheduled_for < ${new Date(lineMs)} order by 1`.execute(
      db,
    );
    expect(left.rows.map((row) => row.plant_id)).toEqual([
      ids.absent,
      ids.absent,
      ids.paused,
      ids.steady,
    ]);
    expect(await findLastSlot(db, ids.paused)).toBe(lastSlotMs);
    expect((await cli.run(['why', ids.paused])).stdout).toContain('OK');
    // Slots whose rows are gone are not shown as missed.
    const strips = await readStrips(db, Object.values(ids), nowMs);
    expect(strips.get(ids.paused)).toBeUndefined();
    expect(strips.get(ids.steady)?.map(({ kind }) => kind)).not.toContain('missed');
  });

  test('is a decision with a name, and nothing remains for a second one', async () => {
    await pruneNow();
    const [decision, ...more] = await cli.fleet.db.selectFrom('audit_log').selectAll().execute();
    expect(more).toEqual([]);
    expect(decision).toMatchObject({
      actor: expect.stringMatching(/^cli:/),
      action: 'ledger.prune',
      subject_type: 'LEDGER',
      before: { kept_from: null },
      after: { kept_from: new Date(lineMs).toISOString(), older_than_days: 90 },
    });
    expect(await pruneNow()).toMatchObject({ rows: 0, pruned: null });
    expect(await cli.fleet.db.selectFrom('audit_log').select('id').execute()).toHaveLength(1);
    // The line never goes back.
    expect(await cli.json(['prune', '--older-than', '120d', '--dry-run'])).toMatchObject({
      before: new Date(lineMs).toISOString(),
      rows: 0,
    });
  });

  test('that comes later takes what the one before had to leave', async () => {
    await pruneNow();
    await pruneNow(['prune', '--older-than', '60d']);
    const left = await sql<{ plant_id: string }>`
      select plant_id from poll_logs where scheduled_for < now() - interval '62 days' order by 1`.execute(
      cli.fleet.db,
    );
    expect(left.rows.map((row) => row.plant_id)).toEqual([ids.paused]);
    expect((await audit()).violations).toEqual([]);
  });

  test('keeps the day on which an alert began that still stands', async () => {
    const beganAt = new Date(agoMs(110));
    await sql`
      insert into alerts (plant_id, type, severity, state, message, started_at, last_seen_at)
      values (${ids.steady}, 'OFFLINE', 'RED', 'NEW', 'away', ${beganAt}, now())`.execute(
      cli.fleet.db,
    );
    await pruneNow();
    const left = await sql<{ date: string }>`
      select distinct booked_date as date from poll_logs
      where plant_id = ${ids.steady} and scheduled_for < now() - interval '100 days'`.execute(
      cli.fleet.db,
    );
    const [began] = await sql<{
      date: string;
    }>`select (${beganAt}::timestamptz at time zone 'Europe/Amsterdam')::date as date`
      .execute(cli.fleet.db)
      .then(({ rows }) => rows);
    expect(left.rows).toEqual([began]);
  });

  test('takes the rows of plants that are gone', async () => {
    await cli.fleet.db.deleteFrom('plants').where('id', '=', ids.paused).execute();
    await pruneNow();
    expect(await findLastSlot(cli.fleet.db, ids.paused)).toBeNull();
  });

  test('refuses to explain what it took away', async () => {
    await pruneNow();
    const early = new Date(lineMs - hourMs).toISOString();
    const { code, stderr } = await cli.run(['why', ids.steady, '--at', early]);
    expect(code).toBe(1);
    expect(stderr).toContain('were pruned');
    const late = new Date(lineMs + hourMs).toISOString();
    expect((await cli.run(['why', ids.steady, '--at', late])).code).toBe(0);
  });
});

describe('of notifications', () => {
  const settled = (ageDays: number, topic: string, wasTold: boolean) =>
    sql`
    insert into notifications (subject_kind, subject_id, kind, is_end, severity, created_at, not_before, routed_at)
    select 'THING', ${topic}, 'RAISED', false, 'RED', at, at, ${wasTold ? sql`at` : sql`null`}
    from (select ${new Date(agoMs(ageDays))}::timestamptz as at) a`.execute(cli.fleet.db);
  const topics = async () => {
    const rows = await cli.fleet.db
      .selectFrom('notifications')
      .select('subject_id')
      .orderBy('id')
      .execute();
    return rows.map(({ subject_id: id }) => id);
  };

  beforeEach(async () => {
    await settled(400, 'ancient', true);
    await settled(100, 'old', true);
    await settled(100, 'waits', false);
    await settled(1, 'new', true);
  });
  afterEach(async () => {
    await cli.fleet.db.deleteFrom('notifications').execute();
    await cli.fleet.db.deleteFrom('notifications_kept').execute();
  });

  test('shows first what would go, and takes what was told and never what waits', async () => {
    const shown = await cli.run([...pruneSteadily, '--dry-run']);
    expect(shown.stdout).toMatch(/2 notifications, 0 messages with 0 deliveries are older than/);
    expect(shown.stdout).toMatch(/1 notification and 0 messages that are older stay/);
    expect(await topics()).toEqual(['ancient', 'old', 'waits', 'new']);
    expect(await pruneNow()).toMatchObject({
      notifications: { notifications: 2, before: new Date(lineMs).toISOString() },
      pruned: { notifications: { notifications: 2 } },
    });
    expect(await topics()).toEqual(['waits', 'new']);
    const decided = await cli.fleet.db
      .selectFrom('audit_log')
      .select(['action', 'after'])
      .where('subject_type', '=', 'NOTIFICATIONS')
      .execute();
    expect(decided).toMatchObject([
      { action: 'notifications.prune', after: { older_than_days: 90, notifications: 2 } },
    ]);
  });

  test('has a retention of its own', async () => {
    await pruneNow(['prune', '--older-than', '90d', '--notifications-older-than', '365d']);
    expect(await topics()).toEqual(['old', 'waits', 'new']);
  });
});

/** Inserts a row of now, as a poll does, and tells how long that took. */
async function pollOnce(n: number): Promise<number> {
  const beganAt = performance.now();
  await sql`
    insert into poll_logs (plant_id, job_type, scheduled_for, "trigger", outcome, slots_missed, workflow_id, run_id)
    values ('polled', 'POLL', now() + ${n} * interval '1 ms', 'SCHEDULE', 'MISSED', 1, 'w', 'r')`.execute(
    cli.fleet.db,
  );
  return performance.now() - beganAt;
}

describe('beside polling', () => {
  test('waits for whoever reads the ledger, and no poll waits for it meanwhile', async () => {
    const { db } = cli.fleet;
    let isPruned = false;
    const reading = Promise.withResolvers<void>();
    const reader = db.transaction().execute(async (trx) => {
      await sql`select count(*) from poll_logs`.execute(trx);
      await reading.promise;
    });
    const pruning = pruneNow().then(() => (isPruned = true));
    const tookMs: number[] = [];
    const endsAt = performance.now() + 2_000;
    while (performance.now() < endsAt) tookMs.push(await pollOnce(tookMs.length));
    const wasPruned = isPruned;
    reading.resolve();
    await Promise.all([reader, pruning]);
    expect({ wasPruned, isPruned }).toEqual({ wasPruned: false, isPruned: true });
    // The lock is waited for 50 ms at a time; a machine with other work may add to that.
    expect(Math.max(...tookMs)).toBeLessThan(1_000);
    expect(tookMs.length).toBeGreaterThan(20);
  });

  test('deletes in batches, each in a transaction of its own', async () => {
    const { db } = cli.fleet;
    await sql`
      insert into poll_logs (plant_id, job_type, scheduled_for, "trigger", outcome, slots_missed, workflow_id, run_id)
      select 'gone', 'POLL', ${new Date(agoMs(155))}::timestamptz + n * interval '1 s', 'SCHEDULE', 'MISSED', 1, 'w', 'r'
      from generate_series(1, 12000) n`.execute(db);
    const batches: number[] = [];
    await onPruneSession(db, async (session) => {
      const plan = await planPrune(session, plantLedger, lineMs);
      const by = { actor: 'test', requestId: null };
      const decision = { by, at: new Date(nowMs), olderThanDays: 90 };
      const { rows } = await prune(session, plan, decision, ({ rowsDone }) =>
        batches.push(rowsDone),
      );
      expect(rows).toBeGreaterThan(12_000);
    });
    expect(batches.length).toBeGreaterThan(3);
    expect(await countRows(lineMs)).toBe(4);
    await expect(pollOnce(0)).resolves.toBeLessThan(1_000);
  });

  test('is done by one at a time', async () => {
    const result = await onPruneSession(cli.fleet.db, () =>
      cli.run([...pruneSteadily, '--dry-run']),
    );
    expect(result).toMatchObject({
      code: 1,
      stderr: 'heliograph: another `heliograph prune` is running\n',
    });
  });
});

test.each([
  [[], '--older-than is missing'],
  [['--older-than', '7d'], '--older-than must be at least 8d'],
  [['--older-than', '0d'], '--older-than must be at least 8d'],
  [['--older-than', '90'], '--older-than must be a number of days'],
  [
    ['--older-than', '90d', '--notifications-older-than', '1d'],
    '--notifications-older-than must be at least 8d',
  ],
  [['--older-than', '-90d'], '--older-than must be a number of days'],
  [['--older-than', '99999999d'], '--older-than must be a number of days'],
  [['--older-than', '90d', '--yes', '--dry-run'], 'give only one'],
  [['--older-than', '90d', '--json'], 'add --dry-run or --yes'],
  [['--older-than', '90d', 'steady'], 'name no plant'],
  [['--older-than', '90d', '--brand', 'SOLIS'], "Unknown option '--brand'"],
])('%j is a wrong call', async (flags, sentence) => {
  const before = await countRows();
  const { code, stderr } = await cli.run(['prune', ...flags]);
  expect(code).toBe(2);
  expect(stderr).toContain(sentence);
  expect(await countRows()).toBe(before);
});

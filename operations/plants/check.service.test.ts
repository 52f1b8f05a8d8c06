import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';
import type { AuditedLoops } from './check-loops.ts';
import { type AuditOptions, type AuditReport, audit, type ViolationKind } from './check.ts';
import {
  ledgerToMs,
  manualMs,
  meadow,
  meadowSlots,
  ordinarySlotMs,
  overflowSlotMs,
  pauseMs,
  ridge,
  writeTestLedger,
} from '../../test/support/check-ledger.ts';

let testDatabase: TestDatabase;
/** A test that changes the schema leaves a database behind that no other can use. */
let isSchemaChanged = false;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
});
beforeEach(async () => {
  await sql`truncate vendor_accounts, poll_logs cascade`.execute(testDatabase.db);
  await writeTestLedger(testDatabase.db);
});
afterEach(async () => {
  if (!isSchemaChanged) return;
  isSchemaChanged = false;
  await testDatabase.drop();
  testDatabase = await createTestDatabase();
});
afterAll(() => testDatabase.drop());

const domain = 'cluster/default';
const idle: AuditedLoops = {
  listRunning: async () => new Set([pollWorkflowId(meadow.id), pollWorkflowId(ridge.id)]),
  isRunning: async () => false,
  findPolling: async () => null,
  lockDomain: async () => domain,
};

async function runAudit(
  options: {
    loops?: Partial<AuditedLoops>;
    locks?: Awaited<ReturnType<AuditOptions['locks']['list']>>;
    fromMs?: number;
    toMs?: number;
  } = {},
): Promise<AuditReport> {
  const { loops, locks = [], ...window } = options;
  return audit({
    db: testDatabase.db,
    loops: { ...idle, ...loops },
    locks: { list: async () => locks },
    toMs: ledgerToMs,
    ...window,
  });
}

async function execute(statement: string): Promise<void> {
  isSchemaChanged ||= /\b(create|alter|drop) /.test(statement);
  await sql.raw(statement).execute(testDatabase.db);
}

function kindsOf({ violations }: AuditReport): ViolationKind[] {
  return [...new Set(violations.map((violation) => violation.kind))].sort();
}

const iso = (ms: number) => new Date(ms).toISOString();
const rowAt = (ms: number) =>
  `plant_id = 'meadow' and job_type = 'POLL' and scheduled_for = '${iso(ms)}'`;
const slot = (number: number): number => meadowSlots.at(number) ?? Number.NaN;
const copyOf = (ms: number, changes = '') =>
  `alter table poll_logs drop constraint poll_logs_pkey;
   create temp table copied as select * from poll_logs where ${rowAt(ms)};
   ${changes === '' ? '' : `update copied set ${changes};`}
   insert into poll_logs select * from copied`;

describe('a clean record', () => {
  test('is found clean, and every slot is counted once', async () => {
    const report = await runAudit();
    expect(report.violations).toEqual([]);
    const { slots_due, polled, skipped, missed, ...others } = report.counts;
    expect(slots_due).toBe(meadowSlots.length + 72 + 60);
    expect({ polled, skipped, missed }).toEqual({ polled: slots_due - 7, skipped: 1, missed: 6 });
    expect(others).toEqual({
      pending: 0,
      lost: 0,
      doubled: 0,
      strays: 0,
      overlapping: 0,
      unscheduled: 3,
      days: 4,
      alerts: 4,
      alert_events: 13,
      plants: 2,
      loops: 2,
      locks: 0,
    });
    expect(report.truncated).toBe(false);
  });

  test('is found clean by a part of it, also where the part begins amid slots that one row stands for', async () => {
    const report = await runAudit({ fromMs: slot(62), toMs: slot(70) });
    expect(report.violations).toEqual([]);
    expect(report).toMatchObject({ checked_from: iso(slot(62)), checked_to: iso(slot(70)) });
    // Its own eight of meadow, and of ridge those of an hour and twenty minutes.
    expect(report.counts).toMatchObject({ missed: 4, unscheduled: 0, lost: 0 });
  });

  test('is found clean after its oldest month was detached', async () => {
    await execute(`
      update plant_periods set from_at = from_at - interval '7 days' where from_at < '2090-06-01T01:00Z';
      insert into metric_snapshots (plant_id, date, today_energy_kwh, quality, complete, slot)
        select plant_id, '2090-05-30', 99, 'LIVE', false, scheduled_for from poll_logs where ${rowAt(slot(0))}`);
    const report = await runAudit();
    expect(report).toMatchObject({
      violations: [],
      checked_from: '2090-06-01T00:00:00.000Z',
      counts: { days: 0 },
    });
  });

  test('leaves the rows of a deleted plant alone', async () => {
    await execute(`delete from plants where id = 'ridge'`);
    const loops = { listRunning: async () => new Set([pollWorkflowId(meadow.id)]) };
    expect(await runAudit({ loops })).toMatchObject({
      violations: [],
      counts: { slots_due: meadowSlots.length },
    });
  });

  test.each([
    ['whose loop runs until it has seen the removal', 'revision - 1', [ridge.id], true],
    ['whose loop has not started since', 'revision - 1', [], false],
    ['whose loop has ended', 'revision', [], false],
  ])('is quiet about a removed plant %s', async (_, seen, running, isRunning) => {
    await execute(`
      update plants set removed_at = now() where id = 'ridge';
      update plants set seen_revision = ${seen} where id = 'ridge'`);
    const loops = {
      listRunning: async () => new Set([meadow.id, ...running].map(pollWorkflowId)),
      isRunning: async () => isRunning,
    };
    const report = await runAudit({ loops });
    expect(report).toMatchObject({ violations: [], counts: { plants: 1 } });
  });

  test('tells of the loop of a removed plant that goes on', async () => {
    await execute(`
      update plants set removed_at = now() where id = 'ridge';
      update plants set seen_revision = revision where id = 'ridge'`);
    expect(kindsOf(await runAudit({ loops: { isRunning: async () => true } }))).toEqual([
      'LOOP_UNKNOWN',
    ]);
  });

  test('says nothing of an empty one', async () => {
    await execute('delete from plants; delete from poll_logs');
    const report = await runAudit({ loops: { listRunning: async () => new Set() } });
    expect(report).toMatchObject({
      violations: [],
      counts: { slots_due: 0, plants: 0 },
      checked_from: iso(ledgerToMs),
    });
  });
});

describe('rows of the ledger', () => {
  test.each<[string, string, ViolationKind[], number]>([
    [
      'a poll is deleted',
      `delete from poll_logs where ${rowAt(ordinarySlotMs)}`,
      ['SLOT_MISSING'],
      1,
    ],
    [
      'the first hour of all is deleted',
      `delete from poll_logs where scheduled_for < '2090-06-01T01:00Z'`,
      ['DAY_UNLIKE_LEDGER', 'SLOT_MISSING'],
      6 + 12,
    ],
    [
      'the first slot of a plant is deleted',
      `delete from poll_logs where ${rowAt(slot(0))}`,
      ['SLOT_MISSING'],
      1,
    ],
    [
      'the last polls are deleted',
      `delete from poll_logs where plant_id = 'meadow' and scheduled_for >= '${iso(slot(-3))}'`,
      ['SLOT_MISSING'],
      3,
    ],
    [
      'the poll is deleted that opened a period',
      `delete from poll_logs where plant_id = 'ridge' and scheduled_for = (select max(from_at) from plant_periods)`,
      ['SLOT_MISSING'],
      1,
    ],
    ['a skip is deleted', `delete from poll_logs where ${rowAt(slot(20))}`, ['SLOT_MISSING'], 1],
    [
      'a missed slot is deleted',
      `delete from poll_logs where ${rowAt(slot(64))}`,
      ['SLOT_MISSING'],
      1,
    ],
    [
      'a row that stands for four slots is deleted',
      `delete from poll_logs where ${rowAt(overflowSlotMs)}`,
      ['SLOT_MISSING'],
      4,
    ],
    [
      'a row stands for one slot too few',
      `update poll_logs set slots_missed = 3 where ${rowAt(overflowSlotMs)}`,
      ['SLOT_MISSING'],
      1,
    ],
    [
      'all rows of a plant are deleted',
      `delete from poll_logs where plant_id = 'meadow'`,
      ['SLOT_MISSING'],
      meadowSlots.length,
    ],
    [
      'a request was booked on its day, and its row is deleted',
      `
      update metric_snapshots set slot = '${iso(manualMs)}' where plant_id = 'meadow' and date = '2090-06-01';
      delete from poll_logs where ${rowAt(manualMs)}`,
      ['POLL_WITHOUT_ROW'],
      0,
    ],
    [
      "the request that was the plant's last poll is deleted",
      `
      update plants set last_slot = '${iso(manualMs)}' where id = 'meadow'; delete from poll_logs where ${rowAt(manualMs)}`,
      ['POLL_WITHOUT_ROW'],
      0,
    ],
    [
      'a poll comes twice',
      copyOf(ordinarySlotMs),
      ['LEDGER_KEY_MISSING', 'POLLS_OVERLAP', 'SLOT_DOUBLED'],
      0,
    ],
    ['a missed slot comes twice', copyOf(slot(64)), ['LEDGER_KEY_MISSING', 'SLOT_DOUBLED'], 0],
    [
      'a request comes twice',
      copyOf(manualMs, `started_at = started_at + interval '1 second'`),
      ['LEDGER_KEY_MISSING', 'SLOT_DOUBLED'],
      0,
    ],
    [
      'a row stands for one slot too many',
      `update poll_logs set slots_missed = 5 where ${rowAt(overflowSlotMs)}`,
      ['SLOT_DOUBLED'],
      0,
    ],
    [
      'a missed slot stands for the polled one after it too',
      `update poll_logs set slots_missed = 2 where ${rowAt(slot(65))}`,
      ['SLOT_DOUBLED'],
      0,
    ],
    [
      'a poll is a millisecond off',
      `update poll_logs set scheduled_for = scheduled_for + interval '1 ms' where ${rowAt(ordinarySlotMs)}`,
      ['ROW_OFF_GRID', 'SLOT_MISSING'],
      1,
    ],
    [
      'a poll is a microsecond off',
      `update poll_logs set scheduled_for = scheduled_for + interval '1 us' where ${rowAt(ordinarySlotMs)}`,
      ['ROW_OFF_GRID', 'SLOT_MISSING'],
      1,
    ],
    [
      'a request is taken for a slot',
      `update poll_logs set "trigger" = 'SCHEDULE' where ${rowAt(manualMs)}`,
      ['ROW_OFF_GRID'],
      0,
    ],
    [
      'a catch-up is on no slot',
      `update poll_logs set scheduled_for = scheduled_for + interval '1 s' where ${rowAt(slot(66))}`,
      ['ROW_OFF_GRID', 'SLOT_MISSING'],
      1,
    ],
    [
      'a poll went into the pause',
      `
      update poll_logs set scheduled_for = '${iso(pauseMs + 300_000)}', started_at = '${iso(pauseMs + 300_000)}'
      where plant_id = 'ridge' and scheduled_for = '${iso(pauseMs - 300_000)}'`,
      ['ROW_OUTSIDE_PERIOD', 'SLOT_MISSING'],
      1,
    ],
    [
      'a period ends an interval later',
      `update plant_periods set to_at = to_at + interval '5 minutes' where plant_id = 'ridge' and to_at = '${iso(pauseMs)}'`,
      [],
      0,
    ],
    [
      'a period is gone',
      `delete from plant_periods where plant_id = 'ridge' and interval_s = 900`,
      ['ROW_OUTSIDE_PERIOD'],
      0,
    ],
    // Three of its slots are covered by the row that stands for four.
    [
      'a period has another grid',
      `update plant_periods set phase_ms = phase_ms + 1000 where plant_id = 'meadow'`,
      ['ROW_OFF_GRID', 'SLOT_MISSING'],
      meadowSlots.length - 3,
    ],
  ])('are at fault when %s', async (_, statement, kinds, lost) => {
    await execute(statement);
    const report = await runAudit();
    expect(kindsOf(report)).toEqual(kinds.toSorted());
    expect(report.counts.lost).toBe(lost);
    const touched = [meadow.id, ridge.id].filter((plantId) => statement.includes(plantId));
    const told = report.violations.flatMap((violation) => violation.plant_id ?? []);
    expect([...new Set(told)].toSorted()).toEqual(
      kinds.length === 0 ? [] : touched.length === 0 ? [meadow.id, ridge.id] : touched,
    );
  });

  test('tell which slots are missing, runs of them in one sentence', async () => {
    await execute(
      `delete from poll_logs where plant_id = 'meadow' and scheduled_for between '${iso(slot(10))}' and '${iso(slot(12))}'`,
    );
    await execute(`delete from poll_logs where ${rowAt(slot(14))}`);
    expect((await runAudit()).violations).toEqual([
      {
        kind: 'SLOT_MISSING',
        plant_id: 'meadow',
        at: iso(slot(10)),
        sentence: `3 slots up to ${iso(slot(12))} have no row.`,
      },
      {
        kind: 'SLOT_MISSING',
        plant_id: 'meadow',
        at: iso(slot(14)),
        sentence: 'The slot has no row.',
      },
    ]);
  });

  test.each<[string, string, number]>([
    ['touch', `duration_ms = 600000`, 0],
    ['overlap by 5 ms, as two clocks may differ', `duration_ms = 600005`, 0],
    ['overlap by 6 ms', `duration_ms = 600006`, 1],
    ['last longer than two intervals', `duration_ms = 1300000`, 2],
    [
      'begin before the last one ended',
      `started_at = started_at - interval '600 s', duration_ms = 300000`,
      1,
    ],
  ])('of polls that %s', async (_, changes, overlapping) => {
    await execute(`update poll_logs set ${changes} where ${rowAt(ordinarySlotMs)}`);
    const report = await runAudit();
    expect(report.counts.overlapping).toBe(overlapping);
    expect(kindsOf(report)).toEqual(overlapping > 0 ? ['POLLS_OVERLAP'] : []);
  });
});

describe('the newest slots', () => {
  const withoutLast = (count: number) =>
    `delete from poll_logs where plant_id = 'meadow' and scheduled_for >= '${iso(slot(-count))}'`;
  const lastMs = slot(-1);
  // So long may a slot of ten minutes wait: a sixth of its interval, and a poll.
  const patienceMs = 100_000 + 12_000;

  test('are pending while their loop is at the first of them', async () => {
    await execute(withoutLast(3));
    const report = await runAudit({ loops: { findPolling: async () => slot(-3) } });
    expect(report.violations.filter((violation) => violation.kind !== 'POLL_WITHOUT_ROW')).toEqual(
      [],
    );
    expect(report.counts).toMatchObject({ pending: 3, lost: 0 });
  });

  test('are lost where their loop is at a later one', async () => {
    await execute(withoutLast(3));
    const report = await runAudit({ loops: { findPolling: async () => slot(-1) } });
    expect(report.counts).toMatchObject({ pending: 1, lost: 2 });
    expect(report.violations[0]).toMatchObject({
      at: iso(slot(-3)),
      sentence: `2 slots up to ${iso(slot(-2))} have no row, and its loop is not at it.`,
    });
  });

  test('are pending, unasked, for a sixth of the interval and the time of a poll', async () => {
    await execute(withoutLast(1));
    const loops = { findPolling: async () => expect.unreachable('the loop was asked') };
    expect((await runAudit({ loops, toMs: lastMs + patienceMs })).counts).toMatchObject({
      pending: 1,
      lost: 0,
    });
  });

  test('are lost a millisecond later', async () => {
    await execute(withoutLast(1));
    expect((await runAudit({ toMs: lastMs + patienceMs + 1 })).counts).toMatchObject({
      pending: 0,
      lost: 1,
    });
  });

  test('are no loss when their poll ends while its loop is asked', async () => {
    await execute(
      `create table kept as select * from poll_logs where ${rowAt(lastMs)}; delete from poll_logs where ${rowAt(lastMs)}`,
    );
    const loops = {
      async findPolling() {
        await execute('insert into poll_logs select * from kept');
        return null;
      },
    };
    expect(await runAudit({ loops })).toMatchObject({
      violations: [],
      counts: { lost: 0, pending: 1 },
    });
  });

  test('are lost where no worker answers, and not everybody is asked', async () => {
    await execute(`
      insert into plants (id, name, brand, vendor_account_id, vendor_plant_id, timezone, integration_status, activated_at, created_at)
        select 'field-' || n, 'field', 'SOLIS', 'meadow-account', 'field-' || n, 'UTC', 'ACTIVE', now(), 'epoch' from generate_series(1, 60) n;
      insert into plant_periods (plant_id, from_at, interval_s, phase_ms, reason)
        select 'field-' || n, '2090-06-01T23:00Z', 600, 0, 'ACTIVE' from generate_series(1, 60) n`);
    let asked = 0;
    const report = await runAudit({
      loops: { isRunning: async () => true, findPolling: async () => ((asked += 1), 'NO_ANSWER') },
    });
    expect(report.counts.lost).toBe(60 * 6);
    expect(report.violations[0]?.sentence).toContain("and the plant's loop does not answer");
    expect(asked).toBe(20);
  });

  test('of a poll that has written its day and not yet its row are pending, and its day is not compared', async () => {
    await execute(`${withoutLast(1)};
      update metric_snapshots set today_energy_kwh = 50, slot = '${iso(lastMs)}' where plant_id = 'meadow' and date = '2090-06-02'`);
    const report = await runAudit({ loops: { findPolling: async () => lastMs } });
    expect(report).toMatchObject({ violations: [], counts: { pending: 1, days: 3 } });
  });
});

describe('days', () => {
  const day = `where plant_id = 'meadow' and date = '2090-06-01'`;
  // The highest total of meadow's 1 June is that of its last poll before 22:00 UTC.
  const lastOfDayMs =
    meadowSlots.findLast((slotMs) => slotMs < Date.parse('2090-06-01T22:00Z')) ?? Number.NaN;

  test.each<[string, string, boolean]>([
    [
      'holds more energy than its polls',
      `update metric_snapshots set today_energy_kwh = today_energy_kwh + 0.01 ${day}`,
      true,
    ],
    [
      'holds less energy than its polls',
      `update metric_snapshots set today_energy_kwh = today_energy_kwh - 0.01 ${day}`,
      true,
    ],
    [
      'differs by rounding',
      `update metric_snapshots set today_energy_kwh = today_energy_kwh + 1e-9 ${day}`,
      false,
    ],
    [
      'holds a lower peak',
      `update metric_snapshots set peak_power_w = peak_power_w - 1 ${day}`,
      true,
    ],
    ['holds no peak', `update metric_snapshots set peak_power_w = null ${day}`, true],
    [
      'has a poll that was booked to another day',
      `update poll_logs set booked_date = '2090-06-02' where ${rowAt(lastOfDayMs)}`,
      true,
    ],
    [
      'has a poll that holds more',
      `update poll_logs set today_energy_kwh = 100 where ${rowAt(ordinarySlotMs)}`,
      true,
    ],
    [
      'has polls without values',
      `update poll_logs set today_energy_kwh = null where plant_id = 'meadow'`,
      true,
    ],
    [
      'was corrected from the series',
      `update metric_snapshots set today_energy_kwh = 3, quality = 'BACKFILLED' ${day}`,
      false,
    ],
  ])('that %s', async (_, statement, isViolation) => {
    await execute(statement);
    expect(kindsOf(await runAudit())).toEqual(isViolation ? ['DAY_UNLIKE_LEDGER'] : []);
  });
});

describe('alerts', () => {
  const alert = (code: string) => `(select id from alerts where vendor_alarm_code = '${code}')`;
  const event = (code: string, number: number) =>
    `(select id from alert_events where alert_id = ${alert(code)} order by id offset ${number - 1} limit 1)`;
  // Once more at the end: events are in the order of their ids.
  const repeated = (code: string, number: number) =>
    `insert into alert_events (alert_id, at, from_state, to_state, severity, actor, reason)
     select alert_id, at, from_state, to_state, severity, actor, reason from alert_events where id = ${event(code, number)}`;

  test.each<[string, string, ViolationKind[]]>([
    ['the unique index is gone', 'drop index alerts_one_active', ['ALERT_INDEX_MISSING']],
    [
      'the index is not unique',
      'drop index alerts_one_active; create index alerts_one_active on alerts (plant_id, type, vendor_alarm_code, device_sn)',
      ['ALERT_INDEX_MISSING'],
    ],
    [
      'the index lets keys without a device come twice',
      `drop index alerts_one_active; create unique index alerts_one_active
      on alerts (plant_id, type, vendor_alarm_code, device_sn) where state in ('NEW', 'ACKED')`,
      ['ALERT_INDEX_MISSING'],
    ],
    [
      'an active alert comes twice',
      `drop index alerts_one_active;
      update alerts set vendor_alarm_code = 'acked' where vendor_alarm_code = 'risen'`,
      ['ALERT_DOUBLED', 'ALERT_INDEX_MISSING'],
    ],
    [
      'the first event is deleted',
      `delete from alert_events where id = ${event('acked', 1)}`,
      ['ALERT_EVENTS_BROKEN'],
    ],
    [
      'an event amid others is deleted',
      `delete from alert_events where id = ${event('escalated', 3)}`,
      ['ALERT_EVENTS_BROKEN'],
    ],
    [
      'the last event is deleted',
      `delete from alert_events where id = ${event('passed', 2)}`,
      ['ALERT_UNLIKE_EVENTS'],
    ],
    [
      'all events are deleted',
      `delete from alert_events where alert_id = ${alert('passed')}`,
      ['ALERT_UNLIKE_EVENTS'],
    ],
    ['it is raised twice', repeated('risen', 1), ['ALERT_EVENTS_BROKEN']],
    ['it is acknowledged twice between rises', repeated('acked', 2), ['ALERT_EVENTS_BROKEN']],
    [
      'an acknowledged one is acknowledged again',
      `${repeated('acked', 2)}; update alert_events set from_state = 'ACKED' where id = ${event('acked', 3)}`,
      ['ALERT_EVENTS_BROKEN'],
    ],
    ['it is resolved twice', repeated('passed', 2), ['ALERT_EVENTS_BROKEN']],
    [
      'it is active again after its end',
      `${repeated('passed', 1)}; update alerts set state = 'NEW', resolved_at = null where id = ${alert('passed')}`,
      ['ALERT_EVENTS_BROKEN'],
    ],
    [
      'it is new again without a rise',
      `update alert_events set severity = 'RED' where id = ${event('risen', 1)}`,
      ['ALERT_EVENTS_BROKEN'],
    ],
    [
      'its severity fell',
      `update alert_events set severity = 'YELLOW' where id = ${event('acked', 2)}`,
      ['ALERT_EVENTS_BROKEN'],
    ],
    [
      'it rose and stayed acknowledged',
      `update alert_events set severity = 'YELLOW' where id = ${event('acked', 1)}`,
      ['ALERT_EVENTS_BROKEN'],
    ],
    [
      'it rose without an event',
      `update alerts set severity = 'RED' where id = ${alert('passed')}`,
      ['ALERT_UNLIKE_EVENTS'],
    ],
    [
      'it was resolved without an event',
      `update alerts set state = 'RESOLVED', resolved_at = last_seen_at where id = ${alert('risen')}`,
      ['ALERT_UNLIKE_EVENTS'],
    ],
    [
      'it was acknowledged without an event',
      `update alerts set state = 'ACKED', acked_at = last_seen_at where id = ${alert('risen')}`,
      ['ALERT_UNLIKE_EVENTS'],
    ],
    [
      'an acknowledgement ended',
      `insert into alert_events (alert_id, at, from_state, to_state, severity, actor, reason)
      values (${alert('acked')}, now(), 'ACKED', 'NEW', 'RED', 'loop', 'over'); update alerts set state = 'NEW' where id = ${alert('acked')}`,
      [],
    ],
    [
      'it ended before the window',
      `delete from alert_events where alert_id = ${alert('passed')};
      update alerts set started_at = '2090-05-31', resolved_at = '2090-05-31' where id = ${alert('passed')}`,
      [],
    ],
  ])('when %s', async (_, statement, kinds) => {
    await execute(statement);
    expect(kindsOf(await runAudit())).toEqual(kinds);
  });
});

describe('loops', () => {
  const both = [pollWorkflowId(meadow.id), pollWorkflowId(ridge.id)];
  const unknownIds = [pollWorkflowId('deleted'), 'started-by-hand'];

  test('a plant without a loop', async () => {
    const report = await runAudit({ loops: { listRunning: async () => new Set(both.slice(1)) } });
    expect(report.violations).toEqual([
      {
        kind: 'LOOP_MISSING',
        plant_id: 'meadow',
        at: null,
        sentence: 'No workflow poll:plant:meadow:latest runs.',
      },
    ]);
    expect(report.counts).toMatchObject({ plants: 2, loops: 1 });
  });

  test('a plant whose loop the list does not hold yet, though it runs', async () => {
    const loops = { listRunning: async () => new Set<string>(), isRunning: async () => true };
    expect(await runAudit({ loops })).toMatchObject({ violations: [], counts: { loops: 2 } });
  });

  test.each<[string, string, number]>([
    ['waits for its loop in its first minute', '59 s', 0],
    ['has none after it', '61 s', 1],
  ])('a new plant %s', async (_, age, violations) => {
    await execute(`update plants set created_at = now() - interval '${age}' where id = 'meadow'`);
    const report = await runAudit({ loops: { listRunning: async () => new Set(both.slice(1)) } });
    expect(report.violations).toHaveLength(violations);
  });

  test('loops without a plant, whatever their name', async () => {
    const report = await runAudit({
      loops: {
        listRunning: async () => new Set([...both, ...unknownIds]),
        isRunning: async () => true,
      },
    });
    expect(report.violations.map(({ kind, plant_id: plantId }) => [kind, plantId])).toEqual([
      ['LOOP_UNKNOWN', 'deleted'],
      ['LOOP_UNKNOWN', null],
    ]);
    expect(report.counts.loops).toBe(4);
  });

  test('a loop without a plant that the list still holds, though it ended', async () => {
    expect(
      (await runAudit({ loops: { listRunning: async () => new Set([...both, ...unknownIds]) } }))
        .violations,
    ).toEqual([]);
  });
});

describe('locks', () => {
  const owner = `${domain}/${pollWorkflowId(meadow.id)}`;

  test.each<[string, { key: string; ttlMs: number; owner: string }, ViolationKind[]]>([
    ["of the plant's loop, with a time to live", { key: 'lock:plant:meadow', ttlMs: 1, owner }, []],
    [
      'without a time to live',
      { key: 'lock:plant:meadow', ttlMs: -1, owner },
      ['LOCK_WITHOUT_TTL'],
    ],
    [
      "of another plant's loop",
      { key: 'lock:plant:ridge', ttlMs: 1000, owner },
      ['LOCK_UNKNOWN_OWNER'],
    ],
    [
      'of another cluster',
      { key: 'lock:plant:meadow', ttlMs: 1000, owner: owner.replace('cluster', 'second') },
      ['LOCK_UNKNOWN_OWNER'],
    ],
    [
      'of another namespace',
      { key: 'lock:plant:meadow', ttlMs: 1000, owner: owner.replace('default', 'staging') },
      ['LOCK_UNKNOWN_OWNER'],
    ],
    [
      'of nobody',
      { key: 'lock:plant:meadow', ttlMs: -1, owner: '1' },
      ['LOCK_UNKNOWN_OWNER', 'LOCK_WITHOUT_TTL'],
    ],
  ])('%s', async (_, lock, kinds) => {
    const report = await runAudit({ locks: [lock] });
    expect(kindsOf(report)).toEqual(kinds);
    expect(report.counts.locks).toBe(1);
  });
});

test('lists no more than 500 of a kind, and counts them all', async () => {
  await execute(`update poll_logs set "trigger" = 'SCHEDULE';
    insert into poll_logs (plant_id, job_type, scheduled_for, "trigger", outcome, slots_missed, workflow_id, run_id)
      select 'meadow', 'POLL', '2090-06-01T12:00Z'::timestamptz + n * interval '1 s' + interval '7 ms', 'SCHEDULE', 'MISSED', 1, 'w', 'r'
      from generate_series(1, 600) n`);
  const report = await runAudit();
  expect(report.truncated).toBe(true);
  expect(report.counts.strays).toBeGreaterThanOrEqual(600);
  expect(
    report.violations.filter(
      ({ kind }) => kind === 'ROW_OFF_GRID' || kind === 'ROW_OUTSIDE_PERIOD',
    ),
  ).toHaveLength(500);
});

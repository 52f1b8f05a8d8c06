import { type Insertable, sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { insertTestPlant } from '../test/support/activities.ts';
import { database, test } from '../test/support/test-database.ts';
import { query } from './database.ts';
import { insertAccount } from './plants/credentials.ts';
import { findPlant, plantColumns } from './plants/plants.ts';
import { insertPollLog } from './plants/poll-logs.ts';
import type { PlantTables } from './plants/tables.ts';

const plantId = 'plant';
const at = new Date('2026-11-22T12:00:00Z');

beforeEach(async () => {
  await database.db.deleteFrom('poll_logs').execute();
  await database.db.deleteFrom('plants').execute();
  await insertTestPlant(database.db);
});

const update = (values: object) =>
  database.db.updateTable('plants').set(values).where('id', '=', plantId).execute();
const revision = async () => (await findPlant(database.db, plantId))?.revision;

describe('a plant', () => {
  test('is read by the names of all its columns', async () => {
    const [[named], [all]] = await Promise.all([
      query(database.db)<object>`select ${plantColumns} from plants p`,
      query(database.db)<object>`select * from plants`,
    ]);
    expect(named).toEqual(all);
  });

  test.each([
    ['brand', { brand: 'HUAWEI' }],
    ['id', { id: 'renamed' }],
  ])('never changes its %s', async (_, values) => {
    await expect(update(values)).rejects.toMatchObject({ constraint: 'plants_identity' });
  });

  test('changes its vendor_plant_id only while it has never answered', async () => {
    await update({ vendor_plant_id: '1300000000000000002' });
    expect(await revision()).toBe(2);
    await update({ last_seen_at: at, last_seen_source: 'VENDOR' });
    await expect(update({ vendor_plant_id: '1300000000000000003' })).rejects.toMatchObject({
      constraint: 'plants_identity',
    });
  });

  test('that is removed by SQL is GREY and ACTIVE no more, whatever a poll writes afterwards', async () => {
    await update({ status: 'GREEN', status_reason: 'SEEN_RECENTLY' });
    const before = (await revision()) ?? 0;
    await update({ removed_at: at });
    await update({ status: 'RED', status_reason: 'CRITICAL_ALERT' });
    expect(await findPlant(database.db, plantId)).toMatchObject({
      integration_status: 'DISABLED_BY_OPERATOR',
      status: 'GREY',
      status_reason: 'DISABLED_BY_OPERATOR',
      status_since: at,
      revision: before + 1,
    });
  });

  test.each([
    ['an interval of 0 s', { poll_interval_s: 0 }],
    ['an interval of 86,401 s', { poll_interval_s: 86_401 }],
    ['no capacity at all', { installed_capacity_kw: 0 }],
    ['a latitude beyond the pole', { latitude: 90.1 }],
    ['an unknown integration_status', { integration_status: 'SLEEPING' }],
    ['an empty name', { name: '' }],
  ])('cannot have %s', async (_, values) => {
    await expect(update(values)).rejects.toMatchObject({ code: '23514' });
  });

  test.each([1, 86_400])('may have an interval of %d s', async (pollIntervalS) => {
    await update({ poll_interval_s: pollIntervalS });
    expect((await findPlant(database.db, plantId))?.poll_interval_s).toBe(pollIntervalS);
  });

  test('is known once to its vendor', async () => {
    await expect(insertTestPlant(database.db, { id: 'twin' })).rejects.toMatchObject({
      code: '23505',
    });
  });

  test('has an account of its own brand', async () => {
    await insertAccount(database.db, { id: 'huawei', brand: 'HUAWEI', name: 'huawei' });
    await expect(update({ vendor_account_id: 'huawei' })).rejects.toMatchObject({ code: '23503' });
  });

  test.each([
    ['the interval', { poll_interval_s: 300 }],
    ['the integration_status', { integration_status: 'DISABLED_BY_OPERATOR' }],
    ['the zone', { timezone: 'Asia/Tokyo' }],
    ['a silence', { alerts_silenced_until: at }],
    ['the capacity, which becomes unknown', { installed_capacity_kw: null }],
  ])('gets a new revision when people change %s', async (_, values) => {
    const before = (await revision()) ?? 0;
    await update(values);
    expect(await revision()).toBe(before + 1);
  });

  test('keeps its revision when the loop writes, and when people write what is there', async () => {
    const before = await revision();
    await update({
      status: 'GREEN',
      status_reason: 'SEEN_RECENTLY',
      consecutive_failures: 2,
      last_seen_at: at,
      last_seen_source: 'VENDOR',
    });
    await update({ poll_interval_s: 600, name: 'Plant' });
    expect(await revision()).toBe(before);
  });

  test('gets a new revision with new credentials of its account', async () => {
    const before = (await revision()) ?? 0;
    await database.db.updateTable('integration_credentials').set({ version: 9 }).execute();
    expect(await revision()).toBe(before + 1);
  });

  test('is stamped when it becomes ACTIVE, and forgets the pause that ends', async () => {
    await update({
      integration_status: 'DISABLED_BY_OPERATOR',
      paused_until: at,
      pause_reason: 'works',
    });
    const paused = await findPlant(database.db, plantId);
    await update({ integration_status: 'ACTIVE' });
    const resumed = await findPlant(database.db, plantId);
    expect(resumed).toMatchObject({ paused_until: null, pause_reason: null });
    expect(resumed?.activated_at?.getTime()).toBeGreaterThan(
      paused?.activated_at?.getTime() ?? Infinity,
    );
  });
});

describe('alerts', () => {
  const alert = (
    values: Partial<Insertable<PlantTables['alerts']>> = {},
  ): Insertable<PlantTables['alerts']> => ({
    plant_id: plantId,
    type: 'OFFLINE',
    vendor_alarm_code: null,
    device_sn: null,
    severity: 'RED',
    state: 'NEW',
    message: 'away',
    started_at: at,
    last_seen_at: at,
    ...values,
  });
  const insert = (values?: Partial<Insertable<PlantTables['alerts']>>) =>
    database.db.insertInto('alerts').values(alert(values)).execute();

  test('one of each key is active at most, also where code and device are null', async () => {
    await insert();
    await expect(insert()).rejects.toMatchObject({ constraint: 'alerts_one_active' });
    await expect(insert({ state: 'ACKED', acked_at: at })).rejects.toMatchObject({
      constraint: 'alerts_one_active',
    });
    await insert({ state: 'RESOLVED', resolved_at: at });
  });

  test('other codes and other devices are other keys', async () => {
    const fault = { type: 'MOCK_FAULT', vendor_alarm_code: '1001' } as const;
    await insert(fault);
    await insert({ ...fault, device_sn: 'A' });
    await insert({ ...fault, vendor_alarm_code: '1002' });
    await expect(insert({ ...fault, device_sn: 'A' })).rejects.toMatchObject({
      constraint: 'alerts_one_active',
    });
  });

  test.each([
    ['RESOLVED without its time', { state: 'RESOLVED' }],
    ['a time of resolution while active', { resolved_at: at }],
    ['OFFLINE with a code', { vendor_alarm_code: '1' }],
    ["a vendor's fault without a code", { type: 'MOCK_FAULT' }],
    ['ACKED by nobody at no time', { state: 'ACKED' }],
    ['an end before the beginning', { state: 'RESOLVED', resolved_at: new Date(at.getTime() - 1) }],
  ] as const)('%s is refused', async (_, values) => {
    await expect(insert(values)).rejects.toMatchObject({ code: '23514' });
  });
});

describe('poll_logs', () => {
  const row = (
    values: Partial<Insertable<PlantTables['poll_logs']>> = {},
  ): Insertable<PlantTables['poll_logs']> => ({
    plant_id: plantId,
    job_type: 'POLL',
    scheduled_for: at,
    trigger: 'SCHEDULE',
    status: 'SUCCESS',
    outcome: 'OK',
    started_at: at,
    duration_ms: 5,
    attempts: 1,
    workflow_id: 'w',
    run_id: 'r',
    ...values,
  });

  test('a slot is written once: the second write says so and changes nothing', async () => {
    expect(await insertPollLog(database.db, row())).toBe(true);
    expect(await insertPollLog(database.db, row({ attempts: 2 }))).toBe(false);
    expect(await database.db.selectFrom('poll_logs').select('attempts').execute()).toEqual([
      { attempts: 1 },
    ]);
  });

  test.each([
    ['a success that says ERROR', { status: 'ERROR' }],
    ['a skip that counts as success', { outcome: 'SKIPPED_LOCKED', started_at: null }],
    ['a poll without its start', { started_at: null }],
    ['MISSED without how many', { outcome: 'MISSED', status: null, started_at: null }],
    ['a negative duration', { duration_ms: -1 }],
  ] as const)('%s is refused', async (_, values) => {
    await expect(insertPollLog(database.db, row(values))).rejects.toMatchObject({ code: '23514' });
  });

  test('rows of a month without a partition go to DEFAULT, and move along when the month is made', async () => {
    const stray = row({ scheduled_for: new Date('2031-05-17T00:00:00Z') });
    const tableOf = async () =>
      (
        await sql<{
          name: string;
        }>`select tableoid::regclass::text as name from poll_logs where scheduled_for = ${stray.scheduled_for}`.execute(
          database.db,
        )
      ).rows;
    await insertPollLog(database.db, stray);
    expect(await tableOf()).toEqual([{ name: 'poll_logs_default' }]);
    await sql`select make_poll_log_month('2031-05-01')`.execute(database.db);
    expect(await tableOf()).toEqual([{ name: 'poll_logs_2031_05' }]);
    expect(await insertPollLog(database.db, stray)).toBe(false);
  });

  test("a month is made once, and holds its first instant and not the next month's", async () => {
    const make = async () =>
      (
        await sql<{ made: boolean }>`select make_poll_log_month('2032-01-15') as made`.execute(
          database.db,
        )
      ).rows[0]?.made;
    expect([await make(), await make()]).toEqual([true, false]);
    for (const instant of [
      '2032-01-01T00:00:00.000Z',
      '2032-01-31T23:59:59.999Z',
      '2032-02-01T00:00:00.000Z',
    ]) {
      await insertPollLog(database.db, row({ scheduled_for: new Date(instant) }));
    }
    const result = await sql<{
      name: string;
      rows: number;
    }>`select tableoid::regclass::text as name, count(*)::int as rows from poll_logs group by 1 order by 1`.execute(
      database.db,
    );
    expect(result.rows).toEqual([
      { name: 'poll_logs_2032_01', rows: 2 },
      { name: 'poll_logs_default', rows: 1 },
    ]);
  });
});

test.each(['plant', 'Gateway', '', 'A-B'])(
  'the outbox and the audit log refuse %j as the kind of a subject, and take any word in capitals',
  async (kind) => {
    const said = (subjectKind: string) =>
      sql`insert into notifications (subject_kind, subject_id, kind, is_end, severity, created_at, not_before)
        values (${subjectKind}, '1', 'FAILED', false, 'RED', now(), now())`.execute(database.db);
    const decided = (subjectType: string) =>
      sql`insert into audit_log (actor, action, subject_type, subject_id)
        values ('ana', 'add', ${subjectType}, '1')`.execute(database.db);
    for (const insert of [said, decided]) {
      await expect(insert(kind)).rejects.toMatchObject({ code: '23514' });
      await insert('IMPORT_JOB');
    }
  },
);

test('a plant has one open period at most', async () => {
  const period = {
    plant_id: plantId,
    to_at: null,
    interval_s: 600,
    phase_ms: 0,
    reason: 'ACTIVE' as const,
  };
  await database.db
    .insertInto('plant_periods')
    .values({ ...period, from_at: at })
    .execute();
  await expect(
    database.db
      .insertInto('plant_periods')
      .values({ ...period, from_at: new Date(at.getTime() + 1) })
      .execute(),
  ).rejects.toMatchObject({ constraint: 'plant_periods_one_open' });
});

test.each([Number.POSITIVE_INFINITY, Number.NaN, -0.1])(
  'a day of %d kWh is refused',
  async (energyKwh) => {
    const insert = sql`insert into metric_snapshots (plant_id, date, today_energy_kwh, quality, complete) values (${plantId}, '2026-06-11', ${energyKwh}, 'BACKFILLED', true)`;
    await expect(insert.execute(database.db)).rejects.toMatchObject({ code: '23514' });
  },
);

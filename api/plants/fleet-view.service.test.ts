import { sql } from 'kysely';
import { beforeEach, describe, expect } from 'vitest';

import { playPlant } from '../../cli/demo/play.ts';
import { listPlants } from '../../db/plants/plants.ts';
import { readStrips } from '../../db/plants/strips.ts';
import { addDays, localDateAt, minuteMs } from '../../domain/zone.ts';
import { insertTestPlant, testActivities } from '../../test/support/activities.ts';
import { countQueries } from '../../test/support/count-queries.ts';
import { database, test } from '../../test/support/test-database.ts';
import { fleetPage } from './fleet-query.ts';
import { createFleetView, scopedRows } from './fleet-view.ts';

beforeEach(async () => {
  await database.db.deleteFrom('plants').execute();
});

const add = (id: string, plant: Parameters<typeof insertTestPlant>[1] = {}) =>
  insertTestPlant(database.db, { id, name: id, vendor_plant_id: `vendor-${id}`, ...plant });
const viewNow = () => createFleetView(database.db, () => Date.now());
const only = async () => {
  const [row, ...more] = (await viewNow().read()).rows;
  if (row === undefined || more.length > 0) throw new Error('there is not one plant');
  return row;
};

describe('the fleet in memory', () => {
  test('is in the order of the worst, as PostgreSQL and the pages order it', async () => {
    for (let n = 0; n < 60; n += 1) await add(`p${n}.${n % 7}-_x`);
    await sql`update plants set status = (array['RED', 'GREY', 'YELLOW', 'GREEN'])[1 + abs(hashtext(id)) % 4],
      status_since = '2026-06-01'::timestamptz + make_interval(secs => abs(hashtext('b' || id)) % 3)`.execute(
      database.db,
    );
    await sql`insert into alerts (plant_id, type, vendor_alarm_code, severity, state, message, started_at, last_seen_at, acked_at)
      select id, 'MOCK_FAULT', n::text, (array['RED', 'YELLOW'])[1 + n % 2], (array['NEW', 'ACKED'])[1 + abs(hashtext('d' || id)) % 2], 'x', now(), now(), now()
      from plants, generate_series(1, 2) n where abs(hashtext('c' || id)) % 3 = n`.execute(
      database.db,
    );
    const { rows } = await viewNow().read();
    const byKey = fleetPage(
      [...rows].reverse(),
      { sort: 'worst', descending: true },
      { after: null, limit: 99 },
    );
    expect(rows).toHaveLength(60);
    expect(byKey.rows.toReversed().map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
    expect((await listPlants(database.db)).map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
  });

  test('is read once for however many ask, kept for a second, and read anew after a write', async () => {
    await add('a');
    let nowMs = Date.now();
    const view = createFleetView(database.db, () => nowMs);
    const counted = await countQueries(database.db, () =>
      Promise.all(Array.from({ length: 50 }, () => view.read())),
    );
    expect(counted).toBe(2);
    expect(await countQueries(database.db, () => view.read())).toBe(0);
    await database.db.updateTable('plants').set({ name: 'Renamed' }).execute();
    view.invalidate();
    expect((await view.read()).rows[0]?.name).toBe('Renamed');
    await database.db.updateTable('plants').set({ name: 'Again' }).execute();
    nowMs += 2_000;
    expect((await view.read()).rows[0]?.name).toBe('Again');
  });

  test('that was under way when somebody wrote is not kept', async () => {
    await add('a');
    const view = viewNow();
    const before = view.read();
    await database.db.updateTable('plants').set({ name: 'Renamed' }).execute();
    view.invalidate();
    await before;
    expect((await view.read()).rows[0]?.name).toBe('Renamed');
  });

  test('takes two statements for a thousand plants, and one where nobody polled meanwhile', async () => {
    await add('a', { customer_id: 'noord' });
    await sql`insert into plants (id, name, brand, vendor_account_id, vendor_plant_id, timezone, integration_status)
      select 'many-' || n, 'Many', brand, vendor_account_id, 'many-' || n, timezone, 'ACTIVE'
      from plants, generate_series(1, 999) n`.execute(database.db);
    let nowMs = Date.now();
    const view = createFleetView(database.db, () => nowMs);
    expect(await countQueries(database.db, () => view.read())).toBe(2);
    nowMs += 5_000;
    expect(await countQueries(database.db, () => view.read())).toBe(1);
    const fleet = await view.read();
    expect(fleet.rows).toHaveLength(1_000);
    expect(scopedRows(fleet, { customerId: 'noord' }).map(({ id }) => id)).toEqual(['a']);
    const ids = fleet.rows.slice(0, 100).map(({ id }) => id);
    expect(await countQueries(database.db, () => readStrips(database.db, ids, nowMs))).toBe(2);
  });

  test('fails where the database fails, and recovers', async () => {
    await add('a');
    const view = viewNow();
    await sql`alter table plants rename to plants_away`.execute(database.db);
    await expect(view.read()).rejects.toThrow('plants');
    await sql`alter table plants_away rename to plants`.execute(database.db);
    expect((await view.read()).rows).toHaveLength(1);
  });
});

describe("a plant's line", () => {
  const timezone = 'Europe/Amsterdam';
  const today = () => localDateAt(Date.now(), timezone);

  /** The same total on each of the days before today, and half of it in at any time of day. */
  async function writeDays(totals: readonly number[]): Promise<void> {
    for (const [index, total] of totals.entries()) {
      await database.db
        .insertInto('metric_snapshots')
        .values({
          plant_id: 'a',
          date: addDays(today(), -1 - index),
          today_energy_kwh: total,
          quality: 'FINAL',
          complete: true,
          totals_by_time: JSON.stringify(Array.from({ length: 145 }, () => total / 2)),
        })
        .execute();
    }
  }
  async function writeToday(totalKwh: number): Promise<void> {
    const now = new Date();
    await database.db
      .insertInto('metric_snapshots')
      .values({
        plant_id: 'a',
        date: today(),
        today_energy_kwh: totalKwh,
        quality: 'LIVE',
        complete: false,
        last_seen_at: now,
        slot: now,
      })
      .execute();
    await database.db
      .updateTable('plants')
      .set({ last_seen_at: now, last_seen_source: 'VENDOR', last_polled_at: now, last_slot: now })
      .execute();
  }

  test('compares yesterday with the 7 days before it, and today with its own days at this time', async () => {
    await add('a', { timezone });
    await writeDays([30, 20, 20, 20, 20]);
    await writeToday(8);
    expect(await only()).toMatchObject({
      yesterday_date: addDays(today(), -1),
      yesterday_energy_kwh: 30,
      yesterday_kwh_per_kwp: 3,
      yesterday_median_ratio: 1.5,
      yesterday_quality: 'FINAL',
      yesterday_complete: true,
      today_energy_kwh: 8,
      // of 10 kWh that are usually in
      today_median_ratio: 0.8,
    });
  });

  test('says "too early" of today before half of a usual day is due', async () => {
    await add('a', { timezone });
    await writeDays([20, 20, 20, 20]);
    await database.db
      .updateTable('metric_snapshots')
      .set({ totals_by_time: JSON.stringify(Array.from({ length: 145 }, () => 9)) })
      .execute();
    await writeToday(9);
    expect(await only()).toMatchObject({ today_median_ratio: null, today_note: 'too early' });
  });

  test('has dashes with their reasons where there is nothing', async () => {
    await add('a', { timezone, installed_capacity_kw: null });
    expect(await only()).toMatchObject({
      power_now_w: null,
      power_note: 'not polled yet',
      data_age_s: null,
      yesterday_energy_kwh: null,
      yesterday_kwh_per_kwp: null,
      yesterday_median_ratio: null,
      yesterday_note: expect.stringContaining('No reading was booked'),
      today_energy_kwh: null,
      today_median_ratio: null,
      today_note: 'No total was booked to today: no verdict.',
      estimated_lost_kwh: null,
      not_polled_since: null,
    });
  });

  test('shows what a poll gave, and of an old poll no power', async () => {
    const fromMs = Date.now() - 4 * minuteMs;
    await add('a', {
      vendor_plant_id: '1300000000000000001',
      poll_interval_s: 60,
      activated_at: new Date(fromMs - 1),
    });
    await playPlant(testActivities(database, { plantId: 'a' }), 'a', fromMs, Date.now());
    const polled = await only();
    expect(polled).toMatchObject({ power_note: null, stale: false });
    expect(polled.power_now_w).toBe(polled.last_poll?.booked?.powerW);
    const newest = await database.db
      .selectFrom('poll_logs')
      .select('power_w')
      .orderBy('scheduled_for', 'desc')
      .limit(1)
      .executeTakeFirstOrThrow();
    expect(polled.power_w).toBe(newest.power_w);
    await database.db
      .updateTable('plants')
      .set({ last_polled_at: new Date(Date.now() - 10 * minuteMs) })
      .execute();
    expect(await only()).toMatchObject({
      stale: true,
      not_polled_since: expect.any(Date),
      power_now_w: null,
      power_note: 'not polled in time',
    });
  });

  test('tells the largest loss of its active alerts: the older one holds what the younger lost', async () => {
    await add('a');
    const alert = {
      plant_id: 'a',
      type: 'MOCK_FAULT' as const,
      severity: 'RED' as const,
      message: 'x',
      started_at: new Date(),
      last_seen_at: new Date(),
    };
    await database.db
      .insertInto('alerts')
      .values([
        { ...alert, vendor_alarm_code: '1', state: 'NEW', estimated_lost_kwh: 3 },
        { ...alert, vendor_alarm_code: '2', state: 'NEW', estimated_lost_kwh: 5 },
        {
          ...alert,
          vendor_alarm_code: '3',
          state: 'RESOLVED',
          resolved_at: new Date(Date.now() + 1_000),
          estimated_lost_kwh: 99,
        },
      ])
      .execute();
    expect(await only()).toMatchObject({ estimated_lost_kwh: 5, open_alerts: 2 });
  });
});

describe('strips', () => {
  test('read slots from the ledger by the plan that stood', async () => {
    await add('a', { poll_interval_s: 600 });
    await add('never');
    const nowMs = Date.parse('2026-06-11T12:00:30Z');
    await database.db
      .insertInto('plant_periods')
      .values([
        {
          plant_id: 'a',
          from_at: new Date(nowMs - 90 * minuteMs),
          to_at: new Date(nowMs - 60 * minuteMs),
          interval_s: 600,
          phase_ms: 0,
          reason: 'ACTIVE',
        },
        {
          plant_id: 'a',
          from_at: new Date(nowMs - 60 * minuteMs),
          to_at: new Date(nowMs - 30 * minuteMs),
          interval_s: 600,
          phase_ms: 0,
          reason: 'DISABLED_BY_OPERATOR',
        },
        {
          plant_id: 'a',
          from_at: new Date(nowMs - 30 * minuteMs),
          to_at: null,
          interval_s: 600,
          phase_ms: 0,
          reason: 'ACTIVE',
        },
      ])
      .execute();
    await database.db
      .insertInto('poll_logs')
      .values({
        plant_id: 'a',
        job_type: 'POLL',
        scheduled_for: new Date('2026-06-11T11:50:00Z'),
        trigger: 'SCHEDULE',
        status: 'SUCCESS',
        outcome: 'OK',
        started_at: new Date('2026-06-11T11:50:00Z'),
        late_ms: 4,
        workflow_id: 'w',
        run_id: 'r',
      })
      .execute();
    const strips = await readStrips(database.db, ['a', 'never'], nowMs);
    expect([...strips.keys()]).toEqual(['a']);
    expect(
      strips
        .get('a')
        ?.map(({ slotMs, kind }) => [new Date(slotMs).toISOString().slice(11, 16), kind]),
    ).toEqual([
      ['10:40', 'missed'],
      ['10:50', 'missed'],
      ['11:00', 'missed'],
      ['11:40', 'missed'],
      ['11:50', 'ok'],
      ['12:00', 'due'],
    ]);
  });
});

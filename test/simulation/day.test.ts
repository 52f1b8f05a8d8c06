import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { audit } from '../../operations/plants/check.ts';
import { openLocks } from '../../environment/locks.ts';
import type { RunningWorker } from '../../worker/worker.ts';
import { findDays } from '../../db/plants/snapshots.ts';
import { closingInstantMs, totalsCount } from '../../domain/plants/closing.ts';
import type { LocalDate } from '../../domain/zone.ts';
import { isOnGrid } from '../../domain/slots.ts';
import { clearSkyShare, sunTimes } from '../../domain/sun.ts';
import { addDays, instantOf, localDateAt, localMinutesAt } from '../../domain/zone.ts';
import { createTestFleet, type TestFleet } from '../support/fleet.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';
import {
  away,
  clockBack,
  dawn,
  dayPlants,
  type DayPlant,
  emergency,
  expired,
  faint,
  intervalMs,
  limited,
  madeKwh,
  night,
  rateLimitedSlot,
  seriesKwh,
  silent,
  slotMsOf,
  slotsOfDay,
  startMs,
  stumblingSlot,
  sunrise,
  warned,
  weak,
} from './fleet.ts';
import { findStatusChanges, liveThrough, recordStatusChanges } from './live.ts';
import { findAlerts, findPolls, gridOf, measuredAtMs, slotOf, slotText } from './record.ts';
import { simulatedVendors } from './vendor.ts';

/** About a minute on two free cores; several where others work on them. */
const simulationLimitMs = 600_000;
/** Vendors show a decimal or two. */
const roundingKwh = 0.051;

const table = dayPlants.map((plant) => [plant.id, plant] as const);

describe('a day of twelve plants', () => {
  const vendors = simulatedVendors(dayPlants);
  let fleet: TestFleet;
  let worker: RunningWorker;

  beforeAll(async () => {
    fleet = await createTestFleet();
    await recordStatusChanges(fleet.db);
    worker = await startTestWorker(fleet, { openAdapter: vendors.openAdapter, reconcile: false });
    await Promise.all(dayPlants.map((plant) => liveThrough(fleet, plant)));
  }, simulationLimitMs);

  afterAll(async () => {
    await stopWorker(worker);
    await fleet.close();
  });

  test.each(table)('%s has one row for every slot, on its grid, in one run', async (_, plant) => {
    const rows = await polls(plant);
    const [start, ...due] = rows;
    expect(start).toMatchObject({ trigger: 'START', outcome: 'OK' });
    expect(new Set(due.map((row) => row.trigger))).toEqual(new Set(['SCHEDULE']));
    const slots = due.map((row) => row.scheduled_for.getTime());
    expect(slots).toEqual(
      Array.from({ length: plant.slots ?? slotsOfDay }, (_slot, index) => slotMsOf(plant, index)),
    );
    expect(slots.every((slotMs) => isOnGrid(gridOf(plant), slotMs))).toBe(true);
    expect(new Set(rows.map((row) => row.run_id)).size).toBe(1);
  });

  test.each(table)('%s is closed once, at ten to midnight by its own clock', async (_, plant) => {
    const closings = await fleet.db
      .selectFrom('poll_logs')
      .select(['scheduled_for', 'outcome', 'trigger'])
      .where('plant_id', '=', plant.id)
      .where('job_type', '=', 'DAILY')
      .execute();
    const atMs = closingInstantMs(plant.id, plant.date, plant.timezone);
    expect(closings).toEqual([
      { scheduled_for: new Date(atMs), outcome: 'OK', trigger: 'SCHEDULE' },
    ]);
    expect(localDateAt(atMs, plant.timezone)).toBe(plant.date);
    expect(localMinutesAt(atMs, plant.timezone)).toBeGreaterThanOrEqual(23 * 60 + 50);
  });

  test.each(table)('%s books to a date what it had made of it by then', async (_, plant) => {
    const booked = (await polls(plant)).filter((row) => row.booked_date !== null);
    expect(booked.length).toBeGreaterThan(0);
    for (const row of booked) {
      const measuredMs = measuredAtMs(row);
      expect(row.booked_date).toBe(localDateAt(measuredMs, plant.timezone));
      const offKwh = Math.abs((row.today_energy_kwh ?? 0) - madeKwh(plant, measuredMs));
      expect(offKwh, row.scheduled_for.toISOString()).toBeLessThan(roundingKwh);
    }
  });

  test.each(table)('%s has in each live day the highest of its polls', async (_, plant) => {
    const rows = await polls(plant);
    for (const date of [plant.date, addDays(plant.date, 1)]) {
      const ofDate = rows.filter((row) => row.booked_date === date);
      const [day] = await findDays(fleet.db, plant.id, date, date);
      const energyKwh = Math.max(...ofDate.map((row) => row.today_energy_kwh ?? 0));
      expect(day?.liveEnergyKwh, date).toBe(energyKwh);
      expect(day?.peakPowerW, date).toBe(Math.max(...ofDate.map((row) => row.power_w ?? 0)));
      if (day?.quality === 'LIVE') expect(day.todayEnergyKwh, date).toBe(energyKwh);
    }
  });

  test.each(table.filter(([, plant]) => plant !== limited))(
    '%s has the three days before from the series, the oldest of them final',
    async (_, plant) => {
      const days = await findDays(
        fleet.db,
        plant.id,
        addDays(plant.date, -3),
        addDays(plant.date, -1),
      );
      expect(days.map((day) => day.quality)).toEqual(['FINAL', 'BACKFILLED', 'BACKFILLED']);
      for (const day of days) {
        expect(Math.abs(day.todayEnergyKwh - seriesKwh(plant, day.date))).toBeLessThan(roundingKwh);
        expect(day.complete).toBe(true);
      }
    },
  );

  test.each(table)('%s keeps the totals of the closed day by local time', async (_, plant) => {
    const { totals_by_time: totals } = await fleet.db
      .selectFrom('metric_snapshots')
      .select('totals_by_time')
      .where('plant_id', '=', plant.id)
      .where('date', '=', plant.date)
      .executeTakeFirstOrThrow();
    expect(totals).toHaveLength(totalsCount);
    const known = (totals ?? []).filter((total) => total !== null);
    expect(known).toEqual(known.toSorted((a, b) => a - b));
    const ofDate = (await polls(plant)).filter((row) => row.booked_date === plant.date);
    expect(known.at(-1)).toBe(Math.max(...ofDate.map((row) => row.today_energy_kwh ?? 0)));
  });

  // Instants are those of the slots, by the plant's clock. The sun sets in Seville at 18:38, rises in Kathmandu at 06:09.
  test.each<[string, DayPlant, unknown[]]>([
    [
      'stays GREEN through the night in which the clocks go back',
      clockBack,
      ['GREEN SEEN_RECENTLY Sat 16:00'],
    ],
    [
      'is RED while an emergency is open',
      emergency,
      [
        'RED CRITICAL_ALERT Sat 11:00',
        'GREEN SEEN_RECENTLY Sat 12:02',
        'RED CRITICAL_ALERT Sat 15:02',
        'GREEN SEEN_RECENTLY Sat 16:02',
        'RED CRITICAL_ALERT Sat 19:02',
        'GREEN SEEN_RECENTLY Sat 20:02',
        'RED CRITICAL_ALERT Sat 23:02',
        'GREEN SEEN_RECENTLY Sun 00:02',
        'RED CRITICAL_ALERT Sun 03:02',
        'GREEN SEEN_RECENTLY Sun 04:02',
        'RED CRITICAL_ALERT Sun 07:02',
        'GREEN SEEN_RECENTLY Sun 08:02',
      ],
    ],
    ["stays GREEN while it shows yesterday's total", sunrise, ['GREEN SEEN_RECENTLY Sat 11:30']],
    [
      'is YELLOW in a night without a measurement time',
      night,
      [
        'GREEN SEEN_RECENTLY Sat 16:00',
        huaweiYellow('Sat 21:[34]4'),
        'GREEN SEEN_RECENTLY Sun 07:54',
      ],
    ],
    [
      'waits for its first reading until the sun rises',
      dawn,
      ['GREEN SEEN_RECENTLY Sun 06:13', huaweiYellow('Sun 19:[34]3')],
    ],
    ['is GREEN from sunrise on, session or no session', expired, ['GREEN SEEN_RECENTLY Sun 06:48']],
    [
      'is YELLOW after two hours of silence',
      silent,
      [
        'GREEN SEEN_RECENTLY Sat 08:00',
        'YELLOW NOT_SEEN_2H Sat 11:01',
        'GREEN SEEN_RECENTLY Sat 15:01',
      ],
    ],
    [
      'is RED with a twentieth of its usual energy',
      faint,
      ['GREEN SEEN_RECENTLY Sun 00:30', 'RED CRITICAL_ALERT Sun 13:24'],
    ],
    [
      'is RED from warning to fault to recovery only for the fault',
      warned,
      [
        'GREEN SEEN_RECENTLY Sat 23:00',
        'RED CRITICAL_ALERT Sun 12:03',
        'GREEN SEEN_RECENTLY Sun 14:03',
      ],
    ],
    [
      'goes GREEN, YELLOW, RED and GREEN again when its cloud is away',
      away,
      [
        'GREEN SEEN_RECENTLY Sat 15:00',
        'YELLOW NOT_SEEN_2H Sat 17:56',
        'RED NOT_SEEN_24H Sun 14:56',
        'GREEN SEEN_RECENTLY Sun 16:06',
      ],
    ],
    [
      'is YELLOW with a fifth of its usual energy',
      weak,
      ['GREEN SEEN_RECENTLY Sun 03:00', 'YELLOW LOW_GENERATION Sun 13:38'],
    ],
    [
      'stays GREEN while it is left alone for half an hour',
      limited,
      ['GREEN SEEN_RECENTLY Sat 09:00'],
    ],
  ])('%s', async (_, plant, expected) => {
    const changes = await findStatusChanges(fleet.db, plant.id);
    expect(
      changes.map(
        (change) =>
          `${change.status} ${change.status_reason} ${slotText(plant, change.status_since)}`,
      ),
    ).toEqual(expected);
  });

  test('no plant but those with a reason has an alert', async () => {
    const rows = await fleet.db
      .selectFrom('alerts')
      .select('plant_id')
      .distinct()
      .orderBy('plant_id')
      .execute();
    const expected = [away, emergency, faint, limited, warned, weak]
      .map((plant) => plant.id)
      .sort();
    expect(rows.map((row) => row.plant_id)).toEqual(expected);
  });

  test('an emergency is raised once, rises, is resolved, and begins anew', async () => {
    const alerts = await alertsOf(emergency);
    const cycle = (hours: readonly string[]) => [
      `null→NEW YELLOW ${hours[0]}`,
      `NEW→NEW RED ${hours[1]}`,
      `NEW→RESOLVED RED ${hours[2]}`,
    ];
    expect(alerts.map((alert) => alert.events)).toEqual([
      // The first poll meets it as an emergency.
      ['null→NEW RED Sat 11:00', 'NEW→RESOLVED RED Sat 12:02'],
      cycle(['Sat 14:02', 'Sat 15:02', 'Sat 16:02']),
      cycle(['Sat 18:02', 'Sat 19:02', 'Sat 20:02']),
      cycle(['Sat 22:02', 'Sat 23:02', 'Sun 00:02']),
      cycle(['Sun 02:02', 'Sun 03:02', 'Sun 04:02']),
      cycle(['Sun 06:02', 'Sun 07:02', 'Sun 08:02']),
      ['null→NEW YELLOW Sun 10:02'],
    ]);
    // The vendor's times, not those of the answers.
    const second = alerts[1];
    expect(second?.started_at).toEqual(new Date('2037-10-24T17:00:00Z'));
    expect(second?.resolved_at).toEqual(new Date('2037-10-24T19:00:00Z'));
    // Of a key that was announced within 6 h only the rise is told again, and that at once.
    expect(second?.announced).toEqual(['ESCALATED Sat 15:02', 'RECOVERED Sat 16:02']);
    expect(alerts[3]?.announced).toEqual(['ESCALATED Sat 23:02', 'RECOVERED Sun 07:00']);
  });

  test("a warning becomes a fault of the same alert; yesterday's is recorded, not announced", async () => {
    const [yesterdays, todays, ...others] = await alertsOf(warned);
    expect(others).toEqual([]);
    expect(yesterdays).toMatchObject({ state: 'RESOLVED', announced: [] });
    expect(todays?.events).toEqual([
      'null→NEW YELLOW Sun 10:03',
      'NEW→NEW RED Sun 12:03',
      'NEW→RESOLVED RED Sun 14:03',
    ]);
    expect(todays?.announced).toEqual([
      'RAISED Sun 10:03',
      'ESCALATED Sun 12:03',
      'RECOVERED Sun 14:03',
    ]);
    expect(todays?.started_at.getTime()).toBe(instantOf('2037-10-25', '10:00', warned.timezone));
  });

  test('an outage has two alerts, each kept up to date to its last failed poll', async () => {
    const [failing, offline, ...others] = await alertsOf(away);
    expect(others).toEqual([]);
    expect(failing).toMatchObject({
      type: 'API_ERROR',
      vendor_alarm_code: 'POLL',
      events: ['null→NEW YELLOW Sat 16:26', 'NEW→RESOLVED YELLOW Sun 16:06'],
      // Six hours after the last, and not by night; the day has 25 hours.
      announced: [
        'RAISED Sat 16:26',
        'REMINDER Sun 07:00',
        'REMINDER Sun 13:06',
        'RECOVERED Sun 16:06',
      ],
    });
    expect(offline).toMatchObject({
      type: 'OFFLINE',
      severity: 'RED',
      events: ['null→NEW RED Sun 14:56', 'NEW→RESOLVED RED Sun 16:06'],
      announced: ['RAISED Sun 14:56', 'RECOVERED Sun 16:06'],
    });
    for (const alert of [failing, offline]) {
      expect(slotText(away, alert?.last_seen_at ?? new Date(0))).toBe('Sun 15:56');
    }
  });

  test('an outage that hid an evening: no verdict on it, then its total from the series', async () => {
    const [closing] = await fleet.db
      .selectFrom('poll_logs')
      .select('error')
      .where('plant_id', '=', away.id)
      .where('job_type', '=', 'DAILY')
      .execute();
    expect(closing?.error).toBe(`${away.date} is not complete: no verdict.`);
    const [day] = await findDays(fleet.db, away.id, away.date, away.date);
    expect(day).toMatchObject({ quality: 'BACKFILLED', complete: true });
    expect(day?.todayEnergyKwh).toBeGreaterThan((day?.liveEnergyKwh ?? 0) + 1);
    expect(Math.abs((day?.todayEnergyKwh ?? 0) - seriesKwh(away, away.date))).toBeLessThan(
      roundingKwh,
    );
  });

  test.each([
    [faint.id, faint, 'RED'],
    [weak.id, weak, 'YELLOW'],
  ] as const)(
    '%s raises LOW_GENERATION by the third verdict after half of a day is due, not in the morning',
    async (_, plant, severity) => {
      const [alert, ...others] = await alertsOf(plant);
      expect(others).toEqual([]);
      expect(alert).toMatchObject({ type: 'LOW_GENERATION', severity, state: 'NEW' });
      expect(alert?.events).toHaveLength(1);
      const raisedMs = alert?.started_at.getTime() ?? 0;
      const judged = (await polls(plant)).filter(
        (row) =>
          row.booked_date === plant.date &&
          (clearSkyShare(measuredAtMs(row), plant.date, plant) ?? 0) >= 0.5,
      );
      expect(
        judged.findIndex((row) => row.scheduled_for.getTime() === slotOf(plant, raisedMs)),
      ).toBe(2);
      expect(localMinutesAt(raisedMs, plant.timezone)).toBeGreaterThan(12 * 60);
      // The closing says the same: the alert stays, and was seen after it.
      expect(alert?.last_seen_at.getTime()).toBeGreaterThan(
        closingInstantMs(plant.id, plant.date, plant.timezone) - intervalMs,
      );
    },
  );

  test.each([
    ['with fresh times until sunrise', sunrise, sunriseMs(sunrise, '2037-10-25')],
    [
      'with nothing that says when, until half past six',
      dawn,
      instantOf('2037-10-25', '06:30', dawn.timezone),
    ],
  ])("yesterday's total at dawn, shown %s, is not booked to today", async (_, plant, resetMs) => {
    const morning = (await polls(plant)).filter(
      (row) => localDateAt(measuredAtMs(row), plant.timezone) === '2037-10-25',
    );
    const before = morning.filter((row) => measuredAtMs(row) < resetMs);
    expect(before.length).toBeGreaterThan(35);
    expect(before.filter((row) => row.booked_date !== null)).toEqual([]);
    const after = morning.slice(before.length);
    expect(after.filter((row) => row.booked_date !== '2037-10-25')).toEqual([]);
    expect(after[0]?.today_energy_kwh).toBeLessThan(1);
  });

  test('the hour that the clock repeats is polled twice as often', async () => {
    const repeated = (await polls(clockBack)).filter((row) => {
      const minutes = localMinutesAt(row.scheduled_for.getTime(), clockBack.timezone);
      return minutes >= 2 * 60 && minutes < 3 * 60;
    });
    expect(repeated).toHaveLength(12);
  });

  test('a day that the series lacks gets no row, and is asked again only at the closing', async () => {
    const gap = addDays(limited.date, -2);
    const days = await findDays(
      fleet.db,
      limited.id,
      addDays(limited.date, -3),
      addDays(limited.date, -1),
    );
    expect(days.map((day) => day.date)).toEqual([
      addDays(limited.date, -3),
      addDays(limited.date, -1),
    ]);
    const gaps = await fleet.db
      .selectFrom('day_gaps')
      .select(['date', 'tries'])
      .where('plant_id', '=', limited.id)
      .execute();
    expect(gaps).toEqual([{ date: gap, tries: 1 }]);
    const asked = vendors.calls.filter(
      (call) => call.vendorPlantId === limited.vendorPlantId && call.what === 'series',
    );
    expect(asked.map((call) => slotText(limited, new Date(call.atMs)))).toEqual([
      'Sat 09:00',
      'Sat 23:51',
    ]);
  });

  test('a rate limit is obeyed without a request, a stumble is tried again', async () => {
    const rows = (await polls(limited)).slice(1);
    const at = (index: number) => {
      const { outcome, attempts, adapter_error_type } = rows[index] ?? {};
      return { outcome, attempts, adapter_error_type };
    };
    const refused = { outcome: 'FAILED', adapter_error_type: 'RATE_LIMIT_EXCEEDED' };
    expect(at(rateLimitedSlot)).toEqual({ ...refused, attempts: 1 });
    expect(at(rateLimitedSlot + 1)).toEqual({ ...refused, attempts: 0 });
    expect(at(rateLimitedSlot + 2)).toEqual({ ...refused, attempts: 0 });
    expect(at(rateLimitedSlot + 3)).toEqual({
      outcome: 'OK',
      attempts: 1,
      adapter_error_type: null,
    });
    expect(at(stumblingSlot)).toEqual({ outcome: 'OK', attempts: 2, adapter_error_type: null });
    const [alert, ...others] = await alertsOf(limited);
    expect(others).toEqual([]);
    expect(alert?.events).toEqual(['null→NEW YELLOW Sat 12:21', 'NEW→RESOLVED YELLOW Sat 12:31']);
  });

  test.each(table.filter(([, plant]) => plant !== away && plant !== limited))(
    '%s is polled without a failure',
    async (_, plant) => {
      expect((await polls(plant)).filter((row) => row.outcome !== 'OK')).toEqual([]);
    },
  );

  test('the invariants of the record, the loops and the locks hold', async () => {
    const locks = openLocks(fleet.config, () => {});
    try {
      const toMs = startMs + slotsOfDay * intervalMs;
      const report = await audit({
        db: fleet.db,
        client: fleet.client,
        locks,
        fromMs: startMs,
        toMs,
      });
      expect(report.violations).toEqual([]);
      const { slots_due, polled } = report.counts;
      expect({ slots_due, polled }).toEqual({
        slots_due: dayPlants.length * slotsOfDay,
        polled: dayPlants.length * slotsOfDay,
      });
    } finally {
      locks.close();
    }
  });

  test('people are told by day, but of an emergency at once; and not again within six hours', async () => {
    const rows = await fleet.db
      .selectFrom('notifications as n')
      .innerJoin('alerts as a', 'a.id', 'n.alert_id')
      .innerJoin('plants as p', 'p.id', 'a.plant_id')
      .select([
        'n.alert_id',
        'n.kind',
        'n.severity',
        'n.created_at',
        'n.not_before',
        'n.dropped_at',
        'a.type',
        'p.timezone',
      ])
      .orderBy('n.alert_id')
      .orderBy('n.id')
      .execute();
    expect(rows.length).toBeGreaterThan(20);
    for (const row of rows) {
      const isUrgent =
        row.type === 'MOCK_FAULT' && row.severity === 'RED' && row.kind !== 'RECOVERED';
      const minutes = localMinutesAt(row.not_before.getTime(), row.timezone);
      if (isUrgent) expect(row.not_before).toEqual(row.created_at);
      else
        expect(minutes >= 7 * 60 && minutes < 20 * 60, `${row.kind} at ${minutes} min`).toBe(true);
    }
    for (const [index, row] of rows.entries()) {
      const before = rows[index - 1];
      if (row.kind !== 'REMINDER' || before === undefined) continue;
      expect(before.alert_id).toBe(row.alert_id);
      expect(row.not_before.getTime() - before.not_before.getTime()).toBeGreaterThan(6 * 3_600_000);
    }
  });

  const polls = (plant: DayPlant) => findPolls(fleet.db, plant);
  const alertsOf = (plant: DayPlant) => findAlerts(fleet.db, plant);
});

/** Seen at a poll's own time, the plant is unseen for more than 2 h at the twelfth slot or the next, as milliseconds fall. */
function huaweiYellow(slots: string): unknown {
  return expect.stringMatching(new RegExp(`^YELLOW NOT_SEEN_2H ${slots}$`));
}

function sunriseMs(plant: DayPlant, date: LocalDate): number {
  return sunTimes(date, plant.timezone, plant.latitude, plant.longitude).sunriseMs ?? NaN;
}

import type { Insertable, Kysely } from 'kysely';

import { instant } from '../../db/database.ts';
import type { PlantTables } from '../../db/plants/tables.ts';
import type { Database } from '../../db/tables.ts';
import type { AlertSeverity, AlertState } from '../../domain/plants/facts.ts';
import { type Grid, nextSlotAfter, phaseMs } from '../../domain/slots.ts';
import { dayMs, hourMs, localDateAt, localMinutesAt, minuteMs } from '../../domain/zone.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';

/**
 * A day of two plants as the loops would have written it, for tests of the audit: every kind of row and event that may be
 * there, and nothing that may not. Far in the future, so that "now" is what a test says.
 */

export const ledgerFromMs = Date.parse('2090-06-01T00:00:00Z');
export const ledgerToMs = ledgerFromMs + dayMs;

type Row = Insertable<PlantTables['poll_logs']>;

interface TestPlant {
  id: string;
  brand: 'SOLIS' | 'HUAWEI';
  timezone: string;
  intervalS: number;
}

/** Polled throughout, with an outage, a request and a few failures; its day begins at 22:00 UTC. */
export const meadow: TestPlant = {
  id: 'meadow',
  brand: 'SOLIS',
  timezone: 'Europe/Amsterdam',
  intervalS: 600,
};
/** Paused from 06:00 to 09:00 UTC, and polled less often since; its day begins at 03:00 UTC. */
export const ridge: TestPlant = {
  id: 'ridge',
  brand: 'HUAWEI',
  timezone: 'America/Sao_Paulo',
  intervalS: 900,
};

export const meadowGrid = gridOf(meadow, 600);
/** The slots of meadow, by number. */
export const meadowSlots = slotsBetween(meadowGrid, ledgerFromMs + 1_000, ledgerToMs);
/** A slot of meadow with an ordinary poll, its neighbours too. */
export const ordinarySlotMs = at(meadowSlots, 10);
/** One row at the slot of this number stands for four missed slots. */
export const overflowSlotMs = at(meadowSlots, 60);
/** Two minutes after a slot. */
export const manualMs = at(meadowSlots, 100) + 2 * minuteMs;
export const pauseMs = nextSlotAfter(gridOf(ridge, 300), ledgerFromMs + 6 * hourMs);
const resumeMs = ledgerFromMs + 9 * hourMs;

function gridOf(plant: TestPlant, intervalS: number): Grid {
  return { intervalMs: intervalS * 1000, phaseMs: phaseMs(plant.id, intervalS * 1000) };
}

function slotsBetween(grid: Grid, afterMs: number, toMs: number): number[] {
  const slots: number[] = [];
  for (let slotMs = nextSlotAfter(grid, afterMs); slotMs < toMs; slotMs += grid.intervalMs)
    slots.push(slotMs);
  return slots;
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`no item ${index}`);
  return item;
}

/** A row that polled nothing. */
function bare(plant: TestPlant, slotMs: number, outcome: Row['outcome']): Row {
  return {
    plant_id: plant.id,
    job_type: 'POLL',
    scheduled_for: instant(slotMs),
    trigger: 'SCHEDULE',
    status: null,
    outcome,
    slots_missed: outcome === 'MISSED' ? 1 : null,
    workflow_id: pollWorkflowId(plant.id),
    run_id: 'a run',
  };
}

/** A poll that took 400 ms; energy and power rise with the plant's day. */
function polled(plant: TestPlant, slotMs: number, changes: Partial<Row> = {}): Row {
  const minutes = localMinutesAt(slotMs, plant.timezone);
  return {
    ...bare(plant, slotMs, 'OK'),
    status: 'SUCCESS',
    started_at: instant(slotMs + 10),
    duration_ms: 400,
    late_ms: 10,
    attempts: 1,
    power_w: 10 * Math.min(minutes, 1440 - minutes),
    today_energy_kwh: minutes / 100,
    booked_date: localDateAt(slotMs, plant.timezone),
    ...changes,
  };
}

/** A poll without an answer. */
function failed(plant: TestPlant, slotMs: number): Row {
  return polled(plant, slotMs, {
    status: 'ERROR',
    outcome: 'FAILED',
    adapter_error_type: 'NETWORK_TIMEOUT',
    power_w: null,
    today_energy_kwh: null,
    booked_date: null,
  });
}

function meadowRows(): Row[] {
  const rows = new Map(meadowSlots.map((slotMs) => [slotMs, polled(meadow, slotMs)]));
  const put = (number: number, row: (slotMs: number) => Row | null) => {
    const slotMs = at(meadowSlots, number);
    const changed = row(slotMs);
    if (changed === null) rows.delete(slotMs);
    else rows.set(slotMs, changed);
  };
  put(20, (slotMs) => bare(meadow, slotMs, 'SKIPPED_LOCKED'));
  put(30, (slotMs) => failed(meadow, slotMs));
  put(40, (slotMs) => polled(meadow, slotMs, { outcome: 'PARTIAL' }));
  put(60, (slotMs) => ({ ...bare(meadow, slotMs, 'MISSED'), slots_missed: 4 }));
  for (const number of [61, 62, 63]) put(number, () => null);
  for (const number of [64, 65]) put(number, (slotMs) => bare(meadow, slotMs, 'MISSED'));
  put(66, (slotMs) =>
    polled(meadow, slotMs, {
      trigger: 'CATCH_UP',
      started_at: instant(slotMs + 90_000),
      late_ms: 90_000,
    }),
  );
  // Begins in the millisecond in which the poll before it ends.
  put(80, (slotMs) => polled(meadow, slotMs, { duration_ms: 600_000 }));
  return [
    polled(meadow, ledgerFromMs + 1_000, { trigger: 'START' }),
    ...rows.values(),
    polled(meadow, manualMs, { trigger: 'MANUAL' }),
  ];
}

function ridgeRows(): Row[] {
  return [
    ...slotsBetween(gridOf(ridge, 300), ledgerFromMs, pauseMs).map((slotMs) =>
      polled(ridge, slotMs),
    ),
    // The poll that met the pause ended the period at its own instant.
    bare(ridge, pauseMs, 'SKIPPED_INACTIVE'),
    polled(ridge, resumeMs + 50, { trigger: 'START' }),
    ...slotsBetween(gridOf(ridge, 900), resumeMs + 50, ledgerToMs).map((slotMs) =>
      polled(ridge, slotMs),
    ),
  ];
}

/** Writes the day into an empty, migrated database. */
export async function writeTestLedger(db: Kysely<Database>): Promise<void> {
  await insertPlant(db, meadow, meadowRows());
  await insertPlant(db, ridge, ridgeRows());
  await db
    .insertInto('plant_periods')
    .values([
      {
        plant_id: meadow.id,
        from_at: instant(at(meadowSlots, 0)),
        to_at: null,
        interval_s: 600,
        phase_ms: meadowGrid.phaseMs,
        reason: 'ACTIVE',
      },
      period(300, nextSlotAfter(gridOf(ridge, 300), ledgerFromMs), pauseMs, 'ACTIVE'),
      period(300, pauseMs, resumeMs, 'DISABLED_BY_OPERATOR'),
      period(900, nextSlotAfter(gridOf(ridge, 900), resumeMs + 50), null, 'ACTIVE'),
    ])
    .execute();
  await insertAlert(db, 'escalated', [
    [null, 'NEW', 'YELLOW'],
    ['NEW', 'ACKED', 'YELLOW'],
    ['ACKED', 'NEW', 'RED'],
    ['NEW', 'ACKED', 'RED'],
    ['ACKED', 'NEW', 'RED'],
    ['NEW', 'ACKED', 'RED'],
    ['ACKED', 'RESOLVED', 'RED'],
  ]);
  await insertAlert(db, 'risen', [
    [null, 'NEW', 'YELLOW'],
    ['NEW', 'NEW', 'RED'],
  ]);
  await insertAlert(db, 'passed', [
    [null, 'NEW', 'YELLOW'],
    ['NEW', 'RESOLVED', 'YELLOW'],
  ]);
  await insertAlert(db, 'acked', [
    [null, 'NEW', 'RED'],
    ['NEW', 'ACKED', 'RED'],
  ]);
}

function period(
  intervalS: number,
  fromMs: number,
  toMs: number | null,
  reason: 'ACTIVE' | 'DISABLED_BY_OPERATOR',
) {
  return {
    plant_id: ridge.id,
    from_at: instant(fromMs),
    to_at: instant(toMs),
    interval_s: intervalS,
    phase_ms: gridOf(ridge, intervalS).phaseMs,
    reason,
  };
}

async function insertPlant(
  db: Kysely<Database>,
  plant: TestPlant,
  rows: readonly Row[],
): Promise<void> {
  const account = `${plant.id}-account`;
  const newest = rows
    .filter((row) => row.started_at != null)
    .reduce((a, b) => (a.scheduled_for > b.scheduled_for ? a : b));
  await db
    .insertInto('vendor_accounts')
    .values({ id: account, brand: plant.brand, name: account })
    .execute();
  await db
    .insertInto('plants')
    .values({
      id: plant.id,
      name: plant.id,
      brand: plant.brand,
      vendor_account_id: account,
      vendor_plant_id: plant.id,
      timezone: plant.timezone,
      poll_interval_s: plant.intervalS,
      integration_status: 'ACTIVE',
      activated_at: instant(ledgerFromMs),
      created_at: instant(0),
      last_slot: newest.scheduled_for,
    })
    .execute();
  await db
    .insertInto('poll_logs')
    .values([...rows])
    .execute();
  const booked = Map.groupBy(
    rows.filter((row) => row.booked_date != null),
    (row) => row.booked_date ?? '',
  );
  for (const [date, ofDate] of booked) {
    await db
      .insertInto('metric_snapshots')
      .values({
        plant_id: plant.id,
        date,
        today_energy_kwh: Math.max(...ofDate.map((row) => row.today_energy_kwh ?? 0)),
        peak_power_w: Math.max(...ofDate.map((row) => row.power_w ?? 0)),
        quality: 'LIVE',
        complete: false,
        slot: ofDate.reduce((a, b) => (a.scheduled_for > b.scheduled_for ? a : b)).scheduled_for,
      })
      .execute();
  }
}

type Event = [from: 'NEW' | 'ACKED' | null, to: AlertState, severity: AlertSeverity];

async function insertAlert(
  db: Kysely<Database>,
  code: string,
  events: readonly Event[],
): Promise<void> {
  const [, state, severity] = at(events, events.length - 1);
  const startedAt = instant(ledgerFromMs + 10 * hourMs);
  const endedAt = instant(ledgerFromMs + 11 * hourMs);
  const { id } = await db
    .insertInto('alerts')
    .values({
      plant_id: meadow.id,
      type: 'MOCK_FAULT',
      vendor_alarm_code: code,
      device_sn: null,
      severity,
      state,
      message: code,
      started_at: startedAt,
      last_seen_at: endedAt,
      acked_at: state === 'ACKED' ? endedAt : null,
      resolved_at: state === 'RESOLVED' ? endedAt : null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  for (const [index, [from, to, severityThen]] of events.entries()) {
    await db
      .insertInto('alert_events')
      .values({
        alert_id: id,
        at: instant(ledgerFromMs + 10 * hourMs + index * minuteMs),
        from_state: from,
        to_state: to,
        severity: severityThen,
        actor: 'loop',
        reason: 'test',
      })
      .execute();
  }
}

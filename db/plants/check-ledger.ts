import { type Kysely, sql, type Transaction } from 'kysely';

import type { Trigger } from '../../domain/plants/plant.ts';
import { type Db, instant } from '../database.ts';
import type { Database } from '../tables.ts';

/**
 * The invariants of the slot ledger, in SQL: what is due is made from the periods, put beside what is written, and only
 * what does not fit comes out. Instants leave as ISO texts, for people.
 */

/** Slots and rows with `fromMs` ≤ instant < `toMs`. */
export interface AuditWindow {
  fromMs: number;
  toMs: number;
}

/** What of the ledger is read. */
export interface LedgerScope extends AuditWindow {
  /** `hasLedgerKey`: no slot has two rows, so nobody needs to count them. */
  isKeyed: boolean;
  /** Default: all plants. */
  plantIds?: readonly string[];
}

/** A month of a large fleet is read in seconds; the pool's limit for a poll's statements is not made for it. */
const statementTimeout = '10min';
/** The joins of half a million slots stay in memory. */
const workMemory = '64MB';

/** Runs `read` on one unchanging state of the database: what a poll commits meanwhile is seen wholly or not at all. */
export async function onOneSnapshot<T>(
  db: Kysely<Database>,
  read: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      await sql`select set_config('statement_timeout', ${statementTimeout}, true), set_config('work_mem', ${workMemory}, true)`.execute(
        trx,
      );
      return read(trx);
    });
}

/**
 * Since when the ledger holds every row: since the line of the last prune; else the first period or row of all, or, where old
 * months were detached by hand, the start of the oldest row's month (months go whole, in UTC). null: nothing was ever due.
 */
export async function findLedgerStart(db: Db): Promise<number | null> {
  const result = await sql<{ start: Date | null }>`
    select case when l.first_at is null and k.from_at is not null then k.from_at else
      greatest(k.from_at, date_trunc('month', coalesce(l.first_at, now()), 'UTC'), least(l.first_at, p.first_at)) end as start
    from (select max(from_at) as from_at from ledger_kept) k
    cross join lateral (
      -- what a prune left of older times is single rows
      select min(scheduled_for) as first_at from poll_logs where scheduled_for >= coalesce(k.from_at, '-infinity')) l
    cross join (select min(from_at) as first_at from plant_periods where reason = 'ACTIVE') p
    where l.first_at is not null or p.first_at is not null`.execute(db);
  return result.rows[0]?.start?.getTime() ?? null;
}

/** Whether the database itself forbids a second row of a slot: the primary key, or another unique index of its columns. */
export async function hasLedgerKey(db: Db): Promise<boolean> {
  const result = await sql<{ present: boolean }>`
    select exists (
      select from pg_index i
      where i.indrelid = 'poll_logs'::regclass and i.indisunique and i.indisvalid and i.indpred is null
        and (select array_agg(a.attname::text order by a.attname) from pg_attribute a
             where a.attrelid = i.indrelid and a.attnum = any(i.indkey::smallint[]))
          = array['job_type', 'plant_id', 'scheduled_for']) as present`.execute(db);
  return result.rows[0]?.present === true;
}

const isInScope = ({ plantIds }: LedgerScope, column: string) =>
  plantIds === undefined ? sql`true` : sql`${sql.ref(column)} = any(${[...plantIds]}::text[])`;

/** Every due slot in scope. */
const dueSlots = (scope: LedgerScope) => sql`
  select p.plant_id, p.interval_s, at
  from plant_periods p
  cross join lateral (
    select greatest(p.from_at, ${instant(scope.fromMs)}::timestamptz) as from_at,
      least(p.to_at, ${instant(scope.toMs)}::timestamptz) as to_at, p.interval_s * 1000::bigint as interval_ms) span
  cross join lateral (select ceil(extract(epoch from span.from_at) * 1000)::bigint as from_ms) clock
  cross join lateral (
    -- the first instant of phase + n × interval at or after from_ms
    select clock.from_ms + mod(mod(p.phase_ms - clock.from_ms, span.interval_ms) + span.interval_ms, span.interval_ms)
      as slot_ms) first
  cross join lateral generate_series('epoch'::timestamptz + first.slot_ms * interval '1 millisecond',
    span.to_at - interval '1 microsecond', make_interval(secs => p.interval_s)) at
  where p.reason = 'ACTIVE' and span.from_at < span.to_at and ${isInScope(scope, 'p.plant_id')}`;

/** The rows in scope, by instant. Rows of plants that were deleted are history, and left out. */
const writtenRows = (scope: LedgerScope) => {
  const columns = scope.isKeyed
    ? sql`1 as rows, l.outcome, l."trigger", l.status is not null as polled`
    : sql`count(*) as rows, min(l.outcome) as outcome, min(l."trigger") as "trigger", bool_or(l.status is not null) as polled`;
  return sql`
    select l.plant_id, l.scheduled_for as at, ${columns}
    from poll_logs l
    where l.job_type = 'POLL' and l.plant_id in (select id from plants) and ${isInScope(scope, 'l.plant_id')}
      and l.scheduled_for >= ${instant(scope.fromMs)} and l.scheduled_for < ${instant(scope.toMs)}
    ${scope.isKeyed ? sql`` : sql`group by l.plant_id, l.scheduled_for`}`;
};

/**
 * Slots and rows side by side, one line for each instant of a plant: `due` or not, how many `rows` it has, and by how many
 * rows that stand for several slots it is `covered`.
 */
const slotsAndRows = (scope: LedgerScope) => sql`
  due as (${dueSlots(scope)}),
  written as (${writtenRows(scope)}),
  -- a row at the oldest of n missed slots stands for itself and the n - 1 slots after it
  overflow as materialized (
    select l.plant_id, l.scheduled_for as first_at,
      l.scheduled_for + make_interval(secs => (l.slots_missed - 1) * p.interval_s::float8) as last_at
    from poll_logs l
    join plant_periods p on p.plant_id = l.plant_id and p.reason = 'ACTIVE'
      and l.scheduled_for >= p.from_at and (p.to_at is null or l.scheduled_for < p.to_at)
    where l.job_type = 'POLL' and l.slots_missed > 1 and l.scheduled_for < ${instant(scope.toMs)}),
  slots as (
    select plant_id, at, due.interval_s, due.plant_id is not null as due, coalesce(written.rows, 0) as rows,
      written.outcome, written."trigger", written.polled,
      -- mostly there is no such row, and then no slot is looked for in it
      case when exists (select from overflow) then (
        select count(*) from overflow o where o.plant_id = due.plant_id and at > o.first_at and at <= o.last_at) else 0 end as covered
    from due full join written using (plant_id, at))`;

/** What became of the due slots: `due` = polled + skipped + missed + without. Each slot counts once. */
export interface SlotCounts {
  due: number;
  /** Polled, with or without success. */
  polled: number;
  skipped: number;
  missed: number;
  /** Without a row. */
  without: number;
  /** Instants, due or not, with more than one row. */
  doubled: number;
  /** Rows that claim a slot (SCHEDULE, CATCH_UP) where none is due. */
  strays: number;
  /** START and MANUAL rows off the grid. */
  unscheduled: number;
}

export async function countSlots(db: Db, scope: LedgerScope): Promise<SlotCounts> {
  const result = await sql<SlotCounts>`
    with ${slotsAndRows(scope)}
    select count(*) filter (where due) as due,
      count(*) filter (where due and polled) as polled,
      count(*) filter (where due and not polled and outcome like 'SKIPPED%') as skipped,
      count(*) filter (where due and (not polled and outcome = 'MISSED' or rows = 0 and covered > 0)) as missed,
      count(*) filter (where due and rows + covered = 0) as without,
      count(*) filter (where rows + covered > 1) as doubled,
      count(*) filter (where not due and "trigger" in ('SCHEDULE', 'CATCH_UP')) as strays,
      coalesce(sum(rows) filter (where not due and "trigger" in ('START', 'MANUAL')), 0)::bigint as unscheduled
    from slots`.execute(db);
  const [counts] = result.rows;
  if (counts === undefined) throw new Error('an aggregate without a row');
  return counts;
}

/** Slots of a plant, one interval apart, that have no row. */
export interface SlotGap {
  plantId: string;
  firstMs: number;
  lastMs: number;
  intervalMs: number;
  slots: number;
  /** The plant has no row after them: they may belong to a poll that runs, or wait for it. */
  newest: boolean;
}

/** Gaps of the newest slots first, then the longest. */
export async function findSlotGaps(db: Db, scope: LedgerScope, limit: number): Promise<SlotGap[]> {
  type Row = {
    plant_id: string;
    first_at: Date;
    last_at: Date;
    interval_s: number;
    slots: number;
    newest: boolean;
  };
  const result = await sql<Row>`
    with ${slotsAndRows(scope)},
    missing as (
      select s.plant_id, s.at, s.interval_s, last.at is null or s.at > last.at as newest
      from slots s
      left join lateral (
        select scheduled_for as at from poll_logs l where l.plant_id = s.plant_id and l.job_type = 'POLL'
        order by scheduled_for desc limit 1) last on true
      where s.due and s.rows + s.covered = 0),
    numbered as (
      select *, row_number() over (partition by plant_id, interval_s, newest order by at) as nth from missing)
    select plant_id, interval_s, newest, min(at) as first_at, max(at) as last_at, count(*) as slots
    from numbered
    -- slots that follow one another have the same distance to their number
    group by plant_id, interval_s, newest, at - make_interval(secs => nth * interval_s::float8)
    order by newest desc, slots desc, plant_id, first_at limit ${limit}`.execute(db);
  return result.rows.map((row) => ({
    plantId: row.plant_id,
    firstMs: row.first_at.getTime(),
    lastMs: row.last_at.getTime(),
    intervalMs: row.interval_s * 1000,
    slots: row.slots,
    newest: row.newest,
  }));
}

/**
 * Polls, also START and MANUAL ones, that left their mark on the plant or on a day and have no row: each as a gap of one
 * slot. Those that are due slots as well are among `findSlotGaps` too.
 */
export async function findBookedWithoutRow(
  db: Db,
  scope: LedgerScope,
  limit: number,
): Promise<SlotGap[]> {
  const result = await sql<{ plant_id: string; at: Date; newest: boolean }>`
    select b.plant_id, b.at, not exists (
        select from poll_logs l where l.plant_id = b.plant_id and l.job_type = 'POLL' and l.scheduled_for > b.at) as newest
    from (
      select id as plant_id, last_slot as at from plants
      union
      select plant_id, slot from metric_snapshots) b
    where b.at >= ${instant(scope.fromMs)} and b.at < ${instant(scope.toMs)} and ${isInScope(scope, 'b.plant_id')}
      and not exists (
        select from poll_logs l where l.plant_id = b.plant_id and l.job_type = 'POLL' and l.scheduled_for = b.at)
    order by newest desc, b.plant_id, b.at limit ${limit}`.execute(db);
  return result.rows.map((row) => ({
    plantId: row.plant_id,
    firstMs: row.at.getTime(),
    lastMs: row.at.getTime(),
    intervalMs: 0,
    slots: 1,
    newest: row.newest,
  }));
}

export interface DoubledSlot {
  plantId: string;
  at: string;
  /** Rows at the instant, and rows of several slots that cover it. */
  rows: number;
  covered: number;
}

export async function findDoubledSlots(
  db: Db,
  scope: LedgerScope,
  limit: number,
): Promise<DoubledSlot[]> {
  const result = await sql<{ plant_id: string; at: Date; rows: number; covered: number }>`
    with ${slotsAndRows(scope)}
    select plant_id, at, rows, covered from slots where rows + covered > 1 order by at, plant_id limit ${limit}`.execute(
    db,
  );
  return result.rows.map(({ plant_id: plantId, at, rows, covered }) => ({
    plantId,
    at: at.toISOString(),
    rows,
    covered,
  }));
}

export interface StrayRow {
  plantId: string;
  at: string;
  trigger: Trigger;
  outcome: string;
  /** The grid that it misses; null: it lies in no active period. */
  grid: { intervalS: number; phaseMs: number } | null;
}

/**
 * Rows that claim a slot where none is due. A poll may end its period at its own instant (refused credentials, at the first
 * slot and on a clock that stands still during a poll): a row on the edge of a period is none of these.
 */
export async function findStrayRows(
  db: Db,
  scope: LedgerScope,
  limit: number,
): Promise<{ rows: StrayRow[]; total: number }> {
  type Row = {
    plant_id: string;
    at: Date;
    trigger: Trigger;
    outcome: string;
    interval_s: number | null;
    phase_ms: number | null;
    total: number;
  };
  const result = await sql<Row>`
    with ${slotsAndRows(scope)}
    select s.plant_id, s.at, s."trigger", s.outcome, p.interval_s, p.phase_ms, count(*) over () as total
    from slots s
    left join plant_periods p on p.plant_id = s.plant_id and p.reason = 'ACTIVE'
      and s.at >= p.from_at and (p.to_at is null or s.at < p.to_at)
    where not s.due and s."trigger" in ('SCHEDULE', 'CATCH_UP')
      and not exists (
        select from plant_periods edge where edge.plant_id = s.plant_id
          and (edge.reason <> 'ACTIVE' and edge.from_at = s.at
            or edge.reason = 'ACTIVE' and edge.to_at = s.at
              and mod(extract(epoch from s.at) * 1000 - edge.phase_ms, edge.interval_s * 1000) = 0))
    order by s.at, s.plant_id limit ${limit}`.execute(db);
  const rows = result.rows.map((row) => ({
    plantId: row.plant_id,
    at: row.at.toISOString(),
    trigger: row.trigger,
    outcome: row.outcome,
    grid:
      row.interval_s === null || row.phase_ms === null
        ? null
        : { intervalS: row.interval_s, phaseMs: row.phase_ms },
  }));
  return { rows, total: result.rows[0]?.total ?? 0 };
}

export interface Overlap {
  plantId: string;
  at: string;
  /** By how much an earlier poll of the plant was still running. */
  overlapMs: number;
}

/** Polls of one plant that ran at once for more than `toleranceMs`. */
export async function findOverlaps(
  db: Db,
  window: AuditWindow,
  toleranceMs: number,
  limit: number,
): Promise<{ overlaps: Overlap[]; total: number }> {
  type Row = { plant_id: string; at: Date; overlap_ms: number; total: number };
  const result = await sql<Row>`
    with runs as (
      select plant_id, scheduled_for as at, started_at, max(started_at + coalesce(duration_ms, 0) * interval '1 millisecond')
        over (partition by plant_id order by started_at, scheduled_for
          rows between unbounded preceding and 1 preceding) as busy_until
      from poll_logs
      where job_type = 'POLL' and started_at is not null
        and scheduled_for >= ${instant(window.fromMs)} and scheduled_for < ${instant(window.toMs)}),
    overlapping as (
      select plant_id, at, (extract(epoch from busy_until - started_at) * 1000)::float8 as overlap_ms
      from runs where busy_until > started_at)
    select *, count(*) over () as total from overlapping where overlap_ms > ${toleranceMs}
    order by at, plant_id limit ${limit}`.execute(db);
  const overlaps = result.rows.map((row) => ({
    plantId: row.plant_id,
    at: row.at.toISOString(),
    overlapMs: row.overlap_ms,
  }));
  return { overlaps, total: result.rows[0]?.total ?? 0 };
}

export interface DayBesideLedger {
  plantId: string;
  date: string;
  energyKwh: number;
  peakPowerW: number | null;
  /** The highest of the ledger's rows with this `booked_date`; null: none has a value. */
  ledgerEnergyKwh: number | null;
  ledgerPeakPowerW: number | null;
}

/** Sums of the same decimals, made in another order. */
const roundingKwh = 1e-6;

/**
 * LIVE days of the window beside the ledger, and how many were compared. Left out: days whose rows may lie before
 * `ledgerStartMs`, and those whose last poll has no row yet (it runs, or `findBookedWithoutRow` tells).
 */
export async function findDaysUnlikeLedger(
  db: Db,
  window: AuditWindow,
  ledgerStartMs: number,
  limit: number,
): Promise<{ days: DayBesideLedger[]; compared: number; total: number }> {
  type Row = {
    plant_id: string;
    date: string;
    energy: number;
    peak: number | null;
    ledger_energy: number | null;
    ledger_peak: number | null;
  };
  const ledgerStart = instant(ledgerStartMs);
  const result = await sql<{ compared: number; total: number; days: Row[] }>`
    with days as (
      select s.plant_id, s.date, s.today_energy_kwh as energy, s.peak_power_w as peak, l.energy as ledger_energy,
        l.peak as ledger_peak, s.today_energy_kwh - l.energy between -${roundingKwh}::float8 and ${roundingKwh}::float8
          and (s.peak_power_w is null and l.peak is null
            or s.peak_power_w - l.peak between -${roundingKwh}::float8 and ${roundingKwh}::float8) as alike
      from metric_snapshots s
      join plants p on p.id = s.plant_id
      cross join lateral (
        select s.date::timestamp at time zone p.timezone as starts_at, (s.date + 1)::timestamp at time zone p.timezone as ends_at) day
      cross join lateral (
        -- a slot may be polled up to its whole interval late, and a day takes readings until it is final at D+3
        select day.starts_at - interval '2 days' as from_at, day.ends_at + interval '4 days' as to_at) booked
      cross join lateral (
        select max(l.today_energy_kwh) as energy, max(l.power_w) as peak from poll_logs l
        where l.plant_id = s.plant_id and l.job_type = 'POLL' and l.scheduled_for >= booked.from_at
          and l.scheduled_for < booked.to_at and l.booked_date = s.date) l
      where s.quality = 'LIVE'
        and day.ends_at > ${instant(window.fromMs)} and day.starts_at < ${instant(window.toMs)}
        and (booked.from_at >= ${ledgerStart} or not exists (
          select from plant_periods e where e.plant_id = s.plant_id and e.reason = 'ACTIVE' and e.from_at < ${ledgerStart}))
        and exists (
          select from poll_logs w where w.plant_id = s.plant_id and w.job_type = 'POLL' and w.scheduled_for = s.slot)),
    unlike as (select * from days where alike is not true)
    select (select count(*) from days) as compared, (select count(*) from unlike) as total,
      (select coalesce(json_agg(u order by u.date, u.plant_id), '[]'::json)
        from (select * from unlike order by date, plant_id limit ${limit}) u) as days`.execute(db);
  const [row] = result.rows;
  if (row === undefined) throw new Error('an aggregate without a row');
  const days = row.days.map((day) => ({
    plantId: day.plant_id,
    date: day.date,
    energyKwh: day.energy,
    peakPowerW: day.peak,
    ledgerEnergyKwh: day.ledger_energy,
    ledgerPeakPowerW: day.ledger_peak,
  }));
  return { days, compared: row.compared, total: row.total };
}

/** The plants that must have a loop, with the time of their creation. */
export async function listPlantsToWatch(db: Db): Promise<{ id: string; createdAtMs: number }[]> {
  const rows = await db.selectFrom('plants').select(['id', 'created_at']).orderBy('id').execute();
  return rows.map((row) => ({ id: row.id, createdAtMs: row.created_at.getTime() }));
}

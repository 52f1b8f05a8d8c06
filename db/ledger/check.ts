import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';

import { type Db, instant, msOf, query, queryRow } from '../database.ts';
import type { Database } from '../tables.ts';
import {
  activePeriodOfRow,
  isOfSlot,
  keyOf,
  lastSlotOfRow,
  type Ledger,
  namesOf,
} from './ledger.ts';

/**
 * The check of a ledger, in SQL: compares the slots that the periods make due with the rows, and returns what does not fit.
 */

/** Slots and rows with `fromMs` ≤ instant < `toMs`. */
export interface AuditWindow {
  fromMs: number;
  toMs: number;
}

/** The part of the ledger that a check reads. */
export interface LedgerScope extends AuditWindow {
  /** The answer of `hasLedgerKey`: no slot has two rows, so they need no counting. */
  isKeyed: boolean;
  /** Default: all subjects. */
  subjectIds?: readonly string[];
}

/** Reading a month of a large fleet takes longer than the pool allows a poll's statement. */
const statementTimeout = '10min';
/** The joins of half a million slots stay in memory. */
const workMemory = '64MB';

/** Runs `read` on one unchanging state of the database: it sees each poll's commit wholly or not at all. */
export async function onOneSnapshot<T>(
  db: Kysely<Database>,
  read: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      await query(
        trx,
      )`select set_config('statement_timeout', ${statementTimeout}, true), set_config('work_mem', ${workMemory}, true)`;
      return read(trx);
    });
}

/**
 * The instant from which the ledger holds every row, ms: the line of the last prune; else the first period or row, or, if
 * old partitions were detached by hand, the start of the oldest row's partition. null: nothing was ever due.
 */
export async function findLedgerStart(db: Db, ledger: Ledger): Promise<number | null> {
  const { rows, periods, slot } = namesOf(ledger);
  const [found] = await query(db)<{ start: Date | null }>`
    select case when l.first_at is null and k.from_at is not null then k.from_at else
      greatest(k.from_at, date_trunc(${ledger.parts.unit}, coalesce(l.first_at, now()), 'UTC'),
        least(l.first_at, p.first_at)) end as start
    from (select max(from_at) as from_at from ${sql.table(ledger.kept)}) k
    cross join lateral (
      -- what a prune left of older times is single rows
      select min(${slot}) as first_at from ${rows} where ${slot} >= coalesce(k.from_at, '-infinity')) l
    cross join (select min(from_at) as first_at from ${periods} where reason = 'ACTIVE') p
    where l.first_at is not null or p.first_at is not null`;
  return found?.start?.getTime() ?? null;
}

/** Whether the database itself forbids a second row of a slot: the primary key, or another unique index of its columns. */
export async function hasLedgerKey(db: Db, ledger: Ledger): Promise<boolean> {
  const { present } = await queryRow(db)<{ present: boolean }>`
    select exists (
      select from pg_index i
      where i.indrelid = ${ledger.rows}::text::regclass and i.indisunique and i.indisvalid and i.indpred is null
        and (select array_agg(a.attname::text order by a.attname) from pg_attribute a
             where a.attrelid = i.indrelid and a.attnum = any(i.indkey::smallint[])) = ${keyOf(ledger).sort()}::text[]) as present`;
  return present;
}

const isInScope = ({ subjectIds }: LedgerScope, subject: RawBuilder<unknown>) =>
  subjectIds === undefined ? sql`true` : sql`${subject} = any(${[...subjectIds]}::text[])`;

/** Every due slot in scope. */
const dueSlots = (ledger: Ledger, scope: LedgerScope) => {
  const { periods, subject } = namesOf(ledger);
  return sql`
    select p.${subject} as subject, p.interval_s, at
    from ${periods} p
    cross join lateral (
      select greatest(p.from_at, ${instant(scope.fromMs)}::timestamptz) as from_at,
        least(p.to_at, ${instant(scope.toMs)}::timestamptz) as to_at) span
    cross join lateral generate_series(slot_at_or_after(span.from_at, p.interval_s, p.phase_ms),
      span.to_at - interval '1 microsecond', make_interval(secs => p.interval_s)) at
    where p.reason = 'ACTIVE' and span.from_at < span.to_at and ${isInScope(scope, sql`p.${subject}`)}`;
};

/** The rows in scope, by instant, without those of deleted subjects. */
const writtenRows = (ledger: Ledger, scope: LedgerScope) => {
  const { subjects, subject, rows, slot } = namesOf(ledger);
  const isPolled = sql`l.outcome in ('OK', 'PARTIAL', 'FAILED')`;
  const columns = scope.isKeyed
    ? sql`1 as rows, l.outcome, l."trigger", ${isPolled} as polled`
    : sql`count(*) as rows, min(l.outcome) as outcome, min(l."trigger") as "trigger", bool_or(${isPolled}) as polled`;
  return sql`
    select l.${subject} as subject, l.${slot} as at, ${columns}
    from ${rows} l
    where ${isOfSlot(ledger)} and l.${subject} in (select id from ${subjects}) and ${isInScope(scope, sql`l.${subject}`)}
      and l.${slot} >= ${instant(scope.fromMs)} and l.${slot} < ${instant(scope.toMs)}
    ${scope.isKeyed ? sql`` : sql`group by l.${subject}, l.${slot}`}`;
};

/**
 * Slots and rows side by side, one line for each instant of a subject: `due` or not, how many `rows` it has, and by how
 * many rows that stand for several slots it is `covered`.
 */
const slotsAndRows = (ledger: Ledger, scope: LedgerScope) => {
  const { subject, rows, slot } = namesOf(ledger);
  return sql`
    due as (${dueSlots(ledger, scope)}),
    written as (${writtenRows(ledger, scope)}),
    -- a row at the oldest of n missed slots stands for itself and the n - 1 slots after it
    covered as (
      select c.subject, at, count(*) as covered
      from (
        select l.${subject} as subject, l.${slot} as first_at, ${lastSlotOfRow(ledger)} as last_at, p.interval_s, p.phase_ms
        from ${rows} l join ${activePeriodOfRow(ledger)}
        where ${isOfSlot(ledger)} and l.slots_missed > 1 and l.${slot} < ${instant(scope.toMs)}
          and ${mayReach(ledger, scope.fromMs)}) c
      cross join lateral generate_series(
        slot_at_or_after(greatest(c.first_at + interval '1 microsecond', ${instant(scope.fromMs)}), c.interval_s, c.phase_ms),
        least(c.last_at, ${instant(scope.toMs)}), make_interval(secs => c.interval_s)) at
      group by c.subject, at),
    slots as (
      select subject, at, due.interval_s, due.subject is not null as due, coalesce(written.rows, 0) as rows,
        written.outcome, written."trigger", written.polled,
        case when due.subject is null then 0 else coalesce(covered.covered, 0) end as covered
      from due full join written using (subject, at) left join covered using (subject, at))`;
};

/** Whether row `l` may stand for a slot at or after `fromMs`: one with a count stays in its UTC day, others reach any far. */
const mayReach = (ledger: Ledger, fromMs: number) => {
  const { slot } = namesOf(ledger);
  if (ledger.gap === 'ROW_PER_SLOT') return sql`true`;
  return sql`l.${slot} >= date_trunc('day', ${instant(fromMs)}::timestamptz, 'UTC')`;
};

/** The due slots by their result: `due` = polled + skipped + missed + without. Each slot counts once. */
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
  /** Other rows off the grid: START, MANUAL. */
  unscheduled: number;
}

export async function countSlots(db: Db, ledger: Ledger, scope: LedgerScope): Promise<SlotCounts> {
  return queryRow(db)<SlotCounts>`
      with ${slotsAndRows(ledger, scope)}
      select count(*) filter (where due) as due,
        count(*) filter (where due and polled) as polled,
        count(*) filter (where due and not polled and outcome like 'SKIPPED%') as skipped,
        count(*) filter (where due and (not polled and outcome = 'MISSED' or rows = 0 and covered > 0)) as missed,
        count(*) filter (where due and rows + covered = 0) as without,
        count(*) filter (where rows + covered > 1) as doubled,
        count(*) filter (where not due and "trigger" in ('SCHEDULE', 'CATCH_UP')) as strays,
        coalesce(sum(rows) filter (where not due and "trigger" not in ('SCHEDULE', 'CATCH_UP')), 0)::bigint as unscheduled
      from slots`;
}

/** Slots of a subject, one interval apart, that have no row. */
export interface SlotGap {
  subjectId: string;
  firstMs: number;
  lastMs: number;
  intervalMs: number;
  slots: number;
  /** The subject has no row after them: their poll may still run, or wait for its turn. */
  newest: boolean;
}

/** Gaps of the newest slots first, then the longest. */
export async function findSlotGaps(
  db: Db,
  ledger: Ledger,
  scope: LedgerScope,
  limit: number,
): Promise<SlotGap[]> {
  const { rows, subject, slot } = namesOf(ledger);
  return query(db)<SlotGap>`
    with ${slotsAndRows(ledger, scope)},
    missing as (
      select s.subject, s.at, s.interval_s, last.at is null or s.at > last.at as newest
      from slots s
      left join lateral (
        select l.${slot} as at from ${rows} l where l.${subject} = s.subject and ${isOfSlot(ledger)}
        order by l.${slot} desc limit 1) last on true
      where s.due and s.rows + s.covered = 0),
    numbered as (
      select *, row_number() over (partition by subject, interval_s, newest order by at) as nth from missing)
    select subject as "subjectId", ${msOf(sql`min(at)`)} as "firstMs", ${msOf(sql`max(at)`)} as "lastMs",
      interval_s * 1000 as "intervalMs", count(*) as slots, newest
    from numbered
    -- slots that follow one another have the same distance to their number
    group by subject, interval_s, newest, at - make_interval(secs => nth * interval_s::float8)
    order by newest desc, slots desc, subject, min(at) limit ${limit}`;
}

export interface DoubledSlot {
  subjectId: string;
  at: Date;
  /** Rows at the instant, and rows of several slots that cover it. */
  rows: number;
  covered: number;
}

export async function findDoubledSlots(
  db: Db,
  ledger: Ledger,
  scope: LedgerScope,
  limit: number,
): Promise<DoubledSlot[]> {
  return query(db)<DoubledSlot>`
    with ${slotsAndRows(ledger, scope)}
    select subject as "subjectId", at, rows, covered from slots
    where rows + covered > 1 order by at, subject limit ${limit}`;
}

export interface StrayRow {
  subjectId: string;
  at: Date;
  trigger: string;
  outcome: string;
  /** The grid that it misses; null: it lies in no active period. */
  grid: { intervalS: number; phaseMs: number } | null;
}

/**
 * Rows that claim a slot where none is due. A poll may end its period at its own instant (refused credentials, at the first
 * slot and on a clock that stands still during a poll): a row on the edge of a period is no stray, nor is one as long after it
 * as the ledger allows.
 */
export async function findStrayRows(
  db: Db,
  ledger: Ledger,
  scope: LedgerScope,
  limit: number,
): Promise<{ rows: StrayRow[]; total: number }> {
  const { periods, subject } = namesOf(ledger);
  const rows = await query(db)<StrayRow & { total: number }>`
    with ${slotsAndRows(ledger, scope)}
    select s.subject as "subjectId", s.at, s."trigger", s.outcome, count(*) over () as total,
      case when p.from_at is not null then
        json_build_object('intervalS', p.interval_s, 'phaseMs', p.phase_ms) end as grid
    from slots s
    left join ${periods} p on p.${subject} = s.subject and p.reason = 'ACTIVE'
      and s.at >= p.from_at and (p.to_at is null or s.at < p.to_at)
    where not s.due and s."trigger" in ('SCHEDULE', 'CATCH_UP')
      and not exists (
        select from ${periods} edge where edge.${subject} = s.subject
          and (edge.reason <> 'ACTIVE' and edge.from_at = s.at
            or edge.reason = 'ACTIVE' and is_slot(s.at, edge.interval_s, edge.phase_ms)
              and s.at between edge.to_at and edge.to_at + make_interval(secs => ${ledger.heardWithinMs / 1_000})))
    order by s.at, s.subject limit ${limit}`;
  return { rows, total: rows[0]?.total ?? 0 };
}

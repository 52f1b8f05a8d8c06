import { type RawBuilder, sql } from 'kysely';

import { type Db, query } from '../database.ts';

/**
 * A ledger has one row for every slot of its subjects (plants, gateways), and periods that say when a slot was due. Every
 * context has tables of its own; the functions of this folder take a `Ledger`, which names them.
 *
 * @example db/plants/ledger.ts: the ledger of the plants.
 */
export interface Ledger {
  /** The table of the subjects, with the key `id`. */
  subjects: string;
  /** The column of periods and rows that names the subject. */
  subject: string;
  /**
   * The table of periods, with the columns from_at, to_at (null while it is open), interval_s, phase_ms and reason. A slot
   * is due when it lies in a period whose reason is ACTIVE.
   */
  periods: string;
  /**
   * The table of rows, with the columns "trigger" (SCHEDULE and CATCH_UP claim a slot), outcome (OK, PARTIAL, FAILED,
   * MISSED, SKIPPED_…) and slots_missed. It is partitioned by the slot, and `<rows>_default` takes what no other partition
   * takes.
   */
  rows: string;
  /** The column of a row that holds its slot. */
  slot: string;
  /** The column that tells rows of slots from others in the table, and its value; null where all rows are of slots. */
  job: { column: string; value: string } | null;
  /** Triggers whose rows stand between the slots, and claim none. */
  betweenSlots: readonly string[];
  /**
   * How long after the end of an ACTIVE period a row of its grid is no fault, ms: whoever polls hears of the end a little
   * later.
   */
  heardWithinMs: number;
  /** How a gap is written: one MISSED row for each slot, or one for each UTC day, at its first slot, with their number. */
  gap: 'ROW_PER_SLOT' | 'ROW_WITH_COUNT';
  /** What one partition holds, in UTC, and how many of them are made ahead. */
  parts: { unit: 'month' | 'day'; ahead: number };
  /** The table of one row that says since when the ledger is whole: only_row, from_at. */
  kept: string;
  /**
   * Rows before `line` that a prune must keep, beside those that it keeps in every ledger: a select of `tableoid` and the
   * whole row.
   */
  alsoNeeded?(line: RawBuilder<Date>): RawBuilder<unknown>;
}

/** The parts of a ledger's statements: names of tables, and of columns without an alias. */
export function namesOf(ledger: Ledger) {
  return {
    subjects: sql.table(ledger.subjects),
    subject: sql.ref(ledger.subject),
    periods: sql.table(ledger.periods),
    rows: sql.table(ledger.rows),
    slot: sql.ref(ledger.slot),
  };
}

/** The columns of the rows' key, the slot first. */
export function keyOf({ slot, subject, job }: Ledger): [string, ...string[]] {
  return [slot, subject, ...(job === null ? [] : [job.column])];
}

/** Whether row `l` is of a slot. */
export function isOfSlot({ job, betweenSlots }: Ledger): RawBuilder<boolean> {
  const isOfJob = job === null ? sql`true` : sql`l.${sql.ref(job.column)} = ${job.value}`;
  if (betweenSlots.length === 0) return sql`${isOfJob}`;
  return sql`${isOfJob} and l."trigger" <> all (${[...betweenSlots]}::text[])`;
}

/**
 * The last slot for which row `l` stands, at an interval of `p` seconds: a row of n missed slots lies at the first of them.
 */
export function lastSlotOfRow(ledger: Ledger): RawBuilder<Date> {
  const { slot } = namesOf(ledger);
  return sql`l.${slot} + make_interval(secs => (l.slots_missed - 1) * p.interval_s::float8)`;
}

/** Joins row `l` with the ACTIVE period `p` in which it lies. */
export function activePeriodOfRow(ledger: Ledger): RawBuilder<unknown> {
  const { periods, subject, slot } = namesOf(ledger);
  return sql`${periods} p on p.${subject} = l.${subject} and p.reason = 'ACTIVE'
    and l.${slot} >= p.from_at and (p.to_at is null or l.${slot} < p.to_at)`;
}

/** A table that is partitioned by time, and has a partition `<rows>_default`. */
export type PartitionedTable = Pick<Ledger, 'rows' | 'parts'>;

/**
 * Makes the partition of `now` and the next ones, if they are missing. A table that a later migration creates is left out.
 *
 * @returns what was made, such as `2026-11`.
 */
export async function makeLedgerParts(
  db: Db,
  { rows, parts }: PartitionedTable,
  now: Date,
): Promise<string[]> {
  const { unit, ahead } = parts;
  const made = await query(db)<{ part: string | null }>`
    select make_ledger_part(${rows}, ${unit}, date_trunc(${unit}, ${now}::timestamptz at time zone 'UTC')
      + n * ${`1 ${unit}`}::interval) as part
    from generate_series(0, ${ahead}::int) as n where to_regclass(${rows}) is not null`;
  return made.flatMap(({ part }) =>
    part === null ? [] : [part.slice(rows.length + 1).replaceAll('_', '-')],
  );
}

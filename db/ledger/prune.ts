import { type Kysely, sql } from 'kysely';

import { type Decider, recordDecisions } from '../audit-log.ts';
import { type Db, instant, query, queryRow, timestamp } from '../database.ts';
import { codeOf } from '../service-error.ts';
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
 * Removes old rows of a ledger while its subjects are polled: drops partitions that are old as a whole, and deletes the
 * rest in small batches. Keeps rows that a rule may still read, whatever their age (`neededRows`).
 */

/** Counting a year of a large fleet takes minutes, longer than the pool allows a poll's statement. */
const statementTimeout = '10min';
/** A detach waits this long for its lock, because every poll waits behind it. */
const lockTimeout = '50ms';
/** SQLSTATE of a lock that was not granted in time. */
const lockNotAvailable = '55P03';
/** Between tries: a reader of the whole ledger, such as the check, may take minutes. */
const retryPauseMs = 500;
const retriesMax = 240;
/** About 5,000 rows and 50 ms of work. A batch locks only rows that nothing else touches. */
const blocksPerBatch = 128;

/** Rows of one month, in UTC, that are older than the line. */
export interface OldMonth {
  /** `YYYY-MM` */
  month: string;
  /** DROP: the partition is old as a whole and is dropped. DELETE: its old rows are deleted. */
  way: 'DROP' | 'DELETE';
  /** Its partition. */
  table: string;
  /** Rows to remove. */
  rows: number;
  /** Old rows that stay, because a rule may still read them. */
  stay: number;
  /** Bytes on disk with indexes. The space of deleted rows is free again once their partition is dropped. */
  bytes: number;
}

/** What a prune removes. */
export interface PrunePlan {
  ledger: Ledger;
  /** Everything before this instant is removed, ms. */
  lineMs: number;
  months: OldMonth[];
}

export interface PruneProgress {
  rowsDone: number;
  rowsTotal: number;
}

/** A long reader keeps a partition from being detached; what was done until then stays done. */
export class LedgerInUseError extends Error {
  override readonly name = 'LedgerInUseError';
}

/** Another prune runs. */
export class PruneRunsError extends Error {
  override readonly name = 'PruneRunsError';
}

/** Since when the ledger is kept whole, as the last prune left it, ms; null if it was never pruned. */
export async function findLedgerKeptFrom(db: Db, { kept }: Ledger): Promise<number | null> {
  const [line] = await query(db)<{ from_at: Date }>`select from_at from ${sql.table(kept)}`;
  return line?.from_at.getTime() ?? null;
}

/** Runs `work` on one connection, which holds the lock of prunes and the table of needed rows. @throws PruneRunsError */
export async function onPruneSession<T>(
  db: Kysely<Database>,
  work: (session: Kysely<Database>) => Promise<T>,
): Promise<T> {
  return db.connection().execute(async (session) => {
    const { taken } = await queryRow(session)<{ taken: boolean }>`
      select pg_try_advisory_lock(hashtext('heliograph prune')) as taken`;
    if (!taken) throw new PruneRunsError('another prune runs');
    try {
      await query(session)`select set_config('statement_timeout', ${statementTimeout}, false)`;
      return await work(session);
    } finally {
      await query(session)`drop table if exists pg_temp.ledger_needed`;
      await query(session)`select pg_advisory_unlock(hashtext('heliograph prune'))`;
      await query(session)`reset statement_timeout`;
    }
  });
}

/**
 * Counts the rows before `lineMs`, or before the line of an earlier prune if that is later. Stores the rows that stay in a
 * temporary table, for `prune`.
 */
export async function planPrune(
  session: Kysely<Database>,
  ledger: Ledger,
  lineMs: number,
): Promise<PrunePlan> {
  const { rows, slot } = namesOf(ledger);
  const line = Math.max(lineMs, (await findLedgerKeptFrom(session, ledger)) ?? -Infinity);
  await query(session)`drop table if exists pg_temp.ledger_needed`;
  await query(session)`create temp table ledger_needed (home oid, entry ${rows}, slot timestamptz)`;
  await query(session)`
    insert into ledger_needed select home, entry, (entry).${slot} from (${neededRows(ledger, line)}) n`;
  await query(session)`create index on ledger_needed (slot)`;
  await query(session)`analyze ledger_needed`;
  const months: OldMonth[] = [];
  for (const part of await listParts(session, ledger))
    months.push(...(await countOld(session, ledger, part, line)));
  months.sort((a, b) => a.month.localeCompare(b.month) || a.way.localeCompare(b.way));
  return { ledger, lineMs: line, months };
}

/**
 * Rows before the line that must stay, so that every answer about a time at or after it stays the same: the newest
 * row of each subject (a paused one's last slot), rows that stand for several missed slots, up to or beyond the line, and
 * what the ledger's own context needs.
 */
const neededRows = (ledger: Ledger, lineMs: number) => {
  const { subjects, subject, rows, slot } = namesOf(ledger);
  const line = timestamp(lineMs);
  const also = ledger.alsoNeeded?.(line);
  return sql`
    select n.home, n.entry from ${subjects} s cross join lateral (
      select l.tableoid as home, l as entry from ${rows} l
      where l.${subject} = s.id and ${isOfSlot(ledger)} and l.${slot} < ${line}
      order by l.${slot} desc limit 1) n
    union
    select l.tableoid, l from ${rows} l join ${activePeriodOfRow(ledger)}
    where ${isOfSlot(ledger)} and l.slots_missed > 1 and l.${slot} < ${line} and ${lastSlotOfRow(ledger)} >= ${line}
    ${also === undefined ? sql`` : sql`union ${also}`}`;
};

/** A partition; the DEFAULT one has no bounds. */
interface Part {
  table: string;
  fromAt: Date | null;
  toAt: Date | null;
}

async function listParts(db: Db, ledger: Ledger): Promise<Part[]> {
  return query(db)<Part>`
    select c.relname as table, b.bounds[1]::timestamptz as "fromAt", b.bounds[2]::timestamptz as "toAt"
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    cross join lateral (select regexp_match(pg_get_expr(c.relpartbound, c.oid),
      'FROM \\(''([^'']+)''\\) TO \\(''([^'']+)''\\)') as bounds) b
    where i.inhparent = ${ledger.rows}::text::regclass order by c.relname`;
}

/** The old rows of a partition by month; a partition that is old as a whole has a line even if it is empty. */
async function countOld(
  db: Db,
  ledger: Ledger,
  { table, fromAt, toAt }: Part,
  lineMs: number,
): Promise<OldMonth[]> {
  const { slot } = namesOf(ledger);
  const month = sql`to_char(${slot} at time zone 'UTC', 'YYYY-MM')`;
  const rows = await query(db)<Pick<OldMonth, 'month' | 'rows' | 'stay' | 'bytes'>>`
    with old as (
      select ${month} as month, count(*) as rows
      from ${sql.table(table)} where ${slot} < ${instant(lineMs)} group by 1),
    needed as (
      select to_char(slot at time zone 'UTC', 'YYYY-MM') as month, count(*) as rows
      from ledger_needed where home = ${table}::text::regclass group by 1),
    size as (
      select pg_total_relation_size(${table}::text::regclass)::float8 as bytes, (select count(*) from ${sql.table(table)}) as rows)
    select old.month, old.rows - coalesce(needed.rows, 0) as rows, coalesce(needed.rows, 0) as stay,
      case when size.rows = 0 then 0 else (size.bytes / size.rows * old.rows)::bigint end as bytes
    from old left join needed using (month), size order by old.month`;
  if (fromAt === null || toAt === null || toAt.getTime() > lineMs)
    return rows.map((row) => ({ ...row, way: 'DELETE', table }));
  const none = { month: fromAt.toISOString().slice(0, 7), rows: 0, stay: 0, bytes: 0 };
  const counted = rows.length === 0 ? [none] : rows;
  return counted.map((row) => ({ ...row, way: 'DROP', table }));
}

/**
 * Removes what `planPrune` counted. It first sets the line and writes the audit log, so that checks begin at the line. An
 * interrupted prune can be run again.
 *
 * @throws LedgerInUseError if a partition cannot be detached, because somebody reads the ledger for minutes.
 */
export async function prune(
  session: Kysely<Database>,
  plan: PrunePlan,
  decision: { by: Decider; at: Date; olderThanDays: number },
  progress: (progress: PruneProgress) => void,
): Promise<{ rows: number; partitions: string[] }> {
  await setLine(session, plan, decision);
  const rowsTotal = plan.months.reduce((sum, { rows }) => sum + rows, 0);
  let rowsDone = 0;
  const done = (rows: number) => {
    rowsDone += rows;
    progress({ rowsDone, rowsTotal });
  };
  const dropped = plan.months.filter(({ way }) => way === 'DROP');
  const partitions = [...new Set(dropped.map(({ table }) => table))];
  for (const table of partitions) {
    await dropPart(session, plan.ledger, table);
    done(dropped.reduce((sum, month) => sum + (month.table === table ? month.rows : 0), 0));
  }
  for (const table of new Set(
    plan.months.flatMap((month) => (month.way === 'DELETE' && month.rows > 0 ? [month.table] : [])),
  ))
    await deleteOld(session, plan, table, done);
  return { rows: rowsDone, partitions };
}

async function setLine(
  session: Kysely<Database>,
  { ledger, lineMs, months }: PrunePlan,
  { by, at, olderThanDays }: { by: Decider; at: Date; olderThanDays: number },
): Promise<void> {
  await session.transaction().execute(async (trx) => {
    const before = await findLedgerKeptFrom(trx, ledger);
    await query(trx)`
      insert into ${sql.table(ledger.kept)} as k (from_at) values (${instant(lineMs)})
      on conflict (only_row) do update set from_at = greatest(k.from_at, excluded.from_at)`;
    const decision = {
      action: 'ledger.prune',
      subjectType: 'LEDGER',
      subjectId: ledger.rows,
      before: { kept_from: before === null ? null : instant(before).toISOString() },
      after: {
        kept_from: instant(lineMs).toISOString(),
        older_than_days: olderThanDays,
        rows: months.reduce((sum, { rows }) => sum + rows, 0),
      },
    } as const;
    await recordDecisions(trx, [decision], by, at);
  });
}

/**
 * Detaches and drops a partition. Its needed rows move to the DEFAULT partition in the same transaction, so that no reader
 * misses them and the exclusive lock is short.
 */
async function dropPart(session: Kysely<Database>, ledger: Ledger, table: string): Promise<void> {
  const { rows } = namesOf(ledger);
  for (let tries = 0; ; tries += 1) {
    try {
      await session.transaction().execute(async (trx) => {
        await query(trx)`select set_config('lock_timeout', ${lockTimeout}, true)`;
        await query(trx)`alter table ${rows} detach partition ${sql.table(table)}`;
        await query(trx)`
          insert into ${rows} select (entry).* from ledger_needed
          where home = ${table}::text::regclass on conflict do nothing`;
        await query(trx)`drop table ${sql.table(table)}`;
      });
      return;
    } catch (error) {
      if (codeOf(error) !== lockNotAvailable) throw error;
      if (tries >= retriesMax)
        throw new LedgerInUseError(`${table} is being read for minutes`, { cause: error });
      await pause(retryPauseMs);
    }
  }
}

/**
 * Deletes the old rows of a partition, block by block, and pauses after each batch for as long as it took, for the polls.
 */
async function deleteOld(
  session: Kysely<Database>,
  { ledger, lineMs }: PrunePlan,
  table: string,
  done: (rows: number) => void,
): Promise<void> {
  const [slot, ...others] = keyOf(ledger).map((column) => sql.ref(column));
  const isSame = others.map((column) => sql`and (n.entry).${column} = l.${column}`);
  const { blocks } = await queryRow(session)<{ blocks: number }>`
    select pg_relation_size(${table}::text::regclass) / current_setting('block_size')::bigint as blocks`;
  for (let block = 0; block < blocks; block += blocksPerBatch) {
    const beganAt = performance.now();
    const gone = await sql`
      delete from ${sql.table(table)} l
      where l.ctid >= ${`(${block},0)`}::tid and l.ctid < ${`(${block + blocksPerBatch},0)`}::tid
        and l.${slot} < ${instant(lineMs)} and not exists (
          select from ledger_needed n where n.slot = l.${slot} ${sql.join(isSame, sql` `)})`.execute(
      session,
    );
    if (gone.numAffectedRows === 0n) continue;
    done(Number(gone.numAffectedRows));
    await pause(performance.now() - beganAt);
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

import { type Kysely, sql } from 'kysely';

import { type Decider, recordDecisions } from '../audit-log.ts';
import { type Db, instant } from '../database.ts';
import { findLedgerKeptFrom } from './ledger-kept.ts';
import { lateDataMs } from './losses.ts';
import type { Database } from '../tables.ts';

/**
 * Old rows of the ledger, taken away while the fleet is polled: months that are old as a whole leave as partitions, the rest
 * in small batches. What a rule may still ask for stays, however old it is (`neededRows`).
 */

/** A year of a large fleet is counted in minutes; the pool's limit for a poll's statements is not made for it. */
const statementTimeout = '10min';
/** A detaching waits no longer for its lock, since every poll that comes meanwhile waits behind it. */
const lockTimeout = '50ms';
/** PostgreSQL's code for a lock that was not given in time. */
const lockNotAvailable = '55P03';
/** Between tries. Whoever reads the whole ledger (the audit) may take minutes. */
const retryPauseMs = 500;
const retriesMax = 240;
/** Some 50 ms of work: nobody waits longer for what a batch holds, and that is rows that nobody else touches. */
const rowsPerBatch = 5_000;

/** Rows of one month, in UTC, that are older than the line. */
export interface OldMonth {
  /** `YYYY-MM` */
  month: string;
  /** A month that is old as a whole is dropped with its partition, of others the rows are deleted. */
  way: 'DROP' | 'DELETE';
  /** Its partition. */
  table: string;
  /** Rows that go. */
  rows: number;
  /** Older rows that stay, since something may still ask for them. */
  stay: number;
  /** Disk space with indexes; of deleted rows their share of the partition, which the disk has back when the month is dropped as a whole. */
  bytes: number;
}

/** What there is to prune. */
export interface PrunePlan {
  /** Everything before this instant goes, ms. */
  lineMs: number;
  months: OldMonth[];
}

export interface PruneProgress {
  rowsDone: number;
  rowsTotal: number;
}

/** A long reader keeps a month from being detached; what was done until then stays done. */
export class LedgerInUseError extends Error {
  override readonly name = 'LedgerInUseError';
}

/** Another prune runs. */
export class PruneRunsError extends Error {
  override readonly name = 'PruneRunsError';
}

/** Runs `work` on one connection, which keeps its rows that are needed and its lock, while no other prune runs. */
export async function onPruneSession<T>(
  db: Kysely<Database>,
  work: (session: Kysely<Database>) => Promise<T>,
): Promise<T> {
  return db.connection().execute(async (session) => {
    const taken = await sql<{ taken: boolean }>`
      select pg_try_advisory_lock(hashtext('heliograph prune')) as taken`.execute(session);
    if (taken.rows[0]?.taken !== true) throw new PruneRunsError('another prune runs');
    try {
      await sql`select set_config('statement_timeout', ${statementTimeout}, false)`.execute(
        session,
      );
      return await work(session);
    } finally {
      await sql`drop table if exists pg_temp.poll_logs_needed`.execute(session);
      await sql`select pg_advisory_unlock(hashtext('heliograph prune'))`.execute(session);
      await sql`reset statement_timeout`.execute(session);
    }
  });
}

/**
 * Counts what is older than `lineMs`, or than the line of an earlier prune where that lies later. Keeps the rows that stay
 * in a table of the session, for `prune`.
 */
export async function planPrune(session: Kysely<Database>, lineMs: number): Promise<PrunePlan> {
  const line = Math.max(lineMs, (await findLedgerKeptFrom(session)) ?? -Infinity);
  await sql`drop table if exists pg_temp.poll_logs_needed`.execute(session);
  await sql`
    create temp table poll_logs_needed (home oid, entry poll_logs, plant_id text, job_type text, scheduled_for timestamptz)`.execute(
    session,
  );
  await sql`
    insert into poll_logs_needed
    select home, entry, (entry).plant_id, (entry).job_type, (entry).scheduled_for from (${neededRows(line)}) n`.execute(
    session,
  );
  await sql`create index on poll_logs_needed (plant_id, job_type, scheduled_for)`.execute(session);
  await sql`analyze poll_logs_needed`.execute(session);
  const months: OldMonth[] = [];
  for (const { table, month } of await listPartitions(session)) {
    const isOld = month !== null && endOfMonthMs(month) <= line;
    months.push(...(await countOld(session, table, line, isOld ? month : null)));
  }
  return {
    lineMs: line,
    months: months.sort((a, b) => a.month.localeCompare(b.month) || a.way.localeCompare(b.way)),
  };
}

/**
 * Rows before the line that must stay, so that whatever is asked of a time at or after it is answered as before:
 *
 * - of each plant the newest row, the newest poll, the newest measurement and the newest with power: a paused plant's last
 *   slot, the poll that decided its colour, when it was last seen;
 * - rows that stand for several missed slots, up to or beyond the line;
 * - what was booked to the day on which an alert that still counts began: from it its loss is estimated.
 */
const neededRows = (lineMs: number) => {
  const line = sql`${instant(lineMs)}::timestamptz`;
  const newest = (kind: ReturnType<typeof sql>) => sql`
    (select l.tableoid as home, l as entry from poll_logs l
      where l.plant_id = p.id and l.job_type = 'POLL' and l.scheduled_for < ${line} and ${kind}
      order by l.scheduled_for desc limit 1)`;
  return sql`
    select n.home, n.entry from plants p cross join lateral (
      ${newest(sql`true`)} union ${newest(sql`l.status is not null`)}
      union ${newest(sql`l.status = 'SUCCESS' and l.source_time is not null`)}
      union ${newest(sql`l.status = 'SUCCESS' and l.power_w > 0`)}) n
    union
    select l.tableoid, l from poll_logs l
    join plant_periods p on p.plant_id = l.plant_id and p.reason = 'ACTIVE'
      and l.scheduled_for >= p.from_at and (p.to_at is null or l.scheduled_for < p.to_at)
    where l.job_type = 'POLL' and l.slots_missed > 1 and l.scheduled_for < ${line}
      and l.scheduled_for + make_interval(secs => (l.slots_missed - 1) * p.interval_s::float8) >= ${line}
    union
    select l.tableoid, l from alerts a join plants p on p.id = a.plant_id
    cross join lateral (select (a.started_at at time zone p.timezone)::date as date) began
    join poll_logs l on l.plant_id = a.plant_id and l.job_type = 'POLL' and l.booked_date = began.date
      and l.scheduled_for >= began.date::timestamp at time zone p.timezone
      and l.scheduled_for < (began.date + 2)::timestamp at time zone p.timezone
    where a.started_at < ${line} and l.scheduled_for < ${line}
      and (a.state in ('NEW', 'ACKED') or a.resolved_at > ${instant(Date.now() - lateDataMs)})`;
};

/** The partitions of the ledger; `month` is null for others than those of `make_poll_log_month`. */
async function listPartitions(db: Db): Promise<{ table: string; month: string | null }[]> {
  const result = await sql<{ table: string; month: string | null }>`
    select c.relname as table, replace(substring(c.relname from '^poll_logs_(\\d{4}_\\d{2})$'), '_', '-') as month
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'poll_logs'::regclass order by c.relname`.execute(db);
  return result.rows;
}

/** @param wholeMonth the partition's month where all of it is old, else null: then its old rows by month. */
async function countOld(
  db: Db,
  table: string,
  lineMs: number,
  wholeMonth: string | null,
): Promise<OldMonth[]> {
  const result = await sql<{ month: string; rows: number; stay: number; bytes: number }>`
    with old as (
      select to_char(scheduled_for at time zone 'UTC', 'YYYY-MM') as month, count(*) as rows
      from ${sql.table(table)} where scheduled_for < ${instant(lineMs)} group by 1),
    needed as (
      select to_char(scheduled_for at time zone 'UTC', 'YYYY-MM') as month, count(*) as rows
      from poll_logs_needed where home = ${table}::regclass group by 1),
    size as (
      select pg_total_relation_size(${table}::regclass)::float8 as bytes, (select count(*) from ${sql.table(table)}) as rows)
    select old.month, old.rows, coalesce(needed.rows, 0) as stay, case when size.rows = 0 then 0 else
      (size.bytes / size.rows * old.rows)::bigint end as bytes
    from old left join needed using (month), size order by old.month`.execute(db);
  const months = result.rows.map(({ month, rows, stay, bytes }): OldMonth => ({
    month,
    way: wholeMonth === null ? 'DELETE' : 'DROP',
    table,
    rows: rows - stay,
    stay,
    bytes,
  }));
  if (wholeMonth !== null && months.length === 0)
    months.push({ month: wholeMonth, way: 'DROP', table, rows: 0, stay: 0, bytes: 0 });
  return months;
}

/**
 * Takes away what `planPrune` counted. First the line is set and the decision written, so that the audit begins at the line
 * from then on; interrupted, it is simply run again.
 *
 * @throws LedgerInUseError where a month cannot be detached, since somebody reads the ledger for minutes.
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
  const partitions: string[] = [];
  for (const month of plan.months.filter(({ way }) => way === 'DROP')) {
    await dropMonth(session, month);
    partitions.push(month.table);
    done(month.rows);
  }
  for (const table of new Set(
    plan.months.flatMap((month) => (month.way === 'DELETE' && month.rows > 0 ? [month.table] : [])),
  ))
    await deleteOld(session, table, plan.lineMs, done);
  return { rows: rowsDone, partitions };
}

async function setLine(
  session: Kysely<Database>,
  { lineMs, months }: PrunePlan,
  { by, at, olderThanDays }: { by: Decider; at: Date; olderThanDays: number },
): Promise<void> {
  await session.transaction().execute(async (trx) => {
    const before = await findLedgerKeptFrom(trx);
    await sql`
      insert into ledger_kept (from_at) values (${instant(lineMs)})
      on conflict (only_row) do update set from_at = greatest(ledger_kept.from_at, excluded.from_at)`.execute(
      trx,
    );
    const decision = {
      action: 'ledger.prune',
      subjectType: 'LEDGER',
      subjectId: 'poll_logs',
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
 * Detaches and drops a month. The exclusive lock is held for what is needed of the month alone, which moves to the DEFAULT
 * partition in the same transaction: nobody ever finds the ledger without it.
 */
async function dropMonth(session: Kysely<Database>, { table }: OldMonth): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await session.transaction().execute(async (trx) => {
        await sql`select set_config('lock_timeout', ${lockTimeout}, true)`.execute(trx);
        await sql`alter table poll_logs detach partition ${sql.table(table)}`.execute(trx);
        await sql`
          insert into poll_logs select (entry).* from poll_logs_needed
          where home = ${table}::regclass on conflict do nothing`.execute(trx);
        await sql`drop table ${sql.table(table)}`.execute(trx);
      });
      return;
    } catch (error) {
      if ((error as { code?: unknown }).code !== lockNotAvailable) throw error;
      if (tries >= retriesMax)
        throw new LedgerInUseError(`${table} is being read for minutes`, { cause: error });
      await pause(retryPauseMs);
    }
  }
}

/** Deletes the old rows of a partition, oldest first, and leaves the machine to the polls for as long as each batch took. */
async function deleteOld(
  session: Kysely<Database>,
  table: string,
  lineMs: number,
  done: (rows: number) => void,
): Promise<void> {
  type Batch = { gone: number; at: string; plant_id: string; job_type: string };
  let after: Pick<Batch, 'at' | 'plant_id' | 'job_type'> = {
    at: '-infinity',
    plant_id: '',
    job_type: '',
  };
  for (;;) {
    const beganAt = performance.now();
    const result = await sql<Batch>`
      with old as (
        select plant_id, job_type, scheduled_for from ${sql.table(table)}
        where scheduled_for < ${instant(lineMs)} and scheduled_for >= ${after.at}::timestamptz
          and (scheduled_for, plant_id, job_type) > (${after.at}::timestamptz, ${after.plant_id}, ${after.job_type})
        order by scheduled_for, plant_id, job_type limit ${rowsPerBatch}),
      gone as (
        delete from ${sql.table(table)} l using old
        where l.plant_id = old.plant_id and l.job_type = old.job_type and l.scheduled_for = old.scheduled_for
          and not exists (select from poll_logs_needed n
            where n.plant_id = l.plant_id and n.job_type = l.job_type and n.scheduled_for = l.scheduled_for)
        returning 1)
      select (select count(*) from gone) as gone, scheduled_for::text as at, plant_id, job_type
      from old order by scheduled_for desc, plant_id desc, job_type desc limit 1`.execute(session);
    const [batch] = result.rows;
    if (batch === undefined) return;
    done(batch.gone);
    after = batch;
    await pause(performance.now() - beganAt);
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** The first instant after a month, in UTC. */
function endOfMonthMs(month: string): number {
  const [year = 0, number = 0] = month.split('-').map(Number);
  return Date.UTC(year, number, 1);
}

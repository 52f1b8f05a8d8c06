import { sql } from 'kysely';

import { type Db, instant, msOf, query } from '../database.ts';
import { type Ledger, namesOf } from './ledger.ts';

/** The periods of a ledger's subjects: when each was due, on which grid, and when and why not. */

/** From when on a subject is due on a grid, or why it is not due. */
export interface Period {
  fromMs: number;
  intervalMs: number;
  phaseMs: number;
  /** ACTIVE: it is due. */
  reason: string;
}

/** The open period of a subject; undefined before its first. */
export async function findOpenPeriod(
  db: Db,
  ledger: Ledger,
  subjectId: string,
): Promise<Period | undefined> {
  const { periods, subject } = namesOf(ledger);
  const [period] = await query(db)<Period>`
    select ${msOf(sql`from_at`)} as "fromMs", interval_s * 1000 as "intervalMs", phase_ms as "phaseMs", reason
    from ${periods} where ${subject} = ${subjectId} and to_at is null`;
  return period;
}

/** A new period of a subject, and where its open one ends. */
export interface PeriodChange extends Period {
  subjectId: string;
  closeAtMs: number;
}

/**
 * Closes the open period at `closeAtMs` and opens `period`, which begins there or later. A period that never began (the
 * plan changed again before its first slot) leaves no row behind.
 */
export async function replacePeriod(
  db: Db,
  ledger: Ledger,
  subjectId: string,
  change: Omit<PeriodChange, 'subjectId'>,
): Promise<void> {
  await replacePeriods(db, ledger, [{ subjectId, ...change }]);
}

/** The same for many subjects, each of them once. */
export async function replacePeriods(
  db: Db,
  ledger: Ledger,
  changes: readonly PeriodChange[],
): Promise<void> {
  const { periods, subject } = namesOf(ledger);
  const ids = changes.map(({ subjectId }) => subjectId);
  const closed = sql`unnest(${ids}::text[], ${changes.map(({ closeAtMs }) => instant(closeAtMs))}::timestamptz[])
    as c (subject, at)`;
  await query(db)`
    delete from ${periods} p using ${closed}
    where p.${subject} = c.subject and p.to_at is null and p.from_at >= c.at`;
  await query(db)`
    update ${periods} p set to_at = c.at from ${closed} where p.${subject} = c.subject and p.to_at is null`;
  await query(db)`
    insert into ${periods} (${subject}, from_at, to_at, interval_s, phase_ms, reason)
    select subject, from_at, null, interval_s, phase_ms, reason
    from unnest(${ids}::text[], ${changes.map(({ fromMs }) => instant(fromMs))}::timestamptz[],
      ${changes.map(({ intervalMs }) => intervalMs / 1_000)}::int[], ${changes.map(({ phaseMs }) => phaseMs)}::int[],
      ${changes.map(({ reason }) => reason)}::text[]) as n (subject, from_at, interval_s, phase_ms, reason)`;
}

/** Whether the subject was active at some time in [`fromMs`, `toMs`). */
export async function wasActiveBetween(
  db: Db,
  ledger: Ledger,
  subjectId: string,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<boolean> {
  const { periods, subject } = namesOf(ledger);
  const rows = await query(db)`
    select from ${periods}
    where ${subject} = ${subjectId} and reason = 'ACTIVE' and from_at < ${instant(toMs)}
      and (to_at is null or to_at > ${instant(fromMs)})
    limit 1`;
  return rows.length > 0;
}

import type { AlertSeverity } from '../domain/alerts.ts';
import type { Subject } from '../domain/subject.ts';
import { type Db, instant, query } from './database.ts';
import { addNotification, type OutboxRow } from './outbox.ts';

/**
 * Problems: what needs a person and is no alert of a plant or a gateway, such as a part of the system that is down. A subject
 * has at most one open problem of each code. The caller owns the transaction.
 */

/** @example { subject: { kind: 'SYSTEM', id: 'polling' }, code: 'DOWN' } */
export interface ProblemKey {
  subject: Subject;
  code: Uppercase<string>;
}

/** A problem is there: opened, or seen again with its newest words. A worse severity is told again. */
export async function reportProblem(
  trx: Db,
  { subject, code, severity, message }: ProblemKey & { severity: AlertSeverity; message: string },
  nowMs: number,
): Promise<void> {
  const now = instant(nowMs);
  const [row] = await query(trx)<{ id: number; before: AlertSeverity | null }>`
    with known as (
      select id, severity from problems
      where subject_kind = ${subject.kind} and subject_id = ${subject.id} and code = ${code} and state <> 'CLOSED'
      for update),
    seen as (
      update problems set message = ${message}, last_seen_at = ${now},
        severity = case when ${severity} = 'RED' then 'RED' else problems.severity end
      from known where problems.id = known.id returning problems.id, known.severity as before),
    opened as (
      insert into problems (subject_kind, subject_id, code, severity, message, opened_at, last_seen_at)
      select ${subject.kind}, ${subject.id}, ${code}, ${severity}, ${message}, ${now}::timestamptz, ${now}::timestamptz
      where not exists (select from known)
      on conflict do nothing returning id, null::text as before)
    select id, before from seen union all select id, before from opened`;
  // Somebody else has opened it at this moment, and tells of it.
  if (row === undefined || row.before === severity || row.before === 'RED') return;
  const kind = row.before === null ? 'OPENED' : 'ESCALATED';
  await tell(trx, { subject, problemId: row.id, kind, isEnd: false, severity }, nowMs);
}

/** A problem is over, if there was one. */
export async function closeProblem(
  trx: Db,
  { subject, code }: ProblemKey,
  nowMs: number,
): Promise<void> {
  const [row] = await query(trx)<{ id: number; severity: AlertSeverity }>`
    update problems set state = 'CLOSED', closed_at = ${instant(nowMs)}
    where subject_kind = ${subject.kind} and subject_id = ${subject.id} and code = ${code} and state <> 'CLOSED'
    returning id, severity`;
  if (row === undefined) return;
  const { id: problemId, severity } = row;
  await tell(trx, { subject, problemId, kind: 'CLOSED', isEnd: true, severity }, nowMs);
}

async function tell(
  trx: Db,
  notification: Pick<
    Parameters<typeof addNotification>[1],
    'subject' | 'kind' | 'isEnd' | 'severity'
  > & { problemId: number },
  nowMs: number,
): Promise<void> {
  await addNotification(trx, { ...notification, alertId: null, notBeforeMs: nowMs }, nowMs);
}

/** A problem as its notification tells it. */
export interface ToldProblem {
  id: number;
  code: Uppercase<string>;
  message: string;
  isAcknowledged: boolean;
  openedAtMs: number;
  closedAtMs: number | null;
}

/** The problems that rows of the outbox are about, by their ids. */
export async function findToldProblems(
  db: Db,
  rows: readonly OutboxRow[],
): Promise<Map<number, ToldProblem>> {
  const ids = rows.flatMap(({ problemId }) => problemId ?? []);
  const problems = await query(db)<ToldProblem>`
    select id, code, message, state = 'ACKNOWLEDGED' as "isAcknowledged",
      round(extract(epoch from opened_at) * 1000)::bigint as "openedAtMs",
      round(extract(epoch from closed_at) * 1000)::bigint as "closedAtMs"
    from problems where id = any(${ids}::bigint[])`;
  return new Map(problems.map((problem) => [problem.id, problem]));
}

import type { Db } from '../db/database.ts';
import type { OutboxRow } from '../db/outbox.ts';
import type { Notice, NoticeSense } from '../domain/notice.ts';
import type { SubjectKind } from '../domain/subject.ts';

/** Puts rows of the outbox into words. */

/** Reads what rows of the outbox say now. A row whose subject is gone gets no notice. */
export type ReadNotices = (db: Db, rows: readonly OutboxRow[], nowMs: number) => Promise<Notice[]>;

/** One entry for each kind of subject. */
export type NoticeReaders = Readonly<Partial<Record<SubjectKind, ReadNotices>>>;

/**
 * What a notice has from its row, whatever it is about.
 *
 * @param isOver whether what the row's beginning tells has ended by now.
 */
export function noticeHead(
  row: OutboxRow,
  isOver: boolean,
): Pick<Notice, 'notificationId' | 'subject' | 'kind' | 'sense' | 'severity' | 'holds'> {
  const sense: NoticeSense = row.isEnd ? 'END' : 'PROBLEM';
  return {
    notificationId: row.id,
    subject: { kind: row.subjectKind, id: row.subjectId },
    kind: row.kind,
    sense,
    severity: row.severity,
    holds: row.isEnd === isOver,
  };
}

/**
 * What rows of the outbox say now, in the order of the rows. A row whose subject is gone, or whose kind of subject nobody
 * puts into words, gets no notice.
 */
export async function readNotices(
  readers: NoticeReaders,
  db: Db,
  rows: readonly OutboxRow[],
  nowMs: number,
): Promise<Notice[]> {
  const byId = new Map<number, Notice>();
  for (const kind of new Set(rows.map(({ subjectKind }) => subjectKind))) {
    const own = rows.filter(({ subjectKind }) => subjectKind === kind);
    const notices = (await readers[kind]?.(db, own, nowMs)) ?? [];
    for (const notice of notices) byId.set(notice.notificationId, notice);
  }
  return rows.flatMap(({ id }) => byId.get(id) ?? []);
}

import type { OutboxRow } from '../../db/notifications/lines.ts';
import type { Db } from '../../db/database.ts';
import type { Notice } from '../../domain/notifications/notice.ts';
import type { NoticeReaders } from './deps.ts';

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

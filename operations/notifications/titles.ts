import type { DeliveryView, ToldLine } from '../../db/notifications/delivery-list.ts';
import { findOutboxRows, type OutboxRow } from '../../db/outbox.ts';
import type { Db } from '../../db/database.ts';
import type { Notice } from '../../domain/notice.ts';
import { noticeTitle, oneLine } from '../../domain/notifications/text.ts';

/** What deliveries told, in words: by the names that people know instead of ids. */

/** Rows of the outbox in words; whoever calls this knows the readers of all kinds of subject. */
export type ReadTitles = (db: Db, rows: readonly OutboxRow[], nowMs: number) => Promise<Notice[]>;

export interface TitledLine extends ToldLine {
  /** "RED Vale 2: OFFLINE"; null: its subject is gone. */
  title: string | null;
  /** Why, as it is known now: "Not seen for 31 h."; null with `title`. */
  why: string | null;
}

export type TitledDelivery = Omit<DeliveryView, 'lines'> & { lines: TitledLine[] };

/** Puts the lines of deliveries into words, all of them with one look at each kind of subject. */
export async function titleDeliveries(
  { db, readTitles, nowMs }: { db: Db; readTitles: ReadTitles; nowMs: number },
  deliveries: readonly DeliveryView[],
): Promise<TitledDelivery[]> {
  const ids = deliveries.flatMap(({ lines }) => lines.map((line) => line.notification_id));
  const rows = await findOutboxRows(db, [...new Set(ids)]);
  const notices = await readTitles(db, rows, nowMs);
  const byId = new Map(notices.map((notice) => [notice.notificationId, notice]));
  const titled = (line: ToldLine): TitledLine => {
    const notice = byId.get(line.notification_id);
    return {
      ...line,
      title: notice === undefined ? null : noticeTitle(notice),
      why: notice === undefined ? null : oneLine(notice.why),
    };
  };
  return deliveries.map(({ lines, ...delivery }) => ({ ...delivery, lines: lines.map(titled) }));
}

/** Puts one delivery into words. */
export async function titleDelivery(
  by: { db: Db; readTitles: ReadTitles; nowMs: number },
  delivery: DeliveryView,
): Promise<TitledDelivery> {
  const [titled] = await titleDeliveries(by, [delivery]);
  if (titled === undefined) throw new Error('one delivery gave none');
  return titled;
}

const whyLengthMax = 120;

/**
 * What the first line of a delivery told, and how many more there are.
 *
 * @returns null: it has no lines, as a test.
 */
export function firstLineOf({
  lines: [first],
  line_count: count,
}: Pick<TitledDelivery, 'lines' | 'line_count'>): {
  title: string;
  /** Empty if nothing more is known. */
  why: string;
  more: number;
} | null {
  if (first === undefined) return null;
  const { severity, kind, subject_kind: of, subject_id: id, why } = first;
  const words = why ?? '';
  return {
    title: first.title ?? `${severity} ${kind} ${of.toLowerCase()} ${id}, which is gone`,
    why: words.length > whyLengthMax ? `${words.slice(0, whyLengthMax).toWellFormed()}…` : words,
    more: count - 1,
  };
}

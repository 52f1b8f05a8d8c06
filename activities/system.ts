import type { Db } from '../db/database.ts';
import { closeProblem, findToldProblems, reportProblem } from '../db/problems.ts';
import type { Notice } from '../domain/notice.ts';
import { localTimeText } from '../domain/wording.ts';
import { minuteMs } from '../domain/zone.ts';
import type { Deps } from './deps.ts';
import type { Reconciler } from './fleet.ts';
import { noticeHead, type ReadNotices } from './notices.ts';

/** The system watches itself: what its diagnosis finds wrong for long enough becomes a problem that people are told of. */

/** A part of the system as the diagnosis judges it. */
export interface PartJudged {
  component: string;
  state: 'ok' | 'degraded' | 'down';
  sentence: string;
  advice?: string;
  /** What the sentence counts, each by name. */
  subjects?: readonly { sentence: string }[];
}

/** A problem names so many subjects. */
const namedMax = 10;

/** A part that is down, or degraded, for less than this is a restart, not a problem. */
const tellAfterMs = { down: minuteMs, degraded: 5 * minuteMs } as const;

/** The system's part in the reconciliation. */
export function createSystemReconciler(
  { db }: Pick<Deps, 'db'>,
  diagnose: () => Promise<readonly PartJudged[]>,
): Reconciler {
  /** Since when each part is not well, as this worker has seen it. */
  const since = new Map<string, number>();

  /** @returns whether it is a problem by now. */
  async function judge(trx: Db, part: PartJudged, nowMs: number): Promise<boolean> {
    const key = { subject: { kind: 'SYSTEM', id: part.component }, code: 'NOT_WELL' } as const;
    if (part.state === 'ok') {
      since.delete(part.component);
      await closeProblem(trx, key, nowMs);
      return false;
    }
    const sinceMs = since.get(part.component) ?? nowMs;
    since.set(part.component, sinceMs);
    if (nowMs - sinceMs < tellAfterMs[part.state]) return false;
    const severity = part.state === 'down' ? 'RED' : 'YELLOW';
    const { sentence, subjects = [], advice } = part;
    const named = subjects.slice(0, namedMax).map((subject) => subject.sentence);
    const message = [sentence, ...named, advice].filter((text) => text !== undefined).join(' ');
    await reportProblem(trx, { ...key, severity, message }, nowMs);
    return true;
  }

  return async (nowMs) => {
    const parts = await diagnose();
    const problems: string[] = [];
    await db.transaction().execute(async (trx) => {
      for (const part of parts) if (await judge(trx, part, nowMs)) problems.push(part.component);
    });
    return { problems };
  };
}

/** Notifications of problems, whatever their subject, in words. */
export const readProblemNotices: ReadNotices = async (db, rows) => {
  const problems = await findToldProblems(db, rows);
  return rows.flatMap((row): Notice[] => {
    const problem = row.problemId === null ? undefined : problems.get(row.problemId);
    if (problem === undefined) return [];
    const { closedAtMs, openedAtMs, message, isAcknowledged } = problem;
    const over = closedAtMs === null ? null : localTimeText(closedAtMs, 'UTC');
    return [
      {
        ...noticeHead(row, closedAtMs !== null),
        isAcknowledged,
        brand: null,
        customerId: null,
        plantId: null,
        name: 'Heliograph',
        what: row.subjectId,
        sinceMs: openedAtMs,
        timezone: 'UTC',
        why: over === null ? message : `Over since ${over}. It was: ${message}`,
        cost: null,
        action: null,
        path: '/system',
      },
    ];
  });
};

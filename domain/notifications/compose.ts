import { minuteMs } from '../zone.ts';
import type { Notice } from '../notice.ts';
import type { MessageContent } from './message.ts';

/** Groups the lines of a route into messages, so that a storm of alerts is never a storm of mails. */

/** Lines that are due within this time are one message. */
export const groupMs = 30_000;
/** More messages than this within `stormWindowMs` are a storm. */
const messagesMax = 10;
export const stormWindowMs = 10 * minuteMs;
/** During a storm a summary is sent so often, */
const summaryEveryMs = 10 * minuteMs;
/** and so often while there is a new RED problem. */
const redSummaryEveryMs = 2 * minuteMs;
/** A summary of fewer lines is a short one; after so many of them in a row the storm is over. */
const shortLines = 5;
const shortSummariesMax = 2;

/** A line that waits for its message. */
export interface WaitingLine {
  lineId: number;
  dueAtMs: number;
  notice: Notice;
}

/** A time with too many messages, in which a route sends summaries only. */
export interface Storm {
  sinceMs: number;
  /** When the newest summary was due, also if nothing had to be said. */
  summaryAtMs: number;
  /** How many summaries in a row were short. */
  shortSummaries: number;
}

/** What a route has sent, without its digests. */
export interface RouteHistory {
  /** Messages in the last `stormWindowMs`. */
  messagesInWindow: number;
  storm: Storm | null;
}

export interface Decision {
  /** The message to write now, with all waiting lines; null: none. */
  message: { kind: 'ALERTS' | 'SUMMARY'; remark: string | null } | null;
  storm: Storm | null;
  /** When to decide again, ms; null: when another line comes. */
  againAtMs: number | null;
}

/**
 * Whether a route sends its waiting lines now.
 *
 * @param lines all lines that are due and have no message yet, without those of the digest.
 */
export function decideMessage(
  lines: readonly WaitingLine[],
  { messagesInWindow, storm }: RouteHistory,
  nowMs: number,
): Decision {
  if (storm !== null) return duringStorm(lines, storm, nowMs);
  if (lines.length === 0) return { message: null, storm, againAtMs: null };
  const groupedAtMs = Math.min(...lines.map(({ dueAtMs }) => dueAtMs)) + groupMs;
  if (nowMs < groupedAtMs) return { message: null, storm, againAtMs: groupedAtMs };
  if (messagesInWindow < messagesMax)
    return { message: { kind: 'ALERTS', remark: null }, storm, againAtMs: null };
  const remark = `More than ${messagesMax} messages in ${stormWindowMs / minuteMs} minutes: from now on one summary every ${summaryEveryMs / minuteMs} minutes, every ${redSummaryEveryMs / minuteMs} while there is a new red problem.`;
  return {
    message: { kind: 'SUMMARY', remark },
    storm: { sinceMs: nowMs, summaryAtMs: nowMs, shortSummaries: 0 },
    againAtMs: nowMs + redSummaryEveryMs,
  };
}

function duringStorm(lines: readonly WaitingLine[], storm: Storm, nowMs: number): Decision {
  const isRedNew = lines.some(({ notice }) => isRedProblem(notice));
  const dueMs = storm.summaryAtMs + (isRedNew ? redSummaryEveryMs : summaryEveryMs);
  if (nowMs < dueMs) return { message: null, storm, againAtMs: dueMs };
  const shortSummaries = lines.length < shortLines ? storm.shortSummaries + 1 : 0;
  const isOver = shortSummaries >= shortSummariesMax;
  const remark = isOver ? 'It is calmer: messages come one by one again.' : null;
  return {
    message: lines.length === 0 ? null : { kind: 'SUMMARY', remark },
    storm: isOver ? null : { ...storm, summaryAtMs: nowMs, shortSummaries },
    againAtMs: isOver ? null : nowMs + redSummaryEveryMs,
  };
}

/** Worst first: red problems, yellow ones, what has ended; the oldest of each first. */
export function worstFirst(a: Notice, b: Notice): number {
  return rank(a) - rank(b) || a.sinceMs - b.sinceMs || a.notificationId - b.notificationId;
}

function rank(notice: Notice): number {
  if (notice.sense === 'END') return 2;
  return isRedProblem(notice) ? 0 : 1;
}

function isRedProblem({ sense, severity }: Notice): boolean {
  return sense === 'PROBLEM' && severity === 'RED';
}

/** How many of the notices tell of what. */
export function countNotices(notices: readonly Notice[]): MessageContent['counts'] {
  const counts = { red: 0, yellow: 0, ended: 0 };
  for (const notice of notices) {
    if (notice.sense === 'END') counts.ended += 1;
    else if (notice.severity === 'RED') counts.red += 1;
    else counts.yellow += 1;
  }
  return counts;
}

import { hiddenCharacters } from '../hidden-characters.ts';
import type { SubjectKind } from '../subject.ts';
import { counted, localTimeText } from '../wording.ts';
import type { Notice } from '../notice.ts';
import type { MessageContent } from './message.ts';

/** The words of a message, the same on every channel. They are plain text on single lines: a channel escapes them as it must. */

/** A name or a vendor's words may be long; what is longer than a screen line or two says nothing more. */
const textLengthMax = 300;

const hidden = new RegExp(`[${hiddenCharacters}\\uFEFF]`, 'gu');

/** One line of plain text: line ends, control characters and marks that turn the reading direction become spaces. */
export function oneLine(text: string): string {
  const line = text.toWellFormed().replaceAll(hidden, ' ').replaceAll(/\s+/g, ' ').trim();
  return line.length > textLengthMax ? `${line.slice(0, textLengthMax - 1).toWellFormed()}…` : line;
}

/**
 * What a notice is about, in one line.
 *
 * @example 'RED Vale 2: OFFLINE', 'over incident FusionSolar: answers again', 'RED Vale 2: OFFLINE (still)'
 */
export function noticeTitle({ sense, severity, kind, subject, name, what }: Notice): string {
  const state = sense === 'END' ? 'over' : severity;
  const of = namedAlone.has(subject.kind) ? '' : `${subject.kind.toLowerCase()} `;
  const reminder = kind === 'REMINDER' ? ' (still)' : '';
  return oneLine(`${state} ${of}${oneLine(name)}: ${oneLine(what)}${reminder}`);
}

/** Kinds of subject whose names say what they are. */
const namedAlone: ReadonlySet<SubjectKind> = new Set<SubjectKind>(['PLANT', 'SYSTEM']);

/** A notice in words. */
export interface NoticeText {
  /** "■ RED Vale 2: OFFLINE". */
  head: string;
  /** "since 2026-12-01 05:41 UTC-3", by the clock of its subject. */
  since: string;
  /** Why, what it costs, what to do: as far as they are known. */
  details: string[];
  /** null: PUBLIC_URL is not set. */
  url: string | null;
}

const marks = { RED: '■', YELLOW: '▲' } as const;

export function noticeText(notice: Notice, publicUrl: string | null): NoticeText {
  const { sense, severity, kind, name, what, sinceMs, timezone, why, cost, action } = notice;
  const state = sense === 'END' ? '✓ over' : `${marks[severity]} ${severity}`;
  const reminder = kind === 'REMINDER' ? ' (still)' : '';
  const details = [why, cost === null ? null : `Cost: ${cost}.`, action]
    .filter((text) => text !== null)
    .map(oneLine);
  return {
    head: oneLine(`${state} ${oneLine(name)}: ${oneLine(what)}${reminder}`),
    since: `since ${localTimeText(sinceMs, timezone)}`,
    details,
    url: publicUrl === null ? null : `${publicUrl}${notice.path}`,
  };
}

/** The subject of a message: what it says in one line. */
export function subjectOf(content: MessageContent): string {
  const { kind, notices, counts } = content;
  if (kind === 'TEST') return 'Heliograph: test message';
  if (kind === 'DIGEST') return oneLine(`Heliograph: morning brief${countsText(counts, ', ')}`);
  const [only] = notices;
  const total = counts.red + counts.yellow + counts.ended;
  if (only !== undefined && total === 1) {
    const state = only.sense === 'END' ? 'Over' : only.severity;
    return oneLine(`${state}: ${oneLine(only.name)}: ${oneLine(only.what)}`);
  }
  return `${counted(total, 'notice')}${countsText(counts, ': ')}`;
}

/** ": 3 red, 9 yellow, 2 over"; empty if there is nothing to count. */
function countsText({ red, yellow, ended }: MessageContent['counts'], before: string): string {
  const parts = [
    ...(red > 0 ? [`${red} red`] : []),
    ...(yellow > 0 ? [`${yellow} yellow`] : []),
    ...(ended > 0 ? [`${ended} over`] : []),
  ];
  return parts.length === 0 ? '' : `${before}${parts.join(', ')}`;
}

/** "… and 980 more"; null if the message shows all. */
export function moreText({ moreCount }: MessageContent): string | null {
  return moreCount === 0 ? null : `… and ${moreCount} more`;
}

/** What is said before the lines. */
export function openingLines({ kind, remark, brief }: MessageContent): string[] {
  const test =
    kind === 'TEST' ? ['This is a test: messages of Heliograph reach you on this way.'] : [];
  return [...test, ...(remark === null ? [] : [remark]), ...brief].map(oneLine);
}

/** "Written 2026-12-01 09:01 UTC". */
export function writtenText({ writtenAtMs }: MessageContent): string {
  return `Written ${localTimeText(writtenAtMs, 'UTC')}`;
}

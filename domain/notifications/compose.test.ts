import { expect, test } from 'vitest';

import { minuteMs } from '../zone.ts';
import {
  countNotices,
  decideMessage,
  type RouteHistory,
  type WaitingLine,
  worstFirst,
} from './compose.ts';
import { testNotice } from '../../test/support/notices.ts';

const startMs = Date.parse('2026-12-01T09:00:00Z');
const calm: RouteHistory = { messagesInWindow: 0, storm: null };

function line(
  lineId: number,
  dueAtMs: number,
  changes: Parameters<typeof testNotice>[0] = {},
): WaitingLine {
  return { lineId, dueAtMs, notice: testNotice({ notificationId: lineId, ...changes }) };
}

test('a line waits 30 s for others of its route, and not a millisecond longer', () => {
  const lines = [line(1, startMs), line(2, startMs + 20_000)];
  const early = decideMessage(lines, calm, startMs + 29_999);
  expect(early).toEqual({ message: null, storm: null, againAtMs: startMs + 30_000 });
  const due = decideMessage(lines, calm, startMs + 30_000);
  expect(due.message).toEqual({ kind: 'ALERTS', remark: null });
});

test('the eleventh message in ten minutes is a summary and says so', () => {
  const lines = [line(1, startMs)];
  const nowMs = startMs + minuteMs;
  expect(decideMessage(lines, { ...calm, messagesInWindow: 9 }, nowMs).message?.kind).toBe(
    'ALERTS',
  );
  const { message, storm } = decideMessage(lines, { ...calm, messagesInWindow: 10 }, nowMs);
  expect(message?.kind).toBe('SUMMARY');
  expect(message?.remark).toContain('one summary every 10 minutes');
  expect(storm).toEqual({ sinceMs: nowMs, summaryAtMs: nowMs, shortSummaries: 0 });
});

/** Plays a storm minute by minute; `linesAt` gives how many new lines a minute brings. */
function play(minutes: number, linesAt: (minute: number) => WaitingLine[]) {
  const sent: { minute: number; lines: number; kind: string }[] = [];
  let waiting: WaitingLine[] = [];
  let storm: RouteHistory['storm'] = null;
  for (let minute = 0; minute <= minutes; minute += 1) {
    const nowMs = startMs + minute * minuteMs;
    waiting = [...waiting, ...linesAt(minute)];
    const messagesInWindow = sent.filter((one) => one.minute >= minute - 10).length;
    const decision = decideMessage(waiting, { messagesInWindow, storm }, nowMs);
    storm = decision.storm;
    if (decision.message === null) continue;
    sent.push({ minute, lines: waiting.length, kind: decision.message.kind });
    waiting = [];
  }
  return { sent, waiting, storm };
}

const due = (minute: number) => startMs + minute * minuteMs - 30_000;

test('a storm of yellow lines is one summary every ten minutes, and no line is lost', () => {
  const { sent, waiting } = play(60, (minute) =>
    [1, 2, 3, 4, 5].map((n) => line(minute * 10 + n, due(minute), { severity: 'YELLOW' })),
  );
  expect(sent.slice(0, 11).map(({ kind }) => kind)).toEqual([
    ...Array(10).fill('ALERTS'),
    'SUMMARY',
  ]);
  expect(sent.slice(10).map(({ minute }) => minute)).toEqual([10, 20, 30, 40, 50, 60]);
  expect(sent.reduce((sum, { lines }) => sum + lines, 0) + waiting.length).toBe(61 * 5);
});

test('during a storm a new red problem waits two minutes at most', () => {
  const { sent } = play(40, (minute) => [
    line(minute * 10, due(minute), { severity: 'YELLOW' }),
    ...(minute === 25 ? [line(999, due(minute), { severity: 'RED' })] : []),
  ]);
  expect(sent.map(({ minute }) => minute)).toContain(25);
});

test('a storm ends after two short summaries, also if the last has nothing to say', () => {
  const { sent, storm } = play(40, (minute) =>
    minute <= 10
      ? [1, 2, 3, 4, 5].map((n) => line(minute * 10 + n, due(minute), { severity: 'YELLOW' }))
      : [],
  );
  expect(sent.at(-1)).toMatchObject({ kind: 'SUMMARY', minute: 10 });
  expect(storm).toBeNull();
});

test('worst first: red problems, yellow ones, then what has ended', () => {
  const notices = [
    testNotice({ notificationId: 1, sense: 'END', severity: 'RED' }),
    testNotice({ notificationId: 2, severity: 'YELLOW' }),
    testNotice({ notificationId: 3, severity: 'RED', sinceMs: startMs }),
    testNotice({ notificationId: 4, severity: 'RED', sinceMs: startMs - 1 }),
  ];
  expect(notices.toSorted(worstFirst).map(({ notificationId }) => notificationId)).toEqual([
    4, 3, 2, 1,
  ]);
  expect(countNotices(notices)).toEqual({ red: 2, yellow: 1, ended: 1 });
});

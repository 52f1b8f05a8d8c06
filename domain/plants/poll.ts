import { decideAlerts, outcomeOf } from './alerts.ts';
import type { AlertsChanges, DayChanges, PollChanges } from './changes.ts';
import { decideDay } from './day.ts';
import type { AlertsBefore, DayAtTime, DayBefore, PollResult } from './facts.ts';
import type { Reading } from './reading.ts';

/** All inputs of a poll's rules. `days` are those before the poll. */
export type PollBefore = DayBefore & AlertsBefore;

export interface PollTimes {
  /** The slot, or the start of a manual poll. */
  slotMs: number;
  /** The clock of the attempt that gave the result. */
  nowMs: number;
}

/**
 * Every decision of one poll: what is booked, which alerts change, the status. db only applies the result, and a
 * simulation needs no database. A poll in one step calls this; a poll in single steps takes the same two halves one after
 * the other.
 *
 * @param daysAtTime the days at the measurement's time of day, if that was not known before the answer.
 */
export function decidePoll(
  before: PollBefore,
  result: PollResult,
  { slotMs, nowMs }: PollTimes,
  daysAtTime: (measuredAtMs: number) => readonly DayAtTime[] = () => before.daysAtTime,
): PollChanges {
  const { outcome, error } = outcomeOf(result);
  if (result.kind === 'FAILURE') {
    const alerts = decideAlerts(before, { slotMs, nowMs, result, booked: null });
    return { outcome, error, day: null, alerts };
  }
  const day = decideDay(before, result.reading.summary, nowMs);
  const { row, booked } = day;
  const days =
    row === null ? before.days : [...before.days.filter((other) => other.date !== row.date), row];
  const alertsBefore = { ...before, days, daysAtTime: daysAtTime(booked.seenAtMs ?? nowMs) };
  const alerts = decideAlerts(alertsBefore, { slotMs, nowMs, result, booked });
  return { outcome, error, day, alerts };
}

/** The inputs that decide an ordinary poll, read before the vendor was asked. */
export interface OrdinaryBefore {
  /** All inputs of the rules except the days at the measurement's time of day, which is not known yet. */
  rules: Omit<PollBefore, 'daysAtTime'>;
  /** From when on `rules.ended` is complete, ms: vendor alarms that reach further back need another look. */
  endedSinceMs: number;
}

/**
 * The decisions of an ordinary poll, which is written in one step.
 *
 * @returns null for any other poll, which single steps write: gaps, any change of an alert, alarms that reach further back.
 */
export function decideOrdinaryPoll(
  { rules, endedSinceMs }: OrdinaryBefore,
  reading: Reading,
  { slotMs, nowMs }: PollTimes,
  daysAtTime: (measuredAtMs: number) => readonly DayAtTime[],
): { day: DayChanges; alerts: AlertsChanges } | null {
  const { alarms } = reading;
  if (alarms !== null && 'since' in alarms && Date.parse(alarms.since) < endedSinceMs) return null;
  const before = { ...rules, daysAtTime: [] };
  const answer = { kind: 'READING', reading } as const;
  const { day, alerts } = decidePoll(before, answer, { slotMs, nowMs }, daysAtTime);
  if (day === null || day.gaps.length > 0 || alerts.alerts.length > 0) return null;
  return { day, alerts };
}

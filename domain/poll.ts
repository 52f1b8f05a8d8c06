import { decideAlerts, outcomeOf } from './alerts.ts';
import type { PollChanges } from './changes.ts';
import { decideDay } from './day.ts';
import type { AlertsBefore, DayBefore, PollResult } from './facts.ts';

/** Everything that the rules of a poll are told. `days` are those before it. */
export type PollBefore = DayBefore & AlertsBefore;

/**
 * Every decision of one poll: what is booked, which alerts change, the status. db only applies the result, and a
 * simulation needs no database. The steps of a poll in production decide the same two halves one after the other.
 *
 * @param slotMs the slot, or the start of a manual poll.
 * @param nowMs the clock of the attempt that gave the result.
 */
export function decidePoll(
  before: PollBefore,
  result: PollResult,
  slotMs: number,
  nowMs: number,
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
  const alerts = decideAlerts({ ...before, days }, { slotMs, nowMs, result, booked });
  return { outcome, error, day, alerts };
}

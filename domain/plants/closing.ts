import type { DayAtTime } from './facts.ts';
import type { LocalDate } from '../zone.ts';
import { phaseMs } from '../slots.ts';
import { addDays, instantOf, localDateAt, localMinutesAt, minuteMs } from '../zone.ts';

/** The end of a plant-local day: when it closes, and its totals by local time, to which later days are compared. */

/** Late enough for the sun to be down everywhere, early enough for the date to be the day's own. */
const closingLocalTime = '23:50';
/** A fleet's closings spread over this time and stay before midnight. */
const closingSpreadMs = 9 * minuteMs;
/** Missed closings are made up for this number of dates back. */
const missedClosingsMax = 3;
const totalsStepMinutes = 10;
/** 00:00, 00:10 … 24:00. */
export const totalsCount = (24 * 60) / totalsStepMinutes + 1;

export interface DueClosing {
  date: LocalDate;
  atMs: number;
}

/** When a plant's day closes, ms: at 23:50 by its clock (the later one if there are two), spread by its id. */
export function closingInstantMs(plantId: string, date: LocalDate, timezone: string): number {
  return instantOf(date, closingLocalTime, timezone, 'later') + phaseMs(plantId, closingSpreadMs);
}

/** The first closing after `nowMs`. */
export function nextClosing(plantId: string, timezone: string, nowMs: number): DueClosing {
  const today = localDateAt(nowMs, timezone);
  const atMs = closingInstantMs(plantId, today, timezone);
  if (atMs > nowMs) return { date: today, atMs };
  const date = addDays(today, 1);
  return { date, atMs: closingInstantMs(plantId, date, timezone) };
}

/** The newest 3 closings that were due at `nowMs`, oldest first. The caller checks whether the plant was active on a date. */
export function closingsPassed(plantId: string, timezone: string, nowMs: number): DueClosing[] {
  const today = localDateAt(nowMs, timezone);
  const passed: DueClosing[] = [];
  for (let age = 0; passed.length < missedClosingsMax; age += 1) {
    const date = addDays(today, -age);
    const atMs = closingInstantMs(plantId, date, timezone);
    if (atMs <= nowMs) passed.unshift({ date, atMs });
  }
  return passed;
}

/**
 * A day's total at local 00:00, 00:10 … 24:00, kWh: 145 values, each the highest total measured by then, null before the
 * first. In an hour that the clock repeats, both passes count for the times that the clock showed; an hour that it skips
 * repeats the value before it.
 *
 * @param points totals booked to the day with their measurement times, any order. One measured after the day's end (by a
 * fast clock) counts at 24:00, one of an earlier date not at all.
 */
export function totalsByTime(
  points: readonly { atMs: number; totalKwh: number }[],
  date: LocalDate,
  timezone: string,
): (number | null)[] {
  const totals: (number | null)[] = Array.from({ length: totalsCount }, () => null);
  for (const { atMs, totalKwh } of points) {
    const measuredOn = localDateAt(atMs, timezone);
    if (measuredOn < date) continue;
    const minutes = measuredOn > date ? 24 * 60 : localMinutesAt(atMs, timezone);
    const index = Math.ceil(minutes / totalsStepMinutes);
    totals[index] = Math.max(totals[index] ?? totalKwh, totalKwh);
  }
  let known: number | null = null;
  return totals.map((total) => {
    if (total !== null) known = Math.max(known ?? total, total);
    return known;
  });
}

/** A part of a day's totals by local time, starting at the mark `firstMark`: 0 is 00:00, 1 is 00:10. */
export interface MarkedDay {
  date: LocalDate;
  firstMark: number;
  totalsKwh: (number | null)[];
}

/** Each day's total at the local time of day of an instant, interpolated between the two marks around it; null when a mark is missing. */
export function totalsAtTime(
  days: readonly MarkedDay[],
  atMs: number,
  timezone: string,
): DayAtTime[] {
  const marks = (localMinutesAt(atMs, timezone) + (atMs % minuteMs) / minuteMs) / totalsStepMinutes;
  const share = marks % 1;
  return days.map(({ date, firstMark, totalsKwh }) => {
    const before = totalsKwh[Math.floor(marks) - firstMark] ?? null;
    const after = totalsKwh[Math.floor(marks) + 1 - firstMark] ?? null;
    return {
      date,
      totalAtTimeKwh: before === null || after === null ? null : before + (after - before) * share,
    };
  });
}

import type {
  AlertSeverity,
  ClosingVerdict,
  DayAtTime,
  DayRow,
  LowGenerationStreak,
} from './facts.ts';
import type { LocalDate } from '../zone.ts';
import { clearSkyShare, type Place } from '../sun.ts';
import { energyText, localTimeText, percentText } from '../wording.ts';
import { addDays, minuteMs } from '../zone.ts';

/**
 * LOW_GENERATION: below 30 % of the 7-day median is YELLOW, below 10 % RED. It compares a full day with full days, and a
 * running day with the plant's own days at the same local time, by fresh measurements only. A running total compared with
 * full days would alarm every plant every morning; a stale one would alarm every plant whose logger is away.
 */

const yellowBelowRatio = 0.3;
const redBelowRatio = 0.1;
const medianDays = 7;
/** In a median of fewer days one odd day decides. */
const completeDaysMin = 3;
/** The running day is judged from the time at which half of a usual day is in; earlier, clouds decide. */
const judgedFromMedianPart = 1 / 2;
/** An older measurement shows the state of the logger, not of the plant. */
const measurementAgeMsMax = 30 * minuteMs;
/** Number of equal verdicts in a row that raise or resolve, so that one cloud does neither. */
const verdictsInARow = 3;
/** Keeps ratios such as 0.9 of 3 kWh from missing "30 %" by floating-point rounding. */
const ratioRounding = 1e-9;

/** The middle of the values, the mean of the two middle ones if their number is even; null if there are none. */
export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  return upper === undefined || lower === undefined ? null : (lower + upper) / 2;
}

/** The usual day: the median total of the complete days, of any quality, among the 7 before `date`; or why there is none. */
function usualDay(
  date: LocalDate,
  days: readonly DayRow[],
): { dates: ReadonlySet<LocalDate>; medianKwh: number } | string {
  const from = addDays(date, -medianDays);
  const complete = days.filter((day) => day.complete && day.date >= from && day.date < date);
  if (complete.length < completeDaysMin) {
    return `Only ${complete.length} of the last ${medianDays} days are complete: ${completeDaysMin} are needed to compare.`;
  }
  const medianKwh = median(complete.map((day) => day.todayEnergyKwh)) ?? 0;
  if (medianKwh <= 0)
    return `The median of the last ${medianDays} days is 0 kWh: nothing to compare with.`;
  return { dates: new Set(complete.map((day) => day.date)), medianKwh };
}

/**
 * Judges a day at its closing: its total against the median of the last 7 days.
 *
 * @param days the rows of the day and of the 7 days before it, any order; others are ignored.
 */
export function decideClosing(date: LocalDate, days: readonly DayRow[]): ClosingVerdict {
  const none = (note: string): ClosingVerdict => ({ date, severity: null, ratio: null, note });
  const row = days.find((day) => day.date === date);
  if (row === undefined) return none(`No reading was booked to ${date}: no verdict.`);
  if (!row.complete) return none(`${date} is not complete: no verdict.`);
  const usual = usualDay(date, days);
  if (typeof usual === 'string') return none(usual);
  const ratio = row.todayEnergyKwh / usual.medianKwh;
  return {
    date,
    severity: severityOf(ratio),
    ratio,
    note: `${date} made ${energyText(row.todayEnergyKwh)}, ${percentText(ratio)} of the median of the last ${medianDays} days, ${energyText(usual.medianKwh)}.`,
  };
}

function severityOf(ratio: number): AlertSeverity | 'NORMAL' {
  if (ratio < redBelowRatio - ratioRounding) return 'RED';
  return ratio < yellowBelowRatio - ratioRounding ? 'YELLOW' : 'NORMAL';
}

/** A running day, as a poll knows it. */
export interface RunningDay {
  today: LocalDate;
  /** Today's total as booked; null if the reading was refused or booked to another day. */
  totalKwh: number | null;
  /** When it was measured; null if unknown. */
  measuredAtMs: number | null;
  slotMs: number;
  /** Whether the plant was seen within 2 h. */
  isSeen: boolean;
  days: readonly DayRow[];
  daysAtTime: readonly DayAtTime[];
  place: Place;
}

export interface RunningVerdict {
  /** null: no verdict; `note` says why. */
  verdict: 'BELOW_TEN' | 'BELOW_THIRTY' | 'NORMAL' | null;
  note: string;
  /** The total divided by the usual total at that time; null without a verdict. */
  ratio: number | null;
  /** No verdict, because too little of the day is due yet. */
  isTooEarly: boolean;
}

/** Judges the running day: its total so far against the usual total at this time of day. */
export function decideRunningDay(day: RunningDay): RunningVerdict {
  const none = (note: string, isTooEarly = false): RunningVerdict => ({
    verdict: null,
    note,
    ratio: null,
    isTooEarly,
  });
  const { totalKwh, measuredAtMs } = day;
  if (totalKwh === null) return none('No total was booked to today: no verdict.');
  if (measuredAtMs === null || day.slotMs - measuredAtMs > measurementAgeMsMax) {
    return none('The measurement is more than 30 min older than the slot: no verdict.');
  }
  if (!day.isSeen) return none('The plant was not seen within 2 h: no verdict.');
  const usual = usualDay(day.today, day.days);
  if (typeof usual === 'string') return none(usual);
  const expectedKwh = usualByNow(day, usual, measuredAtMs);
  if (expectedKwh === null) return none('Nothing says how much is usually in by now: no verdict.');
  if (expectedKwh < usual.medianKwh * judgedFromMedianPart) {
    return none('Less than half of a usual day is due by now: no verdict yet.', true);
  }
  const ratio = totalKwh / expectedKwh;
  const time = localTimeText(measuredAtMs, day.place.timezone);
  return {
    verdict: verdictOf(ratio),
    ratio,
    isTooEarly: false,
    note: `${energyText(totalKwh)} by ${time} is ${percentText(ratio)} of the ${energyText(expectedKwh)} that are usual by then.`,
  };
}

function verdictOf(ratio: number): NonNullable<RunningVerdict['verdict']> {
  const severity = severityOf(ratio);
  if (severity === 'NORMAL') return 'NORMAL';
  return severity === 'RED' ? 'BELOW_TEN' : 'BELOW_THIRTY';
}

/**
 * The usual total at the measurement's time of day, kWh: the median of the plant's own totals at that local time on the
 * complete days; if fewer than 3 have one, the usual day times the clear-sky share; null if the place is unknown too.
 */
function usualByNow(
  day: RunningDay,
  usual: { dates: ReadonlySet<LocalDate>; medianKwh: number },
  measuredAtMs: number,
): number | null {
  const own = day.daysAtTime.flatMap((other) =>
    other.totalAtTimeKwh !== null && usual.dates.has(other.date) ? [other.totalAtTimeKwh] : [],
  );
  if (own.length >= completeDaysMin) return median(own);
  const share = clearSkyShare(measuredAtMs, day.today, day.place);
  return share === null ? null : usual.medianKwh * share;
}

/** The row of equal verdicts of one day with one more. (A poll without a verdict does not change the row.) */
export function streak(
  before: LowGenerationStreak | null,
  date: LocalDate,
  verdict: NonNullable<RunningVerdict['verdict']>,
): LowGenerationStreak {
  const below = verdict !== 'NORMAL';
  const goesOn = before !== null && before.date === date && before.below === below;
  const belowTenBefore = goesOn ? before.belowTen : 0;
  return {
    date,
    verdicts: (goesOn ? before.verdicts : 0) + 1,
    below,
    belowTen: verdict === 'BELOW_TEN' ? belowTenBefore + 1 : 0,
  };
}

/** What a row of verdicts means: a severity to raise, NORMAL to resolve, null while it is too short. */
export function streakSays(current: LowGenerationStreak): AlertSeverity | 'NORMAL' | null {
  if (current.verdicts < verdictsInARow) return null;
  if (!current.below) return 'NORMAL';
  return current.belowTen >= verdictsInARow ? 'RED' : 'YELLOW';
}

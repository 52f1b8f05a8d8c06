import type { Booked, DayChanges } from './changes.ts';
import {
  type Candidate,
  type ComparedDays,
  finalAgeDays,
  refusalOf,
  roundingKwh,
} from './day-guards.ts';
import type { DayBefore, DayRow, PlantFacts } from './facts.ts';
import type { LocalDate } from '../zone.ts';
import type { PlantSummary } from './reading.ts';
import { type Place, sunTimes } from '../sun.ts';
import { energyText } from '../wording.ts';
import { addDays, endOfDayMs, hourMs, instantOf, localDateAt, minuteMs } from '../zone.ts';

/**
 * What a reading writes to the days of a plant. Guards decide to which day it belongs (`day-guards.ts`). A refused reading
 * writes nothing: a day gets its row from its first own reading, or from the vendor's series (`refresh.ts`).
 */

/** A total is compared with this number of days before its own. */
const comparedDays = 7;
/** After a silence of this length the vendor may have data for days that it had none for before. */
const longAbsenceMs = 2 * hourMs;
/** The last 90 minutes of sun give too little energy to change a verdict on the day. */
const completeBeforeSunsetMs = 90 * minuteMs;
/** Even when the sun sets around midnight or later, a day must be able to become complete before it ends. */
const completeBeforeMidnightMs = hourMs;
const noDataNote =
  'The vendor gave no energy of the day, or calls the logger offline: nothing is booked.';
/** Used when the place is unknown, or the sun does not set. */
const completeFromLocalTime = '17:00';

/**
 * Whether a day is complete by its newest measurement: at or after sunset − 90 min (17:00 local if the place is
 * unknown). A day with a value from the vendor's series is always complete; its row says so.
 */
export function isComplete(
  date: LocalDate,
  newestMeasurementMs: number | null,
  place: Place,
): boolean {
  return newestMeasurementMs !== null && newestMeasurementMs >= completeFromMs(date, place);
}

function completeFromMs(date: LocalDate, place: Place): number {
  const { timezone, latitude, longitude } = place;
  if (latitude !== null && longitude !== null) {
    const { sunsetMs } = sunTimes(date, timezone, latitude, longitude);
    if (sunsetMs !== null) {
      return Math.min(
        sunsetMs - completeBeforeSunsetMs,
        endOfDayMs(date, timezone) - completeBeforeMidnightMs,
      );
    }
  }
  return instantOf(date, completeFromLocalTime, timezone);
}

/**
 * Books a checked summary (`checkSummary`): which day its total belongs to, that day's row afterwards, and the days of
 * D-3 … D-1 whose series must be requested. `nowMs` is the attempt's clock.
 */
export function decideDay(before: DayBefore, summary: PlantSummary, nowMs: number): DayChanges {
  const { plant } = before;
  const sourceTimeMs = summary.lastSeenAt === null ? null : Date.parse(summary.lastSeenAt);
  // A clock that is a few minutes fast must not book the evening to the next day.
  const atMs = Math.min(sourceTimeMs ?? nowMs, nowMs);
  const date = localDateAt(atMs, plant.timezone);
  const today = localDateAt(nowMs, plant.timezone);
  const days = comparedTo(date, today, before.days);
  const lifetime = acceptLifetime(summary, days);
  const candidate = candidateOf(summary, date, atMs, lifetime.energyKwh);
  const refusal = candidate === null ? noDataNote : refusalOf(candidate, days, plant);
  const own = refusal === null ? candidate : null;
  const hasRisen = own !== null && (lifetime.rose || hasTotalRisen(own, days.row));
  const seen = signOfLife(summary, sourceTimeMs, hasRisen, nowMs);
  const row = own === null ? null : rowAfter(days, own, { ...seen, powerW: summary.powerW }, plant);
  const daysAfter = row === null ? before.days : [...before.days, row];
  return {
    booked: {
      bookedDate: row === null ? null : date,
      todayEnergyKwh: own === null || row === null ? null : bookedTotal(days, own, row),
      powerW: summary.powerW,
      lifetimeEnergyKwh: lifetime.energyKwh,
      sourceTimeMs,
      ...seen,
    },
    row,
    gaps: gapsOf(before, daysAfter, seen.seenAtMs, nowMs),
    note: refusal ?? (own === null ? null : noteOf(days.row, own, lifetime.fell)),
  };
}

/** null: the vendor gave no energy. */
function candidateOf(
  summary: PlantSummary,
  date: LocalDate,
  atMs: number,
  lifetimeKwh: number | null,
): Candidate | null {
  const { todayEnergyKwh, lifetimeResolutionKwh } = summary;
  if (todayEnergyKwh === null) return null;
  return {
    date,
    energyKwh: todayEnergyKwh,
    lifetimeKwh,
    lifetimeResolutionKwh: lifetimeResolutionKwh ?? 0,
    atMs,
  };
}

function comparedTo(date: LocalDate, today: LocalDate, days: readonly DayRow[]): ComparedDays {
  const from = addDays(date, -comparedDays);
  return {
    today,
    row: days.find((day) => day.date === date) ?? null,
    earlier: days
      .filter((day) => day.date < date && day.date >= from)
      .sort((a, b) => (a.date < b.date ? 1 : -1)),
  };
}

interface AcceptedLifetime {
  energyKwh: number | null;
  /** It is below the known total: a counter that fell or was replaced counts as absent until the compared days are past. */
  fell: boolean;
  rose: boolean;
}

function acceptLifetime(summary: PlantSummary, days: ComparedDays): AcceptedLifetime {
  const energyKwh = summary.lifetimeEnergyKwh;
  const known = [days.row, ...days.earlier].flatMap((day) => day?.lifetimeEnergyKwh ?? []);
  if (energyKwh === null || known.length === 0) return { energyKwh, fell: false, rose: false };
  const knownKwh = Math.max(...known);
  const fell = energyKwh < knownKwh - (summary.lifetimeResolutionKwh ?? 0) - roundingKwh;
  return { energyKwh: fell ? null : energyKwh, fell, rose: energyKwh > knownKwh };
}

/** Whether the day's total is above the last one that a reading booked. */
function hasTotalRisen({ energyKwh }: Candidate, row: DayRow | null): boolean {
  const liveKwh = row?.liveEnergyKwh ?? null;
  return liveKwh !== null && energyKwh > liveKwh;
}

/**
 * The vendor's measurement time; or, if it states none, the attempt's time when an inverter runs with power, or a total has
 * risen since the last accepted reading. Nothing replaces a time that was refused as impossible.
 *
 * @param hasRisen only for a booked total: a refused one is not stored, so a repetition of it would prove life for ever.
 */
function signOfLife(
  summary: PlantSummary,
  sourceTimeMs: number | null,
  hasRisen: boolean,
  nowMs: number,
): Pick<Booked, 'seenAtMs' | 'seenSource'> {
  if (sourceTimeMs !== null) return { seenAtMs: sourceTimeMs, seenSource: 'VENDOR' };
  const isRunning = summary.devices.some(
    (device) => device.state === 'RUNNING' && (device.powerW ?? 0) > 0,
  );
  const isTimeRefused = summary.refused.some((refused) => refused.field === 'last_seen_at');
  return (isRunning || hasRisen) && !isTimeRefused
    ? { seenAtMs: nowMs, seenSource: 'EVIDENCE' }
    : { seenAtMs: null, seenSource: null };
}

/** Whether live readings still set the day's total: the day runs, or the series has given no value. */
function isOpen(days: ComparedDays, date: LocalDate): boolean {
  return days.row === null || days.row.quality === 'LIVE' || date === days.today;
}

/** The value for the ledger: the day's total, which never falls; for a day that the series closed, the reading's own value. */
function bookedTotal(days: ComparedDays, candidate: Candidate, row: DayRow): number {
  return isOpen(days, candidate.date) ? row.todayEnergyKwh : candidate.energyKwh;
}

function rowAfter(
  days: ComparedDays,
  candidate: Candidate,
  { powerW, seenAtMs }: Pick<Booked, 'powerW' | 'seenAtMs'>,
  plant: PlantFacts,
): DayRow {
  const { date, energyKwh } = candidate;
  const row: DayRow = days.row ?? {
    date,
    todayEnergyKwh: energyKwh,
    peakPowerW: null,
    lifetimeEnergyKwh: null,
    quality: 'LIVE',
    complete: false,
    lastSeenAtMs: null,
    liveEnergyKwh: null,
  };
  const lastSeenAtMs = highest(row.lastSeenAtMs, seenAtMs);
  return {
    ...row,
    todayEnergyKwh: isOpen(days, date)
      ? Math.max(row.todayEnergyKwh, energyKwh)
      : row.todayEnergyKwh,
    peakPowerW: highest(row.peakPowerW, powerW),
    lifetimeEnergyKwh: highest(row.lifetimeEnergyKwh, candidate.lifetimeKwh),
    complete: row.complete || isComplete(date, lastSeenAtMs, plant),
    lastSeenAtMs,
    liveEnergyKwh: highest(row.liveEnergyKwh, energyKwh),
  };
}

function highest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}

function noteOf(row: DayRow | null, candidate: Candidate, lifetimeFell: boolean): string | null {
  const liveKwh = row?.liveEnergyKwh ?? null;
  if (liveKwh !== null && candidate.energyKwh < liveKwh) {
    return `The total fell from ${energyText(liveKwh)} to ${energyText(candidate.energyKwh)} within the day: the higher one stays.`;
  }
  return lifetimeFell ? 'The lifetime total fell: it was left out.' : null;
}

/** Days of D-3 … D-1 without a complete row, oldest first; days without data before only when the plant is back from a silence. */
function gapsOf(
  before: DayBefore,
  daysAfter: readonly DayRow[],
  seenAtMs: number | null,
  nowMs: number,
): LocalDate[] {
  const { lastSeenAtMs, timezone } = before.plant;
  const today = localDateAt(nowMs, timezone);
  const isBack =
    lastSeenAtMs !== null &&
    nowMs - lastSeenAtMs > longAbsenceMs &&
    seenAtMs !== null &&
    nowMs - seenAtMs <= longAbsenceMs;
  const gaps: LocalDate[] = [];
  for (let age = finalAgeDays; age >= 1; age -= 1) {
    const date = addDays(today, -age);
    const isFilled = daysAfter.some(
      (day) => day.date === date && (day.complete || day.quality === 'FINAL'),
    );
    if (!isFilled && (isBack || !before.askedInVain.includes(date))) gaps.push(date);
  }
  return gaps;
}

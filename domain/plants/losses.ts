import type { AlertType, DayQuality } from './facts.ts';
import { median } from './low-generation.ts';
import type { LocalDate } from '../zone.ts';
import { clearSkyShare, type Place } from '../sun.ts';
import { addDays, endOfDayMs, localDateAt, localMinutesAt, startOfDayMs } from '../zone.ts';

/**
 * What an alert costs: the energy of the plant's usual days since it fell behind, minus what was produced. The usual days
 * are the plant's own, so they include its shade and its panels, but not the weather. Always an estimate.
 */

/** As LOW_GENERATION: the usual day is a median of at least 3 and at most 7 days. */
export const usualDaysMax = 7;
const usualDaysMin = 3;
/** Late data of the days of an alert are taken into account for so long after its end: then its days are FINAL. */
export const lateDataMs = 4 * 24 * 3_600_000;
const marksStepMinutes = 10;
const dayMinutes = 24 * 60;

/** A complete day before the one on which the plant fell behind. */
export interface UsualDay {
  date: LocalDate;
  todayEnergyKwh: number;
  /** Its totals at local 00:00, 00:10 … 24:00; null when the closing stored none. */
  totalsByTime: readonly (number | null)[] | null;
}

/** A day since the plant fell behind, as it is known now. */
export interface LossDay {
  date: LocalDate;
  todayEnergyKwh: number;
  quality: DayQuality;
  lastSeenAtMs: number | null;
}

/** The inputs of an estimate, from an alert and its plant. */
export interface LossFacts {
  type: AlertType;
  /** When the alert was raised, or the vendor says that it began. */
  startedAtMs: number;
  /** When the plant was last seen before that; null if unknown. */
  seenBeforeMs: number | null;
  /** null while it is active. */
  endedAtMs: number | null;
  place: Place;
  /** The newest complete days before the date on which the plant fell behind, at most 7. */
  usualDays: readonly UsualDay[];
  days: readonly LossDay[];
  /** Totals that polls booked to the first and the last date. */
  points: readonly { date: LocalDate; atMs: number; totalKwh: number }[];
}

/** kWh; at most one is set. Both null: no usual day is known. */
export interface Loss {
  estimatedLostKwh: number | null;
  /** For OFFLINE and API_ERROR: no poll saw the plant, and it may have produced. Late data lower the value. */
  atRiskKwh: number | null;
}

const unseenTypes: ReadonlySet<AlertType> = new Set(['OFFLINE', 'API_ERROR']);

/** Σ max(0, usual − produced), summed by day, so that a sunny hour makes up for a cloudy one. */
export function estimateLoss(facts: LossFacts, nowMs: number): Loss {
  const isUnseen = unseenTypes.has(facts.type);
  const { timezone } = facts.place;
  const usual = usualCurve(facts.usualDays, facts.place);
  if (usual === null) return { estimatedLostKwh: null, atRiskKwh: null };
  const sinceMs = fellBehindMs(facts);
  const untilMs = facts.endedAtMs ?? (isUnseen ? nowMs : measuredUntil(facts, nowMs));
  let lostKwh = 0;
  const last = localDateAt(Math.max(sinceMs, untilMs), timezone);
  for (let date = localDateAt(sinceMs, timezone); date <= last; date = addDays(date, 1)) {
    const fromMs = Math.max(sinceMs, startOfDayMs(date, timezone));
    const toMs = Math.min(untilMs, endOfDayMs(date, timezone));
    if (toMs <= fromMs) continue;
    const usualKwh = usual(date, toMs) - usual(date, fromMs);
    lostKwh += Math.max(0, usualKwh - producedKwh(facts, usual, { date, fromMs, toMs }));
  }
  return isUnseen
    ? { estimatedLostKwh: null, atRiskKwh: lostKwh }
    : { estimatedLostKwh: lostKwh, atRiskKwh: null };
}

/**
 * Since when the energy is missing. Our rules raise an alert when it is certain, hours later: LOW_GENERATION judges the total
 * of a day, and OFFLINE comes when a plant has been silent for a day.
 */
function fellBehindMs({ type, startedAtMs, seenBeforeMs, place: { timezone } }: LossFacts): number {
  if (type === 'LOW_GENERATION') return startOfDayMs(localDateAt(startedAtMs, timezone), timezone);
  return type === 'OFFLINE' ? Math.min(startedAtMs, seenBeforeMs ?? startedAtMs) : startedAtMs;
}

/** Energy that is not measured yet does not count as lost. */
function measuredUntil({ days, startedAtMs }: LossFacts, nowMs: number): number {
  const newestMs = Math.max(startedAtMs, ...days.map((day) => day.lastSeenAtMs ?? -Infinity));
  return Math.min(nowMs, newestMs);
}

/** The usual energy until an instant of a date, kWh. */
type Usual = (date: LocalDate, atMs: number) => number;

/** The median of the usual days at the local time; else their median total times the clear-sky share; else null. */
function usualCurve(days: readonly UsualDay[], place: Place): Usual | null {
  const curves = days.flatMap(({ totalsByTime }) => (totalsByTime === null ? [] : [totalsByTime]));
  if (curves.length >= usualDaysMin) {
    return (date, atMs) => {
      const mark = minutesOf(date, atMs, place.timezone) / marksStepMinutes;
      return median(curves.map((curve) => valueAt(curve, mark))) ?? 0;
    };
  }
  const totalKwh = median(days.map((day) => day.todayEnergyKwh));
  if (days.length < usualDaysMin || totalKwh === null) return null;
  const isKnown = place.latitude !== null && place.longitude !== null;
  return isKnown ? (date, atMs) => totalKwh * (clearSkyShare(atMs, date, place) ?? 0) : null;
}

/** Minutes of the local day; its end is 24:00, not the next day's 00:00. */
function minutesOf(date: LocalDate, atMs: number, timezone: string): number {
  return atMs >= endOfDayMs(date, timezone) ? dayMinutes : localMinutesAt(atMs, timezone);
}

/** Energy between two marks of a day, kWh; before the day's first total it is 0. */
function valueAt(curve: readonly (number | null)[], mark: number): number {
  const below = curve[Math.floor(mark)] ?? 0;
  const above = curve[Math.ceil(mark)] ?? below;
  return below + (above - below) * (mark - Math.floor(mark));
}

/** The plant's energy between two instants of a date, as far as known, kWh. */
function producedKwh(
  { days, points, place }: LossFacts,
  usual: Usual,
  { date, fromMs, toMs }: { date: LocalDate; fromMs: number; toMs: number },
): number {
  const day = days.find((other) => other.date === date);
  if (day === undefined) return 0;
  const booked = points.filter((point) => point.date === date);
  const highestKwh = Math.max(0, ...booked.map(({ totalKwh }) => totalKwh));
  const startMs = startOfDayMs(date, place.timezone);
  const endMs = endOfDayMs(date, place.timezone);
  // If only the day's total is known, or part of it came later, spread it over the usual hours.
  const wholeKwh = usual(date, endMs) - usual(date, startMs);
  const isLate = day.quality !== 'LIVE' && day.todayEnergyKwh > highestKwh;
  const byUsual = (atMs: number) =>
    wholeKwh === 0
      ? 0
      : (day.todayEnergyKwh * (usual(date, atMs) - usual(date, startMs))) / wholeKwh;
  const byPolls = (atMs: number) =>
    Math.max(0, ...booked.flatMap((point) => (point.atMs <= atMs ? [point.totalKwh] : [])));
  const totalAt = (atMs: number): number => {
    if (atMs <= startMs) return 0;
    if (atMs >= endMs) return day.todayEnergyKwh;
    return isLate ? byUsual(atMs) : byPolls(atMs);
  };
  return Math.max(0, totalAt(toMs) - totalAt(fromMs));
}

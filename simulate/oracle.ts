import type { AlertSeverity } from '../domain/plants/facts.ts';
import type { Status, StatusReason } from '../domain/plants/plant.ts';
import { dateAfter, dateAt, firstInstantOf, sunOf, wallMinutesAt } from './calendar.ts';
import type { StoredPlant, StoredDay } from './store.ts';
import type { PlantLife } from './life.ts';

/**
 * Holds the rules a second time, written from what is required and not from `domain/`: slower, plainer, with a calendar of
 * its own. Where the two disagree, one of them is wrong.
 */

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const tinyKwh = 1e-6;

/** The columns of a day that the rules read. */
export type Day = Omit<StoredDay, 'slotMs' | 'claim'>;

/** The plant's status: the first condition that holds decides. */
export function statusOf(
  { integrationStatus, activatedAtMs }: Pick<StoredPlant, 'integrationStatus' | 'activatedAtMs'>,
  life: PlantLife,
  known: {
    lastSeenAtMs: number | null;
    active: readonly { type: string; severity: AlertSeverity }[];
  },
  nowMs: number,
): { status: Status; reason: StatusReason } {
  const { lastSeenAtMs, active } = known;
  if (integrationStatus !== 'ACTIVE') return { status: 'GREY', reason: integrationStatus };
  if (lastSeenAtMs === null) {
    return activatedAtMs !== null && nowMs >= activatedAtMs + 24 * hourMs
      ? { status: 'RED', reason: 'NOT_SEEN_24H' }
      : { status: 'GREY', reason: 'WAITING_FOR_FIRST_READING' };
  }
  if (nowMs > lastSeenAtMs + 24 * hourMs) return { status: 'RED', reason: 'NOT_SEEN_24H' };
  for (const { severity } of active)
    if (severity === 'RED') return { status: 'RED', reason: 'CRITICAL_ALERT' };
  if (countedMs(lastSeenAtMs, nowMs, life) > 2 * hourMs)
    return { status: 'YELLOW', reason: 'NOT_SEEN_2H' };
  for (const { type } of active)
    if (type === 'LOW_GENERATION') return { status: 'YELLOW', reason: 'LOW_GENERATION' };
  return { status: 'GREEN', reason: 'SEEN_RECENTLY' };
}

/** The part of a silence that counts for the 2 h, ms. With the profile DAYLIGHT: from 45 min after sunrise to 45 min before sunset. */
function countedMs(fromMs: number, toMs: number, life: PlantLife): number {
  const { isDaylight, isPlaceKnown, place } = life;
  if (!isDaylight || !isPlaceKnown) return toMs - fromMs;
  let lightMs = 0;
  const last = dateAt(toMs, place.timezone);
  for (let date = dateAt(fromMs, place.timezone); date <= last; date = dateAfter(date, 1)) {
    const { riseMs, setMs } = sunOf(date, place);
    const [beginMs, endMs] = [riseMs + 45 * minuteMs, setMs - 45 * minuteMs];
    lightMs += Math.max(0, Math.min(endMs, toMs) - Math.max(beginMs, fromMs));
  }
  return lightMs;
}

/** A total as the vendor stated it. */
export interface Stated {
  /** The measurement time, or the attempt's where none is stated; never later than the attempt. Its date is the day. */
  atMs: number;
  kwh: number | null;
  lifetimeKwh: number | null;
  lifetimeStepKwh: number;
}

/** The lifetime total after this reading, kWh; null where none is stated, or one below what was known. */
export function lifetimeAccepted(stated: Stated, days: ReadonlyMap<string, Day>, date: string) {
  if (stated.lifetimeKwh === null) return null;
  for (let age = 0; age <= 7; age += 1) {
    const known = days.get(dateAfter(date, -age))?.lifetimeEnergyKwh ?? null;
    if (known !== null && stated.lifetimeKwh < known - stated.lifetimeStepKwh - tinyKwh)
      return null;
  }
  return stated.lifetimeKwh;
}

/** Whether the total belongs to the date of its measurement. `reason` is for people who read a trace. */
export function belongsToDate(
  stated: Stated,
  days: ReadonlyMap<string, Day>,
  plant: Pick<StoredPlant, 'timezone' | 'installedCapacityKw'>,
  nowMs: number,
): { isBooked: boolean; reason: string } {
  const date = dateAt(stated.atMs, plant.timezone);
  const no = (reason: string) => ({ isBooked: false, reason });
  const { kwh } = stated;
  if (kwh === null) return no('nothing stated');
  const row = days.get(date);
  if (date < dateAfter(dateAt(nowMs, plant.timezone), -3) || row?.quality === 'FINAL')
    return no('final');
  const before: Day[] = [];
  for (let age = 1; age <= 7; age += 1) {
    const day = days.get(dateAfter(date, -age));
    if (day !== undefined) before.push(day);
  }
  const lifetimeKwh = lifetimeAccepted(stated, days, date);
  const yesterday = before[0];
  if (yesterday !== undefined && kwh !== 0) {
    const shownLast = before.find((day) => day.liveEnergyKwh !== null)?.liveEnergyKwh ?? null;
    const isSame = [yesterday.todayEnergyKwh, shownLast].some(
      (other) => other !== null && Math.abs(other - kwh) <= 0.1 + tinyKwh,
    );
    const tells =
      lifetimeKwh !== null && yesterday.lifetimeEnergyKwh !== null && kwh > stated.lifetimeStepKwh;
    const hasNotRisen = tells
      ? lifetimeKwh <= (yesterday.lifetimeEnergyKwh ?? 0)
      : (row?.liveEnergyKwh ?? 0) === 0;
    if (isSame && hasNotRisen) return no("yesterday's");
  }
  const hours = (stated.atMs - firstInstantOf(date, plant.timezone)) / hourMs;
  if (plant.installedCapacityKw !== null && kwh > 1.2 * plant.installedCapacityKw * hours + tinyKwh)
    return no('more than the capacity gives');
  const counted = before.find((day) => day.lifetimeEnergyKwh !== null)?.lifetimeEnergyKwh;
  if (lifetimeKwh !== null && counted != null) {
    const mostKwh = 1.01 * (lifetimeKwh - counted + stated.lifetimeStepKwh);
    if (kwh > mostKwh + tinyKwh) return no('more than the lifetime rose');
  }
  return { isBooked: true, reason: 'its own' };
}

/** The instant from which a measurement makes a day complete, ms. */
export function completeFrom(date: string, life: PlantLife): number {
  const { timezone } = life.place;
  if (!life.isPlaceKnown) {
    const startMs = firstInstantOf(date, timezone);
    let atMs = startMs + 15 * hourMs;
    while (wallMinutesAt(atMs, timezone) < 17 * 60) atMs += minuteMs;
    return atMs;
  }
  const nextMs = firstInstantOf(dateAfter(date, 1), timezone);
  return Math.min(sunOf(date, life.place).setMs - 90 * minuteMs, nextMs - hourMs);
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(half)] ?? 0)
    : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}

/** The complete days among the 7 before a date, and their median; null: fewer than three, or a median of 0. */
function usualDay(date: string, days: ReadonlyMap<string, Day>) {
  const complete: Day[] = [];
  for (let age = 1; age <= 7; age += 1) {
    const day = days.get(dateAfter(date, -age));
    if (day?.complete === true) complete.push(day);
  }
  const medianKwh = medianOf(complete.map((day) => day.todayEnergyKwh));
  return complete.length >= 3 && medianKwh > 0 ? { complete, medianKwh } : null;
}

export type Low = AlertSeverity | 'NORMAL' | null;

function lowOf(ratio: number): Low {
  if (ratio < 0.1 - 1e-9) return 'RED';
  return ratio < 0.3 - 1e-9 ? 'YELLOW' : 'NORMAL';
}

/** The verdict on low generation at the day's closing. */
export function closingSays(date: string, days: ReadonlyMap<string, Day>): Low {
  const day = days.get(date);
  const usual = usualDay(date, days);
  if (day?.complete !== true || usual === null) return null;
  return lowOf(day.todayEnergyKwh / usual.medianKwh);
}

/** The verdict on low generation during the day. */
export function runningSays(
  reading: { today: string; kwh: number | null; seenAtMs: number | null; slotMs: number },
  days: ReadonlyMap<string, Day>,
  life: PlantLife,
): Low {
  const { today, kwh, seenAtMs, slotMs } = reading;
  const usual = usualDay(today, days);
  if (kwh === null || seenAtMs === null || usual === null) return null;
  if (slotMs - seenAtMs > 30 * minuteMs) return null;
  const { timezone } = life.place;
  const marks = (wallMinutesAt(seenAtMs, timezone) + (seenAtMs % minuteMs) / minuteMs) / 10;
  const mark = Math.floor(marks);
  const atTime: number[] = [];
  for (const { totalsByTime } of usual.complete) {
    const [from, to] = [totalsByTime?.[mark] ?? null, totalsByTime?.[mark + 1] ?? null];
    if (from !== null && to !== null) atTime.push(from + (to - from) * (marks - mark));
  }
  let dueKwh: number;
  if (atTime.length >= 3) dueKwh = medianOf(atTime);
  else if (life.isPlaceKnown) {
    const { riseMs, setMs } = sunOf(today, life.place);
    const passed = Math.min(1, Math.max(0, (seenAtMs - riseMs) / (setMs - riseMs)));
    dueKwh = (usual.medianKwh * (1 - Math.cos(Math.PI * passed))) / 2;
  } else return null;
  return dueKwh < usual.medianKwh / 2 ? null : lowOf(kwh / dueKwh);
}

/** What the vendor's series does to a day that is over. */
export function refreshed(
  row: Day | undefined,
  seriesKwh: number | null,
  ageDays: number,
): {
  kwh: number | null;
  quality: Day['quality'] | null;
  proposalKwh: number | null;
  isOfSeries: boolean;
} {
  const asIs = {
    isOfSeries: false,
    kwh: row?.todayEnergyKwh ?? null,
    quality: row?.quality ?? null,
    proposalKwh: row?.proposedEnergyKwh ?? null,
  };
  if (ageDays < 1) return { ...asIs, proposalKwh: null };
  if (row?.quality === 'FINAL') return { ...asIs, proposalKwh: null };
  const isFinal = ageDays >= 3;
  const kept = {
    ...asIs,
    quality: isFinal && row !== undefined ? ('FINAL' as const) : asIs.quality,
    proposalKwh: null,
  };
  if (seriesKwh === null) return kept;
  const quality = isFinal ? ('FINAL' as const) : ('BACKFILLED' as const);
  if (row !== undefined) {
    if (seriesKwh === 0 && row.todayEnergyKwh > 0) return kept;
    const isLower = seriesKwh < 0.95 * row.todayEnergyKwh - tinyKwh;
    const proposed = row.proposedEnergyKwh;
    const isAgreed = proposed !== null && Math.abs(proposed - seriesKwh) <= 0.1 + tinyKwh;
    if (row.quality === 'LIVE' && row.complete && isLower && !isAgreed)
      return isFinal ? kept : { ...kept, proposalKwh: seriesKwh };
  }
  return { kwh: seriesKwh, quality, proposalKwh: null, isOfSeries: true };
}

/** Whether people may be told at `atMs`: from 07:00 to 20:00 by the plant's clock. */
export function isTellingTime(atMs: number, timezone: string): boolean {
  const minutes = wallMinutesAt(atMs, timezone);
  return minutes >= 7 * 60 && minutes < 20 * 60;
}

import { Temporal } from 'temporal-polyfill';

/**
 * The plant's own calendar and clock. A local day is the time from its first instant to the first instant of the next one,
 * be that 23, 24 or 25 hours, or (America/Santiago in September) a day that begins at 01:00. Days follow one another
 * without gap or overlap: every instant has exactly one date. Zones are IANA names; an unknown one throws RangeError.
 */

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

/** The zone in which a reader wants all times; null: each plant's own. */
export type ReaderZone = string | null;

/** A calendar date of a place, `YYYY-MM-DD`. */
export type LocalDate = string;

interface DaySpan {
  date: LocalDate;
  startMs: number;
  endMs: number;
}

/** A cache, because every plant of a zone asks for the same local times, and the zone database takes 12 µs each time. */
const instantsKeptMax = 4_096;
const instants = new Map<string, number>();
/** The last requested day of each zone, usually also the next one. Bounded by the number of zones. */
const lastDayByZone = new Map<string, DaySpan>();

/** The plant-local date of an instant. */
export function localDateAt(atMs: number, timezone: string): LocalDate {
  const last = lastDayByZone.get(timezone);
  if (last !== undefined && atMs >= last.startMs && atMs < last.endMs) return last.date;
  const wallDate = zoned(atMs, timezone).toPlainDate().toString();
  // A clock set back across midnight (Goose Bay, 2010) shows yesterday's date again; the day that has begun continues.
  const nextDate = addDays(wallDate, 1);
  const date = atMs >= startOfDayMs(nextDate, timezone) ? nextDate : wallDate;
  const span = {
    date,
    startMs: startOfDayMs(date, timezone),
    endMs: endOfDayMs(date, timezone),
  };
  lastDayByZone.set(timezone, span);
  return date;
}

/** The first instant of a local day, ms. */
export function startOfDayMs(date: LocalDate, timezone: string): number {
  return remembered(
    `${timezone} ${date}`,
    () => Temporal.PlainDate.from(date).toZonedDateTime(timezone).epochMilliseconds,
  );
}

function remembered(key: string, ask: () => number): number {
  const known = instants.get(key);
  if (known !== undefined) return known;
  const instantMs = ask();
  if (instants.size >= instantsKeptMax) instants.clear();
  instants.set(key, instantMs);
  return instantMs;
}

/** The first instant after a local day: the start of the next one, ms. */
export function endOfDayMs(date: LocalDate, timezone: string): number {
  return startOfDayMs(addDays(date, 1), timezone);
}

/** The date `days` later (earlier if negative), by the calendar alone. */
export function addDays(date: LocalDate, days: number): LocalDate {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * dayMs).toISOString().slice(0, 10);
}

/** What the plant's clock shows, in whole minutes since its 00:00; an hour that is repeated shows the same minutes twice. */
export function localMinutesAt(atMs: number, timezone: string): number {
  const clock = zoned(atMs, timezone);
  return clock.hour * 60 + clock.minute;
}

/** How far the plant's clock is ahead of UTC at an instant, minutes; negative west of Greenwich. */
export function offsetMinutesAt(atMs: number, timezone: string): number {
  return zoned(atMs, timezone).offsetNanoseconds / 6e10;
}

/**
 * The instant at which the plant's clock shows `hhmm` ("23:50") on a date, ms: the earlier of two if the clock is set
 * back, unless `which` asks for the later; moved forward by the gap if the clock skips it.
 */
export function instantOf(
  date: LocalDate,
  hhmm: string,
  timezone: string,
  which: 'earlier' | 'later' = 'earlier',
): number {
  // Temporal's "earlier" would move a skipped time back; "compatible" moves it on and takes the earlier of two.
  const disambiguation = which === 'later' ? 'later' : 'compatible';
  return remembered(`${timezone} ${date} ${hhmm} ${which}`, () => {
    const clock = Temporal.PlainDate.from(date).toPlainDateTime(Temporal.PlainTime.from(hhmm));
    return clock.toZonedDateTime(timezone, { disambiguation }).epochMilliseconds;
  });
}

/** Whether `text` names a zone of the IANA database; bare offsets ("+01:00") know no summer time and are refused. */
export function isValidTimezone(text: string): boolean {
  if (!/^[A-Za-z]/.test(text)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** How far a zone's clock is from UTC at an instant: "UTC+2", "UTC-3:30", "UTC". */
export function offsetText(atMs: number, timezone: string): string {
  const [, sign = '', hours = '', minutes = ''] =
    /^([+-])(\d\d):(\d\d)/.exec(zoned(atMs, timezone).offset) ?? [];
  if (Number(hours) === 0 && Number(minutes) === 0) return 'UTC';
  return `UTC${sign}${Number(hours)}${minutes === '00' ? '' : `:${minutes}`}`;
}

function zoned(atMs: number, timezone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timezone);
}

/** The zone that all of them share, else UTC. */
export function sharedZone(all: readonly { timezone: string }[]): string {
  const [zone = 'UTC', ...others] = new Set(all.map(({ timezone }) => timezone));
  return others.length === 0 ? zone : 'UTC';
}

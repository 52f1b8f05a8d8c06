import { getTimes } from 'suncalc';

/**
 * Computes the plant's calendar a second time, with the host's `Intl` and nothing of the product. The simulation judges the
 * product's calendar by it.
 */

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
export const dayLengthMs = 24 * hourMs;

const formats = new Map<string, Intl.DateTimeFormat>();
/** Zones change their offset on whole quarters of an hour, and not twice a day. */
const quarterMs = 15 * minuteMs;
const offsetsByZone = new Map<string, Map<number, number>>();

function offsetMsAt(atMs: number, timezone: string): number {
  let offsets = offsetsByZone.get(timezone);
  if (offsets === undefined) {
    offsets = new Map();
    offsetsByZone.set(timezone, offsets);
  }
  const dayStartMs = Math.floor(atMs / dayLengthMs) * dayLengthMs;
  const offsetMs = askOffsetMs(dayStartMs, timezone, offsets);
  if (offsetMs === askOffsetMs(dayStartMs + dayLengthMs, timezone, offsets)) return offsetMs;
  return askOffsetMs(Math.floor(atMs / quarterMs) * quarterMs, timezone, offsets);
}

function askOffsetMs(atMs: number, timezone: string, offsets: Map<number, number>): number {
  const known = offsets.get(atMs);
  if (known !== undefined) return known;
  const offsetMs = askWallMs(atMs, timezone) - atMs;
  offsets.set(atMs, offsetMs);
  return offsetMs;
}

function askWallMs(atMs: number, timezone: string): number {
  let format = formats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timezone, format);
  }
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(atMs)) part[type] = Number(value);
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The plant's local time as if it were UTC, ms. */
function wallMsAt(atMs: number, timezone: string): number {
  return atMs + offsetMsAt(atMs, timezone);
}

export function dateAt(atMs: number, timezone: string): string {
  return dateOfDay(Math.floor(wallMsAt(atMs, timezone) / dayLengthMs));
}

const datesByDay = new Map<number, string>();
const daysByDate = new Map<string, number>();

/** The date `day` days after 1970-01-01. */
function dateOfDay(day: number): string {
  const known = datesByDay.get(day);
  if (known !== undefined) return known;
  const date = new Date(day * dayLengthMs).toISOString().slice(0, 10);
  datesByDay.set(day, date);
  daysByDate.set(date, day);
  return date;
}

/** Minutes since 00:00 of the plant's local time. */
export function wallMinutesAt(atMs: number, timezone: string): number {
  const wallMs = wallMsAt(atMs, timezone);
  return Math.floor((((wallMs % dayLengthMs) + dayLengthMs) % dayLengthMs) / minuteMs);
}

export function dateAfter(date: string, days: number): string {
  const day = daysByDate.get(date) ?? Math.floor(Date.parse(`${date}T00:00:00Z`) / dayLengthMs);
  return dateOfDay(day + days);
}

/** The first instant of a local date: the first quarter of an hour that has it. */
export function firstInstantOf(date: string, timezone: string): number {
  const key = `${date} ${timezone}`;
  const known = firstInstants.get(key);
  if (known !== undefined) return known;
  const foundMs = findFirstInstant(date, timezone);
  firstInstants.set(key, foundMs);
  return foundMs;
}

const firstInstants = new Map<string, number>();

function findFirstInstant(date: string, timezone: string): number {
  const guessMs = Date.parse(`${date}T00:00:00Z`);
  for (let atMs = guessMs - 15 * hourMs; atMs <= guessMs + 15 * hourMs; atMs += quarterMs) {
    if (dateAt(atMs, timezone) >= date) return atMs;
  }
  throw new Error(`${date} never begins in ${timezone}`);
}

/** The plant's local time as "MM/dd/yyyy HH:mm:ss". */
export function wallText(atMs: number, timezone: string): string {
  const iso = new Date(wallMsAt(atMs, timezone)).toISOString();
  return `${iso.slice(5, 7)}/${iso.slice(8, 10)}/${iso.slice(0, 4)} ${iso.slice(11, 19)}`;
}

/** Sunrise and sunset around the noon of a date, ms. Only for places where the sun does both. */
export function sunOf(
  date: string,
  place: { timezone: string; latitude: number; longitude: number },
): { riseMs: number; setMs: number } {
  const key = `${date} ${place.timezone} ${place.latitude}`;
  const known = suns.get(key);
  if (known !== undefined) return known;
  const noonMs = firstInstantOf(date, place.timezone) + 12 * hourMs;
  const { sunrise, sunset } = getTimes(new Date(noonMs), place.latitude, place.longitude);
  if (sunrise === null || sunset === null) throw new Error(`no sunrise on ${date}`);
  const sun = { riseMs: Math.round(sunrise.getTime()), setMs: Math.round(sunset.getTime()) };
  suns.set(key, sun);
  return sun;
}

const suns = new Map<string, { riseMs: number; setMs: number }>();

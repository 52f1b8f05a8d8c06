import type { LocalDate } from './zone.ts';
import { type Place, sunTimes } from './sun.ts';
import { addDays, endOfDayMs, localDateAt, minuteMs, startOfDayMs } from './zone.ts';

/**
 * The night of the status profile DAYLIGHT. Inverters and loggers sleep without light, so every
 * sleeping plant would be YELLOW after 2 h of night. DAYLIGHT counts toward these 2 h only the time in which a healthy plant
 * is awake. The 24 h stay wall clock, except for days without such a time (polar night).
 */

export const statusProfiles = ['STRICT', 'DAYLIGHT'] as const;
/** How status treats the night: STRICT counts all time, DAYLIGHT counts only daylight toward the 2 h. */
export type StatusProfile = (typeof statusProfiles)[number];

/** Time around sunrise and sunset proves nothing: an inverter may wake later and sleep earlier. */
const twilightMs = 45 * minuteMs;

/** The instant from which a plant's silence counts, and the light at its place. */
export interface DaylightPlace extends Place {
  statusProfile: StatusProfile;
}

/** A place whose coordinates are known. */
type KnownPlace = Place & { latitude: number; longitude: number };

interface Span {
  fromMs: number;
  toMs: number;
}

/** The time in which a healthy plant is awake on a local day: sunrise + 45 min to sunset − 45 min; null: none on that day. */
function lightOf(date: LocalDate, place: KnownPlace): Span | null {
  const { timezone, latitude, longitude } = place;
  const { sunriseMs, sunsetMs, polar } = sunTimes(date, timezone, latitude, longitude);
  if (polar === 'NIGHT') return null;
  if (sunriseMs === null || sunsetMs === null)
    return { fromMs: startOfDayMs(date, timezone), toMs: endOfDayMs(date, timezone) };
  const light = { fromMs: sunriseMs + twilightMs, toMs: sunsetMs - twilightMs };
  return light.toMs > light.fromMs ? light : null;
}

/** The plant's place, if its night is known and counts: DAYLIGHT with coordinates; null for STRICT. */
function lightPlace(place: DaylightPlace): KnownPlace | null {
  const { statusProfile, timezone, latitude, longitude } = place;
  if (statusProfile !== 'DAYLIGHT' || latitude === null || longitude === null) return null;
  return { timezone, latitude, longitude };
}

/**
 * How long the plant has been unseen, ms, as the 2 h rule counts it: wall clock for STRICT; for DAYLIGHT only time between
 * sunrise + 45 min and sunset − 45 min. Never more than the wall clock.
 *
 * @param limitMs counting stops beyond this and does not begin when it cannot be reached; null: counts to the end.
 */
export function countedSilenceMs(
  place: DaylightPlace,
  fromMs: number,
  nowMs: number,
  limitMs: number | null,
): number {
  return silenceWithin(place, { fromMs, toMs: nowMs }, limitMs, lightOf);
}

/**
 * How long the plant has been unseen, ms, as the 24 h rule counts it: wall clock, without the local days on which a DAYLIGHT
 * plant has no light that counts.
 *
 * @param limitMs as above.
 */
export function litDaysSilenceMs(
  place: DaylightPlace,
  fromMs: number,
  nowMs: number,
  limitMs: number | null,
): number {
  return silenceWithin(place, { fromMs, toMs: nowMs }, limitMs, (date, lit) =>
    lightOf(date, lit) === null
      ? null
      : { fromMs: startOfDayMs(date, lit.timezone), toMs: endOfDayMs(date, lit.timezone) },
  );
}

/** The part of a silence, ms, that lies in the spans of its days; the whole silence unless the plant is DAYLIGHT. */
function silenceWithin(
  place: DaylightPlace,
  silence: Span,
  limitMs: number | null,
  spanOf: (date: LocalDate, place: KnownPlace) => Span | null,
): number {
  const { fromMs, toMs } = silence;
  const lit = lightPlace(place);
  if (lit === null || (limitMs !== null && toMs - fromMs <= limitMs)) return toMs - fromMs;
  let countedMs = 0;
  for (const date of datesOf(fromMs, toMs, lit.timezone)) {
    const span = spanOf(date, lit);
    if (span !== null)
      countedMs += Math.max(0, Math.min(span.toMs, toMs) - Math.max(span.fromMs, fromMs));
    if (limitMs !== null && countedMs > limitMs) break;
  }
  return countedMs;
}

/**
 * The local dates whose light may touch the span. In high summer a sunset may fall after its date's midnight; far from the
 * zone's meridian a sunrise may fall before it.
 */
function* datesOf(fromMs: number, toMs: number, timezone: string): Generator<LocalDate> {
  const last = addDays(localDateAt(toMs, timezone), 1);
  for (let date = addDays(localDateAt(fromMs, timezone), -1); date <= last; date = addDays(date, 1))
    yield date;
}

/** Whether the sun is down at the place (pages show a moon beside the colour); null when the place is unknown. */
export function isNight(place: Place, atMs: number): boolean | null {
  const { timezone, latitude, longitude } = place;
  if (latitude === null || longitude === null) return null;
  const today = localDateAt(atMs, timezone);
  // In high summer yesterday's sunset may still be ahead after midnight, and tomorrow's sunrise may come before midnight.
  return [addDays(today, -1), today, addDays(today, 1)].every((date) => {
    const { sunriseMs, sunsetMs, polar } = sunTimes(date, timezone, latitude, longitude);
    if (polar !== null) return date !== today || polar === 'NIGHT';
    return sunriseMs === null || sunsetMs === null || atMs < sunriseMs || atMs >= sunsetMs;
  });
}

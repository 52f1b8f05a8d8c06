import type { LocalDate } from './zone.ts';
import { type Place, sunTimes } from './sun.ts';
import { addDays, endOfDayMs, localDateAt, minuteMs, startOfDayMs } from './zone.ts';

/**
 * The night of the status profile DAYLIGHT. Inverters and their loggers sleep without light, so that by the locked 2 h every
 * plant that sleeps would be YELLOW every night. DAYLIGHT counts for these 2 h only the time in which a plant that is well is
 * awake; the 24 h stay wall clock, but for days without such a time: polar night.
 */

export const statusProfiles = ['STRICT', 'DAYLIGHT'] as const;
/** How status treats the night: STRICT is the locked rules to the letter, DAYLIGHT counts only light for their 2 h. */
export type StatusProfile = (typeof statusProfiles)[number];

/** After sunrise an inverter wakes late, and before sunset it sleeps early: such time proves nothing. */
const twilightMs = 45 * minuteMs;

/** When a plant's silence begins to count, and how its place has light. */
export interface DaylightPlace extends Place {
  statusProfile: StatusProfile;
}

interface Span {
  fromMs: number;
  toMs: number;
}

/** When a plant that is well is awake on a local day: from sunrise + 45 min to sunset − 45 min; null: never on that day. */
function lightOf(date: LocalDate, place: Place & Coordinates): Span | null {
  const { timezone, latitude, longitude } = place;
  const { sunriseMs, sunsetMs, polar } = sunTimes(date, timezone, latitude, longitude);
  if (polar === 'NIGHT') return null;
  if (sunriseMs === null || sunsetMs === null)
    return { fromMs: startOfDayMs(date, timezone), toMs: endOfDayMs(date, timezone) };
  const light = { fromMs: sunriseMs + twilightMs, toMs: sunsetMs - twilightMs };
  return light.toMs > light.fromMs ? light : null;
}

interface Coordinates {
  latitude: number;
  longitude: number;
}

/** The place where its night is known and counts: DAYLIGHT with coordinates; null for STRICT. */
function lightPlace(place: DaylightPlace): (Place & Coordinates) | null {
  const { statusProfile, timezone, latitude, longitude } = place;
  if (statusProfile !== 'DAYLIGHT' || latitude === null || longitude === null) return null;
  return { timezone, latitude, longitude };
}

/**
 * How long the plant has been unseen by the count of the locked 2 h: wall clock where STRICT; where DAYLIGHT only time
 * between sunrise + 45 min and sunset − 45 min. Never more than the wall clock.
 *
 * @param limitMs counting stops once it is beyond this, and is not begun where it cannot be; null: it is counted to the end.
 */
export function countedSilenceMs(
  place: DaylightPlace,
  fromMs: number,
  nowMs: number,
  limitMs: number | null,
): number {
  const silenceMs = nowMs - fromMs;
  const lit = lightPlace(place);
  if (lit === null || (limitMs !== null && silenceMs <= limitMs)) return silenceMs;
  let countedMs = 0;
  for (const date of datesOf(fromMs, nowMs, lit.timezone)) {
    const light = lightOf(date, lit);
    if (light !== null)
      countedMs += Math.max(0, Math.min(light.toMs, nowMs) - Math.max(light.fromMs, fromMs));
    if (limitMs !== null && countedMs > limitMs) break;
  }
  return countedMs;
}

/**
 * How long the plant has been unseen by the count of the locked 24 h: wall clock, but for the local days of DAYLIGHT plants
 * on which there is no light that counts.
 *
 * @param limitMs as above.
 */
export function litDaysSilenceMs(
  place: DaylightPlace,
  fromMs: number,
  nowMs: number,
  limitMs: number | null,
): number {
  const silenceMs = nowMs - fromMs;
  const lit = lightPlace(place);
  if (lit === null || (limitMs !== null && silenceMs <= limitMs)) return silenceMs;
  let countedMs = 0;
  for (let date = localDateAt(fromMs, lit.timezone); ; date = addDays(date, 1)) {
    const startMs = startOfDayMs(date, lit.timezone);
    if (startMs >= nowMs || (limitMs !== null && countedMs > limitMs)) return countedMs;
    if (lightOf(date, lit) === null) continue;
    const endMs = endOfDayMs(date, lit.timezone);
    countedMs += Math.max(0, Math.min(endMs, nowMs) - Math.max(startMs, fromMs));
  }
}

/**
 * The local dates whose light may touch the span: in high summer a sunset may fall after its date's midnight, and where a
 * place lies far from its zone's meridian a sunrise before it.
 */
function* datesOf(fromMs: number, toMs: number, timezone: string): Generator<LocalDate> {
  const last = addDays(localDateAt(toMs, timezone), 1);
  for (let date = addDays(localDateAt(fromMs, timezone), -1); date <= last; date = addDays(date, 1))
    yield date;
}

/** Whether the sun is down at the place, for the moon beside a colour; null where the place is unknown. */
export function isNight(place: Place, atMs: number): boolean | null {
  const { timezone, latitude, longitude } = place;
  if (latitude === null || longitude === null) return null;
  const today = localDateAt(atMs, timezone);
  // The sunset of a high summer's day may be to come after midnight; the next sunrise may be before it.
  return [addDays(today, -1), today, addDays(today, 1)].every((date) => {
    const { sunriseMs, sunsetMs, polar } = sunTimes(date, timezone, latitude, longitude);
    if (polar !== null) return date !== today || polar === 'NIGHT';
    return sunriseMs === null || sunsetMs === null || atMs < sunriseMs || atMs >= sunsetMs;
  });
}

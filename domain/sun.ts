import { getTimes } from 'suncalc';
import type { LocalDate } from './zone.ts';
import { instantOf } from './zone.ts';

/** A plant's place; its coordinates, in degrees, may be unknown. */
export interface Place {
  timezone: string;
  latitude: number | null;
  longitude: number | null;
}

export interface SunTimes {
  /** null: the sun does not cross the horizon on that day. */
  sunriseMs: number | null;
  sunsetMs: number | null;
  /** DAY or NIGHT if the sun does not cross the horizon, else null. */
  polar: 'DAY' | 'NIGHT' | null;
}

/** A cache, because a fleet asks for the same day of the same places all day, and a calculation takes 13 µs. */
const sunTimesKeptMax = 16_384;
const sunTimesByDay = new Map<string, SunTimes>();

/**
 * Sunrise and sunset around the solar noon of a local day, ms. In high summer at high latitudes the sunset may fall after
 * local midnight; it still belongs to the day whose noon it follows.
 */
export function sunTimes(
  date: LocalDate,
  timezone: string,
  latitude: number,
  longitude: number,
): SunTimes {
  const key = `${date} ${timezone} ${latitude} ${longitude}`;
  const known = sunTimesByDay.get(key);
  if (known !== undefined) return known;
  // suncalc answers for the solar noon nearest to the instant it is given, so local noon picks the right day in every zone.
  const noon = new Date(instantOf(date, '12:00', timezone));
  const { sunrise, sunset, alwaysUp } = getTimes(noon, latitude, longitude);
  const times: SunTimes = {
    sunriseMs: sunrise === null ? null : Math.round(sunrise.getTime()),
    sunsetMs: sunset === null ? null : Math.round(sunset.getTime()),
    polar: sunrise === null || sunset === null ? (alwaysUp === true ? 'DAY' : 'NIGHT') : null,
  };
  if (sunTimesByDay.size >= sunTimesKeptMax) sunTimesByDay.clear();
  sunTimesByDay.set(key, times);
  return times;
}

/**
 * The share of a cloudless day's energy that is in by `atMs`, 0 … 1: the integral of a half-cosine between sunrise and
 * sunset. null if the place is unknown, or the sun does not rise or set.
 */
export function clearSkyShare(atMs: number, date: LocalDate, place: Place): number | null {
  const { timezone, latitude, longitude } = place;
  if (latitude === null || longitude === null) return null;
  const { sunriseMs, sunsetMs } = sunTimes(date, timezone, latitude, longitude);
  if (sunriseMs === null || sunsetMs === null) return null;
  const passed = Math.min(1, Math.max(0, (atMs - sunriseMs) / (sunsetMs - sunriseMs)));
  return (1 - Math.cos(Math.PI * passed)) / 2;
}

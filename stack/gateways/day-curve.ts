/** What the sun makes of a simulated generator at any instant, as a pure function of the clock: counters rise with the integral of the power. */

/** What a generator delivers. */
export interface Generation {
  powerW: number;
  /** Since the last midnight of its own clock. */
  todayKwh: number;
  lifetimeKwh: number;
}

/** @param nowMs ms since 1970, UTC. */
export type DayCurve = (nowMs: number) => Generation;

export interface CurvePlace {
  /** Degrees, north is positive. */
  latitude: number;
  /** Degrees, east is positive. */
  longitude: number;
}

const dayMs = 86_400_000;
const degree = Math.PI / 180;
const obliquity = 23.44;
/** From the winter solstice to the new year, days. */
const solsticeBeforeNewYear = 10;
const yearDays = 365.2425;
/** Share of its rated power that a generator reaches at noon. */
const noonShare = 0.8;
const commissionedMs = Date.UTC(2020, 0, 1);

/**
 * Clear days of a place: power follows a half-sine between sunrise and sunset of solar time. Days differ by the season only.
 *
 * @returns the curve of 1 kW of rated power; it keeps what it has computed for the current day.
 */
export function clearDays({ latitude, longitude }: CurvePlace): DayCurve {
  const solarOffsetMs = (longitude / 360) * dayMs;
  const firstDay = Math.floor((commissionedMs + solarOffsetMs) / dayMs);
  let known = { day: firstDay, beforeKwh: 0 };
  const before = (day: number): number => {
    if (day < known.day) known = { day: firstDay, beforeKwh: 0 };
    let { beforeKwh } = known;
    for (let past = known.day; past < day; past += 1)
      beforeKwh += dayKwh(daylightShare(past, latitude));
    known = { day, beforeKwh };
    return beforeKwh;
  };
  return (nowMs) => {
    const solarMs = nowMs + solarOffsetMs;
    const day = Math.floor(solarMs / dayMs);
    const daylight = daylightShare(day, latitude);
    const ofDay = solarMs / dayMs - day;
    const passed =
      daylight === 0 ? 0 : Math.min(1, Math.max(0, (ofDay - (1 - daylight) / 2) / daylight));
    const todayKwh = (dayKwh(daylight) * (1 - Math.cos(Math.PI * passed))) / 2;
    return {
      // The sine of π is not quite 0.
      powerW: passed < 1 ? 1_000 * noonShare * Math.sin(Math.PI * passed) : 0,
      todayKwh,
      lifetimeKwh: before(day) + todayKwh,
    };
  };
}

/** Energy of a day of 1 kW, kWh: the integral of the half-sine. */
function dayKwh(daylight: number): number {
  return (noonShare * 24 * daylight * 2) / Math.PI;
}

/** The part of a day between sunrise and sunset, 0 … 1; `day` counts from 1970. */
function daylightShare(day: number, latitude: number): number {
  const season = (2 * Math.PI * (day + solsticeBeforeNewYear)) / yearDays;
  const declination = -obliquity * degree * Math.cos(season);
  const hourAngle = -Math.tan(latitude * degree) * Math.tan(declination);
  return Math.acos(Math.min(1, Math.max(-1, hourAngle))) / Math.PI;
}

/** The curve of a generator of another rated power, kW. */
export function ofCapacity(curve: DayCurve, capacityKw: number): DayCurve {
  return (nowMs) => {
    const { powerW, todayKwh, lifetimeKwh } = curve(nowMs);
    return {
      powerW: powerW * capacityKw,
      todayKwh: todayKwh * capacityKw,
      lifetimeKwh: lifetimeKwh * capacityKw,
    };
  };
}

/** Vendors' curves move in steps; between two steps a device moves evenly. */
export function smoothed(curve: DayCurve, stepMs: number): DayCurve {
  let kept: { stepAtMs: number; from: Generation; to: Generation } | null = null;
  return (nowMs) => {
    const stepAtMs = Math.floor(nowMs / stepMs) * stepMs;
    if (kept?.stepAtMs !== stepAtMs)
      kept = { stepAtMs, from: curve(stepAtMs), to: curve(stepAtMs + stepMs) };
    const { from, to } = kept;
    const share = (nowMs - stepAtMs) / stepMs;
    const between = (a: number, b: number) => a + (b - a) * share;
    return {
      powerW: between(from.powerW, to.powerW),
      // The counter of the day falls once, with the step that begins the next day.
      todayKwh: to.todayKwh < from.todayKwh ? from.todayKwh : between(from.todayKwh, to.todayKwh),
      lifetimeKwh: Math.max(from.lifetimeKwh, between(from.lifetimeKwh, to.lifetimeKwh)),
    };
  };
}

import type { LocalDate } from '../../../domain/zone.ts';
import { fnv1a32 } from '../../../domain/slots.ts';
import { sunTimes } from '../../../domain/sun.ts';
import { addDays, endOfDayMs, instantOf, localDateAt, startOfDayMs } from '../../../domain/zone.ts';

/**
 * What a simulated plant measures at any instant: a pure function of the plant, the scenario and the clock, so that a
 * fixture lives through days without keeping anything. Energy only rises during a day and ends at the day's total, power
 * is its derivative, and the lifetime total is the sum of all days.
 */

/** The plant that a fixture plays. */
export interface SimulatedPlant {
  vendorPlantId: string;
  timezone: string;
  capacityKw: number;
  latitude: number | null;
  longitude: number | null;
}

/** How a scenario's day differs from an ordinary one (`day` of a fixture; fixtures/README.md). */
export interface DayKnobs {
  /** How much older than the clock the newest measurement is. */
  lagS: number;
  /** Measures nothing between sunset and sunrise. */
  sleeps: boolean;
  /** Times the usual energy, on the clock's own date only: the days before were ordinary. */
  todayFactor: number;
  /** Local time ("00:15"), or "wake" for sunrise, at which the vendor's counter of the day restarts; until then it shows yesterday's total. */
  resetAt: string;
  /** A daily silence: no measurement between these local times. */
  silent: { from: string; to: string } | null;
  /** Measures nothing after this instant, ms; null: goes on. */
  silentSinceMs: number | null;
}

export const ordinaryDay: DayKnobs = {
  lagS: 0,
  sleeps: false,
  todayFactor: 1,
  resetAt: '00:00',
  silent: null,
  silentSinceMs: null,
};

export interface Measurement {
  /** When the newest measurement was taken; never later than the clock. */
  measuredAtMs: number;
  /** ASLEEP: by night, as it should. OFFLINE: silent for more than half an hour otherwise. */
  condition: 'ONLINE' | 'ASLEEP' | 'OFFLINE';
  powerW: number;
  /** As the vendor's counter shows it, so before its reset yesterday's. */
  todayEnergyKwh: number;
  monthEnergyKwh: number;
  yearEnergyKwh: number;
  lifetimeEnergyKwh: number;
}

/** Vendors' loggers send every 5 minutes. */
const measureEveryMs = 300_000;
const offlineAfterMs = 1_800_000;

/** A sunny European year gives some 4.5 kWh a day for each installed kW in its better half. */
const fullDayHours = 4.5;
/** Days give 75 % to 100 % of that: 87.5 % ± the difference of two draws of ± 6.25 %. */
const weatherMean = 0.875;
const weatherDraw = 0.0625;
const commissionedOn = '2020-01-01';
const dayMs = 86_400_000;

/** Below this the curve of a winter day would need more power than the plant has; the fixed window stands in. */
const daylightMsMin = 6 * 3_600_000;

/** What the plant's newest measurement says at `nowMs`. */
export function measure(plant: SimulatedPlant, knobs: DayKnobs, nowMs: number): Measurement {
  const { measuredAtMs, asleep } = newestMeasurement(plant, knobs, nowMs);
  const date = localDateAt(measuredAtMs, plant.timezone);
  const factor = date === localDateAt(nowMs, plant.timezone) ? knobs.todayFactor : 1;
  const totalKwh = dayTotalKwh(plant, date) * factor;
  const sun = sunWindow(plant, date);
  const passed = clamp((measuredAtMs - sun.riseMs) / (sun.setMs - sun.riseMs));
  const soFarKwh = (totalKwh * (1 - Math.cos(Math.PI * passed))) / 2;
  const daylightH = (sun.setMs - sun.riseMs) / 3_600_000;
  const resetMs =
    knobs.resetAt === 'wake' ? sun.riseMs : instantOf(date, knobs.resetAt, plant.timezone);
  const throughDate = (from: LocalDate): number =>
    cumulativeKwh(plant, date) - cumulativeKwh(plant, from) + soFarKwh;
  return {
    measuredAtMs,
    condition: asleep ? 'ASLEEP' : nowMs - measuredAtMs > offlineAfterMs ? 'OFFLINE' : 'ONLINE',
    powerW: ((totalKwh * 1000 * Math.PI) / (2 * daylightH)) * Math.sin(Math.PI * passed),
    todayEnergyKwh: measuredAtMs < resetMs ? dayTotalKwh(plant, addDays(date, -1)) : soFarKwh,
    monthEnergyKwh: throughDate(`${date.slice(0, 7)}-01`),
    yearEnergyKwh: throughDate(`${date.slice(0, 4)}-01-01`),
    lifetimeEnergyKwh: throughDate(commissionedOn),
  };
}

/** The energy of a whole day, kWh: between 75 % and 100 % of 4.5 kWh for each kW, the same whenever it is asked. */
export function dayTotalKwh(plant: SimulatedPlant, date: LocalDate): number {
  return cumulativeKwh(plant, addDays(date, 1)) - cumulativeKwh(plant, date);
}

/** All energy before the start of `date`. A closed form, so that a lifetime total costs no sum over years. */
function cumulativeKwh(plant: SimulatedPlant, date: LocalDate): number {
  const days = (Date.parse(date) - Date.parse(commissionedOn)) / dayMs;
  const draw = (2 * uniform(`${plant.vendorPlantId} ${date}`) - 1) * weatherDraw;
  return plant.capacityKw * fullDayHours * (days * weatherMean + draw);
}

function newestMeasurement(
  plant: SimulatedPlant,
  knobs: DayKnobs,
  nowMs: number,
): { measuredAtMs: number; asleep: boolean } {
  let atMs = wholeStep(nowMs - knobs.lagS * 1000);
  if (knobs.silent !== null) {
    const date = localDateAt(atMs, plant.timezone);
    const fromMs = instantOf(date, knobs.silent.from, plant.timezone);
    if (atMs >= fromMs && atMs < instantOf(date, knobs.silent.to, plant.timezone)) atMs = fromMs;
  }
  if (knobs.silentSinceMs !== null && atMs > knobs.silentSinceMs)
    return { measuredAtMs: wholeStep(knobs.silentSinceMs), asleep: false };
  if (!knobs.sleeps) return { measuredAtMs: atMs, asleep: false };
  const date = localDateAt(atMs, plant.timezone);
  const sun = sunWindow(plant, date);
  if (atMs > sun.setMs) return { measuredAtMs: wholeStep(sun.setMs), asleep: true };
  if (atMs >= sun.riseMs) return { measuredAtMs: atMs, asleep: false };
  return { measuredAtMs: wholeStep(sunWindow(plant, addDays(date, -1)).setMs), asleep: true };
}

/** Sunrise and sunset of the plant's day, within that day; 06:00 and 18:00 where the place is unknown or the sun is hardly up. */
function sunWindow(plant: SimulatedPlant, date: LocalDate): { riseMs: number; setMs: number } {
  const { timezone, latitude, longitude } = plant;
  if (latitude !== null && longitude !== null) {
    const { sunriseMs, sunsetMs } = sunTimes(date, timezone, latitude, longitude);
    if (sunriseMs !== null && sunsetMs !== null) {
      const riseMs = Math.max(sunriseMs, startOfDayMs(date, timezone));
      const setMs = Math.min(sunsetMs, endOfDayMs(date, timezone) - measureEveryMs);
      if (setMs - riseMs >= daylightMsMin) return { riseMs, setMs };
    }
  }
  return {
    riseMs: instantOf(date, '06:00', timezone),
    setMs: instantOf(date, '18:00', timezone),
  };
}

function wholeStep(atMs: number): number {
  return Math.floor(atMs / measureEveryMs) * measureEveryMs;
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}

/** A number in 0 … 1 that looks random and is always the same for the same text. */
function uniform(text: string): number {
  // FNV-1a alone hardly differs for texts that differ in the last digit; two multiplications mix its bits (MurmurHash3).
  let hash = fnv1a32(text);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
}

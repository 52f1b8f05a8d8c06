import {
  dayTotalKwh,
  measure,
  ordinaryDay,
  type SimulatedPlant,
} from '../../adapters/clouds/recorded/fixture-day.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import type { LocalDate } from '../../domain/zone.ts';
import { phaseMs } from '../../domain/slots.ts';
import { hourMs, minuteMs } from '../../domain/zone.ts';
import type { Incident } from './vendor.ts';

/** The twelve plants of the simulated day, three of a brand, and the truth about their suns and meters. */

/**
 * When the day begins: in the future, where the production worker takes the workflow's time for the poll's clock, and always
 * the same, so that every run lives through the same weather. In the night that follows Europe's clocks go back.
 */
export const startMs = Date.parse('2037-10-24T14:00:00Z');
export const intervalMs = 10 * minuteMs;
/** 24 hours. */
export const slotsOfDay = 144;
export const capacityKw = 10;

export interface DayPlant {
  id: string;
  brand: Brand;
  /** Names its scenario in `fixtures/<brand>/plants.json`. */
  vendorPlantId: string;
  timezone: string;
  latitude: number;
  longitude: number;
  /** The local date that is closed within the day. */
  date: LocalDate;
  /** How much the panels give of an ordinary day; the scenario says the same. */
  todayFactor?: number;
  slots?: number;
  incidents?: readonly Incident[];
}

/** When the plant is due after so many slots. */
export function slotMsOf(plant: DayPlant, index: number): number {
  return startMs + phaseMs(plant.id, intervalMs) + index * intervalMs;
}

/** Four hours more than a day: seen, unseen for 2 h, unseen for 24 h, and back. */
const slotsOfOutage = 168;
/** The vendor's cloud is away from the first hour to the 26th. */
const outage = { fromMs: startMs + hourMs, toMs: startMs + 26 * hourMs };
/** The slot that meets the rate limit, which asks to be left alone for the two slots after it. */
export const rateLimitedSlot = 18;
/** The slot whose first attempt meets an error, and whose second is answered. */
export const stumblingSlot = 36;

const saturday = '2037-10-24';
const sunday = '2037-10-25';

export const clockBack: DayPlant = {
  id: 'solis-clock-back',
  brand: 'SOLIS',
  vendorPlantId: '1298491919448631801',
  date: saturday,
  timezone: 'Europe/Amsterdam',
  latitude: 52.37,
  longitude: 4.9,
};
/** Every four hours: an hour of peace, an alarm, an emergency, restored. */
export const emergency: DayPlant = {
  id: 'solis-fault',
  brand: 'SOLIS',
  vendorPlantId: '1298491919448631807',
  date: saturday,
  timezone: 'America/Sao_Paulo',
  latitude: -23.55,
  longitude: -46.63,
};
/** Its counter of the day restarts at sunrise; until then it shows yesterday's total with fresh times. */
export const sunrise: DayPlant = {
  id: 'solis-sunrise',
  brand: 'SOLIS',
  vendorPlantId: '1298491919448631811',
  date: saturday,
  timezone: 'America/St_Johns',
  latitude: 47.56,
  longitude: -52.71,
};
/** Huawei states no measurement time: by night nothing proves that a plant lives. */
export const night: DayPlant = {
  id: 'huawei-night',
  brand: 'HUAWEI',
  vendorPlantId: 'NE=35000001',
  date: saturday,
  timezone: 'Europe/Madrid',
  latitude: 37.39,
  longitude: -5.99,
};
/** Its counter of the day restarts at 06:30; nothing says that what it shows before is yesterday's. */
export const dawn: DayPlant = {
  id: 'huawei-dawn',
  brand: 'HUAWEI',
  vendorPlantId: 'NE=35000008',
  date: saturday,
  timezone: 'Asia/Kathmandu',
  latitude: 27.72,
  longitude: 85.32,
};
/** Each chain of calls meets an expired session first. */
export const expired: DayPlant = {
  id: 'huawei-session',
  brand: 'HUAWEI',
  vendorPlantId: 'NE=35000030',
  date: saturday,
  timezone: 'Asia/Kolkata',
  latitude: 19.08,
  longitude: 72.88,
};
/** The logger is silent from 09:00 to 15:00. */
export const silent: DayPlant = {
  id: 'goodwe-silent',
  brand: 'GOODWE',
  vendorPlantId: '5e3f0c1a-7b2d-4c8e-9f10-000000000005',
  date: saturday,
  timezone: 'America/Denver',
  latitude: 39.74,
  longitude: -104.99,
};
export const faint: DayPlant = {
  id: 'goodwe-faint',
  brand: 'GOODWE',
  vendorPlantId: '5e3f0c1a-7b2d-4c8e-9f10-000000000007',
  date: sunday,
  timezone: 'Australia/Adelaide',
  latitude: -34.93,
  longitude: 138.6,
  todayFactor: 0.05,
};
/** A warning from 10:00, a fault of the same code from 12:00, both over at 14:00. */
export const warned: DayPlant = {
  id: 'goodwe-fault',
  brand: 'GOODWE',
  vendorPlantId: '5e3f0c1a-7b2d-4c8e-9f10-000000000014',
  date: saturday,
  timezone: 'Asia/Tokyo',
  latitude: 35.68,
  longitude: 139.69,
};
export const away: DayPlant = {
  id: 'dele-outage',
  brand: 'DELE',
  vendorPlantId: '60000001',
  date: saturday,
  timezone: 'Europe/Lisbon',
  latitude: 38.72,
  longitude: -9.14,
  slots: slotsOfOutage,
  incidents: [
    {
      ...outage,
      type: 'INVALID_DATA_FORMAT',
      message: 'the vendor shows a page about its maintenance',
    },
  ],
};
export const weak: DayPlant = {
  id: 'dele-fifth',
  brand: 'DELE',
  vendorPlantId: '60000006',
  date: sunday,
  timezone: 'Pacific/Auckland',
  latitude: -36.85,
  longitude: 174.76,
  todayFactor: 0.2,
};
/** The vendor's history has no row for the day before yesterday; twice a request of its own goes wrong. */
export const limited: DayPlant = {
  id: 'dele-limited',
  brand: 'DELE',
  vendorPlantId: '60000009',
  date: saturday,
  timezone: 'America/Bogota',
  latitude: 4.71,
  longitude: -74.07,
};
limited.incidents = [
  {
    ...aroundSlot(limited, rateLimitedSlot),
    type: 'RATE_LIMIT_EXCEEDED',
    message: 'the vendor asks to be left alone',
    retryAfterMs: 25 * minuteMs,
  },
  {
    ...aroundSlot(limited, stumblingSlot),
    type: 'VENDOR_ERROR',
    message: 'the vendor has an error of its own',
    times: 1,
  },
];

export const dayPlants: readonly DayPlant[] = [
  clockBack,
  emergency,
  sunrise,
  night,
  dawn,
  expired,
  silent,
  faint,
  warned,
  away,
  weak,
  limited,
];

function aroundSlot(plant: DayPlant, index: number): { fromMs: number; toMs: number } {
  const slotMs = slotMsOf(plant, index);
  return { fromMs: slotMs, toMs: slotMs + intervalMs };
}

/** What the plant had made of a local date by then, kWh: what any honest counter shows. */
export function madeKwh(plant: DayPlant, atMs: number): number {
  const knobs = { ...ordinaryDay, todayFactor: plant.todayFactor ?? 1 };
  return measure(simulated(plant), knobs, atMs).todayEnergyKwh;
}

/** What the vendor's series says of a whole day, kWh. */
export function seriesKwh(plant: DayPlant, date: LocalDate): number {
  return dayTotalKwh(simulated(plant), date);
}

function simulated(plant: DayPlant): SimulatedPlant {
  const { vendorPlantId, timezone, latitude, longitude } = plant;
  return { vendorPlantId, timezone, latitude, longitude, capacityKw };
}

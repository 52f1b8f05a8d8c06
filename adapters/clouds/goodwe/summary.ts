import type {
  DeviceReading,
  DeviceState,
  PlantSummary,
  RefusedField,
} from '../../../domain/plants/reading.ts';
import { localDateAt } from '../../../domain/zone.ts';
import { cleanText, decimalsOf, isPossibleEnergy, requireEnergyKwh, toNumber } from '../fields.ts';
import type { Detail, Inverter } from './wire.schema.ts';

/**
 * What SEMS sends for "not fitted" or "never measured": registers of 16 and 32 bits with every bit set, as they are and
 * in the scales of its counters, and two values around them that were seen in answers.
 */
export const sentinels: readonly number[] = [
  655.35, 6553.5, 6553.7, 65_535, 4_294_967.295, 42_949_672.95, 429_483_622, 429_496_729.5,
  4_294_967_295,
];

/** `status` of a plant and of an inverter alike. */
const states: Readonly<Record<number, DeviceState>> = {
  [-2]: 'OFFLINE',
  [-1]: 'OFFLINE',
  0: 'STANDBY',
  1: 'RUNNING',
  2: 'FAULT',
};

/** Totals are sums of counters with one or two decimals; more digits than that are the noise of adding them. */
const resolutionKwhMin = 0.01;

/** The portal was not there before: an earlier measurement time is a counter or an unset clock, in seconds perhaps. */
const earliestMeasurementMs = Date.UTC(2010, 0, 1);
/** The last instant that is written with a year of four digits. */
const latestMeasurementMs = Date.UTC(9999, 11, 31);

/**
 * A plant's summary from GetMonitorDetailByPowerstationId.
 *
 * The measurement time is the newest `invert_full.last_time`. `info.time` is the time of the answer, which goes on while
 * the plant is silent; the other times of an inverter depend on the user's settings. Without a `last_time` there is none.
 *
 * @throws AdapterError INVALID_DATA_FORMAT when today's energy is missing or impossible.
 */
export function summaryOf(detail: Detail, timezone: string, now: Date): PlantSummary {
  const { info, kpi } = detail;
  const inverters = detail.inverter ?? [];
  const refused: RefusedField[] = [];
  const lifetimeEnergyKwh = lifetimeOf(kpi.total_power, refused);
  return {
    todayEnergyKwh: requireEnergyKwh(kpi.power, 'kpi.power', sentinels),
    powerW: powerOf(stateOf(info.status), kpi.pac, refused),
    lifetimeEnergyKwh,
    lifetimeResolutionKwh:
      lifetimeEnergyKwh === null
        ? null
        : Math.max(resolutionKwhMin, 10 ** -decimalsOf(kpi.total_power)),
    lastSeenAt: lastSeenOf(inverters, refused),
    devices: inverters
      .map((inverter) => deviceOf(inverter, timezone, now))
      .filter(({ sn }) => sn !== ''),
    refused,
  };
}

function powerOf(state: DeviceState, pac: unknown, refused: RefusedField[]): number | null {
  const powerW = measuredPowerW(state, pac);
  if (!Number.isNaN(powerW)) return powerW;
  refused.push({
    field: 'power_w',
    sentence:
      'The power (kpi.pac) cannot be true: check the inverter and its logger in the portal.',
  });
  return null;
}

/** Power in W: 0 while the vendor says offline or waiting, whatever stale number it still shows; NaN where it is impossible. */
function measuredPowerW(state: DeviceState, pac: unknown): number | null {
  if (state === 'OFFLINE' || state === 'STANDBY') return 0;
  const powerW = toNumber(pac);
  if (powerW === null) return null;
  return Number.isFinite(powerW) && !sentinels.includes(powerW) ? powerW : Number.NaN;
}

function lifetimeOf(total: unknown, refused: RefusedField[]): number | null {
  const energyKwh = toNumber(total);
  if (energyKwh === null) return null;
  if (isPossibleEnergy(energyKwh, sentinels)) return energyKwh;
  refused.push({
    field: 'lifetime_energy_kwh',
    sentence:
      'The lifetime energy (kpi.total_power) cannot be true: check the inverter in the portal.',
  });
  return null;
}

function lastSeenOf(inverters: readonly Inverter[], refused: RefusedField[]): string | null {
  const times = inverters.map(measuredAtMs).filter((time) => time !== null);
  const possible = times.filter((time) => !Number.isNaN(time));
  if (possible.length > 0) return new Date(Math.max(...possible)).toISOString();
  if (times.length > 0) {
    refused.push({
      field: 'last_seen_at',
      sentence: 'The measurement time (last_time) cannot be true: check the clock of the logger.',
    });
  }
  return null;
}

/** When the inverter measured, epoch ms; null where it never did or does not say; NaN where it is impossible. */
function measuredAtMs({ invert_full }: Inverter): number | null {
  const atMs = toNumber(invert_full?.last_time);
  if (atMs === null || atMs === 0 || sentinels.includes(atMs)) return null;
  return atMs >= earliestMeasurementMs && atMs <= latestMeasurementMs ? atMs : Number.NaN;
}

function deviceOf(inverter: Inverter, timezone: string, now: Date): DeviceReading {
  const state = stateOf(inverter.status);
  const atMs = measuredAtMs(inverter);
  const measured = atMs !== null && !Number.isNaN(atMs);
  const powerW = measuredPowerW(state, inverter.out_pac);
  const energyKwh = toNumber(inverter.eday);
  const isPossible = energyKwh !== null && isPossibleEnergy(energyKwh, sentinels);
  // An inverter that is away keeps the total of its last day.
  const isOfToday =
    !measured || localDateAt(atMs, timezone) === localDateAt(now.getTime(), timezone);
  return {
    sn: cleanText(inverter.sn),
    powerW: Number.isNaN(powerW) ? null : powerW,
    todayEnergyKwh: isPossible && isOfToday ? energyKwh : null,
    state,
    measuredAt: measured ? new Date(atMs).toISOString() : null,
  };
}

function stateOf(status: unknown): DeviceState {
  return states[toNumber(status) ?? Number.NaN] ?? 'UNKNOWN';
}

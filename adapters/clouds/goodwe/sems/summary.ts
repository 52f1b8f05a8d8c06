import type {
  DeviceReading,
  DeviceState,
  PlantSummary,
  RefusedField,
} from '../../../../domain/plants/reading.ts';
import { localDateAt } from '../../../../domain/zone.ts';
import { cleanText, isPossibleEnergy, todayEnergyKwhOf, toNumber } from '../../fields.ts';
import {
  lifetimeKwhOf,
  measuredPowerW,
  plantPowerW,
  resolutionKwhOf,
  sentinels,
} from '../figures.ts';
import type { Detail, Inverter } from './wire.schema.ts';

/** `status` of a plant and of an inverter alike. */
const states: Readonly<Record<number, DeviceState>> = {
  [-2]: 'OFFLINE',
  [-1]: 'OFFLINE',
  0: 'STANDBY',
  1: 'RUNNING',
  2: 'FAULT',
};

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
 * @throws AdapterError INVALID_DATA_FORMAT when today's energy is impossible, or missing where nothing else is known.
 */
export function summaryOf(detail: Detail, timezone: string, now: Date): PlantSummary {
  const { info, kpi } = detail;
  const inverters = detail.inverter ?? [];
  const refused: RefusedField[] = [];
  const lifetimeEnergyKwh = lifetimeKwhOf(kpi.total_power, 'kpi.total_power', refused);
  const state = stateOf(info.status);
  const panels = panelsOf(detail);
  const powerW = plantPowerW(
    measuredPowerW(state, panels === null ? kpi.pac : panels.powerW),
    'The power (kpi.pac) cannot be true, or is not told apart from the battery',
    refused,
  );
  return {
    todayEnergyKwh: todayEnergyKwhOf(kpi.power, 'kpi.power', {
      known: state !== 'UNKNOWN' || powerW !== null || lifetimeEnergyKwh !== null,
      refused,
      sentinels,
    }),
    powerW,
    lifetimeEnergyKwh,
    lifetimeResolutionKwh: lifetimeEnergyKwh === null ? null : resolutionKwhOf(kpi.total_power),
    lastSeenAt: lastSeenOf(inverters, refused),
    devices: inverters
      .map((inverter) =>
        deviceOf(inverter, { panels, isOnly: inverters.length === 1, timezone, now }),
      )
      .filter(({ sn }) => sn !== ''),
    refused,
  };
}

/** The panels' power of a plant whose battery gives or takes power; W, NaN where it cannot be read. */
interface Panels {
  powerW: number;
}

/**
 * The panels' power apart from the battery's: `kpi.pac` and `out_pac` are what leaves the inverters, so that a battery's
 * discharge is in them. null where no battery is at work: then they are the panels'.
 */
function panelsOf({ powerflow }: Detail): Panels | null {
  const batteryW = flowW(powerflow?.bettery);
  // A battery whose power cannot be read may be at work.
  if (batteryW === null || batteryW === 0) return null;
  return { powerW: flowW(powerflow?.pv) ?? Number.NaN };
}

/** A power of `powerflow`, "2337(W)" or "2.3(kW)", W; null where there is none, NaN where it cannot be read. */
function flowW(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  const [, number = 'no power', unit] = /^([^()a-z]*)\(?(k?w)?\)?$/i.exec(cleanText(value)) ?? [];
  const isTold = typeof value === 'string' || typeof value === 'number';
  const amount = isTold ? toNumber(number) : Number.NaN;
  if (amount === null || sentinels.includes(amount)) return null;
  return unit?.toLowerCase() === 'kw' ? amount * 1000 : amount;
}

function lastSeenOf(inverters: readonly Inverter[], refused: RefusedField[]): string | null {
  const times = inverters.map(measuredAtMs).filter((time) => time !== null);
  const possible = times.filter((time) => !Number.isNaN(time));
  if (times.length > possible.length) {
    refused.push({
      field: possible.length > 0 ? 'devices' : 'last_seen_at',
      sentence: 'The measurement time (last_time) cannot be true: check the clock of the logger.',
    });
  }
  return possible.length === 0 ? null : new Date(Math.max(...possible)).toISOString();
}

/** When the inverter measured, epoch ms; null where it never did or does not say; NaN where it is impossible. */
function measuredAtMs({ invert_full }: Inverter): number | null {
  const atMs = toNumber(invert_full?.last_time);
  if (atMs === null || atMs === 0 || sentinels.includes(atMs)) return null;
  return atMs >= earliestMeasurementMs && atMs <= latestMeasurementMs ? atMs : Number.NaN;
}

interface DeviceContext {
  panels: Panels | null;
  /** The plant has no other inverter, so that the plant's panels are its panels. */
  isOnly: boolean;
  timezone: string;
  now: Date;
}

function deviceOf(inverter: Inverter, context: DeviceContext): DeviceReading {
  const { panels, isOnly, timezone, now } = context;
  const isHybrid = panels !== null && (isOnly || inverter.is_stored === true);
  const stated = stateOf(inverter.status);
  // Its battery alone gives power: the panels are asleep.
  const state =
    isHybrid && isOnly && panels.powerW === 0 && stated === 'RUNNING' ? 'STANDBY' : stated;
  const atMs = measuredAtMs(inverter);
  const measured = atMs !== null && !Number.isNaN(atMs);
  const power = isHybrid ? (isOnly ? panels.powerW : null) : inverter.out_pac;
  const powerW = measuredPowerW(state, power);
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

import type {
  DeviceReading,
  DeviceState,
  PlantSummary,
  RefusedField,
} from '../../../../domain/plants/reading.ts';
import { cleanText, energyKwhOf, isPossibleEnergy, toNumber } from '../../fields.ts';
import { invalidFormat } from '../../adapter-error.ts';
import { measuredPowerW, plantPowerW, resolutionKwhOf, sentinels } from '../figures.ts';
import { localInstantMs } from './local-time.ts';
import type { Counters, Curve, Devices, Factor, Flow, ListedPlant } from './wire.schema.ts';

/** `status` of a plant. A plant under construction (11) has no data yet; −1 is the classic portal's number for offline. */
const plantStates: Readonly<Record<number, DeviceState>> = {
  [-1]: 'OFFLINE',
  0: 'OFFLINE',
  1: 'RUNNING',
  2: 'FAULT',
  3: 'STANDBY',
  11: 'OFFLINE',
};

/** `status` of a device: another list, of which only 0 is certain. */
const deviceStates: Readonly<Record<number, DeviceState>> = {
  0: 'OFFLINE',
  1: 'RUNNING',
  2: 'FAULT',
  3: 'STANDBY',
  5: 'RUNNING',
};

/** Types of devices that turn the panels' current into the grid's. */
const inverterTypes = new Set(['INVERTER', 'MICRO_INVERTER', 'ENERGY_STORAGE_INTEGRATED_CABINET']);
const batteryTypes = /^(BAT|ENERGY_STORAGE)/;

export interface PlusInverter {
  sn: string;
  deviceType: string;
  state: DeviceState;
}

/** What the counters of one inverter say. */
export interface InverterCounters {
  /** kW, at the grid's side: with what a battery gives. */
  power: unknown;
  todayEnergyKwh: number | null;
  /** null: not told; NaN: impossible. */
  lifetimeEnergyKwh: number | null;
  lifetimeResolutionKwh: number;
}

export interface CountedInverter extends PlusInverter {
  /** null: not asked, or refused. */
  counters: InverterCounters | null;
}

/** The inverters of a plant, in the portal's order. */
export function invertersOf(devices: Devices): PlusInverter[] {
  return (devices?.deviceDetailList ?? [])
    .filter(({ deviceType }) => inverterTypes.has(deviceType))
    .flatMap(({ deviceType, statusDetailList }) =>
      (statusDetailList ?? []).flatMap((group) =>
        Object.entries(group.detailMap ?? {}).map(([key, { sn, status }]) => ({
          sn: cleanText(sn) || cleanText(key),
          deviceType,
          state: stateOf(deviceStates, status ?? group.status),
        })),
      ),
    )
    .filter(({ sn }) => sn !== '');
}

export function hasBattery(devices: Devices, flow: Flow | null): boolean {
  const listed = devices?.deviceDetailList ?? [];
  return (
    listed.some(({ deviceType }) => batteryTypes.test(deviceType)) ||
    (toNumber(flow?.pBat) ?? 0) !== 0
  );
}

/** kWh in one of the portal's unit; another unit is refused, not guessed. */
const kwhPerUnit: Readonly<Record<string, number>> = { Wh: 0.001, kWh: 1, MWh: 1_000, GWh: 1e6 };

/**
 * The counters of one inverter.
 *
 * @throws AdapterError INVALID_DATA_FORMAT for an impossible energy of today, or an unknown unit.
 */
export function countersOf(counters: Counters): InverterCounters {
  const factors = new Map(
    (counters ?? []).flatMap((group) => group.factors ?? []).map((one) => [one.code, one] as const),
  );
  const total = factors.get('proPvStatsTotal');
  const lifetime = inKwh(total, 'proPvStatsTotal');
  return {
    power: factors.get('pAc')?.data,
    todayEnergyKwh: energyKwhOf(
      inKwh(factors.get('proPvStatsToday'), 'proPvStatsToday'),
      'proPvStatsToday',
    ),
    lifetimeEnergyKwh:
      lifetime === null || isPossibleEnergy(lifetime, sentinels) ? lifetime : Number.NaN,
    lifetimeResolutionKwh:
      resolutionKwhOf(total?.data ?? 0) * (kwhPerUnit[total?.unit ?? 'kWh'] ?? 1),
  };
}

/** An amount of energy in its unit, kWh; null: no value; NaN: impossible. @throws AdapterError INVALID_DATA_FORMAT for an unknown unit. */
export function inKwh(
  factor: Pick<Factor, 'data' | 'unit'> | undefined,
  what: string,
): number | null {
  const value = toNumber(factor?.data);
  if (value === null) return null;
  const unit = kwhPerUnit[factor?.unit ?? 'kWh'];
  if (unit === undefined) throw invalidFormat(`${what}: the unit is not known`);
  return sentinels.includes(value) ? Number.NaN : value * unit;
}

export interface PlantEnergy {
  /** null: not told. */
  todayEnergyKwh: number | null;
  /** null: not told; NaN: impossible. */
  lifetimeEnergyKwh: number | null;
  lifetimeResolutionKwh: number;
}

/** What the counters of all inverters say of their plant: null where one was not told, or may be of an earlier day. */
export interface CountedEnergy extends PlantEnergy {
  /** What the inverters that are not away have counted today: the plant has at least that. */
  todayEnergyKwhMin: number | null;
}

/**
 * Sums up. Where some inverters are away and others are not, the counters of those away may be of an earlier day, so that
 * no sum is today's; where all are away the sum is told as it came, and the measurement time says whose day it is.
 */
export function sumOf(inverters: readonly CountedInverter[]): CountedEnergy {
  const away = inverters.filter(({ state }) => state === 'OFFLINE');
  const present = inverters.filter(({ state }) => state !== 'OFFLINE');
  const isMixed = away.length > 0 && present.length > 0;
  return {
    todayEnergyKwh: isMixed ? null : sumKwh(inverters.map(todayOf)),
    todayEnergyKwhMin: sumKwh(present.map(todayOf).filter((kwh) => kwh !== null)),
    lifetimeEnergyKwh: sumKwh(inverters.map((one) => one.counters?.lifetimeEnergyKwh ?? null)),
    lifetimeResolutionKwh: Math.max(
      0,
      ...inverters.map((one) => one.counters?.lifetimeResolutionKwh ?? 0),
    ),
  };
}

/**
 * What the account's list says of a plant: what left its inverters, in kWh.
 *
 * @throws AdapterError ImpossibleEnergy for an energy of today that cannot be.
 */
export function listedEnergyOf(row: ListedPlant | null): PlantEnergy {
  const lifetime = toNumber(row?.productionTotal);
  return {
    todayEnergyKwh: energyKwhOf(row?.productionToday, 'productionToday', sentinels),
    lifetimeEnergyKwh:
      lifetime === null || isPossibleEnergy(lifetime, sentinels) ? lifetime : Number.NaN,
    lifetimeResolutionKwh: resolutionKwhOf(row?.productionTotal ?? 0),
  };
}

function todayOf({ counters }: CountedInverter): number | null {
  return counters?.todayEnergyKwh ?? null;
}

/** null where there is none, or one is null. Adding must not leave digits that no counter has. */
function sumKwh(energiesKwh: readonly (number | null)[]): number | null {
  if (energiesKwh.length === 0) return null;
  let totalKwh = 0;
  for (const energyKwh of energiesKwh) {
    if (energyKwh === null) return null;
    totalKwh += energyKwh;
  }
  return Math.round(totalKwh * 1e6) / 1e6;
}

/** The state that the portal gives the plant; where it gives none, the state that its inverters share. */
export function plantStateOf(flow: Flow | null, inverters: readonly PlusInverter[]): DeviceState {
  const state = stateOf(plantStates, flow?.status);
  if (state !== 'UNKNOWN' || inverters.length === 0) return state;
  const isQuiet = inverters.every((one) => one.state === 'OFFLINE' || one.state === 'STANDBY');
  if (!isQuiet) return 'UNKNOWN';
  return inverters.every((one) => one.state === 'OFFLINE') ? 'OFFLINE' : 'STANDBY';
}

function stateOf(states: Readonly<Record<number, DeviceState>>, status: unknown): DeviceState {
  return states[toNumber(status) ?? Number.NaN] ?? 'UNKNOWN';
}

/**
 * When the curve's newest point was measured, ms; null without one. Points after `nowMs` are a forecast.
 *
 * @throws AdapterError INVALID_DATA_FORMAT for a point whose time cannot be read.
 */
export function newestPointMs(curve: Curve, timezone: string, nowMs: number): number | null {
  const times = (curve?.dataList ?? [])
    .filter(({ item }) => item === 'pSystem')
    .flatMap((one) => one.powerData ?? one.statisticsList ?? [])
    .filter(({ power }) => Number.isFinite(toNumber(power) ?? Number.NaN))
    .map(({ tp }) => pointMs(tp, timezone))
    .filter((atMs) => atMs <= nowMs);
  return times.length === 0 ? null : Math.max(...times);
}

function pointMs(tp: string, timezone: string): number {
  const atMs = localInstantMs(tp, timezone);
  if (atMs === null) throw invalidFormat('curve: tp is no time yyyy-MM-dd HH:mm:ss');
  return atMs;
}

/** What is known of a plant besides its energy. */
export interface FoundPlant {
  state: DeviceState;
  flow: Flow | null;
  inverters: readonly CountedInverter[];
  hasBattery: boolean;
  newestPointMs: number | null;
}

/** The parts of a plant's summary, each asked for by itself, and those that were refused. */
type PlantParts = FoundPlant & PlantEnergy & { refused: readonly RefusedField[] };

/** The summary; null where neither today's energy nor anything else of the plant is known. */
export function summaryOf(parts: PlantParts, timezone: string): PlantSummary | null {
  const { flow, state, inverters, todayEnergyKwh } = parts;
  const refused: RefusedField[] = [];
  const lifetimeEnergyKwh = possibleLifetime(parts, refused);
  const powerW = plantPowerW(
    measuredPowerW(state, flow?.pSystem, 1_000),
    'The power (pSystem) cannot be true',
    refused,
  );
  const lastSeenMs =
    parts.newestPointMs ?? possibleRefresh(refreshedAtMs(flow, state, timezone), refused);
  // What something else told is not missing.
  const missing = parts.refused.filter(
    ({ field }) =>
      !(field === 'last_seen_at' && lastSeenMs !== null) &&
      !(field === 'today_energy_kwh' && todayEnergyKwh !== null),
  );
  if (todayEnergyKwh === null) {
    const isKnown = [powerW, lifetimeEnergyKwh, lastSeenMs].some((one) => one !== null);
    if (state === 'UNKNOWN' && !isKnown) return null;
    if (!missing.some(({ field }) => field === 'today_energy_kwh')) {
      refused.push({
        field: 'today_energy_kwh',
        sentence: "Today's energy is missing in the vendor's answers (proPvStatsToday).",
      });
    }
  }
  return {
    todayEnergyKwh,
    powerW,
    lifetimeEnergyKwh,
    lifetimeResolutionKwh: lifetimeEnergyKwh === null ? null : parts.lifetimeResolutionKwh,
    lastSeenAt: lastSeenMs === null ? null : new Date(lastSeenMs).toISOString(),
    devices: inverters.map((inverter) => deviceOf(inverter, parts.hasBattery)),
    // One sentence for each field.
    refused: [
      ...missing,
      ...refused.filter(({ field }) => !missing.some((one) => one.field === field)),
    ],
  };
}

/**
 * When the flow was refreshed, ms, where that says when the panels were measured, NaN where it cannot be read: a meter refreshes the flow of a plant
 * whose inverter sleeps, and then the panels' power is missing.
 */
function refreshedAtMs(flow: Flow | null, state: DeviceState, timezone: string): number | null {
  if (state === 'OFFLINE' || state === 'UNKNOWN') return null;
  if (!Number.isFinite(toNumber(flow?.pSystem) ?? Number.NaN)) return null;
  const text = cleanText(flow?.refreshTime);
  return text === '' ? null : (localInstantMs(text, timezone) ?? Number.NaN);
}

function possibleRefresh(atMs: number | null, refused: RefusedField[]): number | null {
  if (!Number.isNaN(atMs)) return atMs;
  refused.push({
    field: 'last_seen_at',
    sentence: 'The measurement time (refreshTime) cannot be read.',
  });
  return null;
}

function possibleLifetime(
  { lifetimeEnergyKwh }: PlantEnergy,
  refused: RefusedField[],
): number | null {
  if (!Number.isNaN(lifetimeEnergyKwh)) return lifetimeEnergyKwh;
  refused.push({
    field: 'lifetime_energy_kwh',
    sentence: 'The lifetime energy cannot be true: check the inverter in the portal.',
  });
  return null;
}

function deviceOf({ sn, state, counters }: CountedInverter, withBattery: boolean): DeviceReading {
  // `pAc` holds what a battery gives, which is no power of the panels.
  const powerW = measuredPowerW(state, withBattery ? null : counters?.power, 1_000);
  return {
    sn,
    powerW: Number.isNaN(powerW) ? null : powerW,
    todayEnergyKwh: counters?.todayEnergyKwh ?? null,
    state,
    // SEMS+ does not say when an inverter measured.
    measuredAt: null,
  };
}

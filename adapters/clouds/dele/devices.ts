import type { LocalDate } from '../../../domain/zone.ts';
import type {
  DeviceReading,
  DeviceState,
  PlantSummary,
  RefusedField,
} from '../../../domain/plants/reading.ts';
import { localDateAt } from '../../../domain/zone.ts';
import { cleanText, decimalsOf, isPossibleEnergy, toNumber } from '../fields.ts';
import { energySentinels, epochMsOf, powerWMax } from './normalise.ts';
import type { WireDevice, WireDeviceData } from './wire.schema.ts';

/** The inverters of a plant: their readings, and the lifetime total as the sum of theirs. Facts and sources: README.md. */

/** Keys by which models give the power of their panels: the sum of the strings, else what they feed in. */
const panelKeys = ['totalsolarpower', 'totaldcinputpower'];
const outputKey = 'totalactiveacoutputpower';
/** What an inverter with a battery states of it. What it feeds in is then not its panels' power alone. */
const batteryKey = 'batterypower';
const dayKey = 'dailyactiveproduction';
const lifetimeKey = 'totalactiveproduction';

/** Models give the same key in different units; the label beside the value decides. */
const wattsByUnit: Readonly<Record<string, number>> = { w: 1, kw: 1e3, mw: 1e6 };
const kwhByUnit: Readonly<Record<string, number>> = { wh: 1e-3, kwh: 1, mwh: 1e3, gwh: 1e6 };

/** Serial numbers have 10 digits; what is longer is cut before it fills a sentence. */
const serialLengthMax = 64;

/** An inverter's answer, or what the plant's device list knows where it did not answer. */
export interface Inverter {
  sn: string;
  listed: WireDevice;
  data: WireDeviceData | null;
}

/** A value with its label; `unit` is 1 in the label's base unit, null where the label is not known. */
interface Quantity {
  value: number;
  given: unknown;
  unit: number | null;
}

/** The serial numbers of the inverters in a device list, each once: plants list devices twice. Loggers, meters and batteries are left out. */
export function inverterSerials(devices: readonly WireDevice[]): Map<string, WireDevice> {
  const bySerial = new Map<string, WireDevice>();
  for (const device of devices) {
    const sn = cleanText(device.deviceSn, serialLengthMax);
    // INVERTER, MICRO_INVERTER.
    if (sn === '' || !/INVERTER$/i.test(cleanText(device.deviceType))) continue;
    const known = bySerial.get(sn);
    if (known === undefined || isNewer(device, known)) bySerial.set(sn, device);
  }
  return bySerial;
}

/** The newest answer of each serial number. */
export function newestBySerial(rows: readonly WireDeviceData[]): Map<string, WireDeviceData> {
  const bySerial = new Map<string, WireDeviceData>();
  for (const row of rows) {
    const sn = cleanText(row.deviceSn, serialLengthMax);
    const known = bySerial.get(sn);
    if (known === undefined || isNewer(row, known)) bySerial.set(sn, row);
  }
  return bySerial;
}

/**
 * What an inverter says. Offline it gives 0 W by rule; its energy of the day counts only where it was measured on `date`,
 * since an inverter that sleeps keeps showing its last day.
 */
export function readingOf(
  { sn, listed, data }: Inverter,
  date: LocalDate,
  timezone: string,
): DeviceReading {
  const statedMs = epochMsOf(data?.collectionTime ?? listed.collectionTime);
  const measuredAtMs = Number.isNaN(statedMs) ? null : statedMs;
  const measuredToday = measuredAtMs !== null && localDateAt(measuredAtMs, timezone) === date;
  const powerW = powerOf(data);
  const state = stateOf(listed, data, powerW);
  return {
    sn,
    powerW: state === 'OFFLINE' ? 0 : powerW,
    todayEnergyKwh: measuredToday ? dayOf(data) : null,
    state,
    measuredAt: measuredAtMs === null ? null : new Date(measuredAtMs).toISOString(),
  };
}

/** The inverters whose time of measurement cannot be read, in one sentence: without it their values belong to no day. */
export function refusedTimes(
  inverters: readonly Inverter[],
  field: 'last_seen_at' | 'devices',
): RefusedField[] {
  const serials = inverters.flatMap(({ sn, listed, data }) =>
    Number.isNaN(epochMsOf(data?.collectionTime ?? listed.collectionTime)) ? [sn] : [],
  );
  const [first] = serials;
  if (first === undefined) return [];
  const whose = serials.length === 1 ? `inverter ${first}` : `${serials.length} inverters`;
  const sentence = `The measurement time of ${whose} is no epoch in seconds, so that the energy of its day is not used.`;
  return [{ field, sentence }];
}

/**
 * The plant's lifetime total: the sum over its inverters, null unless each states one. A total of 0 counts as not stated:
 * micro-inverters show it overnight, and a sum without them would fall. Its resolution is the sum of theirs, since each
 * may hold back up to one step.
 */
export function lifetimeOf(
  inverters: readonly Inverter[],
): Pick<PlantSummary, 'lifetimeEnergyKwh' | 'lifetimeResolutionKwh' | 'refused'> {
  let sumKwh = 0;
  let resolutionKwh = 0;
  let complete = inverters.length > 0;
  for (const { sn, data } of inverters) {
    const total = quantityOf(data, lifetimeKey, kwhByUnit);
    if (total === null || total.value === 0) {
      complete = false;
      continue;
    }
    const refusal = refusalOfLifetime(sn, total);
    if (refusal !== null) return { ...noLifetime, refused: [refusal] };
    const unitKwh = total.unit ?? 1;
    sumKwh += total.value * unitKwh;
    resolutionKwh += unitKwh * 10 ** -decimalsOf(total.given);
  }
  if (!complete) return { ...noLifetime, refused: [] };
  return {
    lifetimeEnergyKwh: withoutNoise(sumKwh),
    lifetimeResolutionKwh: withoutNoise(resolutionKwh),
    refused: [],
  };
}

const noLifetime = { lifetimeEnergyKwh: null, lifetimeResolutionKwh: null } as const;

/** The energy of the day as the inverters say it: null where none was measured on the day, or one that was does not say. */
export function dayEnergyOf(
  devices: readonly DeviceReading[],
  date: LocalDate,
  timezone: string,
): number | null {
  let sumKwh: number | null = null;
  for (const { todayEnergyKwh, measuredAt } of devices) {
    if (measuredAt === null || localDateAt(Date.parse(measuredAt), timezone) !== date) continue;
    if (todayEnergyKwh === null) return null;
    sumKwh = (sumKwh ?? 0) + todayEnergyKwh;
  }
  return sumKwh === null ? null : withoutNoise(sumKwh);
}

/** `deviceState` 1 online, 2 alarm, 3 offline; where it is absent the list's `connectStatus` 1 online, 2 alarm, 0 offline. */
function stateOf(
  listed: WireDevice,
  data: WireDeviceData | null,
  powerW: number | null,
): DeviceState {
  const deviceState = toNumber(data?.deviceState);
  const connectStatus = toNumber(listed.connectStatus);
  const offline = deviceState === null ? connectStatus === 0 : deviceState === 3;
  if (offline) return 'OFFLINE';
  const online = deviceState ?? connectStatus;
  if (online === 2) return 'FAULT';
  if (online !== 1) return 'UNKNOWN';
  return powerW === 0 ? 'STANDBY' : 'RUNNING';
}

function powerOf(data: WireDeviceData | null): number | null {
  const batteryW = quantityOf(data, batteryKey, wattsByUnit)?.value ?? 0;
  for (const key of batteryW === 0 ? [...panelKeys, outputKey] : panelKeys) {
    const power = quantityOf(data, key, wattsByUnit);
    if (power === null || power.unit === null) continue;
    const powerW = power.value * power.unit;
    if (Math.abs(powerW) < powerWMax) return withoutNoise(powerW);
  }
  return null;
}

function dayOf(data: WireDeviceData | null): number | null {
  const day = quantityOf(data, dayKey, kwhByUnit);
  if (day === null || day.unit === null || !isPossible(day)) return null;
  return withoutNoise(day.value * day.unit);
}

/** A key's value and unit, whatever the case of either; null where the inverter does not say. Keys may come twice: the first one counts. */
function quantityOf(
  data: WireDeviceData | null,
  key: string,
  units: Readonly<Record<string, number>>,
): Quantity | null {
  for (const item of data?.dataList ?? []) {
    if (cleanText(item.key).toLowerCase() !== key) continue;
    const value = toNumber(item.value);
    if (value === null) continue;
    const label = cleanText(item.unit).toLowerCase();
    return { value, given: item.value, unit: Object.hasOwn(units, label) ? units[label]! : null };
  }
  return null;
}

function refusalOfLifetime(sn: string, total: Quantity): RefusedField | null {
  const field = 'lifetime_energy_kwh';
  if (!isPossible(total)) {
    return {
      field,
      sentence: `The lifetime total of inverter ${sn} cannot be: check the inverter.`,
    };
  }
  if (total.unit === null) {
    return { field, sentence: `The lifetime total of inverter ${sn} has no unit that is known.` };
  }
  return null;
}

function isPossible({ value }: Quantity): boolean {
  return isPossibleEnergy(value, energySentinels);
}

function isNewer(one: { collectionTime?: unknown }, other: { collectionTime?: unknown }): boolean {
  return (toNumber(one.collectionTime) ?? 0) > (toNumber(other.collectionTime) ?? 0);
}

/** Takes the noise of binary fractions away; no vendor counts in less than 1 mW or 1 mWh. */
function withoutNoise(value: number): number {
  return Number(value.toFixed(6));
}

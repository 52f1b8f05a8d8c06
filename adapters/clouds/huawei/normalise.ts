import type { LocalDate } from '../../../domain/zone.ts';
import type {
  DeviceReading,
  DeviceState,
  PlantSummary,
  RefusedField,
  VendorAlarm,
  VendorSeverity,
} from '../../../domain/plants/reading.ts';
import { addDays, localDateAt } from '../../../domain/zone.ts';
import { invalidFormat } from '../adapter-error.ts';
import {
  cleanText,
  decimalsOf,
  isPossibleEnergy,
  requireEnergyKwh,
  todayEnergyKwhOf,
  toNumber,
} from '../fields.ts';
import type { WireAlarm, WireDayRow, WireDevice, WireItems, WireLiveRow } from './wire.schema.ts';

/** Huawei's values as ours: W, kWh, dates of the plant's zone. Facts and sources: README.md. */

/** One of the devices whose live values make the plant's power. */
export interface Inverter {
  id: string;
  typeId: number;
  sn: string;
  /** The plant has a battery: the panels' power is `mppt_power` alone. */
  besideBattery: boolean;
}

/** String inverters and residential inverters: the types whose `active_power` is production, in kW. Sensors (47) give W, and nothing here. */
const inverterTypeIds = new Set([1, 38]);
/** Batteries of homes and of businesses. Beside one, an inverter's `active_power` holds what the battery gives or takes. */
const batteryTypeIds = new Set([39, 41]);
/** Serial numbers have a dozen characters, codes less; what is much longer is neither. */
const idLengthMax = 64;
/** The manual's limit of `devIds` in one getDevRealKpi. */
const devicesPerCallMax = 100;

/** `real_health_state` of a plant that does not reach the cloud. */
const plantDisconnected = 1;
/** All-ones and "largest value" of Huawei's 32-bit energy registers, whole and in hundredths: not fitted. */
const energySentinels = [0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff / 100, 0xffff_ffff / 100];
/** No inverter gives 1 GW; beyond lie infinities and the power registers' "not fitted". */
const powerKwMax = 1e6;

/** The logger's "Network Connection Error": says nothing of the plant but that it is not heard. */
const communicationCodes = new Set(['999999999']);
/** 1 critical, 2 major, 3 minor, 4 warning. A level that is not known is shown as MEDIUM rather than dropped. */
const severityByLevel: Readonly<Record<number, VendorSeverity>> = {
  1: 'CRITICAL',
  2: 'HIGH',
  3: 'MEDIUM',
  4: 'LOW',
};
/** 5 cleared by a user, 6 cleared by itself. 1–4 and what is not known are open: the list is that of current alarms. */
const closedStatuses = new Set([5, 6]);

/**
 * A day's `collectTime` is its first instant by what the vendor knows of the plant's zone. Where that is a summer time
 * which the country has given up since, it lies an hour before our midnight.
 */
const midnightToleranceMs = 2 * 3_600_000;
/** Milliseconds of this century; an epoch in seconds lies far below. */
const epochMsMin = Date.UTC(2000, 0);
const epochMsMax = Date.UTC(2100, 0);

/**
 * Today's and the lifetime energy of a station's KPI row, kWh. An impossible lifetime and a missing day are dropped with
 * their sentences. An impossible day is thrown, and so is a missing one where the row has no other figure.
 */
export function energiesOf(
  items: WireItems,
): Pick<
  PlantSummary,
  'todayEnergyKwh' | 'lifetimeEnergyKwh' | 'lifetimeResolutionKwh' | 'refused'
> {
  const refused: RefusedField[] = [];
  const total = toNumber(items['total_power']);
  const possible = total !== null && isPossibleEnergy(total, energySentinels);
  const todayEnergyKwh = todayEnergyKwhOf(items['day_power'], 'day_power', {
    known: possible || toNumber(items['real_health_state']) !== null,
    refused,
    sentinels: energySentinels,
  });
  if (total !== null && !possible) {
    const sentence = 'Lifetime energy cannot be true: check the inverters.';
    refused.push({ field: 'lifetime_energy_kwh', sentence });
  }
  return {
    todayEnergyKwh,
    lifetimeEnergyKwh: possible ? total : null,
    lifetimeResolutionKwh: possible ? 10 ** -decimalsOf(items['total_power']) : null,
    refused,
  };
}

/** Whether the vendor says that the plant is not connected: what its inverters "show" then is of earlier. */
export function isDisconnected(items: WireItems): boolean {
  return toNumber(items['real_health_state']) === plantDisconnected;
}

/** The inverters of a device list; loggers, meters, batteries and weather stations are left out. */
export function invertersOf(devices: readonly WireDevice[]): Inverter[] {
  const besideBattery = devices.some(({ devTypeId }) =>
    batteryTypeIds.has(toNumber(devTypeId) ?? 0),
  );
  return devices.flatMap(({ id, devTypeId, esnCode, devName }) => {
    const typeId = toNumber(devTypeId);
    if (typeId === null || !inverterTypeIds.has(typeId)) return [];
    if (id === null || id === undefined) throw invalidFormat('getDevList: an inverter has no id');
    return [{ id, typeId, sn: serialOf({ esnCode, devName }) || id, besideBattery }];
  });
}

/** The inverters of each getDevRealKpi: one type a call, at most `devicesPerCallMax`. */
export function deviceCalls(
  inverters: readonly Inverter[],
): { devTypeId: number; asked: Inverter[] }[] {
  const calls: { devTypeId: number; asked: Inverter[] }[] = [];
  for (const devTypeId of inverterTypeIds) {
    const ofType = inverters.filter(({ typeId }) => typeId === devTypeId);
    for (let i = 0; i < ofType.length; i += devicesPerCallMax) {
      calls.push({ devTypeId, asked: ofType.slice(i, i + devicesPerCallMax) });
    }
  }
  return calls;
}

/**
 * The live values by device id. Newer accounts name a device by its serial number alone; a single row without any name
 * belongs to the single inverter that was asked for.
 */
export function liveValuesById(
  asked: readonly Inverter[],
  rows: readonly WireLiveRow[],
): Map<string, WireItems> {
  const byId = new Map<string, WireItems>();
  const [only] = asked.length === 1 && rows.length === 1 ? asked : [];
  for (const { devId, sn, esnCode, dataItemMap } of rows) {
    const serial = serialOf({ esnCode: cleanText(sn) || esnCode });
    const named =
      asked.find(({ id }) => id === devId) ??
      asked.find((inverter) => serial !== '' && inverter.sn === serial) ??
      (devId === null || devId === undefined ? only : undefined);
    if (named !== undefined) byId.set(named.id, dataItemMap);
  }
  return byId;
}

/**
 * The inverters with their power, and the plant's as its sum: null where no inverter is listed or one of them does not
 * say. An inverter that the vendor calls offline or asleep gives 0 by rule, whatever value it still shows.
 *
 * @param itemsById The live values by device id; an inverter without any did not answer.
 */
export function powerOf(
  inverters: readonly Inverter[],
  itemsById: ReadonlyMap<string, WireItems>,
  disconnected: boolean,
): Pick<PlantSummary, 'powerW' | 'devices' | 'refused'> {
  const impossible: string[] = [];
  const devices = inverters.map(({ id, sn, besideBattery }): DeviceReading => {
    const items = itemsById.get(id) ?? {};
    const kw = panelsKw(items, besideBattery);
    const state = disconnected ? 'OFFLINE' : stateOf(items, kw);
    const dayKwh = toNumber(items['day_cap']);
    const possible = kw !== null && Math.abs(kw) <= powerKwMax;
    if (kw !== null && !possible && state !== 'OFFLINE') impossible.push(sn);
    return {
      sn,
      powerW: state === 'OFFLINE' ? 0 : possible ? wattsOf(kw) : null,
      todayEnergyKwh: dayKwh !== null && isPossibleEnergy(dayKwh) ? dayKwh : null,
      state,
      measuredAt: null,
    };
  });
  return {
    // A disconnected plant gives 0 W by rule, whether its inverters are known or not.
    powerW: disconnected ? 0 : sumOf(devices),
    devices,
    refused: refusedPower(impossible),
  };
}

/**
 * What an inverter's panels give, kW; null where it does not say. `active_power` is what leaves the inverter, a battery's
 * discharge included, and less what charges one. `mppt_power` is what the panels deliver (DC): it counts beside a battery,
 * and its 0 counts always, unless a string's current shows that this model does not measure it: beside a battery nothing
 * is known then.
 */
function panelsKw(items: WireItems, besideBattery: boolean): number | null {
  const activeKw = toNumber(items['active_power']);
  const mpptKw = toNumber(items['mppt_power']);
  const isMeasured = mpptKw !== null && (mpptKw !== 0 || !hasStringCurrent(items));
  if (!isMeasured) return besideBattery ? null : activeKw;
  return besideBattery || mpptKw === 0 ? mpptKw : activeKw;
}

/** Whether a string of panels (`pv1_i` …, A) carries a current. */
function hasStringCurrent(items: WireItems): boolean {
  return Object.entries(items).some(
    ([key, value]) => /^pv\d+_i$/.test(key) && (toNumber(value) ?? 0) > 0,
  );
}

/** `run_state` and `inverter_state` in our words. A code that is not listed counts as running while there is power. */
function stateOf(items: WireItems, powerKw: number | null): DeviceState {
  if (toNumber(items['run_state']) === 0) return 'OFFLINE';
  switch (toNumber(items['inverter_state']) ?? Number.NaN) {
    case 0: // Standby: initialising,
    case 1: // measuring the insulation,
    case 2: // the irradiation,
    case 3: // the grid;
    case 256: // starting;
    case 769: // shut down on command,
    case 770: // by the over-voltage relay,
    case 772: // by a power limit;
    case 40_960: // no irradiation;
    case 49_152: // loading.
      return 'STANDBY';
    case 512: // On the grid,
    case 513: // limited,
    case 514: // derating itself.
      return givesBatteryAlone(items, powerKw) ? 'STANDBY' : 'RUNNING';
    case 768: // Shut down by a fault.
      return 'FAULT';
    case 771: // Communication lost, shut down
    case 45_056: // or not.
      return 'OFFLINE';
    default:
      return powerKw !== null && powerKw > 0 ? 'RUNNING' : 'UNKNOWN';
  }
}

/** The panels are asleep, and what the inverter gives comes from its battery. */
function givesBatteryAlone(items: WireItems, panelsPowerKw: number | null): boolean {
  return panelsPowerKw === 0 && (toNumber(items['active_power']) ?? 0) > 0;
}

function sumOf(devices: readonly DeviceReading[]): number | null {
  if (devices.length === 0) return null;
  let sumW = 0;
  for (const { powerW } of devices) {
    if (powerW === null) return null;
    sumW += powerW;
  }
  return roundToMilliwatts(sumW);
}

function wattsOf(kw: number): number {
  return roundToMilliwatts(kw * 1000);
}

/** Takes the noise of binary fractions away: 1.001 kW are 1001 W, not 1000.9999999999999. */
function roundToMilliwatts(watts: number): number {
  return Math.round(watts * 1000) / 1000;
}

function refusedPower(serials: readonly string[]): RefusedField[] {
  const [first] = serials;
  if (first === undefined) return [];
  const whose = serials.length === 1 ? `inverter ${first}` : `${serials.length} inverters`;
  return [
    {
      field: 'power_w',
      sentence: `Power of ${whose} cannot be true: check the device.`,
    },
  ];
}

/** The plant-local date of a day's row. */
export function dateOf({ collectTime }: WireDayRow, timezone: string): LocalDate {
  return localDateAt(epochMs(collectTime, 'collectTime') + midnightToleranceMs, timezone);
}

/**
 * The energy of a day's row that the panels gave: `inverter_power`, where newer accounts give other keys those. `inverterYield`
 * is what left the inverters: on a day on which a battery was charged or discharged it is not the panels', and `PVYield`
 * alone counts. More cannot leave them than the panels gave, so a higher `inverterYield` shows a battery that the row does
 * not name; a `PVYield` of 0 may be of a model that does not measure it, and shows nothing. Null: a row without such a value.
 *
 * @throws AdapterError INVALID_DATA_FORMAT where there is a value that is no energy.
 */
export function dayEnergyOf({ dataItemMap }: WireDayRow): number | null {
  const panelsKwh = toNumber(dataItemMap['PVYield']) ?? 0;
  const isBatteryUsed =
    ['chargeCap', 'dischargeCap'].some((key) => (toNumber(dataItemMap[key]) ?? 0) !== 0) ||
    (panelsKwh > 0 && (toNumber(dataItemMap['inverterYield']) ?? 0) > panelsKwh);
  for (const key of ['inverter_power', ...(isBatteryUsed ? [] : ['inverterYield']), 'PVYield']) {
    const value = dataItemMap[key];
    if (toNumber(value) !== null) return requireEnergyKwh(value, key, energySentinels);
  }
  return null;
}

/** The first asked day of each month between `from` and `to`: one getKpiStationDay answers a whole month. */
export function firstDatesByMonth(from: LocalDate, to: LocalDate): LocalDate[] {
  const dates: LocalDate[] = [];
  let date = from;
  while (date <= to) {
    dates.push(date);
    // The 1st and 31 days is in the next month, however long this one is.
    date = `${addDays(`${date.slice(0, 7)}-01`, 31).slice(0, 7)}-01`;
  }
  return dates;
}

/**
 * An alarm of the list. It never has an end: the vendor states none.
 *
 * @throws AdapterError INVALID_DATA_FORMAT where it has no time.
 */
export function alarmOf(row: WireAlarm): VendorAlarm {
  const code = cleanText(row.alarmId, idLengthMax);
  const name = cleanText(row.alarmName) || `alarm ${code}`;
  const cause = cleanText(row.alarmCause);
  return {
    code,
    deviceSn: serialOf(row) || null,
    severity: severityByLevel[toNumber(row.lev) ?? 0] ?? 'MEDIUM',
    vendorLevel: cleanText(row.lev),
    text: cleanText(cause === '' || cause === name ? name : `${name}: ${cause}`),
    startedAt: new Date(epochMs(row.raiseTime, 'raiseTime')).toISOString(),
    endedAt: null,
    open: !closedStatuses.has(toNumber(row.status) ?? 0),
    communication: communicationCodes.has(code),
  };
}

/** The serial number; meters and batteries have none, and are known by the name that their owner gave them. */
function serialOf({ esnCode, devName }: { esnCode?: unknown; devName?: unknown }): string {
  return cleanText(esnCode, idLengthMax) || cleanText(devName, idLengthMax);
}

function epochMs(value: unknown, what: string): number {
  const ms = toNumber(value);
  if (ms === null || !(ms >= epochMsMin && ms <= epochMsMax)) {
    throw invalidFormat(`${what} is no epoch in milliseconds`);
  }
  return Math.trunc(ms);
}

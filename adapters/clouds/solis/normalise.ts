import type {
  DeviceReading,
  DeviceState,
  PlantSummary,
  RefusedField,
  VendorAlarm,
  VendorSeverity,
} from '../../../domain/plants/reading.ts';
import { localDateAt, localMinutesAt } from '../../../domain/zone.ts';
import { AdapterError, invalidFormat } from '../adapter-error.ts';
import {
  cleanText,
  decimalsOf,
  energyKwhOf,
  isPossibleEnergy,
  todayEnergyKwhOf,
  toNumber,
} from '../fields.ts';
import type { Alarm, Day, Inverter, Station } from './wire.schema.ts';

const wattsPerUnit: Readonly<Record<string, number>> = { w: 1, kw: 1e3, mw: 1e6, gw: 1e9 };
const kwhPerUnit: Readonly<Record<string, number>> = { wh: 1e-3, kwh: 1, mwh: 1e3, gwh: 1e6 };

/** An instant before this is a vendor's zero, seconds taken for milliseconds, or a logger without a clock. */
const plausibleFromMs = Date.parse('2000-01-01T00:00:00Z');

/** A plant's own numbers, from stationDetail. */
export function summaryOf(station: Station, loggerOffline: boolean): PlantSummary {
  const refused: RefusedField[] = [];
  const lifetime = lifetimeOf(station, refused);
  const powerW = plantPowerW(station, loggerOffline, refused);
  const seenAt = lastSeenAt(station.dataTimestamp, refused);
  const isKnown =
    powerW !== null ||
    lifetime.energyKwh !== null ||
    seenAt !== null ||
    toNumber(station.state) !== null;
  const dayEnergy = amount(station, 'dayEnergy', kwhPerUnit);
  return {
    todayEnergyKwh: todayEnergyKwhOf(dayEnergy, 'stationDetail: dayEnergy', {
      known: isKnown,
      refused,
    }),
    powerW,
    lifetimeEnergyKwh: lifetime.energyKwh,
    lifetimeResolutionKwh: lifetime.resolutionKwh,
    lastSeenAt: seenAt,
    devices: [],
    refused,
  };
}

/** The logger is offline and the vendor tells nothing else: nothing new, which is no error. */
export function silentSummary(todayEnergyKwh: number | null): PlantSummary {
  return {
    todayEnergyKwh,
    powerW: 0,
    lifetimeEnergyKwh: null,
    lifetimeResolutionKwh: null,
    lastSeenAt: null,
    devices: [],
    refused: [],
  };
}

/** The energy of a row of stationMonth. Its unit is read even where Pec contradicts it: 755 "MWh" with Pec 0.001 are 755 kWh. */
export function dayEnergyOf(row: Day): number | null {
  return energyKwhOf(amount(row, 'energy', kwhPerUnit), `stationMonth: energy of ${row.dateStr}`);
}

/** A record of alarmList. */
export function alarmOf(alarm: Alarm, now: Date): VendorAlarm {
  const startedMs = toNumber(alarm.alarmBeginTime);
  const code = cleanText(alarm.alarmCode, 64) || cleanText(alarm.alarmMsg, 64);
  if (code === '') throw invalidFormat('alarmList: an alarm without alarmCode');
  if (startedMs === null || !isInstant(startedMs)) {
    throw invalidFormat('alarmList: an alarm without alarmBeginTime');
  }
  const endedMs = endOf(alarm, now);
  const open = toNumber(alarm.state) !== 2 && endedMs === null;
  return {
    code,
    deviceSn: cleanText(alarm.alarmDeviceSn, 64) || null,
    severity: severityByLevel[cleanText(alarm.alarmLevel)] ?? 'MEDIUM',
    vendorLevel: cleanText(alarm.alarmLevel, 20),
    text: cleanText(alarm.alarmMsg) || `Solis alarm ${code}`,
    startedAt: new Date(startedMs).toISOString(),
    endedAt: open || endedMs === null ? null : new Date(endedMs).toISOString(),
    open,
    // No code of Solis is known that says nothing but "the logger is silent".
    communication: false,
  };
}

/** "1" tip, "2" general, "3" emergency. A level that is not known is shown rather than dropped, as YELLOW. */
const severityByLevel: Readonly<Record<string, VendorSeverity>> = {
  '1': 'LOW',
  '2': 'MEDIUM',
  '3': 'CRITICAL',
};

/** A standing alarm has been seen with the time of the answer as its end; one that ended so recently is still open. */
const freshEndMs = 60_000;

function endOf(alarm: Alarm, now: Date): number | null {
  const endedMs = toNumber(alarm.alarmEndTime);
  if (endedMs === null || !isInstant(endedMs)) return null;
  const restored = toNumber(alarm.state) === 2;
  return !restored && endedMs > now.getTime() - freshEndMs ? null : endedMs;
}

/** Whether the alarm was open at `since` or began after it. */
export function belongsTo(alarm: VendorAlarm, since: Date): boolean {
  return (
    alarm.open ||
    Date.parse(alarm.startedAt) >= since.getTime() ||
    (alarm.endedAt !== null && Date.parse(alarm.endedAt) >= since.getTime())
  );
}

const stateByNumber: Readonly<Record<number, DeviceState>> = {
  1: 'RUNNING',
  2: 'OFFLINE',
  3: 'FAULT',
};

/** The inverters whose time of measurement cannot be read, in one sentence. */
export function refusedTimes(inverters: readonly Inverter[]): RefusedField[] {
  const serials = inverters.flatMap(({ sn, dataTimestamp }) => {
    const atMs = toNumber(dataTimestamp) ?? 0;
    return atMs === 0 || isInstant(atMs) ? [] : [cleanText(sn, 64)];
  });
  const [first] = serials;
  if (first === undefined) return [];
  const whose = serials.length === 1 ? `inverter ${first}` : `${serials.length} inverters`;
  const sentence = `The measurement time of ${whose} is no time: check the logger's clock.`;
  return [{ field: 'devices', sentence }];
}

/** A record of inverterList. What it does not say in a known unit is left out: a device is worth showing without. */
export function deviceOf(inverter: Inverter): DeviceReading {
  const state = stateByNumber[toNumber(inverter.state) ?? 0] ?? 'UNKNOWN';
  // `pac` is what leaves the inverter: with a battery at work it is not the panels'.
  const isBatteryUsed = (toNumber(inverter.batteryPower) ?? 0) !== 0;
  const powerW = isBatteryUsed ? null : optional(() => amount(inverter, 'pac', wattsPerUnit));
  const measuredMs = toNumber(inverter.dataTimestamp);
  return {
    sn: cleanText(inverter.sn, 64),
    powerW: state === 'OFFLINE' ? 0 : powerW,
    todayEnergyKwh: optional(
      () => amount(inverter, 'etoday', kwhPerUnit) ?? amount(inverter, 'eToday', kwhPerUnit),
    ),
    state,
    measuredAt:
      measuredMs !== null && isInstant(measuredMs) ? new Date(measuredMs).toISOString() : null,
  };
}

/** The most inverters of a reading, which is part of a workflow's history and must stay small. */
const devicesMax = 20;

/** The inverters that a person must know of first: those that do not run, then those that give least. */
export function mostTelling(devices: readonly DeviceReading[]): DeviceReading[] {
  return devices
    .toSorted(
      (a, b) =>
        Number(a.state === 'RUNNING') - Number(b.state === 'RUNNING') ||
        (a.powerW ?? 0) - (b.powerW ?? 0),
    )
    .slice(0, devicesMax);
}

/** The zone's offset from UTC without summer time, in hours, as SolisCloud counts it. */
export function standardOffsetH(now: Date, timezone: string): number {
  const year = now.getUTCFullYear();
  return Math.min(offsetH(Date.UTC(year, 0, 1), timezone), offsetH(Date.UTC(year, 6, 1), timezone));
}

function offsetH(atMs: number, timezone: string): number {
  const wallMs =
    Date.parse(`${localDateAt(atMs, timezone)}T00:00:00Z`) +
    localMinutesAt(atMs, timezone) * 60_000;
  return (wallMs - atMs) / 3_600_000;
}

function plantPowerW(
  station: Station,
  loggerOffline: boolean,
  refused: RefusedField[],
): number | null {
  // The cloud keeps showing the last value of a plant that it has lost.
  if (loggerOffline || toNumber(station.state) === 2) return 0;
  const powerW = readable(() => amount(station, 'power', wattsPerUnit));
  if (powerW === null || Number.isFinite(powerW)) return powerW;
  const sentence = 'Power is not a number in a unit that is known: check the inverter.';
  refused.push({ field: 'power_w', sentence });
  return null;
}

function lifetimeOf(
  station: Station,
  refused: RefusedField[],
): { energyKwh: number | null; resolutionKwh: number | null } {
  const total = readable(() => amount(station, 'allEnergy', kwhPerUnit));
  if (total === null) return { energyKwh: null, resolutionKwh: null };
  if (!isPossibleEnergy(total)) {
    const sentence =
      'Lifetime energy is not a positive number in a unit that is known: check the inverter.';
    refused.push({ field: 'lifetime_energy_kwh', sentence });
    return { energyKwh: null, resolutionKwh: null };
  }
  const step = { ...station, allEnergy: 10 ** -decimalsOf(station.allEnergy) };
  return { energyKwh: total, resolutionKwh: amount(step, 'allEnergy', kwhPerUnit) };
}

function lastSeenAt(value: unknown, refused: RefusedField[]): string | null {
  const atMs = toNumber(value);
  if (atMs === null || atMs === 0) return null;
  if (isInstant(atMs)) return new Date(atMs).toISOString();
  const sentence = "Measurement time is no time: check the logger's clock.";
  refused.push({ field: 'last_seen_at', sentence });
  return null;
}

function isInstant(atMs: number): boolean {
  return atMs >= plausibleFromMs && atMs <= 8.64e15;
}

/**
 * The amount `name` of a record, in W or kWh. The true value is x × Pec in the unit Str; Pec is 1 where it is absent. In series Pec is 0.001 while Str names the big
 * unit: stationDay's 77 "kW" are 77 W (the manual's example, checked against its other figures).
 *
 * @throws AdapterError INVALID_DATA_FORMAT where there is a value without a known unit.
 */
function amount(
  record: Readonly<Record<string, unknown>>,
  name: string,
  units: Readonly<Record<string, number>>,
): number | null {
  const number = toNumber(record[name]);
  if (number === null) return null;
  const perUnit = units[cleanText(record[`${name}Str`], 8).toLowerCase()];
  if (perUnit === undefined) throw invalidFormat(`${name} without a unit that is known`);
  // Twelve digits are more than any meter has, and drop what binary fractions add.
  return Number((number * (toNumber(record[`${name}Pec`]) ?? 1) * perUnit).toPrecision(12));
}

/** An amount that an answer can do without; NaN where its unit is not known. */
function readable(read: () => number | null): number | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof AdapterError) return Number.NaN;
    throw error;
  }
}

function optional(read: () => number | null): number | null {
  const value = readable(read);
  return value !== null && Number.isFinite(value) ? value : null;
}

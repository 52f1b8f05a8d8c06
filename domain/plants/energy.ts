import type { DeviceReading, PlantSummary, RefusedField, VendorFailure } from './reading.ts';
import { durationText, energyText, powerText } from '../wording.ts';
import { minuteMs } from '../zone.ts';

/**
 * Refuses impossible values. A plant is judged and paid by today's energy, so an impossible one refuses the whole answer; an
 * impossible power, time or lifetime total drops only its field.
 */

/** Panels in cold, clear air exceed their rating for a while, and people type ratings in by hand: a fifth above passes. */
export const capacitySlack = 1.2;
/** Power peaks at cloud edges go higher than any average. */
const powerSlack = 1.5;
/** Inverters draw a little power at night; that is neither generation nor an error. */
const nightDrawShare = 0.01;
/** For an unknown capacity: the night draw of 100 kW of inverters. */
const nightDrawWUnknownCapacity = 1_000;
/** For an unknown capacity: one full day of the largest single plant, 1 GW. */
const dayEnergyKwhMaxUnknownCapacity = 24_000_000;
const powerWMaxUnknownCapacity = 1_000_000_000;
/** No plant has run for a century: a larger lifetime total is a wrong unit. */
const lifetimeDaysMax = 36_525;
/** Loggers' clocks are a few minutes off; more means a wrong clock or a wrong zone. */
const timeAheadMsMax = 10 * minuteMs;

/** Whether a plant can have produced `energyKwh` in one day. A null capacity is unknown. */
export function isPossibleDayEnergy(
  energyKwh: number,
  installedCapacityKw: number | null,
): boolean {
  return energyKwh >= 0 && energyKwh <= dayEnergyKwhMax(installedCapacityKw);
}

/**
 * The summary without its impossible fields, each with a sentence in `refused` (which makes the poll PARTIAL); or
 * INVALID_DATA_FORMAT when today's energy is impossible. `nowMs` is the attempt's clock.
 */
export function checkSummary(
  summary: PlantSummary,
  plant: { installedCapacityKw: number | null },
  nowMs: number,
): PlantSummary | VendorFailure {
  const capacityKw = plant.installedCapacityKw;
  const { todayEnergyKwh } = summary;
  if (todayEnergyKwh !== null && !isPossibleDayEnergy(todayEnergyKwh, capacityKw)) {
    return {
      type: 'INVALID_DATA_FORMAT',
      scope: 'PLANT',
      message: energySentence(todayEnergyKwh, capacityKw),
    };
  }
  const refused = [...summary.refused];
  const lifetimeEnergyKwh = checkLifetime(summary.lifetimeEnergyKwh, capacityKw, refused);
  return {
    todayEnergyKwh: todayEnergyKwh === null ? null : Math.max(0, todayEnergyKwh),
    powerW: checkPower(summary.powerW, capacityKw, refused),
    lifetimeEnergyKwh,
    lifetimeResolutionKwh: lifetimeEnergyKwh === null ? null : summary.lifetimeResolutionKwh,
    lastSeenAt: checkTime(summary.lastSeenAt, nowMs, refused),
    devices: summary.devices.map((device) => checkDevice(device, capacityKw)),
    refused,
  };
}

function dayEnergyKwhMax(capacityKw: number | null): number {
  return capacityKw === null ? dayEnergyKwhMaxUnknownCapacity : capacityKw * 24 * capacitySlack;
}

function energySentence(energyKwh: number, capacityKw: number | null): string {
  if (!Number.isFinite(energyKwh)) return "Today's energy is not a number: nothing was recorded.";
  if (energyKwh < 0) return `Today's energy is negative (${energyText(energyKwh)}).`;
  const most = energyText(dayEnergyKwhMax(capacityKw));
  return capacityKw === null
    ? `Today's energy, ${energyText(energyKwh)}, is more than any plant makes in a day (${most}): check the vendor's unit.`
    : `Today's energy, ${energyText(energyKwh)}, is more than the plant can make in a day (${most}): check its capacity and the vendor's unit.`;
}

function checkPower(
  powerW: number | null,
  capacityKw: number | null,
  refused: RefusedField[],
): number | null {
  if (powerW === null) return null;
  const sentence = powerProblem(powerW, capacityKw);
  if (sentence === null) return Math.max(0, powerW);
  refused.push({ field: 'power_w', sentence });
  return null;
}

/** What is wrong with a power, or null. */
function powerProblem(powerW: number, capacityKw: number | null): string | null {
  const maxW = capacityKw === null ? powerWMaxUnknownCapacity : capacityKw * 1_000 * powerSlack;
  const minW =
    capacityKw === null ? -nightDrawWUnknownCapacity : -capacityKw * 1_000 * nightDrawShare;
  if (!Number.isFinite(powerW)) return 'Power is not a number.';
  if (powerW < minW) return `Power ${powerText(powerW)} is negative: check the sign of its meter.`;
  if (powerW > maxW) {
    return `Power ${powerText(powerW)} is above ${powerText(maxW)}: check the plant's capacity and the vendor's unit.`;
  }
  return null;
}

function checkLifetime(
  lifetimeKwh: number | null,
  capacityKw: number | null,
  refused: RefusedField[],
): number | null {
  if (lifetimeKwh === null) return null;
  if (lifetimeKwh >= 0 && lifetimeKwh <= dayEnergyKwhMax(capacityKw) * lifetimeDaysMax) {
    return lifetimeKwh;
  }
  const said = Number.isFinite(lifetimeKwh) ? energyText(lifetimeKwh) : 'not a number';
  refused.push({
    field: 'lifetime_energy_kwh',
    sentence: `Lifetime energy cannot be right (${said}): check the vendor's unit.`,
  });
  return null;
}

function checkTime(
  measuredAt: string | null,
  nowMs: number,
  refused: RefusedField[],
): string | null {
  if (measuredAt === null) return null;
  const aheadMs = Date.parse(measuredAt) - nowMs;
  if (aheadMs <= timeAheadMsMax) return measuredAt;
  const problem = Number.isNaN(aheadMs) ? 'cannot be read' : `${durationText(aheadMs)} ahead`;
  refused.push({
    field: 'last_seen_at',
    sentence: `Measurement time ${problem}: check the logger's clock or zone.`,
  });
  return null;
}

/** A device's impossible value is left out without a word: the plant's own fields are what a poll is judged by. */
function checkDevice(device: DeviceReading, capacityKw: number | null): DeviceReading {
  const { powerW, todayEnergyKwh } = device;
  const powerPossible = powerW !== null && powerProblem(powerW, capacityKw) === null;
  const energyPossible = todayEnergyKwh !== null && isPossibleDayEnergy(todayEnergyKwh, capacityKw);
  return {
    ...device,
    powerW: powerPossible ? Math.max(0, powerW) : null,
    todayEnergyKwh: energyPossible ? todayEnergyKwh : null,
  };
}

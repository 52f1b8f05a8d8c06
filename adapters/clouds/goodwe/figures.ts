import type { DeviceState, RefusedField } from '../../../domain/plants/reading.ts';
import { decimalsOf, isPossibleEnergy, toNumber } from '../fields.ts';

/** Rules for the figures of a plant and of its inverters that hold for both portals. */

/**
 * What the vendor sends for "not fitted" or "never measured": registers of 16 and 32 bits with every bit set, as they are
 * and in the scales of its counters, and two values around them that were seen in answers.
 */
export const sentinels: readonly number[] = [
  655.35, 6553.5, 6553.7, 65_535, 4_294_967.295, 42_949_672.95, 429_483_622, 429_496_729.5,
  4_294_967_295,
];

/** Totals are sums of counters with one or two decimals; more digits than that are the noise of adding them. */
const resolutionKwhMin = 0.01;

/** The step in which a total counts, kWh. */
export function resolutionKwhOf(total: unknown): number {
  return Math.max(resolutionKwhMin, 10 ** -decimalsOf(total));
}

/**
 * Power in W: 0 while the vendor says offline or waiting, whatever stale number it still shows; null where it says
 * nothing; NaN where the number is impossible.
 *
 * @param wattsPerUnit 1000 for a number in kW.
 */
export function measuredPowerW(
  state: DeviceState,
  power: unknown,
  wattsPerUnit = 1,
): number | null {
  if (state === 'OFFLINE' || state === 'STANDBY') return 0;
  const value = toNumber(power);
  if (value === null) return null;
  if (!Number.isFinite(value) || sentinels.includes(value)) return Number.NaN;
  // Of a product only digits that the vendor gave: 3.786 kW are not 3785.9999999999995 W.
  return Math.round(value * wattsPerUnit * 1e3) / 1e3;
}

/** The plant's power, W; an impossible one is dropped with a sentence that begins with `fault`. */
export function plantPowerW(
  powerW: number | null,
  fault: string,
  refused: RefusedField[],
): number | null {
  if (!Number.isNaN(powerW)) return powerW;
  refused.push({
    field: 'power_w',
    sentence: `${fault}: check the inverter and its logger in the portal.`,
  });
  return null;
}

/** The lifetime energy, kWh; an impossible one is dropped with a sentence. `field` names it as the portal does. */
export function lifetimeKwhOf(
  total: unknown,
  field: string,
  refused: RefusedField[],
): number | null {
  const energyKwh = toNumber(total);
  if (energyKwh === null) return null;
  if (isPossibleEnergy(energyKwh, sentinels)) return energyKwh;
  refused.push({
    field: 'lifetime_energy_kwh',
    sentence: `The lifetime energy (${field}) cannot be true: check the inverter in the portal.`,
  });
  return null;
}

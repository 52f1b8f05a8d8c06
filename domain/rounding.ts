/** The resolution in which people and programs read measured and derived values. What is stored keeps the vendor's digits. */

/** To 1 W. */
export function roundedW(powerW: number): number;
export function roundedW(powerW: number | null): number | null;
export function roundedW(powerW: number | null): number | null {
  // Plus 0: no reader wants a negative zero.
  return powerW === null ? null : Math.round(powerW) + 0;
}

/** To 1 Wh, which is finer than any vendor counts. */
export function roundedKwh(energyKwh: number): number;
export function roundedKwh(energyKwh: number | null): number | null;
export function roundedKwh(energyKwh: number | null): number | null {
  return energyKwh === null ? null : thousandths(energyKwh);
}

/** A ratio to a tenth of a percent; energy for each kW installed to 1 Wh. */
export function roundedRatio(ratio: number | null): number | null {
  return ratio === null ? null : thousandths(ratio);
}

function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

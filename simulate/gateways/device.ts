import { randomOf } from '../random.ts';
import {
  dayMs,
  type DeviceFault,
  type GatewayLife,
  hourMs,
  isWithin,
  minuteMs,
  type SiteLife,
} from './life.ts';

/** A device of a simulated site: what it really produces, and what its registers show. */

export type PointKey = 'power_w' | 'energy_kwh' | 'daily_kwh' | 'temperature_c';

/** A value of a device at an instant: what is true, and what its registers say. */
export interface Shown {
  /** In hundredths of a kWh, W or tenths of a degree. */
  raw: number;
  /** The registers show something that is not true. */
  isFalse: boolean;
}

const stepMs = minuteMs;

/** Two units: an inverter (1) by the sun, and a meter (2) with a steady load. */
export class Device {
  readonly life: GatewayLife;
  readonly #fromMs: number;
  /** Energy since the begin of the life at each minute, hundredths of a kWh, by unit. */
  readonly #produced: Readonly<Record<1 | 2, Float64Array>>;
  readonly #resets: readonly number[];
  readonly #faults: Partial<Record<DeviceFault['kind'], DeviceFault[]>>;

  constructor(site: SiteLife, life: GatewayLife) {
    this.life = life;
    this.#fromMs = site.fromMs;
    const steps = Math.ceil((site.toMs - site.fromMs) / stepMs) + 10;
    const sums = { 1: new Float64Array(steps), 2: new Float64Array(steps) };
    for (const unit of [1, 2] as const)
      for (let step = 1; step < steps; step += 1) {
        const kw = this.#powerKw(unit, site.fromMs + (step - 1) * stepMs, site.seed);
        sums[unit][step] = (sums[unit][step - 1] ?? 0) + (kw * 100 * stepMs) / hourMs;
      }
    this.#produced = sums;
    this.#faults = Object.groupBy(life.faults, ({ kind }) => kind);
    this.#resets = life.faults.filter(({ kind }) => kind === 'RESET').map(({ fromMs }) => fromMs);
  }

  /** What the registers of a point show; null: the unit does not answer, or refuses the point. */
  show(unit: 1 | 2, key: PointKey, atMs: number): Shown {
    switch (key) {
      case 'power_w':
        return { raw: Math.round(this.#stepKwAt(unit, atMs) * 1_000), isFalse: false };
      case 'temperature_c':
        return { raw: 250, isFalse: false };
      case 'energy_kwh': {
        const raw = this.energyCkwh(unit, atMs);
        if (this.#has('ZERO', atMs)) return { raw: 0, isFalse: raw > 1 };
        if (this.#has('JUMP', atMs)) return { raw: raw + 1_000_000_000, isFalse: true };
        return { raw, isFalse: false };
      }
      // A daily total may fall to 0 once in twelve hours, so that no guard can tell a false zero.
      case 'daily_kwh':
        return { raw: this.dailyCkwh(unit, atMs), isFalse: false };
    }
  }

  isSilent(unit: number, atMs: number): boolean {
    return unit === 2 && this.#has('UNIT_SILENT', atMs);
  }

  isRefused(unit: number, key: string, atMs: number): boolean {
    return unit === 1 && key === 'temperature_c' && this.#has('POINT_REFUSED', atMs);
  }

  /** The total that it would show if nothing were wrong, whole hundredths of a kWh. */
  energyCkwh(unit: 1 | 2, atMs: number): number {
    const reset = this.lastReset(atMs);
    const since = reset === null ? 0 : this.producedCkwh(unit, reset);
    const base = reset === null ? this.life.baseCkwh : 0;
    return Math.floor(base + this.producedCkwh(unit, atMs) - since);
  }

  dailyCkwh(unit: 1 | 2, atMs: number): number {
    const midnightMs = Math.max(this.#fromMs, Math.floor(atMs / dayMs) * dayMs);
    const reset = this.lastReset(atMs);
    const sinceMs = Math.max(midnightMs, reset ?? -Infinity);
    return Math.floor(this.producedCkwh(unit, atMs) - this.producedCkwh(unit, sinceMs));
  }

  /** What it has really produced since the begin of the life, hundredths of a kWh. */
  producedCkwh(unit: 1 | 2, atMs: number): number {
    const at = Math.max(0, (atMs - this.#fromMs) / stepMs);
    const step = Math.floor(at);
    const low = this.#produced[unit][step] ?? 0;
    const high = this.#produced[unit][step + 1] ?? low;
    return low + (high - low) * (at - step);
  }

  /** When its totals last began at 0 again; null: never so far. */
  lastReset(atMs: number): number | null {
    let last: number | null = null;
    for (const reset of this.#resets) if (reset <= atMs) last = Math.max(last ?? reset, reset);
    return last;
  }

  #stepKwAt(unit: 1 | 2, atMs: number): number {
    const step = Math.max(0, Math.floor((atMs - this.#fromMs) / stepMs));
    const sums = this.#produced[unit];
    return (((sums[step + 1] ?? 0) - (sums[step] ?? 0)) * hourMs) / stepMs / 100;
  }

  #powerKw(unit: 1 | 2, atMs: number, seed: string): number {
    const { id, peakKw } = this.life;
    const tenMinutes = Math.floor(atMs / (10 * minuteMs));
    const random = randomOf(seed, id, unit, tenMinutes).next();
    if (unit === 2) return 0.2 + 3 * random;
    const hour = (atMs % dayMs) / hourMs;
    const sun = Math.max(0, Math.sin((Math.PI * (hour - 5)) / 15));
    return hour < 5 || hour > 20 ? 0 : peakKw * sun * (0.4 + 0.6 * random);
  }

  #has(kind: DeviceFault['kind'], atMs: number): boolean {
    return isWithin(this.#faults[kind] ?? [], atMs);
  }
}

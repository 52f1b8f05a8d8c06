import { dateAfter, dateAt, sunOf } from './calendar.ts';
import { hashOf } from './grid.ts';
import { isWithin, type PlantLife } from './life.ts';
import { randomOf } from './random.ts';

/** What a plant really makes and what its logger measures. The vendor shows this, less, or something else. */

const measureEveryMs = 300_000;
/** Hours of full power on a day of twelve hours of sun; the weather takes up to 45 % of them. */
const fullPowerHours = 4.5;
const usualDaylightMs = 12 * 3_600_000;
const oldLifetimeKwhPerKw = 3_000;

export class Truth {
  readonly life: PlantLife;
  readonly #totals = new Map<string, number>();
  readonly #before = new Map<string, number>();
  readonly #firstDate: string;

  constructor(life: PlantLife, fromMs: number) {
    this.life = life;
    this.#firstDate = dateAfter(dateAt(fromMs, life.place.timezone), -14);
  }

  dateAt(atMs: number): string {
    return dateAt(atMs, this.life.place.timezone);
  }

  /** The energy of a whole day, kWh. */
  totalOf(date: string): number {
    const known = this.#totals.get(date);
    if (known !== undefined) return known;
    const { id, capacityKw, place, illness } = this.life;
    const weather = 0.55 + 0.45 * randomOf(id, 'weather', date).next();
    const { riseMs, setMs } = sunOf(date, place);
    const isIll = illness !== null && date >= illness.from && date <= illness.to;
    const totalKwh =
      (capacityKw * fullPowerHours * weather * (setMs - riseMs) * (isIll ? illness.factor : 1)) /
      usualDaylightMs;
    this.#totals.set(date, totalKwh);
    return totalKwh;
  }

  /** What the day to which `atMs` belongs has made by then, kWh. */
  energyAt(atMs: number): number {
    const date = this.dateAt(atMs);
    return (this.totalOf(date) * (1 - Math.cos(Math.PI * this.#sunPassed(date, atMs)))) / 2;
  }

  powerAt(atMs: number): number {
    const date = this.dateAt(atMs);
    const { riseMs, setMs } = sunOf(date, this.life.place);
    const perHour = (this.totalOf(date) * Math.PI * 3_600_000) / (2 * (setMs - riseMs));
    return Math.round(perHour * 1_000 * Math.sin(Math.PI * this.#sunPassed(date, atMs)));
  }

  /** All energy of the plant's life by `atMs`, kWh; since its replacement where that was before. */
  lifetimeAt(atMs: number): number {
    const { replacedAtMs, capacityKw } = this.life;
    const allKwh = this.#energyBefore(this.dateAt(atMs)) + this.energyAt(atMs);
    if (replacedAtMs === null || atMs < replacedAtMs)
      return capacityKw * oldLifetimeKwhPerKw + allKwh;
    return allKwh - (this.#energyBefore(this.dateAt(replacedAtMs)) + this.energyAt(replacedAtMs));
  }

  /** The newest measurement that the vendor can have at `atMs`. */
  measuredAt(atMs: number): number {
    const { isLive, lagMs, sleeps, silences } = this.life;
    let measuredMs = this.#stepBefore(isLive ? atMs : atMs - lagMs);
    for (let pass = 0; pass < 2; pass += 1) {
      for (const silence of silences) {
        if (isWithin(measuredMs, silence)) measuredMs = this.#stepBefore(silence.fromMs - 1);
      }
      if (sleeps) measuredMs = this.#awakeAtOrBefore(measuredMs);
    }
    return measuredMs;
  }

  /** A live plant measures on the grid of its polls, so that some ages are exactly 2 h and exactly 24 h. */
  #stepBefore(atMs: number): number {
    const offsetMs = this.life.isLive ? hashOf(this.life.id) % measureEveryMs : 0;
    return Math.floor((atMs - offsetMs) / measureEveryMs) * measureEveryMs + offsetMs;
  }

  /** What the inverter's counter of the day shows, which begins anew at a reboot, kWh. */
  counterAt(measuredMs: number): number {
    let kwh = this.energyAt(measuredMs);
    const date = this.dateAt(measuredMs);
    for (const rebootMs of this.life.reboots) {
      if (rebootMs <= measuredMs && this.dateAt(rebootMs) === date)
        kwh = Math.min(kwh, this.energyAt(measuredMs) - this.energyAt(rebootMs));
    }
    return Math.max(0, kwh);
  }

  #awakeAtOrBefore(atMs: number): number {
    const date = this.dateAt(atMs);
    const { riseMs, setMs } = sunOf(date, this.life.place);
    if (atMs > setMs) return this.#stepBefore(setMs);
    if (atMs >= riseMs) return atMs;
    const before = sunOf(dateAfter(date, -1), this.life.place);
    return this.#stepBefore(before.setMs);
  }

  #sunPassed(date: string, atMs: number): number {
    const { riseMs, setMs } = sunOf(date, this.life.place);
    return Math.min(1, Math.max(0, (atMs - riseMs) / (setMs - riseMs)));
  }

  #energyBefore(date: string): number {
    const known = this.#before.get(date);
    if (known !== undefined) return known;
    const previous = dateAfter(date, -1);
    const kwh = date <= this.#firstDate ? 0 : this.#energyBefore(previous) + this.totalOf(previous);
    this.#before.set(date, kwh);
    return kwh;
  }
}

import { capacitySlack } from './energy.ts';
import type { DayRow, PlantFacts } from './facts.ts';
import type { LocalDate } from '../zone.ts';
import { energyText } from '../wording.ts';
import { addDays, hourMs, startOfDayMs } from '../zone.ts';

/**
 * Decides to which day a total belongs. All four vendors show yesterday's total as today's around dawn, with old or with
 * fresh measurement times, so a total is a day's own only when nothing contradicts it.
 */

/** Vendors' totals have one decimal: two totals that differ by no more than that are the same. */
const sameTotalKwh = 0.1;
/** Keeps sums of decimals from missing a limit by floating-point rounding. */
export const roundingKwh = 1e-6;
/** The lifetime total and the day's total come from different counters of the vendor. */
const lifetimeSlack = 1.01;
/** A day is corrected up to this age; then it is FINAL. Polls fill gaps up to the same age. */
export const finalAgeDays = 3;

/** A total for which a day is sought. */
export interface Candidate {
  /** The plant-local date of `atMs`. */
  date: LocalDate;
  energyKwh: number;
  /** null: the vendor gave none, or a lower one than before. */
  lifetimeKwh: number | null;
  lifetimeResolutionKwh: number;
  /** The measurement time; the attempt's time if the vendor states none. Never in the future. */
  atMs: number;
}

/** The rows to which a candidate is compared. */
export interface ComparedDays {
  today: LocalDate;
  /** The row of the candidate's date; null when there is none yet. */
  row: DayRow | null;
  /** Rows of the 7 days before that date, newest first. */
  earlier: readonly DayRow[];
}

/** Why a total is not booked to its date, as a sentence; null when it is. */
export function refusalOf(
  candidate: Candidate,
  days: ComparedDays,
  plant: Pick<PlantFacts, 'timezone' | 'installedCapacityKw'>,
): string | null {
  const { date, energyKwh } = candidate;
  const said = energyText(energyKwh);
  if (date < addDays(days.today, -finalAgeDays) || days.row?.quality === 'FINAL') {
    return `Measured on ${date}, a day that is final: not booked.`;
  }
  if (isCarriedOver(candidate, days)) {
    return `${said} is still the total of the day before: not booked to ${date}.`;
  }
  const hours = (candidate.atMs - startOfDayMs(date, plant.timezone)) / hourMs;
  const capacityKw = plant.installedCapacityKw;
  if (capacityKw !== null && energyKwh > capacitySlack * capacityKw * hours + roundingKwh) {
    return `${said} is more than ${capacityKw} kW can make in ${hours.toFixed(1)} h: not booked to ${date}.`;
  }
  const riseKwhMax = lifetimeRiseMax(candidate, days.earlier);
  if (riseKwhMax !== null && energyKwh > riseKwhMax + roundingKwh) {
    return `${said} is more than the lifetime total has risen by since the day before: not booked to ${date}.`;
  }
  return null;
}

/** Whether two totals are the same within the vendors' precision: they differ by at most 0.1 kWh. */
export function isSameTotal(aKwh: number, bKwh: number): boolean {
  return Math.abs(aKwh - bKwh) <= sameTotalKwh + roundingKwh;
}

/**
 * Whether a total is yesterday's, shown again: equal to the last one of the day before while the lifetime total stands
 * still. Without a lifetime total to compare, an equal total counts as yesterday's until the day has a total of its own.
 *
 * A zero is never yesterday's: 0 kWh is true of a day that has just begun.
 */
function isCarriedOver(candidate: Candidate, { row, earlier }: ComparedDays): boolean {
  const [previous] = earlier;
  if (previous === undefined || candidate.energyKwh === 0) return false;
  // The vendor's counter shows its last count; the series may have corrected that day since.
  const live = earlier.find((day) => day.liveEnergyKwh !== null);
  const isSame = [previous.todayEnergyKwh, live?.liveEnergyKwh ?? null].some(
    (totalKwh) => totalKwh !== null && isSameTotal(totalKwh, candidate.energyKwh),
  );
  if (!isSame) return false;
  const riseKwh = lifetimeRise(candidate, previous);
  // A counter in steps of 10 kWh says nothing about a day of 3 kWh.
  const lifetimeTells = riseKwh !== null && candidate.energyKwh > candidate.lifetimeResolutionKwh;
  return lifetimeTells ? riseKwh <= 0 : (row?.liveEnergyKwh ?? 0) === 0;
}

/** The most energy that the lifetime total allows for a day, kWh; null when no earlier day has a lifetime total. */
function lifetimeRiseMax(candidate: Candidate, earlier: readonly DayRow[]): number | null {
  const since = earlier.find((day) => day.lifetimeEnergyKwh !== null);
  const riseKwh = lifetimeRise(candidate, since);
  return riseKwh === null ? null : (riseKwh + candidate.lifetimeResolutionKwh) * lifetimeSlack;
}

function lifetimeRise(candidate: Candidate, since: DayRow | undefined): number | null {
  const sinceKwh = since?.lifetimeEnergyKwh ?? null;
  if (candidate.lifetimeKwh === null || sinceKwh === null) return null;
  return candidate.lifetimeKwh - sinceKwh;
}

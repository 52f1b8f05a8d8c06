import { listAlerts } from '../../../db/plants/alerts.ts';
import type { Db } from '../../../db/database.ts';
import type { PlantView } from '../../../db/plants/plants.ts';
import { readPowerBins } from '../../../db/plants/power.ts';
import type { StoredDay } from '../../../db/plants/snapshots.ts';
import { median } from '../../../domain/plants/low-generation.ts';
import type { LocalDate } from '../../../domain/zone.ts';
import { addDays, dayMs, localDateAt } from '../../../domain/zone.ts';
import type { PlantPast } from '../../../operations/plants/read-plant.ts';
import type { ApiDeps } from '../../deps.ts';
import { type Person, plantScope } from '../../env.ts';
import { viewerMay } from '../../pages/layout.ts';
import { readDetail } from '../detail.ts';
import type { DayEnergy, PlantPage, PowerDays } from './plant.ts';

/** Reads what the page of one plant shows: the plant, its charts, and the alerts that ended. */

const daysShown = 30;
const medianDays = 7;
const completeDaysMin = 3;
const alertsShown = 30;
/** The interval of most plants, min; a day then has 144 points. */
const binMinutesMin = 10;
const minutesOfDay = 24 * 60;

const past: PlantPast = { polls: 20, withClosings: true, days: daysShown + medianDays };

/** Throws Problem 404 if there is no such plant, or the person may not see it. */
export async function readPlantPage(
  deps: ApiDeps,
  person: Person,
  plantId: string,
): Promise<Omit<PlantPage, 'zone' | 'told' | 'beside'>> {
  const read = await readDetail(deps, plantScope(person), plantId, past);
  const today = localDateAt(read.nowMs, read.plant.timezone);
  const [ended, power] = await Promise.all([
    listAlerts(deps.db, { plantId, states: ['RESOLVED'], limit: alertsShown }),
    readPower(deps.db, read.plant, today, read.nowMs),
  ]);
  return {
    ...read,
    alerts: [...read.alerts, ...ended].slice(0, alertsShown),
    power,
    energy: energyDays(read.days, today),
    mayAct: viewerMay(person).act && read.plant.removed_at === null,
    mayRemove: person.role === 'ADMIN' && read.plant.removed_at === null,
  };
}

async function readPower(
  db: Db,
  plant: PlantView,
  today: LocalDate,
  nowMs: number,
): Promise<PowerDays> {
  const binMinutes = Math.max(binMinutesMin, Math.ceil(plant.poll_interval_s / 60));
  const bins = await readPowerBins(db, plant.id, {
    timezone: plant.timezone,
    // Two local days have at most 50 hours.
    fromMs: nowMs - 2 * dayMs - 2 * 3_600_000,
    toMs: nowMs,
    binMinutes,
  });
  return powerDays(bins, today, binMinutes);
}

/** The power of today and yesterday at the same minutes of the day; null if nothing was measured. */
export function powerDays(
  bins: readonly { date: LocalDate; minute: number; powerW: number }[],
  today: LocalDate,
  binMinutes: number,
): PowerDays {
  const count = Math.ceil(minutesOfDay / binMinutes);
  const minutes = Array.from({ length: count }, (_, i) => i * binMinutes);
  const dayOf = (date: LocalDate): (number | null)[] => {
    const values = Array.from<number | null>({ length: count }).fill(null);
    for (const bin of bins)
      if (bin.date === date)
        // Three decimals of a kW are W.
        values[Math.floor(bin.minute / binMinutes)] = Math.round(bin.powerW) / 1_000;
    return values;
  };
  return { minutes, todayKw: dayOf(today), yesterdayKw: dayOf(addDays(today, -1)) };
}

/** The last 30 days, the oldest first, each with the median of the 7 before it; a day without a row is a gap. */
export function energyDays(stored: readonly StoredDay[], today: LocalDate): DayEnergy[] {
  const byDate = new Map(stored.map((day) => [day.date, day]));
  return Array.from({ length: daysShown }, (_, i): DayEnergy => {
    const date = addDays(today, i - daysShown + 1);
    const before = Array.from({ length: medianDays }, (__, n) => byDate.get(addDays(date, -n - 1)));
    const complete = before.filter((day) => day?.complete === true);
    const day = byDate.get(date);
    return {
      date,
      kwh: day?.todayEnergyKwh ?? null,
      final: day?.quality === 'FINAL',
      medianKwh:
        complete.length < completeDaysMin
          ? null
          : median(complete.map((one) => one?.todayEnergyKwh ?? 0)),
    };
  });
}

import { listAlerts } from '../../../db/plants/alerts.ts';
import type { Db } from '../../../db/database.ts';
import { findPlant, listPlants } from '../../../db/plants/plants.ts';
import { findOpenPeriod } from '../../../db/ledger/periods.ts';
import { plantLedger } from '../../../db/plants/ledger.ts';
import { listPollLogs, type PollLogRow } from '../../../db/plants/poll-logs.ts';
import { readPowerBins } from '../../../db/plants/power.ts';
import type { PlantScope } from '../../../db/scope.ts';
import { findDays, type StoredDay } from '../../../db/plants/snapshots.ts';
import { median } from '../../../domain/plants/low-generation.ts';
import type { LocalDate } from '../../../domain/zone.ts';
import { nextSlotAfter } from '../../../domain/slots.ts';
import { addDays, dayMs, localDateAt } from '../../../domain/zone.ts';
import { notPolledSince, plantSentence } from '../plant-view.ts';
import type { DayEnergy, PlantPage, PollLine, PowerDays } from './plant.ts';

/** What the page of one plant shows, read at once. */

const daysShown = 30;
const medianDays = 7;
const completeDaysMin = 3;
const pollsShown = 20;
const alertsShown = 30;
/** The interval of most plants; a day then has 144 points. */
const binMinutesMin = 10;
const minutesOfDay = 24 * 60;

export interface PlantPageOptions {
  mayAct: boolean;
  temporalUrl: string | null;
  nowMs: number;
}

/** @returns null where the scope holds no such plant. */
export async function readPlantPage(
  db: Db,
  plantId: string,
  scope: PlantScope,
  { mayAct, temporalUrl, nowMs }: PlantPageOptions,
): Promise<PlantPage | null> {
  const [plant] = await listPlants(db, { ids: [plantId] }, scope);
  if (plant === undefined) return null;
  const { timezone } = plant;
  const today = localDateAt(nowMs, timezone);
  const [row, period, stored, active, ended, polls, power] = await Promise.all([
    findPlant(db, plantId),
    findOpenPeriod(db, plantLedger, plantId),
    findDays(db, plantId, addDays(today, -daysShown - medianDays), today),
    listAlerts(db, { plantId, limit: alertsShown }),
    listAlerts(db, { plantId, states: ['RESOLVED'], limit: alertsShown }),
    listPollLogs(db, plantId, pollsShown),
    readPower(db, plant, today, nowMs),
  ]);
  const isDue = period !== undefined && period.reason === 'ACTIVE';
  return {
    id: plant.id,
    name: plant.name,
    brand: plant.brand,
    capacityKw: plant.installed_capacity_kw,
    timezone,
    customerId: plant.customer_id,
    status: plant.status,
    statusSinceMs: plant.status_since.getTime(),
    sentence: plantSentence(plant, nowMs),
    stale: plant.stale,
    notPolledSinceMs: notPolledSince(plant)?.getTime() ?? null,
    isNight: plant.is_night === true,
    statusProfile: plant.status_profile,
    integrationStatus: plant.integration_status,
    pausedUntilMs: plant.paused_until?.getTime() ?? null,
    pauseReason: plant.pause_reason,
    silencedUntilMs: plant.alerts_silenced_until?.getTime() ?? null,
    lastSeenAtMs: plant.last_seen_at?.getTime() ?? null,
    seenByEvidence: plant.last_seen_source === 'EVIDENCE',
    nextSlotMs: isDue ? nextSlotAfter(period, Math.max(nowMs, period.fromMs - 1)) : null,
    intervalS: plant.poll_interval_s,
    power,
    days: energyDays(stored, today),
    alerts: [...active, ...ended].slice(0, alertsShown),
    polls: polls.map(pollLine),
    devices: (row?.devices ?? []).map((device) => ({
      sn: device.sn,
      powerW: device.powerW,
      todayKwh: device.todayEnergyKwh,
      state: device.state.toLowerCase(),
      measuredAtMs: device.measuredAtMs,
    })),
    temporalUrl,
    mayAct,
    nowMs,
  };
}

async function readPower(
  db: Db,
  plant: { id: string; timezone: string; poll_interval_s: number },
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

/** Today and yesterday on the same minutes of the day; null where nothing was measured. */
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

function pollLine(row: PollLogRow): PollLine {
  return {
    atMs: row.scheduled_for.getTime(),
    jobType: row.job_type,
    outcome: row.outcome,
    trigger: row.trigger,
    lateMs: row.late_ms,
    durationMs: row.duration_ms,
    error: row.error,
    powerW: row.power_w,
    slotsMissed: row.slots_missed,
  };
}

import type { PlantView } from '../../db/plants/plants.ts';
import type { RecentDays } from '../../db/plants/recent-days.ts';
import { decideClosing, decideRunningDay } from '../../domain/plants/low-generation.ts';
import { isSeenWithin, yellowAfterMs } from '../../domain/plants/status.ts';
import { roundedKwh, roundedRatio } from '../../domain/rounding.ts';
import { addDays, localDateAt } from '../../domain/zone.ts';
import { notPolledSince, powerNow } from '../../operations/plants/plant-view.ts';

/** A plant's line in the fleet. Instants are `Date`, energies kWh, powers W; a ratio of 1 is a usual day. */
export type FleetRow = ReturnType<typeof fleetRow>;

const noDays: RecentDays = { days: [], daysAtTime: [] };

/** The line of one plant at `nowMs`. @param recent undefined if the plant has no days. */
export function fleetRow(plant: PlantView, recent: RecentDays | undefined, nowMs: number) {
  const { days, daysAtTime } = recent ?? noDays;
  const today = localDateAt(nowMs, plant.timezone);
  const yesterday = addDays(today, -1);
  const yesterdaysRow = days.find((day) => day.date === yesterday);
  const closing = decideClosing(yesterday, days);
  const todaysRow = days.find((day) => day.date === today);
  const lastSeenAtMs = plant.last_seen_at?.getTime() ?? null;
  const running = decideRunningDay({
    today,
    totalKwh: todaysRow?.todayEnergyKwh ?? null,
    measuredAtMs: todaysRow?.lastSeenAtMs ?? null,
    slotMs: plant.last_slot?.getTime() ?? nowMs,
    isSeen: isSeenWithin(yellowAfterMs, lastSeenAtMs, nowMs),
    days,
    daysAtTime,
    place: plant,
  });
  return {
    ...plant,
    /** null while it is polled in time. */
    not_polled_since: notPolledSince(plant),
    /** Age of the newest data, s; null for a plant that was never seen. */
    data_age_s:
      lastSeenAtMs === null ? null : Math.max(0, Math.round((nowMs - lastSeenAtMs) / 1000)),
    ...powerNow(plant),
    yesterday_date: yesterday,
    yesterday_energy_kwh: roundedKwh(yesterdaysRow?.todayEnergyKwh ?? null),
    /** Energy for each kW installed. */
    yesterday_kwh_per_kwp:
      yesterdaysRow === undefined || plant.installed_capacity_kw === null
        ? null
        : roundedRatio(yesterdaysRow.todayEnergyKwh / plant.installed_capacity_kw),
    yesterday_quality: yesterdaysRow?.quality ?? null,
    yesterday_complete: yesterdaysRow?.complete ?? null,
    /** Yesterday over the median of the 7 days before it; null if they cannot be compared. */
    yesterday_median_ratio: roundedRatio(closing.ratio),
    /** The comparison, or why there is none. */
    yesterday_note: closing.note,
    today_date: today,
    /** Today so far over the usual energy at the newest measurement's local time; null while it is too early. */
    today_median_ratio: roundedRatio(running.ratio),
    today_note: running.isTooEarly ? 'too early' : running.note,
  };
}

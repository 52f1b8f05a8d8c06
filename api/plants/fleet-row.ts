import type { PlantView } from '../../db/plants/plants.ts';
import type { RecentDays } from '../../db/plants/recent-days.ts';
import { decideClosing, decideRunningDay } from '../../domain/plants/low-generation.ts';
import { isSeenWithin, yellowAfterMs } from '../../domain/plants/status.ts';
import { addDays, localDateAt, minuteMs } from '../../domain/zone.ts';
import { notPolledSince } from '../../operations/plants/plant-view.ts';

/** A plant's line in the fleet. Instants are `Date`, energies kWh, powers W; a ratio of 1 is a usual day. */
export type FleetRow = ReturnType<typeof fleetRow>;

/** Power counts as current if it was measured at most this long, or two intervals, before its poll. */
const powerAgeMsMin = 30 * minuteMs;
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
  const powerNote = powerNoteOf(plant);
  return {
    ...plant,
    /** null while it is polled in time. */
    not_polled_since: notPolledSince(plant),
    /** Age of the newest data, s; null for a plant that was never seen. */
    data_age_s:
      lastSeenAtMs === null ? null : Math.max(0, Math.round((nowMs - lastSeenAtMs) / 1000)),
    /** The newest poll's power while that is fresh; null otherwise, and `power_note` says why. */
    power_now_w: powerNote === null ? plant.power_w : null,
    power_note: powerNote,
    yesterday_date: yesterday,
    yesterday_energy_kwh: yesterdaysRow?.todayEnergyKwh ?? null,
    /** Energy for each kW installed. */
    yesterday_kwh_per_kwp:
      yesterdaysRow === undefined || plant.installed_capacity_kw === null
        ? null
        : yesterdaysRow.todayEnergyKwh / plant.installed_capacity_kw,
    yesterday_quality: yesterdaysRow?.quality ?? null,
    yesterday_complete: yesterdaysRow?.complete ?? null,
    /** Yesterday over the median of the 7 days before it; null if they cannot be compared. */
    yesterday_median_ratio: closing.ratio,
    /** The comparison, or why there is none. */
    yesterday_note: closing.note,
    today_date: today,
    /** Today so far over the usual energy at the newest measurement's local time; null while it is too early. */
    today_median_ratio: running.ratio,
    today_note: running.isTooEarly ? 'too early' : running.note,
  };
}

/** Why the newest power does not count as the current one; null if it does. */
function powerNoteOf(plant: PlantView): string | null {
  if (plant.integration_status !== 'ACTIVE') return 'not polled';
  if (plant.stale) return 'not polled in time';
  const poll = plant.last_poll;
  if (poll === null) return 'not polled yet';
  if (poll.booked === null) return 'the last poll failed';
  if (plant.power_w === null) return 'the vendor gave no power';
  const { sourceTimeMs } = poll.booked;
  const ageMsMax = Math.max(powerAgeMsMin, 2 * plant.poll_interval_s * 1000);
  return sourceTimeMs !== null && poll.startedAtMs - sourceTimeMs > ageMsMax
    ? 'the newest measurement is old'
    : null;
}

import type { FleetView } from '../fleet-view.ts';
import { scopedRows } from '../fleet-view.ts';
import { filterFleet, fleetPage, type FleetSort, fleetSorts, fleetTotals } from '../fleet-query.ts';
import type { FleetRow } from '../fleet-row.ts';
import { plantSentence } from '../../../operations/plants/plant-view.ts';
import type { PlantScope } from '../../../db/scope.ts';
import { type FleetLine, type FleetPage, fleetPageSize, type FleetQuery } from './fleet.ts';

/** What the fleet's page shows, out of the fleet's lines in memory. */

/** @param readStrips the last slots of the shown plants. */
export async function readFleetPage(
  view: FleetView,
  scope: PlantScope,
  query: FleetQuery,
  readStrips: (ids: readonly string[]) => Promise<FleetPage['strips']>,
  { nowMs, maySeeSystem }: { nowMs: number; maySeeSystem: boolean },
): Promise<FleetPage> {
  const rows = scopedRows(await view.read(), scope);
  const totals = fleetTotals(rows);
  const { status, brand, customer, q } = query;
  const found = filterFleet(rows, {
    // Plants that are not polled are counted, and shown, apart from the colours.
    ...(status === null ? {} : status === 'STALE' ? { stale: true } : { status, stale: false }),
    ...(brand === null ? {} : { brand }),
    ...(customer === null ? {} : { customer }),
    q,
  });
  const order = orderOf(query.sort);
  const shown = fleetPage(found, order, { after: null, limit: query.pages * fleetPageSize });
  const zones = new Set(rows.map((row) => row.timezone));
  const customers = new Set(rows.flatMap((row) => row.customer_id ?? []));
  const [onlyZone] = zones;
  const newestMs = totals.newest_poll_at?.getTime() ?? null;
  return {
    query,
    totals: {
      red: totals.red,
      yellow: totals.yellow,
      green: totals.green,
      grey: totals.grey,
      notPolled: totals.not_polled,
      plants: totals.plants,
      powerW: totals.fresh === 0 ? null : totals.power_now_w,
      powerFromPlants: totals.fresh,
      powerOfPlants: totals.active,
      yesterdayKwh: rows.some((row) => row.yesterday_energy_kwh !== null)
        ? totals.yesterday_energy_kwh
        : null,
      todayKwh: rows.some((row) => row.today_energy_kwh !== null) ? totals.today_energy_kwh : null,
      newestPollAtMs: newestMs,
    },
    lines: shown.rows.map((row) => fleetLine(row, nowMs)),
    found: found.length,
    strips: await readStrips(shown.rows.map((row) => row.id)),
    customers: scope.customerId === null ? [...customers].sort() : [],
    stopped: totals.monitoring_stopped ? { sinceMs: lastLookMs(rows) } : null,
    maySeeSystem,
    // One zone is said as it is; a fleet over many is told the time of none of them.
    timezone: zones.size === 1 && onlyZone !== undefined ? onlyZone : 'UTC',
    nowMs,
  };
}

/** When a plant that is not polled any more was last looked at, of all such plants. */
function lastLookMs(rows: readonly FleetRow[]): number | null {
  const looks = rows.flatMap((row) => (row.stale ? (row.last_polled_at?.getTime() ?? []) : []));
  return looks.length === 0 ? null : looks.reduce((a, b) => Math.max(a, b));
}

function orderOf(sort: string): { sort: FleetSort; descending: boolean } {
  const name = fleetSorts.find((one) => sort === one || sort === `-${one}`);
  return { sort: name ?? 'worst', descending: sort.startsWith('-') };
}

function fleetLine(row: FleetRow, nowMs: number): FleetLine {
  return {
    id: row.id,
    name: row.name,
    brand: row.brand,
    timezone: row.timezone,
    status: row.status,
    sentence: plantSentence(row, nowMs),
    stale: row.stale,
    notPolledSinceMs: row.not_polled_since?.getTime() ?? null,
    isNight: row.is_night === true,
    lastSeenAtMs: row.last_seen_at?.getTime() ?? null,
    powerW: row.power_now_w,
    powerNote: row.power_note,
    yesterdayKwh: row.yesterday_energy_kwh,
    yesterdayKwhPerKwp: row.yesterday_kwh_per_kwp,
    yesterdayRatio: row.yesterday_median_ratio,
    yesterdayFinal: row.yesterday_quality === 'FINAL',
    yesterdayNote: row.yesterday_note,
    todayKwh: row.today_energy_kwh,
    todayRatio: row.today_median_ratio,
    todayNote: row.today_note,
    lostKwh: row.estimated_lost_kwh ?? row.at_risk_kwh,
    openAlerts: row.open_alerts,
  };
}

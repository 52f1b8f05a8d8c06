import type { FleetView } from '../fleet-view.ts';
import { scopedRows } from '../fleet-view.ts';
import { filterFleet, fleetPage, fleetTotals, orderOf } from '../fleet-query.ts';
import type { FleetRow } from '../fleet-row.ts';
import type { PlantScope } from '../../../db/scope.ts';
import { type FleetPage, fleetPageSize, type FleetQuery } from './fleet.ts';

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
  const order = orderOf(query.sort === '' ? 'worst' : query.sort);
  const shown = fleetPage(found, order, { after: null, limit: query.pages * fleetPageSize });
  const zones = new Set(rows.map((row) => row.timezone));
  const customers = new Set(rows.flatMap((row) => row.customer_id ?? []));
  const [onlyZone] = zones;
  return {
    query,
    totals,
    yesterdayKwh: rows.some((row) => row.yesterday_energy_kwh !== null)
      ? totals.yesterday_energy_kwh
      : null,
    todayKwh: rows.some((row) => row.today_energy_kwh !== null) ? totals.today_energy_kwh : null,
    rows: shown.rows,
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

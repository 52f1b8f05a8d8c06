import { type ReaderZone, sharedZone } from '../../../domain/zone.ts';
import type { FleetView } from '../fleet-view.ts';
import { scopedRows } from '../fleet-view.ts';
import { filterFleet, fleetPage, fleetTotals, orderOf } from '../fleet-query.ts';
import type { FleetRow } from '../fleet-row.ts';
import { listIncidents } from '../../../db/plants/incidents.ts';
import { readStrips } from '../../../db/plants/strips.ts';
import { incidentWords } from '../../../operations/plants/incidents.ts';
import type { ApiDeps } from '../../deps.ts';
import { type Person, plantScope } from '../../env.ts';
import { viewerMay } from '../../pages/layout.ts';
import { type FleetPage, fleetPageSize, type FleetQuery } from './fleet.ts';

/** Makes the view of the fleet's page from the lines in memory and the strips in PostgreSQL. */

export async function readFleetPage(
  { db, clock }: Pick<ApiDeps, 'db' | 'clock'>,
  view: FleetView,
  { person, zone }: { person: Person; zone: ReaderZone },
  query: FleetQuery,
): Promise<FleetPage> {
  const nowMs = clock();
  const scope = plantScope(person);
  const [fleet, incidents] = await Promise.all([
    view.read(),
    listIncidents(db, { state: 'open' }, scope),
  ]);
  const rows = scopedRows(fleet, scope);
  const { status, brand, customer, incident, q } = query;
  const ofAnyStatus = filterFleet(rows, {
    ...(brand === null ? {} : { brand }),
    ...(customer === null ? {} : { customer }),
    ...(incident === null ? {} : { incident }),
    q,
  });
  const found = filterFleet(
    ofAnyStatus,
    // Plants that are not polled are counted, and shown, apart from the colours.
    status === null ? {} : status === 'STALE' ? { stale: true } : { status, stale: false },
  );
  const totals = fleetTotals(found);
  const all = fleetTotals(rows);
  const order = orderOf(query.sort === '' ? 'worst' : query.sort);
  const shown = fleetPage(found, order, { after: null, limit: query.pages * fleetPageSize });
  const customers = new Set(rows.flatMap((row) => row.customer_id ?? []));
  return {
    query,
    totals,
    counts: fleetTotals(ofAnyStatus),
    all,
    yesterdayKwh: found.some((row) => row.yesterday_energy_kwh !== null)
      ? totals.yesterday_energy_kwh
      : null,
    todayKwh: found.some((row) => row.today_energy_kwh !== null) ? totals.today_energy_kwh : null,
    rows: shown.rows,
    strips: await readStrips(
      db,
      shown.rows.map((row) => row.id),
      nowMs,
    ),
    incidents: incidents.map((one) => ({ id: one.id, sentence: incidentWords(one, nowMs, zone) })),
    customers: scope.customerId === null ? [...customers].sort() : [],
    stopped: all.monitoring_stopped ? { sinceMs: lastLookMs(rows) } : null,
    maySeeSystem: viewerMay(person).seeSystem,
    zone,
    timezone: zone ?? sharedZone(rows),
    nowMs,
  };
}

/** The newest poll of the plants that are stale, ms; null if none was ever polled. */
function lastLookMs(rows: readonly FleetRow[]): number | null {
  const looks = rows.flatMap((row) => (row.stale ? (row.last_polled_at?.getTime() ?? []) : []));
  return looks.length === 0 ? null : looks.reduce((a, b) => Math.max(a, b));
}

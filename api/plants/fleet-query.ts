import { cutPage } from '../../db/page.ts';
import type { Brand, Status } from '../../domain/plants/plant.ts';
import { hasStopped } from '../../domain/stopped.ts';
import { roundedKwh, roundedW } from '../../domain/rounding.ts';
import type { FleetRow } from './fleet-row.ts';

/** Filters of a list of the fleet; a plant must match all that are given. */
export interface FleetFilter {
  status?: Status | undefined;
  brand?: Brand | undefined;
  customer?: string | undefined;
  /** Text in the name or id; upper and lower case are equal. */
  q?: string | undefined;
  stale?: boolean | undefined;
  /** The id of an open incident: plants that fail in it. */
  incident?: number | undefined;
}

/** Columns by which a list can be sorted; `worst` is the order of the fleet list. */
const sortKeys = {
  worst: (row) => row.worst_key,
  name: (row) => [row.name.toLocaleLowerCase('en')],
  brand: (row) => [row.brand],
  customer: (row) => [row.customer_id],
  data_age: (row) => [row.data_age_s],
  power: (row) => [row.power_now_w],
  yesterday: (row) => [row.yesterday_energy_kwh],
  yesterday_per_kwp: (row) => [row.yesterday_kwh_per_kwp],
  yesterday_ratio: (row) => [row.yesterday_median_ratio],
  today: (row) => [row.today_energy_kwh],
  today_ratio: (row) => [row.today_median_ratio],
  lost: (row) => [row.estimated_lost_kwh ?? row.at_risk_kwh],
  alerts: (row) => [row.open_alerts],
} as const satisfies Record<string, (row: FleetRow) => SortKey>;

export type FleetSort = keyof typeof sortKeys;
export const fleetSorts = Object.keys(sortKeys) as FleetSort[];

type SortKey = readonly (number | string | null)[];

/** The end of a page: the sort key of its last line, which may have moved since. */
export type FleetPosition = SortKey;

export interface FleetOrder {
  sort: FleetSort;
  descending: boolean;
}

/** The order of a sort, which is one of `fleetSorts`; a leading "-" means descending. */
export function orderOf(sort: string): FleetOrder {
  const descending = sort.startsWith('-');
  return { sort: (descending ? sort.slice(1) : sort) as FleetSort, descending };
}

export function filterFleet(rows: readonly FleetRow[], filter: FleetFilter): FleetRow[] {
  const text = filter.q?.trim().toLocaleLowerCase('en') ?? '';
  return rows.filter(
    (row) =>
      (filter.status === undefined || row.status === filter.status) &&
      (filter.brand === undefined || row.brand === filter.brand) &&
      (filter.customer === undefined || row.customer_id === filter.customer) &&
      (filter.stale === undefined || row.stale === filter.stale) &&
      (filter.incident === undefined || row.incident_id === filter.incident) &&
      (text === '' ||
        row.name.toLocaleLowerCase('en').includes(text) ||
        row.id.toLocaleLowerCase('en').includes(text)),
  );
}

/** The position of a line: its sort key and its id, so that every position is unique. */
function positionOf(row: FleetRow, sort: FleetSort): FleetPosition {
  return [...sortKeys[sort](row), row.id];
}

/** Lines without a value come last, ascending and descending. */
function comparePositions(a: FleetPosition, b: FleetPosition, descending: boolean): number {
  const parts = Math.max(a.length, b.length);
  for (let index = 0; index < parts; index += 1) {
    const [x, y] = [a[index] ?? null, b[index] ?? null];
    if (x === y) continue;
    if (x === null) return 1;
    if (y === null) return -1;
    return x < y !== descending ? -1 : 1;
  }
  return 0;
}

/** One page of `rows`, which are sorted worst first, and the position at which the next page begins; null on the last page. */
export function fleetPage(
  rows: readonly FleetRow[],
  { sort, descending }: FleetOrder,
  page: { after: FleetPosition | null; limit: number },
): { rows: FleetRow[]; next: FleetPosition | null } {
  const placed = rows.map((row) => ({ row, at: positionOf(row, sort) }));
  // `rows` already are in this order.
  if (sort !== 'worst' || descending)
    placed.sort((a, b) => comparePositions(a.at, b.at, descending));
  const { after, limit } = page;
  const first =
    after === null ? 0 : placed.findIndex(({ at }) => comparePositions(at, after, descending) > 0);
  if (first === -1) return { rows: [], next: null };
  const shown = cutPage(placed.slice(first), limit);
  return { rows: shown.rows.map(({ row }) => row), next: shown.nextAfter?.at ?? null };
}

export type FleetTotals = ReturnType<typeof fleetTotals>;

/** Plants in figures: a fleet, or those of it that a filter leaves. Plants that were not polled in time are counted apart from the colours. */
export function fleetTotals(rows: readonly FleetRow[]) {
  const polled = Map.groupBy(rows, (row) => (row.stale ? 'STALE' : row.status));
  const count = (kind: Status | 'STALE'): number => polled.get(kind)?.length ?? 0;
  const sum = (figure: (row: FleetRow) => number | null): number =>
    rows.reduce((total, row) => total + (figure(row) ?? 0), 0);
  const active = rows.filter((row) => row.integration_status === 'ACTIVE').length;
  const newestMs = rows.reduce((ms, row) => Math.max(ms, row.last_polled_at?.getTime() ?? 0), 0);
  return {
    plants: rows.length,
    green: count('GREEN'),
    yellow: count('YELLOW'),
    red: count('RED'),
    grey: count('GREY'),
    not_polled: count('STALE'),
    active,
    /** Number of plants whose power is fresh; `power_now_w` is their sum. */
    fresh: rows.filter((row) => row.power_now_w !== null).length,
    power_now_w: roundedW(sum((row) => row.power_now_w)),
    /** Each plant's own yesterday and today. */
    yesterday_energy_kwh: roundedKwh(sum((row) => row.yesterday_energy_kwh)),
    today_energy_kwh: roundedKwh(sum((row) => row.today_energy_kwh)),
    newest_poll_at: newestMs === 0 ? null : new Date(newestMs),
    /** A tenth of the ACTIVE plants, or more, were not polled in time: the colours are from `newest_poll_at`. */
    monitoring_stopped: hasStopped(count('STALE'), active),
  };
}

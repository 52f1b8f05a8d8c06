import { describe, expect, test } from 'vitest';

import { sampleFleetRow } from '../../test/support/fleet-row.ts';
import { fleetPage, type FleetPosition, fleetTotals, filterFleet } from './fleet-query.ts';
import type { FleetRow } from './fleet-row.ts';

const fleet = (count: number, change: (n: number) => Partial<FleetRow> = () => ({})) =>
  Array.from({ length: count }, (_, n) => {
    const id = `plant-${String(n).padStart(3, '0')}`;
    return sampleFleetRow({ id, name: `Plant ${n}`, worst_key: [5, 1, 0, id], ...change(n) });
  });
const ids = (rows: readonly FleetRow[]) => rows.map(({ id }) => id);

function allPages(
  rows: readonly FleetRow[],
  order: Parameters<typeof fleetPage>[1],
  limit: number,
): FleetRow[][] {
  const pages: FleetRow[][] = [];
  let after: FleetPosition | null = null;
  do {
    const page: ReturnType<typeof fleetPage> = fleetPage(rows, order, { after, limit });
    pages.push(page.rows);
    after = page.next;
  } while (after !== null);
  return pages;
}

describe('pages of the fleet', () => {
  test('hold each plant once, in order, whatever is sorted by', () => {
    const rows = fleet(25, (n) => ({ power_now_w: n % 3 === 0 ? null : n % 5 }));
    for (const sort of ['worst', 'name', 'power'] as const) {
      for (const descending of [false, true]) {
        const pages = allPages(rows, { sort, descending }, 7);
        expect(pages.map((page) => page.length)).toEqual([7, 7, 7, 4]);
        expect(new Set(ids(pages.flat())).size).toBe(25);
      }
    }
  });

  test('that end with the last plant have no next one', () => {
    expect(
      fleetPage(fleet(4), { sort: 'worst', descending: false }, { after: null, limit: 4 }).next,
    ).toBeNull();
  });

  test('put what has no value last, both ways', () => {
    const rows = fleet(4, (n) => ({ power_now_w: [2, null, 1, null][n] ?? null }));
    const sorted = (descending: boolean) =>
      ids(fleetPage(rows, { sort: 'power', descending }, { after: null, limit: 9 }).rows).slice(
        0,
        2,
      );
    expect(sorted(false)).toEqual(['plant-002', 'plant-000']);
    expect(sorted(true)).toEqual(['plant-000', 'plant-002']);
  });

  test('go on behind the place of the last plant, though that one is gone or has moved', () => {
    const rows = fleet(6);
    const order = { sort: 'worst', descending: false } as const;
    const { next } = fleetPage(rows, order, { after: null, limit: 3 });
    const without = rows.filter(({ id }) => id !== 'plant-002');
    expect(ids(fleetPage(without, order, { after: next, limit: 2 }).rows)).toEqual([
      'plant-003',
      'plant-004',
    ]);
  });
});

describe('filters', () => {
  test('find text in names and ids, in capitals or not', () => {
    const rows = [
      sampleFleetRow({ id: 'canal', name: 'Canal House' }),
      sampleFleetRow({ id: 'x-1', name: 'Südhang' }),
    ];
    expect(ids(filterFleet(rows, { q: ' SÜD ' }))).toEqual(['x-1']);
    expect(ids(filterFleet(rows, { q: 'CAN' }))).toEqual(['canal']);
    expect(ids(filterFleet(rows, { q: '' }))).toEqual(['canal', 'x-1']);
  });
});

describe('totals', () => {
  test('count plants that were not polled in time apart from the colours', () => {
    const rows = fleet(20, (n) => ({ stale: n === 0, status: n < 2 ? 'RED' : 'GREEN' }));
    expect(fleetTotals(rows)).toMatchObject({
      plants: 20,
      red: 1,
      green: 18,
      not_polled: 1,
      monitoring_stopped: false,
    });
  });

  test('say that monitoring has stopped when a tenth of the active plants was not polled', () => {
    expect(fleetTotals(fleet(20, (n) => ({ stale: n < 2 }))).monitoring_stopped).toBe(true);
    expect(fleetTotals(fleet(21, (n) => ({ stale: n < 2 }))).monitoring_stopped).toBe(false);
    expect(fleetTotals([]).monitoring_stopped).toBe(false);
  });

  test('add only power that is fresh, and say of how many plants it is', () => {
    const rows = fleet(3, (n) => ({ power_w: 1_000, power_now_w: n === 0 ? null : 1_000 }));
    expect(fleetTotals(rows)).toMatchObject({ power_now_w: 2_000, fresh: 2, active: 3 });
  });
});

import { describe, expect, test } from 'vitest';

import { brands } from '../../domain/plants/plant.ts';
import { drawFleet, ordinaryIntervalS } from './draw-fleet.ts';
import { drawSchedule, faultKinds, lengthS, type PlannedFault } from './schedule.ts';

const seeds = Array.from({ length: 200 }, (_, n) => String(n));
const fleet = drawFleet('1', 200);

function faultsOf(seed: string, minutes: number): PlannedFault[] {
  return drawSchedule(seed, minutes, fleet).acts.flatMap((act) => act.faults);
}

describe('the schedule of a seed', () => {
  test('is the same each time, and another one for another seed', () => {
    expect(drawSchedule('7', 5, drawFleet('7', 200))).toEqual(
      drawSchedule('7', 5, drawFleet('7', 200)),
    );
    const orders = seeds.map((seed) => faultsOf(seed, 5).map((fault) => fault.kind));
    expect(new Set(orders.map((order) => order.join())).size).toBeGreaterThan(190);
  });

  test('holds every kind in five minutes, and fits into them', () => {
    for (const seed of seeds) {
      const { acts, leftOut } = drawSchedule(seed, 5, fleet);
      expect(leftOut).toEqual([]);
      expect(new Set(acts.flatMap((act) => act.faults.map((fault) => fault.kind)))).toEqual(
        new Set(faultKinds),
      );
      const last = acts.at(-1);
      expect(last && last.startsAtS + lengthS(last)).toBeLessThanOrEqual(5 * 60);
    }
  });

  test('names what a short one leaves out', () => {
    for (const seed of seeds) {
      const { acts, leftOut } = drawSchedule(seed, 1.5, fleet);
      const drawn = acts.flatMap((act) => act.faults.map((fault) => fault.kind));
      expect([...drawn, ...leftOut].toSorted()).toEqual([...faultKinds].toSorted());
      expect(new Set(drawn).size).toBe(drawn.length);
      expect(drawn.length).toBeGreaterThanOrEqual(6);
      const last = acts.at(-1);
      expect(last && last.startsAtS + lengthS(last)).toBeLessThanOrEqual(1.5 * 60);
    }
  });

  test('lets faults last longer in more minutes, up to what production must survive', () => {
    const hangs = (minutes: number) =>
      seeds.flatMap((seed) =>
        faultsOf(seed, minutes).flatMap((fault) =>
          fault.kind === 'VENDOR_HANGS' ? [fault.lastsS] : [],
        ),
      );
    expect(Math.max(...hangs(5))).toBeLessThan(40);
    expect(Math.min(...hangs(20))).toBeGreaterThan(50);
    expect(Math.max(...hangs(20))).toBe(120);
    const away = seeds.flatMap((seed) =>
      faultsOf(seed, 20).flatMap((fault) => (fault.kind === 'POSTGRES_AWAY' ? [fault.lastsS] : [])),
    );
    expect(Math.max(...away)).toBe(30);
  });

  test('overlaps only what nobody but its targets may feel', () => {
    for (const seed of seeds) {
      for (const { faults } of drawSchedule(seed, 10, fleet).acts) {
        const [hang] = faults;
        if (hang?.kind !== 'VENDOR_HANGS') continue;
        const kinds = faults.map((fault) => fault.kind).toSorted();
        expect(kinds).toEqual([
          'HOSTILE_BODIES',
          'REDIS_FLUSHED',
          'REDIS_KILLED',
          'REDIS_PAUSED',
          'REDIS_READ_ONLY',
          'VENDOR_HANGS',
          'VENDOR_SLOW',
        ]);
        for (const fault of faults) {
          expect(fault.afterS + fault.lastsS).toBeLessThanOrEqual(hang.lastsS);
        }
        const hostile = faults.find((fault) => fault.kind === 'HOSTILE_BODIES');
        const slow = faults.find((fault) => fault.kind === 'VENDOR_SLOW');
        for (const { plantId } of hostile?.bodies ?? []) {
          const brand = fleet.find((plant) => plant.id === plantId)?.brand;
          expect([hang.brand, slow?.brand]).not.toContain(brand);
        }
      }
    }
  });

  test('lets workers die side by side, each of brands of its own', () => {
    for (const seed of seeds) {
      const { layout, acts } = drawSchedule(seed, 5, fleet);
      expect(layout.flat().toSorted()).toEqual([...brands].toSorted());
      expect(layout.map((served) => served.length)).toEqual([2, 1, 1]);
      for (const { faults } of acts) {
        const posts = faults.flatMap((fault) => ('post' in fault ? [fault.post] : []));
        expect(new Set(posts).size).toBe(posts.length);
        if (faults.length > 1) expect([0, faults.length]).toContain(posts.length);
      }
    }
  });

  test('lets a brand hang that shares its process with another', () => {
    for (const seed of seeds) {
      const { layout, acts } = drawSchedule(seed, 5, fleet);
      for (const fault of acts.flatMap((act) => act.faults))
        if (fault.kind === 'VENDOR_HANGS') expect(layout[0]).toContain(fault.brand);
    }
  });

  test('has no two faults of Redis at once', () => {
    for (const seed of seeds) {
      const redis = faultsOf(seed, 5).filter((fault) => fault.kind.startsWith('REDIS'));
      for (const [n, fault] of redis.entries()) {
        const next = redis[n + 1];
        if (next !== undefined)
          expect(fault.afterS + fault.lastsS).toBeLessThanOrEqual(next.afterS);
      }
    }
  });
});

describe('the fleet of a seed', () => {
  test('has so many plants of all four brands, each with a vendor id of its own', () => {
    for (const seed of seeds.slice(0, 20)) {
      const plants = drawFleet(seed, 200);
      expect(plants).toHaveLength(200);
      expect(new Set(plants.map((plant) => plant.id)).size).toBe(200);
      const vendorIds = plants.map((plant) => `${plant.brand} ${plant.vendor_plant_id}`);
      expect(new Set(vendorIds).size).toBe(200);
      const pollsPerS = plants.reduce((sum, plant) => sum + 1 / plant.intervalS, 0);
      expect(pollsPerS).toBeGreaterThan(10);
      expect(pollsPerS).toBeLessThan(15);
    }
  });

  test('keeps its load when it grows', () => {
    expect(ordinaryIntervalS(200)).toBe(20);
    expect(ordinaryIntervalS(1_000)).toBe(100);
  });
});

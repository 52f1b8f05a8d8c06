import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  type BrandCount,
  decideIncidents,
  type Incident,
  incidentLimits,
  incidentSentence,
} from './incidents.ts';
import { type Brand, brands } from './plant.ts';
import { hourMs, minuteMs } from '../zone.ts';

const startMs = Date.parse('2026-06-10T08:00:00Z');
const stepMs = minuteMs / 2;
const intervalMs = 10 * minuteMs;

function count(brand: Brand, plantsFailed: number, plantsActive: number): BrandCount {
  return {
    brand,
    plantsActive,
    plantsFailed,
    errors: plantsFailed === 0 ? {} : { VENDOR_ERROR: plantsFailed },
    accountsRefused: 0,
    intervalMs,
    failingSinceMs: [],
  };
}
const well = [count('SOLIS', 0, 12), count('GOODWE', 0, 12), count('DELE', 0, 12)];
const huawei = (failed: number, active = 15) => [count('HUAWEI', failed, active), ...well];

/** Reconciliations every 30 s; ids are given as the database gives them. */
class Fleet {
  incidents: Incident[] = [];
  closed: Incident[] = [];
  nowMs = startMs;
  #ids = 0;

  reconcile(
    counts: readonly BrandCount[],
    times = 1,
    probesAnswered: readonly number[] = [],
  ): this {
    for (let n = 0; n < times; n += 1) {
      this.nowMs += stepMs;
      const { incidents, forgotten } = decideIncidents(
        this.incidents,
        { counts, probesAnswered },
        this.nowMs,
        incidentLimits,
      );
      const written = incidents.map((one) => ({ ...one, id: one.id ?? (this.#ids += 1) }));
      const untouched = this.incidents.filter(
        ({ id }) => !written.some((one) => one.id === id) && !forgotten.includes(id ?? 0),
      );
      this.closed.push(...written.filter(({ closedAtMs }) => closedAtMs !== null));
      this.incidents = [...untouched, ...written.filter(({ closedAtMs }) => closedAtMs === null)];
    }
    return this;
  }

  get open(): (Brand | 'ALL')[] {
    return this.incidents
      .filter(({ openedAtMs }) => openedAtMs !== null)
      .map(({ brand }) => brand ?? 'ALL');
  }
}

describe('a brand that fails', () => {
  test('opens an incident after 5 min, not 30 s earlier, since when it was first seen', () => {
    const fleet = new Fleet().reconcile(huawei(5), 10);
    expect(fleet.open).toEqual([]);
    expect(fleet.reconcile(huawei(5)).open).toEqual(['HUAWEI']);
    expect(fleet.incidents[0]?.suspectedAtMs).toBe(startMs + stepMs);
  });

  test.each([
    ['with 4 plants, all of them', 4, 4],
    ['with less than a third', 5, 16],
  ])('%s is none', (_, failed, active) => {
    expect(new Fleet().reconcile(huawei(failed, active), 30).incidents).toEqual([]);
  });

  test('with a third, of at least 5, is one', () => {
    expect(new Fleet().reconcile(huawei(5, 15), 11).open).toEqual(['HUAWEI']);
  });

  test('that answers within the 5 min leaves nothing, and begins anew', () => {
    const fleet = new Fleet().reconcile(huawei(9), 9).reconcile(huawei(0));
    expect(fleet.incidents).toEqual([]);
    expect(fleet.reconcile(huawei(9), 10).open).toEqual([]);
  });

  test('takes two reconciliations, however far apart', () => {
    const fleet = new Fleet().reconcile(huawei(9));
    fleet.nowMs += hourMs;
    expect(fleet.open).toEqual([]);
    expect(fleet.reconcile(huawei(9)).open).toEqual(['HUAWEI']);
  });

  test('closes when under a tenth failed for one interval', () => {
    const fleet = new Fleet().reconcile(huawei(20, 20), 12).reconcile(huawei(1, 20), 20);
    expect(fleet.open).toEqual(['HUAWEI']);
    expect(fleet.reconcile(huawei(1, 20)).open).toEqual([]);
    expect(fleet.closed).toHaveLength(1);
  });

  test('stays open while a tenth fails, and by a relapse', () => {
    const fleet = new Fleet().reconcile(huawei(20, 20), 12);
    expect(fleet.reconcile(huawei(2, 20), 100).open).toEqual(['HUAWEI']);
    fleet.reconcile(huawei(0, 20), 19).reconcile(huawei(2, 20));
    expect(fleet.reconcile(huawei(0, 20), 20).open).toEqual(['HUAWEI']);
  });

  test('stays as it is while nobody is polled', () => {
    const fleet = new Fleet().reconcile(huawei(20, 20), 12);
    expect(fleet.reconcile(huawei(0, 0), 100).open).toEqual(['HUAWEI']);
  });
});

describe('all brands at once', () => {
  const all = (failed: number) => brands.map((brand) => count(brand, failed, 12));

  test('are one incident, our side', () => {
    expect(new Fleet().reconcile(all(12), 11).open).toEqual(['ALL']);
  });

  test('are one incident, since the first, where one brand was seen 30 s before the others', () => {
    const fleet = new Fleet().reconcile(huawei(12)).reconcile(all(12), 10);
    expect(fleet.open).toEqual(['ALL']);
    expect(fleet.incidents[0]?.suspectedAtMs).toBe(startMs + stepMs);
  });

  test('of which one goes on failing: our side closes, the brand stands since the same time', () => {
    const fleet = new Fleet().reconcile(all(12), 20);
    fleet.reconcile(huawei(12, 12), 25);
    expect(fleet.open).toEqual(['HUAWEI']);
    expect(fleet.incidents[0]?.suspectedAtMs).toBe(startMs + stepMs);
  });

  test('but one that answers are theirs', () => {
    const fleet = new Fleet().reconcile([...all(12).slice(1), count('SOLIS', 0, 12)], 11);
    expect(fleet.open.sort()).toEqual(['DELE', 'GOODWE', 'HUAWEI']);
  });

  test('in a fleet of one brand are that brand', () => {
    expect(new Fleet().reconcile([count('DELE', 9, 9)], 11).open).toEqual(['DELE']);
  });
});

describe('refused credentials', () => {
  const refused = (accountsRefused: number) => [
    { ...count('HUAWEI', 12, 12), errors: { AUTH_FAILED: 12 }, accountsRefused },
    ...well,
  ];

  test('of three accounts are held from the opening on, of two they are not', () => {
    expect(new Fleet().reconcile(refused(2), 11).incidents[0]?.heldAtMs).toBeNull();
    const fleet = new Fleet().reconcile(refused(3), 11);
    expect(fleet.incidents[0]).toMatchObject({ heldAtMs: fleet.nowMs, probedAtMs: fleet.nowMs });
  });

  test('are released when the one that tried was answered, and held again if that was wrong', () => {
    const fleet = new Fleet().reconcile(refused(3), 30);
    const id = fleet.incidents[0]?.id ?? 0;
    fleet.reconcile(refused(3), 1, [id]);
    expect(fleet.incidents[0]).toMatchObject({ heldAtMs: null, releasedAtMs: fleet.nowMs });
    fleet.reconcile(refused(0));
    expect(fleet.incidents[0]?.heldAtMs).toBeNull();
    fleet.reconcile(refused(3));
    expect(fleet.incidents[0]?.heldAtMs).toBe(fleet.nowMs);
  });

  test('are not held once the incident has closed', () => {
    const fleet = new Fleet().reconcile(refused(3), 30).reconcile(huawei(0, 12), 21);
    expect(fleet.closed[0]).toMatchObject({ heldAtMs: null });
  });
});

test('any life: one incident a brand, open only after 5 min of failing, closed only after an interval without', () => {
  const counts = fc.tuple(
    ...brands.map((brand) =>
      fc
        .tuple(fc.nat({ max: 12 }), fc.nat({ max: 12 }))
        .map(([failed, others]) => count(brand, failed, failed + others)),
    ),
  );
  const lives = fc.array(fc.tuple(counts, fc.integer({ min: 1, max: 24 })), { maxLength: 12 });
  fc.assert(
    fc.property(lives, (life) => {
      const fleet = new Fleet();
      for (const [seen, times] of life) {
        fleet.reconcile(seen, times);
        const names = fleet.incidents.map(({ brand }) => brand);
        expect(new Set(names).size).toBe(names.length);
        for (const one of [...fleet.incidents, ...fleet.closed]) {
          if (one.openedAtMs === null) continue;
          expect(one.openedAtMs - one.suspectedAtMs).toBeGreaterThanOrEqual(incidentLimits.afterMs);
          expect(one.sightings).toBeGreaterThanOrEqual(2);
          if (one.closedAtMs === null) continue;
          expect(one.closedAtMs - (one.recoveringSinceMs ?? NaN)).toBeGreaterThanOrEqual(
            intervalMs,
          );
        }
      }
    }),
  );
});

describe('the beginning of an outage', () => {
  const beganMs = startMs - 4 * minuteMs;
  const begins = (failingSinceMs: readonly number[], active = 15) => {
    const failing = { ...count('HUAWEI', failingSinceMs.length, active), failingSinceMs };
    return new Fleet().reconcile([failing, ...well]).incidents[0]?.failingSinceMs;
  };
  const later = (n: number) => Array.from({ length: n }, (_, i) => beganMs + i * (minuteMs / 2));

  test('is its first failed poll, not the reconciliation that saw it', () => {
    expect(begins(later(6))).toBe(beganMs);
    expect(begins(later(6).toReversed())).toBe(beganMs);
  });

  test('is not dated by a plant that has failed for days', () => {
    expect(begins([beganMs - 72 * hourMs, ...later(6)])).toBe(beganMs);
    // The fifth fails at 1 min 30 s: what began exactly one interval before still counts.
    const earliestMs = beganMs + 1.5 * minuteMs - intervalMs;
    expect(begins([earliestMs - 1, ...later(4)])).toBe(beganMs);
    expect(begins([earliestMs, ...later(4)])).toBe(earliestMs);
  });

  test('stays while the incident lasts, and so does the largest number of its plants', () => {
    const fleet = new Fleet()
      .reconcile([{ ...count('HUAWEI', 9, 15), failingSinceMs: later(9) }, ...well], 20)
      .reconcile([{ ...count('HUAWEI', 5, 15), failingSinceMs: later(9).slice(4) }, ...well]);
    expect(fleet.incidents).toMatchObject([
      { failingSinceMs: beganMs, plantsFailed: 5, plantsFailedMost: 9 },
    ]);
  });
});

test('an incident is told by the clock of the plant, with the date where that was another day', () => {
  const at = Date.parse('2026-06-10T08:00:00Z');
  const times = { failingSinceMs: at, recoveringSinceMs: null, closedAtMs: null };
  const words = (
    brand: Brand | null,
    nowMs: number,
    later: { recoveringSinceMs?: number; closedAtMs?: number } = {},
  ) => incidentSentence({ brand, ...times, ...later }, 'Europe/Madrid', nowMs);
  expect(words('HUAWEI', at + hourMs)).toBe('HUAWEI not answering since 10:00 UTC+2.');
  expect(words(null, at + 24 * hourMs)).toBe(
    'Our side: no vendor answers since 2026-06-10 10:00 UTC+2.',
  );
  const recovered = { recoveringSinceMs: at + 25 * minuteMs };
  expect(words('HUAWEI', at + hourMs, recovered)).toBe(
    'HUAWEI answers again since 10:25 UTC+2, after not answering since 10:00 UTC+2.',
  );
  const closed = { ...recovered, closedAtMs: at + 35 * minuteMs };
  expect(words('HUAWEI', at + hourMs, closed)).toBe(
    'HUAWEI did not answer from 10:00 UTC+2 to 10:25 UTC+2.',
  );
  expect(words(null, at + hourMs, closed)).toBe(
    'Our side: no vendor answered from 10:00 UTC+2 to 10:25 UTC+2.',
  );
});

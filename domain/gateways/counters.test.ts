import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { acceptCounter, type CounterReading, type CounterState, judgeCounter } from './counters.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

type Reading = readonly [atMs: number, value: number];

/** Feeds readings to the guard. @returns which were GOOD. */
function judged(readings: readonly Reading[], changes: Partial<CounterReading> = {}): boolean[] {
  let state: CounterState | null = null;
  return readings.map(([atMs, value]) => {
    const verdict = judgeCounter(state, {
      kind: 'COUNTER',
      value,
      atMs,
      resolution: 0.01,
      maxRatePerHour: 10,
      looksNegative: false,
      ...changes,
    });
    // The states are stored as JSON.
    state = JSON.parse(JSON.stringify(verdict.state)) as CounterState;
    return verdict.isGood;
  });
}

describe('a counter', () => {
  test('may rise by its rate, a tenth more and two resolutions, since it last changed', () => {
    expect(
      judged([
        [0, 100],
        [hourMs, 111.02],
      ]),
    ).toEqual([true, true]);
    expect(
      judged([
        [0, 100],
        [hourMs, 111.03],
      ]),
    ).toEqual([true, false]);
    const still: Reading[] = [
      [0, 100],
      [hourMs, 100],
      [2 * hourMs, 122],
    ];
    expect(judged(still)).toEqual([true, true, true]);
    const steps: Reading[] = [
      [0, 100],
      [minuteMs, 101],
      [2 * minuteMs, 102],
    ];
    expect(judged(steps, { resolution: 1 })).toEqual([true, true, true]);
  });

  test('that falls within one resolution is equal, and its mark stays', () => {
    expect(
      judged([
        [0, 100],
        [minuteMs, 99.99],
        [2 * minuteMs, 99.98],
      ]),
    ).toEqual([true, true, false]);
  });

  test('that shows a zero between two equal totals has eleven zeros held back', () => {
    const readings = Array.from({ length: 23 }, (_, index): Reading => [
      index * minuteMs,
      index % 2 === 0 ? 29.47 + index / 1000 : 0,
    ]);
    expect(judged(readings, { resolution: 0.001 })).toEqual(readings.map(([, value]) => value > 0));
  });

  test('is reset once three readings over ten minutes agree', () => {
    const readings: Reading[] = [
      [0, 5000],
      [minuteMs, 0],
      [6 * minuteMs, 0.2],
      [10 * minuteMs, 0.4],
      [11 * minuteMs, 0.5],
      [12 * minuteMs, 0.6],
    ];
    expect(judged(readings)).toEqual([true, false, false, false, true, true]);
    expect(
      judged([
        [0, 5000],
        [minuteMs, 0],
        [20 * minuteMs, 1],
      ]),
    ).toEqual([true, false, false]);
  });

  test('records a reset', () => {
    let state: CounterState | null = null;
    for (const [minute, value] of [
      [0, 5000],
      [1, 0],
      [6, 0.1],
      [12, 0.2],
    ] as const)
      ({ state } = judgeCounter(state, {
        kind: 'COUNTER',
        value,
        atMs: minute * minuteMs,
        resolution: 0.1,
        maxRatePerHour: 10,
        looksNegative: false,
      }));
    expect(state).toMatchObject({
      value: 0.2,
      reset: { atMs: 12 * minuteMs, from: 5000, to: 0.2 },
    });
  });

  test('that jumps stays BAD for days, until a person accepts it', () => {
    const days = Array.from({ length: 100 }, (_, hour): Reading => [
      (hour + 1) * hourMs,
      1000 + hour,
    ]);
    expect(judged([[0, 100], ...days]).slice(1)).toEqual(days.map(() => false));
    const state = {
      '3/total': { value: 100 } as CounterState,
      '3/other': { value: 1 } as CounterState,
    };
    expect(Object.keys(acceptCounter(state, { unitId: 3, key: 'total' }))).toEqual(['3/other']);
    expect(
      judgeCounter(null, {
        kind: 'COUNTER',
        value: 1000,
        atMs: 0,
        resolution: 1,
        maxRatePerHour: 10,
        looksNegative: false,
      }).isGood,
    ).toBe(true);
  });

  test('that spikes once goes on where it was', () => {
    expect(
      judged([
        [0, 100],
        [minuteMs, 9000],
        [2 * minuteMs, 100.1],
        [3 * minuteMs, 100.2],
      ]),
    ).toEqual([true, false, true, true]);
  });

  test('that falls to a middle value is BAD until it is back', () => {
    expect(
      judged([
        [0, 1000],
        [minuteMs, 700],
        [30 * minuteMs, 700],
        [31 * minuteMs, 1000.1],
      ]),
    ).toEqual([true, false, false, true]);
  });

  test('of unknown rate is judged by its falls alone', () => {
    const free = { maxRatePerHour: null };
    expect(
      judged(
        [
          [0, 100],
          [1000, 1e6],
          [2000, 100],
        ],
        free,
      ),
    ).toEqual([true, true, false]);
  });

  test('that holds a negative total without its sign is BAD: slowly falling from 4.29e9', () => {
    const readings = Array.from({ length: 60 }, (_, minute): Reading => [
      minute * minuteMs,
      4294967000 - 3 * minute,
    ]);
    expect(judged(readings, { looksNegative: true, maxRatePerHour: null })).toEqual(
      readings.map(() => false),
    );
    const turned: Reading[] = [
      [0, 5],
      [minuteMs, 4294967290],
    ];
    let state: CounterState | null = null;
    const verdicts = turned.map(([atMs, value]) => {
      const one = judgeCounter(state, {
        kind: 'COUNTER',
        value,
        atMs,
        resolution: 1,
        maxRatePerHour: null,
        looksNegative: value > 1e9,
      });
      ({ state } = one);
      return one.isGood;
    });
    expect(verdicts).toEqual([true, false]);
  });

  test('is never GOOD with less than it showed, unless a reset was confirmed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(600_000), fc.nat(2_000)), { maxLength: 60 }),
        (steps) => {
          let atMs = 0;
          let state: CounterState | null = null;
          let last: number | null = null;
          for (const [afterMs, value] of steps) {
            atMs += afterMs;
            const before: CounterState | null = state;
            const verdict = judgeCounter(state, {
              kind: 'COUNTER',
              value,
              atMs,
              resolution: 1,
              maxRatePerHour: 100,
              looksNegative: false,
            });
            ({ state } = verdict);
            if (!verdict.isGood) continue;
            const isReset =
              state.reset !== null && state.reset.atMs === atMs && before?.reset?.atMs !== atMs;
            if (last !== null && !isReset) expect(value).toBeGreaterThanOrEqual(last - 1);
            last = isReset ? value : Math.max(last ?? 0, value);
          }
        },
      ),
    );
  });
});

describe('a daily counter', () => {
  const daily = { kind: 'DAILY', resolution: 0.1 } as const;

  test('starts again at once, and once in twelve hours', () => {
    const readings: Reading[] = [
      [0, 23.7],
      [hourMs, 0],
      [2 * hourMs, 1],
      [12 * hourMs, 20],
      [12.9 * hourMs, 0],
      [13.1 * hourMs, 0],
    ];
    expect(judged(readings, daily)).toEqual([true, true, true, true, false, true]);
  });

  test('keeps the zero after midnight and holds back a second one', () => {
    expect(
      judged(
        [
          [0, 18],
          [10 * minuteMs, 0],
          [20 * minuteMs, 0.1],
          [30 * minuteMs, 0],
        ],
        { ...daily, resolution: 0.01 },
      ),
    ).toEqual([true, true, true, false]);
  });

  test('may start with what it gained while nobody looked', () => {
    expect(
      judged(
        [
          [0, 30],
          [14 * hourMs, 12],
        ],
        daily,
      ),
    ).toEqual([true, true]);
    expect(
      judged(
        [
          [0, 30],
          [14 * hourMs, 12],
        ],
        { ...daily, maxRatePerHour: null },
      ),
    ).toEqual([true, true]);
    expect(
      judged(
        [
          [0, 30],
          [minuteMs, 12],
        ],
        daily,
      ),
    ).toEqual([true, false]);
  });

  test('that shows its old total again soon had not started a new day', () => {
    expect(
      judged(
        [
          [0, 20],
          [minuteMs, 0],
          [2 * minuteMs, 20.1],
          [3 * hourMs, 40],
          [3.1 * hourMs, 0],
        ],
        daily,
      ),
    ).toEqual([true, true, true, true, true]);
    expect(
      judged(
        [
          [0, 20],
          [minuteMs, 0],
          [3 * hourMs, 55],
        ],
        daily,
      ),
    ).toEqual([true, true, false]);
  });
});

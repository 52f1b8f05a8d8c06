import { expect, test } from 'vitest';

import { returnOf } from './scale-restart.ts';

/** A look every 2 s from the second on; null: no slot was due. */
const looks = (...late: (number | null)[]) => ({
  late_limit_ms: 100,
  samples: late.map((late_p99_ms, n) => ({ after_s: 2 * (n + 1), backlog: 0, late_p99_ms })),
});

test('a worker is back at the first look from which on ten seconds are well', () => {
  expect(returnOf(looks(900, 800, 100, 20, 20, 20, 20, 20, 20))).toEqual({
    backAfterS: 6,
    lateAgain: 0,
    looks: 7,
    worstMs: 0,
  });
});

test('a relapse within ten seconds puts the return off, one after that is told', () => {
  expect(returnOf(looks(900, 20, 20, 101, 20, 20, 20, 20, 20, 20, 115, 20))).toEqual({
    backAfterS: 10,
    lateAgain: 1,
    looks: 8,
    worstMs: 115,
  });
});

test('a worker that was not well for ten seconds, or under which no slot was due, is not back', () => {
  expect(returnOf(looks(900, 20, 20, 20, 20)).backAfterS).toBeNull();
  expect(returnOf(looks(null, null, null, null, null, null, null)).backAfterS).toBeNull();
});

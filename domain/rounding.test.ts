import { expect, test } from 'vitest';

import { roundedKwh, roundedRatio, roundedW } from './rounding.ts';

test('power is read to 1 W, energy to 1 Wh, a ratio to a tenth of a percent; unknown stays unknown', () => {
  expect([roundedW(4_112.499_999), roundedW(-0.4), roundedW(null)]).toEqual([4_112, 0, null]);
  expect([roundedKwh(0.1 + 0.2), roundedKwh(21.400_000_000_000_002)]).toEqual([0.3, 21.4]);
  expect([roundedKwh(null), roundedRatio(null)]).toEqual([null, null]);
  expect(roundedRatio(1 / 3)).toBe(0.333);
});

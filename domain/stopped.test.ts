import { expect, test } from 'vitest';

import { hasStopped } from './stopped.ts';

test.each([
  [0, 0, false],
  [0, 5, false],
  [1, 11, false],
  [1, 10, true],
  [1, 1, true],
])('%s unpolled of %s ACTIVE plants: stopped is %s', (unpolled, active, stopped) => {
  expect(hasStopped(unpolled, active)).toBe(stopped);
});

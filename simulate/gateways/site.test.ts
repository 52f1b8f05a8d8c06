import { expect, test } from 'vitest';

import { liveSite } from './run.ts';

/** A night of a simulated site, as part of the tests of every change; `npm run simulate:site` lives more of them. */

test('a night of a site breaks no invariant, and switches gateways off and on', async () => {
  const { violation, polls, rows, disabled } = await liveSite('1', 8);
  expect(violation).toBeNull();
  // Two gateways alone are polled every ten seconds.
  expect(polls).toBeGreaterThan(4_000);
  expect(rows).toBeGreaterThan(4_000);
  expect(disabled).toBeGreaterThan(0);
}, 300_000);

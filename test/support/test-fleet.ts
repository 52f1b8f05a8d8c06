import { test as base } from 'vitest';

import { createTestFleet, type TestFleet } from './fleet.ts';

/** The test file's own fleet, from its first `test.beforeAll` or test on; gone after the last. */
export let fleet: TestFleet;

/** For files that need PostgreSQL, Redis and Temporal, and no worker, or one that they start themselves. */
export const test = base.extend(
  'fleet',
  { scope: 'file', auto: true },
  async ({}, { onCleanup }) => {
    fleet = await createTestFleet();
    onCleanup(() => fleet.close());
    return fleet;
  },
);

import { test as base } from 'vitest';

import { createTestDatabase, type TestDatabase } from './database.ts';

/** The test file's own database, from its first `test.beforeAll` or test on; dropped after the last. */
export let database: TestDatabase;

/** For files that need PostgreSQL alone: each has a migrated database of its own. */
export const test = base.extend(
  'database',
  { scope: 'file', auto: true },
  async ({}, { onCleanup }) => {
    database = await createTestDatabase();
    onCleanup(() => database.drop());
    return database;
  },
);

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { loadConfig } from './config.ts';
import { withDatabase } from './services.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('a database is open during the call and closed after it, also when the call fails', async () => {
  const config = loadConfig({ DATABASE_URL: database.url });
  const left = await withDatabase(config, async (db) => {
    await sql`select 1`.execute(db);
    return db;
  });
  await expect(sql`select 1`.execute(left)).rejects.toThrow('driver has already been destroyed');

  let failed = left;
  const call = withDatabase(config, async (db) => {
    failed = db;
    throw new Error('the call failed');
  });
  await expect(call).rejects.toThrow('the call failed');
  expect(failed).not.toBe(left);
  await expect(sql`select 1`.execute(failed)).rejects.toThrow('driver has already been destroyed');
});

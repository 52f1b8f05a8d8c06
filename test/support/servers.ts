import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { TestProject } from 'vitest/node';

import { openDatabase } from '../../db/database.ts';
import { migrateToLatest } from '../../db/migrate.ts';
import { bringUpStack } from '../../stack/up.ts';

/** What tests are told of the servers that were brought up for them. */
export interface TestServers {
  /** A migrated database that nobody writes to: `createTestDatabase` copies it. */
  templateUrl: string;
  redisUrl: string;
  temporalAddress: string;
  temporalBinary: string | null;
}

declare module 'vitest' {
  export interface ProvidedContext {
    servers: TestServers;
  }
}

/** Brings up PostgreSQL, Redis and Temporal once for all projects of a run, on ports and data of their own. */
export async function setup({ vitest }: TestProject): Promise<(() => Promise<void>) | undefined> {
  // The projects are set up one after another, and what is provided for one is known to all.
  if ('servers' in vitest.getProvidedContext()) return undefined;
  const dataDir = mkdtempSync(join(tmpdir(), 'heliograph-test-'));
  const stack = await bringUpStack({
    dataDir,
    log: () => {},
    ephemeral: true,
    timeSkipping: true,
    temporalUi: false,
  });
  if (stack.redisUrl === null) {
    await stack.stop();
    throw new Error('the tests need a Redis: install redis-server or valkey-server');
  }
  const db = openDatabase({ url: stack.databaseUrl });
  await migrateToLatest(db);
  await db.destroy();
  vitest.provide('servers', {
    templateUrl: stack.databaseUrl,
    redisUrl: stack.redisUrl,
    temporalAddress: stack.temporalAddress,
    temporalBinary: stack.temporalBinary,
  });
  return async () => {
    await stack.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
}

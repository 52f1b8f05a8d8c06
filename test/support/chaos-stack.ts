import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import type { Kysely } from 'kysely';

import { type Config, loadConfig } from '../../environment/config.ts';
import { openDatabase } from '../../db/database.ts';
import { migrateToLatest } from '../../db/migrate.ts';
import type { Database } from '../../db/tables.ts';
import { bringUpStack, type ManagedServer } from '../../stack/up.ts';

/** Servers of a test's own, which it may kill, and a fleet on them. */
export interface ChaosStack {
  postgres: ManagedServer;
  redis: ManagedServer;
  temporal: ManagedServer;
  redisUrl: string;
  config: Config;
  db: Kysely<Database>;
  client: Client;
  close(): Promise<void>;
}

export async function bringUpChaosStack(): Promise<ChaosStack> {
  const dataDir = mkdtempSync(join(tmpdir(), 'heliograph-chaos-stack-'));
  const stack = await bringUpStack({ dataDir, log: () => {}, ephemeral: true, temporalUi: false });
  const { postgres, redis, temporal, redisUrl } = stack;
  const closeServers = async () => {
    await stack.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  if (postgres === null || redis === null || temporal === null || redisUrl === null) {
    await closeServers();
    throw new Error('a test that kills servers needs its own: install redis-server');
  }
  const db = openDatabase({ url: stack.databaseUrl });
  await migrateToLatest(db);
  const connection = await Connection.connect({ address: stack.temporalAddress });
  return {
    postgres,
    redis,
    temporal,
    redisUrl,
    config: loadConfig({
      DATABASE_URL: stack.databaseUrl,
      REDIS_URL: redisUrl,
      TEMPORAL_ADDRESS: stack.temporalAddress,
      TEMPORAL_NAMESPACE: stack.temporalNamespace,
      INTEGRATION_MOCK_MODE: 'true',
      MASTER_KEY_CURRENT: randomBytes(32).toString('base64'),
    }),
    db,
    client: new Client({ connection, namespace: stack.temporalNamespace }),
    async close() {
      await connection.close();
      await db.destroy();
      await closeServers();
    },
  };
}

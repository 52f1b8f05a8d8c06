import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { type Kysely, sql } from 'kysely';

import { type Config, loadConfig, requireMasterKeys } from '../environment/config.ts';
import { type DemoPlant, generatedPlant } from '../cli/demo/fleet.ts';
import { insertDemo } from '../cli/demo/seed.ts';
import { openDatabase } from '../db/database.ts';
import { migrateToLatest } from '../db/migrate.ts';
import type { Database } from '../db/tables.ts';
import { bringUpStack, type Stack } from '../stack/up.ts';

/** Starts a stack with a fleet of generated ordinary plants, which no worker polls yet. */
export interface BenchFleet {
  stack: Stack;
  /** One connection, so that the bench's own queries can be subtracted from PostgreSQL's cost. */
  db: Kysely<Database>;
  /** PostgreSQL's process behind that connection. */
  ownBackendPid: number;
  client: Client;
  config: Config;
  /** The environment of its workers. */
  env: NodeJS.ProcessEnv;
  plantIds: readonly string[];
  intervalMs: number;
  stop(): Promise<void>;
}

export async function startFleet(options: {
  plants: number;
  intervalS: number;
  say: (line: string) => void;
  signal: AbortSignal;
}): Promise<BenchFleet> {
  const dataDir = mkdtempSync(join(tmpdir(), 'heliograph-bench-'));
  const endings: (() => unknown)[] = [() => rmSync(dataDir, { recursive: true, force: true })];
  const stop = async () => {
    for (const end of endings.splice(0).toReversed()) await end();
  };
  try {
    const { PATH, HOME, XDG_CACHE_HOME, BENCH_TEMPORAL_ADDRESS } = process.env;
    const stack = await bringUpStack({
      dataDir,
      log: options.say,
      // Ignores a TEMPORAL_ADDRESS of the shell; only `bench/temporal-store.ts` names another server.
      env: { PATH, HOME, XDG_CACHE_HOME, TEMPORAL_ADDRESS: BENCH_TEMPORAL_ADDRESS },
      temporalUi: false,
      signal: options.signal,
    });
    endings.push(() => stack.stop());
    const db = openDatabase({ url: stack.databaseUrl, poolSize: 1 });
    endings.push(() => db.destroy());
    await migrateToLatest(db);
    const connection = await Connection.connect({ address: stack.temporalAddress });
    endings.push(() => connection.close());
    const env = workerEnvironment(stack);
    const config = loadConfig(env, dataDir);
    const plants = Array.from({ length: options.plants }, (_, n) => generatedPlant(n));
    await addPlants(db, config, plants, options.intervalS);
    return {
      stack,
      db,
      ownBackendPid: await readBackendPid(db),
      client: new Client({ connection, namespace: stack.temporalNamespace }),
      config,
      env,
      plantIds: plants.map(({ id }) => id),
      intervalMs: options.intervalS * 1_000,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The environment of workers on a stack: nothing of the shell names another server. */
export function workerEnvironment(stack: Stack): NodeJS.ProcessEnv {
  return {
    ...process.env,
    DATABASE_URL: stack.databaseUrl,
    REDIS_URL: stack.redisUrl ?? '',
    REDIS_KEY_PREFIX: stack.redisKeyPrefix,
    TEMPORAL_ADDRESS: stack.temporalAddress,
    TEMPORAL_NAMESPACE: stack.temporalNamespace,
    INTEGRATION_MOCK_MODE: 'true',
    MASTER_KEY_CURRENT: randomBytes(32).toString('base64'),
    MASTER_KEY_PREVIOUS: '',
    WORKER_QUEUES: '',
    LOG_LEVEL: 'error',
  };
}

async function readBackendPid(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
  return rows[0]?.pid ?? 0;
}

export async function addPlants(
  db: Kysely<Database>,
  config: Config,
  plants: readonly DemoPlant[],
  intervalS: number,
): Promise<void> {
  const masterKeys = requireMasterKeys(config);
  await insertDemo({ db, masterKeys }, plants, { intervalS, activatedAtMs: Date.now() });
}

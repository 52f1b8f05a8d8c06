import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Kysely, sql } from 'kysely';

import { loadConfig } from '../../environment/config.ts';
import { type DemoPlant, generatedPlant } from '../../cli/demo/fleet.ts';
import { openDatabase } from '../../db/database.ts';
import { migrateToLatest } from '../../db/migrate.ts';
import type { Database } from '../../db/tables.ts';
import { phaseMs } from '../../domain/slots.ts';
import { bringUpStack } from '../../stack/up.ts';
import { addPlants } from '../fleet.ts';
import type { JudgedPlant } from './judge.ts';
import { type BenchRedis, startBenchRedis } from './redis.ts';

/** Starts the servers of one row and one engine, with a fleet that no worker polls yet. Nothing remains afterwards. */
export interface Arena {
  dir: string;
  db: Kysely<Database>;
  redis: BenchRedis;
  /** The environment of the engine's workers. */
  env: NodeJS.ProcessEnv;
  plants: JudgedPlant[];
  /** The processes of the servers, as they are now. */
  serverPids(): number[];
  versions: { postgresql: string; redis: string };
  stop(): Promise<void>;
}

interface ArenaOptions {
  /** BullMQ does not use it, so it does not run. */
  needsTemporal: boolean;
  isRedisDurable: boolean;
  plants: number;
  intervalS: number;
  signal: AbortSignal;
}

const nowhere = '127.0.0.1:1';

export async function openArena(options: ArenaOptions): Promise<Arena> {
  const dir = mkdtempSync(join(tmpdir(), 'heliograph-rival-'));
  const endings: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
  const stop = async () => {
    for (const end of endings.splice(0).toReversed()) await end();
  };
  try {
    const redis = await startBenchRedis(join(dir, 'bench-redis'), options.isRedisDurable);
    endings.push(() => redis.kill());
    const { PATH, HOME, XDG_CACHE_HOME } = process.env;
    const stack = await bringUpStack({
      dataDir: dir,
      log: (line) => process.stderr.write(`  ${line}\n`),
      env: {
        PATH,
        HOME,
        XDG_CACHE_HOME,
        REDIS_URL: redis.url,
        ...(options.needsTemporal ? {} : { TEMPORAL_ADDRESS: nowhere }),
      },
      temporalUi: false,
      signal: options.signal,
    });
    endings.push(() => stack.stop());
    const db = openDatabase({ url: stack.databaseUrl, poolSize: 1 });
    endings.push(() => db.destroy());
    await migrateToLatest(db);
    const env: NodeJS.ProcessEnv = {
      PATH,
      HOME,
      DATABASE_URL: stack.databaseUrl,
      REDIS_URL: redis.url,
      TEMPORAL_ADDRESS: stack.temporalAddress,
      TEMPORAL_NAMESPACE: stack.temporalNamespace,
      INTEGRATION_MOCK_MODE: 'true',
      MASTER_KEY_CURRENT: randomBytes(32).toString('base64'),
      LOG_LEVEL: 'error',
    };
    const plants = fleetOf(options.plants);
    await addPlants(db, loadConfig(env), plants, options.intervalS);
    return {
      dir,
      db,
      redis,
      env,
      plants: plants.map((plant) => judgedPlant(plant, options.intervalS * 1_000)),
      serverPids: () =>
        [stack.postgres?.pid, stack.temporal?.pid, redis.pid()].filter((pid) => pid !== undefined),
      versions: {
        postgresql: await readPostgresVersion(db),
        redis: await redis.version(),
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function readPostgresVersion(db: Kysely<Database>): Promise<string> {
  const { rows } = await sql<{ server_version: string }>`show server_version`.execute(db);
  return rows[0]?.server_version ?? 'unknown';
}

/** An account for each plant, because a refusal closes the account for a while and would delay other plants. */
function fleetOf(plants: number): DemoPlant[] {
  return Array.from({ length: plants }, (_, n) => {
    const plant = generatedPlant(n);
    return { ...plant, account: `${plant.account}-${n}` };
  });
}

function judgedPlant({ id, vendor_plant_id: vendorPlantId }: DemoPlant, intervalMs: number) {
  return { id, vendorPlantId, intervalMs, phaseMs: phaseMs(id, intervalMs) };
}

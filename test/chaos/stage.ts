import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import type { Kysely } from 'kysely';

import { sealCredentials } from '../../db/sealing.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { type Config, loadConfig, requireMasterKeys } from '../../environment/config.ts';
import { demoCredentials, insertDemo } from '../../cli/demo/seed.ts';
import { insertAccount, replaceCredentials } from '../../db/plants/credentials.ts';
import { openDatabase } from '../../db/database.ts';
import { migrateToLatest } from '../../db/migrate.ts';
import type { Database } from '../../db/tables.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { bringUpStack, type ManagedServer } from '../../stack/up.ts';
import { pollQueue } from '../../workflows/plants/messages.ts';
import { fleetQueue } from '../../workflows/messages.ts';
import { notificationsQueue } from '../../workflows/notifications/messages.ts';
import type { ChaosPlant } from './draw-fleet.ts';
import type { VendorTrouble } from './messages.ts';
import { type Mails, startMails } from './mails.ts';
import { WorkerPost } from './worker-post.ts';

/** Servers of the run's own, which it may kill, a fleet on them, and the posts of its workers. */
export interface Stage {
  postgres: ManagedServer;
  redis: ManagedServer;
  temporal: ManagedServer;
  redisUrl: string;
  config: Config;
  /** The environment of workers and commands. */
  env: NodeJS.ProcessEnv;
  db: Kysely<Database>;
  client: Client;
  /** The brands of each worker, and its post. */
  layout: readonly (readonly Brand[])[];
  posts: readonly WorkerPost[];
  plants: readonly ChaosPlant[];
  /** In every field of every credential; nowhere else may it be. */
  canary: string;
  /** What people are sent during the run. */
  mails: Mails;
  /** Logs of the servers and of the workers. */
  dataDir: string;
  /** Ends all that was started. */
  close(options: { keepsLogs: boolean }): Promise<void>;
}

export async function setStage(options: {
  seed: string;
  plants: readonly ChaosPlant[];
  /** The brands of each worker. */
  layout: readonly (readonly Brand[])[];
  /** POLL_COURSE of the workers. */
  course: Config['POLL_COURSE'];
  say: (line: string) => void;
  signal: AbortSignal;
}): Promise<Stage> {
  const { seed, plants, layout, course, say, signal } = options;
  const dataDir = mkdtempSync(join(tmpdir(), 'heliograph-chaos-'));
  const endings: (() => unknown)[] = [];
  const close: Stage['close'] = async ({ keepsLogs }) => {
    for (const end of endings.splice(0).toReversed()) await end();
    if (!keepsLogs) rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const { PATH, HOME, XDG_CACHE_HOME } = process.env;
    const stack = await bringUpStack({
      dataDir,
      log: say,
      env: { PATH, HOME, XDG_CACHE_HOME },
      ephemeral: true,
      temporalUi: false,
      signal,
    });
    endings.push(() => stack.stop());
    const { postgres, redis, temporal, redisUrl } = stack;
    if (postgres === null || redis === null || temporal === null || redisUrl === null)
      throw new Error('chaos kills servers and needs its own: install redis-server');
    const db = openDatabase({ url: stack.databaseUrl });
    endings.push(() => db.destroy());
    await migrateToLatest(db);
    const connection = await Connection.connect({ address: stack.temporalAddress });
    endings.push(() => connection.close());
    const env: NodeJS.ProcessEnv = {
      PATH,
      HOME,
      DATABASE_URL: stack.databaseUrl,
      REDIS_URL: redisUrl,
      TEMPORAL_ADDRESS: stack.temporalAddress,
      TEMPORAL_NAMESPACE: stack.temporalNamespace,
      INTEGRATION_MOCK_MODE: 'true',
      POLL_COURSE: course,
      MASTER_KEY_CURRENT: digestOf('master key', seed).toString('base64'),
      // Everything that is ever logged is searched for secrets.
      LOG_LEVEL: 'debug',
    };
    const config = loadConfig(env, dataDir);
    const canary = `canary-${digestOf('canary', seed).toString('hex').slice(0, 32)}`;
    await addPlants(db, config, plants, canary);
    const mails = await startMails(db, config);
    endings.push(() => mails.close());
    const bundleFile = join(dataDir, 'bundle.js');
    writeFileSync(bundleFile, (await bundleWorkflows()).code);
    const posts = layout.map((served, n) => {
      // The first one reconciles the fleet as well, and sends messages.
      const others = n === 0 ? [fleetQueue, notificationsQueue] : [];
      const queues = [...served.map(pollQueue), ...others];
      return new WorkerPost({
        name: served.join('+'),
        env: { ...env, WORKER_QUEUES: queues.join(',') },
        bundleFile,
        logDir: dataDir,
        say,
      });
    });
    endings.push(() => Promise.all(posts.map((post) => post.close())));
    return {
      postgres,
      redis,
      temporal,
      redisUrl,
      config,
      env,
      db,
      client: new Client({ connection, namespace: stack.temporalNamespace }),
      layout,
      posts,
      plants,
      canary,
      mails,
      dataDir,
      close,
    };
  } catch (error) {
    await close({ keepsLogs: false });
    throw error;
  }
}

function digestOf(...words: string[]): Buffer {
  return createHash('sha256').update(words.join(' ')).digest();
}

async function addPlants(
  db: Kysely<Database>,
  config: Config,
  plants: readonly ChaosPlant[],
  canary: string,
): Promise<void> {
  const masterKeys = requireMasterKeys(config);
  const accounts = new Map(plants.map((plant): [string, Brand] => [plant.account, plant.brand]));
  for (const [account, brand] of accounts) {
    await insertAccount(db, { id: account, brand, name: account });
    const secrets = Object.fromEntries(
      Object.entries(demoCredentials(brand, account)).map(([field, value]) => [
        field,
        // A region is one of the vendor's own, and no secret.
        field === 'host' ? value : `${canary}-${brand}-${field}`,
      ]),
    );
    await replaceCredentials(db, sealCredentials(masterKeys, account, secrets));
  }
  const intervals = new Set(plants.map((plant) => plant.intervalS));
  for (const intervalS of intervals) {
    const part = plants.filter((plant) => plant.intervalS === intervalS);
    const rows = part.map((plant) => {
      const { intervalS: _interval, role: _role, ...row } = plant;
      return row;
    });
    await insertDemo({ db, masterKeys }, rows, { intervalS, activatedAtMs: Date.now() });
  }
}

/** What ails the recorded vendors of all workers from now on, beside what ails them already. */
export function setVendors({ posts }: Stage, change: Partial<VendorTrouble>): void {
  for (const post of posts) post.setVendors({ ...post.vendors, ...change });
}

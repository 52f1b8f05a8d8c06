import { randomBytes, randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';

import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import type { Kysely } from 'kysely';
import { inject } from 'vitest';

import { sealCredentials } from '../../db/sealing.ts';
import { type Config, loadConfig, requireMasterKeys } from '../../environment/config.ts';
import { insertAccount, replaceCredentials } from '../../db/plants/credentials.ts';
import { insertPlants } from '../../db/plants/plants.ts';
import type { Database } from '../../db/tables.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

/** A fleet of the test's own: its database, its Temporal namespace, its master key. */
export interface TestFleet extends TestDatabase {
  config: Config;
  client: Client;
  /** The environment of a worker or command in a process of its own. */
  env: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

/** Of a test's namespace. */
const retention = msToTs('24h');

export async function createTestFleet(): Promise<TestFleet> {
  const servers = inject('servers');
  const database = await createTestDatabase();
  const namespace = `test-${randomUUID()}`;
  const connection = await Connection.connect({ address: servers.temporalAddress });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: retention,
  });
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    DATABASE_URL: database.url,
    REDIS_URL: servers.redisUrl,
    REDIS_KEY_PREFIX: `${namespace}:`,
    TEMPORAL_ADDRESS: servers.temporalAddress,
    TEMPORAL_NAMESPACE: namespace,
    INTEGRATION_MOCK_MODE: 'true',
    MASTER_KEY_CURRENT: randomBytes(32).toString('base64'),
    WATCHED_FOLDERS: tmpdir(),
    LOG_LEVEL: 'warn',
  };
  const config = loadConfig(env);
  const client = new Client({ connection, namespace });
  await untilNamespaceServes(client);
  return {
    ...database,
    config,
    client,
    env,
    async close() {
      await connection.close();
      await database.drop();
    },
  };
}

/** A new namespace is known to every part of the server a moment after it was registered. */
async function untilNamespaceServes(client: Client): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      for await (const _ of client.workflow.list({ query: "WorkflowId = 'none'" })) break;
      await client.connection.operatorService.listSearchAttributes({
        namespace: client.options.namespace,
      });
      return;
    } catch (error) {
      if (tries >= 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

export interface TestPlant {
  id?: string;
  brand?: Brand;
  vendorPlantId: string;
  timezone?: string;
  intervalS?: number;
  accountId?: string;
  active?: boolean;
  capacityKw?: number | null;
  latitude?: number | null;
  longitude?: number | null;
}

/**
 * Adds a plant with an account and credentials of its own, or of the account that is named. A test that is run again takes
 * the vendor's plant over from the run that failed, whose loop ends when it sees that its plant is gone.
 *
 * @returns its id.
 */
export async function addPlant(
  db: Kysely<Database>,
  config: Config,
  plant: TestPlant,
): Promise<string> {
  const id = plant.id ?? `plant-${randomUUID().slice(0, 8)}`;
  const brand = plant.brand ?? 'SOLIS';
  const accountId = plant.accountId ?? `account-${id}`;
  await insertAccount(db, { id: accountId, brand, name: accountId });
  const stored = await db
    .selectFrom('integration_credentials')
    .select('account_id')
    .where('account_id', '=', accountId)
    .executeTakeFirst();
  if (stored === undefined) {
    const { demoCredentials } = await import('../../cli/demo/seed.ts');
    await replaceCredentials(
      db,
      sealCredentials(requireMasterKeys(config), accountId, demoCredentials(brand, accountId)),
    );
  }
  await db
    .deleteFrom('plants')
    .where('brand', '=', brand)
    .where('vendor_plant_id', '=', plant.vendorPlantId)
    .execute();
  await insertPlants(db, [
    {
      id,
      name: id,
      customer_id: null,
      brand,
      vendor_account_id: accountId,
      vendor_plant_id: plant.vendorPlantId,
      timezone: plant.timezone ?? 'Europe/Amsterdam',
      latitude: plant.latitude ?? null,
      longitude: plant.longitude ?? null,
      installed_capacity_kw: plant.capacityKw ?? 10,
      poll_interval_s: plant.intervalS ?? 600,
      integration_status: plant.active === false ? 'PENDING_DOCS' : 'ACTIVE',
    },
  ]);
  return id;
}

/** The vendor's id of the n-th ordinary plant of SOLIS. */
export function ordinarySolis(n: number): string {
  return `13000000000000${String(n).padStart(5, '0')}`;
}

/** Waits until `check` gives something; says what it waited for when it never does. */
export async function eventually<Result>(
  what: string,
  check: () => Promise<Result | undefined | null | false>,
  limitMs = 30_000,
): Promise<Result> {
  const endsAt = performance.now() + limitMs;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (performance.now() > endsAt)
      throw new Error(`waited ${limitMs / 1000} s in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

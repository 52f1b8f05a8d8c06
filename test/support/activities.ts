import { randomBytes } from 'node:crypto';

import { Breaker } from '../../activities/plants/breaker.ts';
import type { PlantActivities } from '../../activities/plants/contract.ts';
import { createPlantActivities } from '../../activities/create.ts';
import { sealCredentials } from '../../db/sealing.ts';
import type { ActivityDeps } from '../../activities/plants/deps.ts';
import { createVendors, type OpenAdapter } from '../../activities/plants/vendor.ts';
import { createFixtureAdapter } from '../../adapters/clouds/registry.ts';
import { namedKey } from '../../environment/config.ts';
import { demoCredentials } from '../../cli/demo/seed.ts';
import { type Db } from '../../db/database.ts';
import { insertAccount, replaceCredentials } from '../../db/plants/credentials.ts';
import { findOpenHalt } from '../../db/halts.ts';
import { noLocks, type Locks } from '../../db/lock.ts';
import { insertPlants, type NewPlant } from '../../db/plants/plants.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';
import type { TestDatabase } from './database.ts';

const masterKeys = { current: namedKey(randomBytes(32).toString('base64')), previous: null };

/** The production activities without a worker, on a clock that the test sets. */
export function testActivities(
  { db }: TestDatabase,
  options: {
    openAdapter?: OpenAdapter;
    locks?: Locks;
    plantId?: string;
    isLocal?: boolean;
    signal?: AbortSignal;
    checkpoint?: ActivityDeps['checkpoint'];
    /** Default: as the database says at each question. */
    isHalted?: () => Promise<boolean>;
  } = {},
): { activities: PlantActivities; setClock(ms: number): void } {
  let nowMs = Date.now();
  const { openAdapter = createFixtureAdapter, locks = noLocks, plantId = 'plant' } = options;
  const isHalted = options.isHalted ?? (async () => (await findOpenHalt(db)) !== null);
  const activities = createPlantActivities(
    {
      db,
      locks,
      lockDomain: 'cluster/namespace',
      vendors: createVendors({ masterKeys, openAdapter, isHalted }),
      isHalted,
      breaker: new Breaker(),
      clock: () => nowMs,
      log: { info: () => {}, warn: () => {}, error: () => {} },
      pollCourse: 'WHOLE',
      checkpoint: options.checkpoint ?? (async () => {}),
    },
    () => ({
      workflowId: pollWorkflowId(plantId),
      runId: 'run',
      isLocal: options.isLocal ?? false,
      signal: options.signal ?? new AbortController().signal,
      heartbeat: () => {},
    }),
  );
  return { activities, setClock: (ms) => void (nowMs = ms) };
}

/** An account with credentials and an ACTIVE plant of it, SOLIS unless said. */
export async function insertTestPlant(db: Db, plant: Partial<NewPlant> = {}): Promise<NewPlant> {
  const brand = plant.brand ?? 'SOLIS';
  const row: NewPlant = {
    id: 'plant',
    name: 'Plant',
    customer_id: null,
    brand,
    vendor_account_id: `account-${brand}`,
    vendor_plant_id: '1300000000000000001',
    timezone: 'Europe/Amsterdam',
    latitude: null,
    longitude: null,
    installed_capacity_kw: 10,
    poll_interval_s: 600,
    integration_status: 'ACTIVE',
    ...plant,
  };
  await insertAccount(db, { id: row.vendor_account_id, brand, name: row.vendor_account_id });
  await replaceCredentials(
    db,
    sealCredentials(
      masterKeys,
      row.vendor_account_id,
      demoCredentials(brand, row.vendor_account_id),
    ),
  );
  await insertPlants(db, [row]);
  return row;
}

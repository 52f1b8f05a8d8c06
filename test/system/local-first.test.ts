import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startLoop } from '../../operations/plants/loops.ts';
import type { RunningWorker } from '../../worker/worker.ts';
import { openDatabase } from '../../db/database.ts';
import { migrateToLatest } from '../../db/migrate.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { bringUpStack, type Stack } from '../../stack/up.ts';
import { pollNowSignal } from '../../workflows/plants/messages.ts';
import { addPlant, createTestFleet, eventually, type TestFleet } from '../support/fleet.ts';
import { ledgerFlaws, overlaps, testLoops, type TestLoops } from '../support/loops.ts';
import { slowVendor } from '../support/vendor.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

const ordinarySolis = (n: number) => `13000000000000${String(n).padStart(5, '0')}`;
/** What a local fetch may take; what is beyond it is cut. */
const localFetchMs = 2_000;

describe('a vendor that hangs', () => {
  const vendor = slowVendor();
  let fleet: TestFleet;
  let worker: RunningWorker;
  let loops: TestLoops;

  beforeAll(async () => {
    fleet = await createTestFleet();
    worker = await startTestWorker(fleet, { openAdapter: vendor.openAdapter, reconcile: false });
    loops = testLoops(fleet);
  });
  afterAll(async () => {
    await stopWorker(worker);
    await fleet.close();
  });

  const pendingFetch = async (plantId: string) => {
    const { raw } = await loops.handle(plantId).describe();
    return raw.pendingActivities?.find(
      (activity) => activity.activityType?.name === 'fetchReadings',
    );
  };
  const callsTo = (vendorPlantId: string) =>
    vendor.calls.filter((call) => call.vendorPlantId === vendorPlantId);

  test('the local attempt is cut at 2 s and ends there, the poll goes on as a regular activity that people can see, and counts one attempt', async () => {
    const vendorPlantId = ordinarySolis(1);
    const plantId = await loops.add({ vendorPlantId });
    await loops.untilPolled(plantId);
    vendor.hold(vendorPlantId);
    await loops.handle(plantId).signal(pollNowSignal);
    await eventually('the regular fetch', () => pendingFetch(plantId));
    // It is seen a moment before it asks.
    await eventually('its call', async () => callsTo(vendorPlantId).length === 3);
    const [, cut, regular] = callsTo(vendorPlantId);
    expect(cut?.aborted).toBe(true);
    expect((cut?.endedAtMs ?? 0) - (cut?.startedAtMs ?? 0)).toBeLessThan(localFetchMs + 1_500);
    expect(regular?.startedAtMs).toBeGreaterThanOrEqual(cut?.endedAtMs ?? Infinity);
    expect((await loops.state(plantId)).polling).not.toBeNull();
    vendor.release(vendorPlantId);
    const rows = await loops.untilPolled(plantId, 2);
    expect(rows[1]).toMatchObject({ trigger: 'MANUAL', outcome: 'OK', attempts: 1 });
    // Nothing was asked after the cut but by the regular attempt.
    expect(callsTo(vendorPlantId)).toHaveLength(3);
  });

  test(
    "three cuts open the brand's breaker: its next poll is regular at once, other brands stay local, and a quick answer closes it",
    { timeout: 120_000 },
    async () => {
      const brand: Brand = 'HUAWEI';
      const plants = ['NE=90000001', 'NE=90000002', 'NE=90000003'];
      const ids = await Promise.all(
        plants.map((vendorPlantId) => loops.add({ vendorPlantId, brand })),
      );
      const other = await loops.add({ vendorPlantId: '90000001', brand: 'DELE' });
      await Promise.all([...ids, other].map((plantId) => loops.untilPolled(plantId)));
      vendor.hold(brand);
      for (const plantId of ids) await loops.handle(plantId).signal(pollNowSignal);
      for (const plantId of ids) await eventually('its regular fetch', () => pendingFetch(plantId));
      const cuts = vendor.calls.filter((call) => call.brand === brand && call.aborted).length;
      expect(cuts).toBe(3);
      // Answers that take longer than 1 s leave the breaker open.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      vendor.release(brand);
      await Promise.all(ids.map((plantId) => loops.untilPolled(plantId, 2)));
      vendor.hold(brand);
      const [first = ''] = ids;
      await loops.handle(first).signal(pollNowSignal);
      await eventually('a regular fetch at once', () => pendingFetch(first));
      expect(vendor.calls.filter((call) => call.brand === brand && call.aborted)).toHaveLength(
        cuts,
      );
      await loops.handle(other).signal(pollNowSignal);
      await loops.untilPolled(other, 2);
      expect(await regularFetches(other)).toBe(0);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      vendor.release(brand);
      await loops.untilPolled(first, 3);
      // This one is answered at once, on the regular path; the one after it is local again.
      for (const count of [4, 5]) {
        await loops.handle(first).signal(pollNowSignal);
        const rows = await loops.untilPolled(first, count);
        expect(rows.at(-1)).toMatchObject({ outcome: 'OK', attempts: 1 });
      }
      const before = await regularFetches(first);
      await loops.handle(first).signal(pollNowSignal);
      await loops.untilPolled(first, 6);
      expect(await regularFetches(first)).toBe(before);
    },
  );

  /** Regular fetches in the history of the current run. */
  async function regularFetches(plantId: string): Promise<number> {
    const { events } = await loops.handle(plantId).fetchHistory();
    return (events ?? []).filter(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'fetchReadings',
    ).length;
  }
});

// It kills a server: what takes too long to come back on a busy machine is tried once more, and the run says so.
describe('PostgreSQL away', { retry: 1 }, () => {
  let stack: Stack;
  let folder: string;
  let fleet: TestFleet;
  let worker: RunningWorker;

  beforeAll(async () => {
    // A PostgreSQL of its own: the others' is not to be stopped.
    folder = mkdtempSync(join(tmpdir(), 'heliograph-away-'));
    fleet = await createTestFleet();
    const { REDIS_URL = '', TEMPORAL_ADDRESS = '' } = fleet.config;
    stack = await bringUpStack({
      dataDir: folder,
      log: () => {},
      ephemeral: true,
      env: { REDIS_URL, TEMPORAL_ADDRESS },
    });
    const db = openDatabase({ url: stack.databaseUrl });
    await migrateToLatest(db);
    fleet = {
      ...fleet,
      db,
      url: stack.databaseUrl,
      config: { ...fleet.config, DATABASE_URL: stack.databaseUrl },
    };
    worker = await startTestWorker(fleet, { reconcile: false });
  });
  afterAll(async () => {
    await stopWorker(worker);
    await fleet.db.destroy();
    await fleet.close();
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test(
    'slots that fall due meanwhile are written late and not lost, and the step that waits is seen with its error',
    { timeout: 120_000 },
    async () => {
      const intervalMs = 2_000;
      const loops = testLoops(fleet);
      const plantId = await addPlant(fleet.db, fleet.config, {
        vendorPlantId: ordinarySolis(1),
        intervalS: intervalMs / 1000,
      });
      await startLoop(fleet.client, { id: plantId, name: plantId, brand: 'SOLIS' });
      const before = await loops.untilPolled(plantId, 2);
      await stack.postgres?.stop('SIGKILL');
      const pending = await eventually('a pending activity that says what is away', async () => {
        const { raw } = await loops.handle(plantId).describe();
        return raw.pendingActivities?.find((activity) => activity.lastFailure != null);
      });
      expect(pending.lastFailure?.message).toContain('a service is away');
      await stack.postgres?.start();
      const rows = await loops.untilPolled(plantId, before.length + 5);
      const written = new Set(rows.map((row) => row.scheduled_for.getTime()));
      expect(before.filter((row) => !written.has(row.scheduled_for.getTime()))).toEqual([]);
      expect(ledgerFlaws(rows, plantId, intervalMs)).toEqual([]);
      expect(overlaps(rows)).toEqual([]);
      expect(rows.filter((row) => row.outcome === 'FAILED')).toEqual([]);
      expect(rows.at(-1)?.outcome).toBe('OK');
      await loops.remove(plantId);
    },
  );
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { createPlantLoops } from '../../operations/plants/loops.ts';
import { changedBundle } from '../support/changed-bundle.ts';
import { createTestFleet, eventually } from '../support/fleet.ts';
import { ledgerFlaws, testLoops } from '../support/loops.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

const intervalS = 2;
/** Attempts of a workflow task that nobody completes take 10 s each; the reconciliation comes every 30 s. */
const healedMsMax = 150_000;

test(
  'a loop that no worker can go on with is started anew by the reconciliation, and loses nothing',
  { timeout: healedMsMax + 90_000 },
  async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'heliograph-stuck-'));
    const fleet = await createTestFleet();
    let worker = await startTestWorker(fleet, { reconcile: false });
    try {
      const loops = testLoops(fleet);
      const plantId = await loops.add({ vendorPlantId: '1300000000000000001', intervalS });
      await loops.untilPolled(plantId, 3);
      const { runId } = await loops.handle(plantId).describe();
      await stopWorker(worker);
      // It would poll in single steps where the history has a poll in one.
      const bundle = await changedBundle(scratch, {
        file: 'workflows/plants/poll.ts',
        from: "const isWhole = request.course === 'WHOLE' && request.path === 'LOCAL_FIRST';",
        to: 'const isWhole = false;',
      });
      // As if it had been silent for minutes.
      await fleet.db
        .updateTable('plants')
        .set({ last_slot: new Date(Date.now() - 600_000) })
        .where('id', '=', plantId)
        .execute();
      const stoppedAtMs = Date.now();
      worker = await startTestWorker(fleet, { bundle });
      const rows = await eventually(
        'polls of another loop',
        async () => {
          const polled = await loops.polls(plantId);
          const later = polled.filter(
            (row) => row.outcome === 'OK' && row.scheduled_for.getTime() > stoppedAtMs,
          );
          return later.length >= 2 ? polled : null;
        },
        healedMsMax,
      );
      expect(rows.at(-1)?.run_id).not.toBe(runId);
      expect(ledgerFlaws(rows, plantId, intervalS * 1_000)).toEqual([]);
      const old = fleet.client.workflow.getHandle(loops.handle(plantId).workflowId, runId);
      expect((await old.describe()).status.name).toBe('TERMINATED');
    } finally {
      await stopWorker(worker);
      await fleet.close();
      rmSync(scratch, { recursive: true, force: true });
    }
  },
);

test(
  'a plant that is not polled because nobody runs its loop gets one',
  { timeout: 60_000 },
  async () => {
    const fleet = await createTestFleet();
    const worker = await startTestWorker(fleet, { reconcile: false });
    try {
      const loops = testLoops(fleet);
      const plantId = await loops.add({ vendorPlantId: '1300000000000000001', intervalS });
      await loops.untilPolled(plantId, 1);
      await loops.handle(plantId).terminate('by hand');
      const plant = { id: plantId, name: 'Plant', brand: 'SOLIS' } as const;
      expect(await createPlantLoops(fleet.client).restartStuck(plant)).toBe(true);
      const { runId } = await loops.handle(plantId).describe();
      // One that is well is left alone.
      expect(await createPlantLoops(fleet.client).restartStuck(plant)).toBe(false);
      expect((await loops.handle(plantId).describe()).runId).toBe(runId);
    } finally {
      await stopWorker(worker);
      await fleet.close();
    }
  },
);

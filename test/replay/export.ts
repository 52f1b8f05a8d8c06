import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { describe, expect, test } from 'vitest';

import { createTestFleet } from '../support/fleet.ts';
import { testLoops } from '../support/loops.ts';
import { slowVendor } from '../support/vendor.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';
import { historyCases } from './cases.ts';

/**
 * Exports the histories that the replay gate replays, from real runs on a real server:
 *
 *     npx vitest run --config test/replay/export.config.ts
 *
 * Histories are kept, not regenerated: a new case is added when workflows learn something new, and an old one is deleted only
 * when no run of its time can be alive any more (the namespace's retention, and the longest run of a loop).
 */
const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
const histories = fileURLToPath(new URL('../../fixtures/histories/', import.meta.url));

describe('exporting histories', () => {
  test.each(historyCases)('$workflow/$name', async (historyCase) => {
    const fleet = await createTestFleet();
    const vendor = slowVendor();
    const worker = await startTestWorker(fleet, {
      openAdapter: vendor.openAdapter,
      reconcile: false,
    });
    try {
      const { workflowId, runId } = await historyCase.run({
        fleet,
        vendor,
        loops: testLoops(fleet),
      });
      const history = await fleet.client.workflow.getHandle(workflowId, runId).fetchHistory();
      expect(history.events?.length).toBeGreaterThan(5);
      mkdirSync(`${histories}${historyCase.workflow}`, { recursive: true });
      writeFileSync(
        `${histories}${historyCase.workflow}/${historyCase.name}.json`,
        `${withoutMachine(historyToJSON(history))}\n`,
      );
    } finally {
      await stopWorker(worker);
      await fleet.close();
    }
  });
});

/** Process ids, host names and folders of the machine that made them are nobody's business. */
function withoutMachine(json: string): string {
  return json.replaceAll(/"\d+@[^"]*?(-[0-9a-f]{32})?"/g, '"worker$1"').replaceAll(packageRoot, '');
}

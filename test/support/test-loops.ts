import { test as fleetTest } from './test-fleet.ts';
import { testLoops, type TestLoops } from './loops.ts';
import { startTestWorker, stopWorker } from './workers.ts';

export { fleet } from './test-fleet.ts';

/** The loops of the test file's fleet, from its first `test.beforeAll` or test on. */
export let loops: TestLoops;

/**
 * For files whose plants are polled: a fleet with a worker of all queues in the test's own process.
 *
 * @example
 * test.override('workerOptions', { openAdapter: vendor.openAdapter });
 */
export const test = fleetTest
  .extend('workerOptions', { scope: 'file' }, (): Parameters<typeof startTestWorker>[1] => ({}))
  .extend(
    'loops',
    { scope: 'file', auto: true },
    async ({ fleet, workerOptions }, { onCleanup }) => {
      // Without a reconciliation only the test itself starts loops.
      const worker = await startTestWorker(fleet, { reconcile: false, ...workerOptions });
      onCleanup(() => stopWorker(worker));
      loops = testLoops(fleet);
      return loops;
    },
  );

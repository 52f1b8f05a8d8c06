import type { WorkflowBundle } from '@temporalio/worker';

import { createLog } from '../../environment/log.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import {
  installRuntime,
  type RunningWorker,
  startWorker,
  type WorkerOptions,
} from '../../worker/worker.ts';
import type { TestFleet } from './fleet.ts';

let bundle: Promise<WorkflowBundle> | null = null;

/** The workflows' bundle, made once for a test file. */
export function testBundle(): Promise<WorkflowBundle> {
  bundle ??= bundleWorkflows();
  return bundle;
}

/** A worker of all queues in the test's own process. */
export async function startTestWorker(
  fleet: Pick<TestFleet, 'config'>,
  options: Partial<Omit<WorkerOptions, 'config' | 'log'>> = {},
): Promise<RunningWorker> {
  const log = createLog('error', process.stderr);
  installRuntime(log);
  return startWorker({ config: fleet.config, log, bundle: await testBundle(), ...options });
}

/** Stops a worker and waits until it has stopped. */
export async function stopWorker(worker: RunningWorker): Promise<void> {
  worker.stop();
  await worker.finished;
}

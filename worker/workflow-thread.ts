import { createRequire } from 'node:module';
import v8 from 'node:v8';
import vm from 'node:vm';
import { workerData } from 'node:worker_threads';

import type { LeanThreadData } from './workflow-threads.ts';

/**
 * The first file of a lean workflow thread: removes two features of the SDK, then runs the SDK's own file.
 *
 * - The SDK records a stack for every promise that a workflow makes, for the stack-trace query of the Web UI. Without the
 *   hook for that it continues with one warning on the console, which is suppressed here.
 * - It runs every call into workflow code with a time-out, for which Node starts a thread at each call. The counter replaces it.
 */

const { file, crossings } = workerData as LeanThreadData;
const counter = new Int32Array(crossings);

/* oxlint-disable no-console -- suppresses the SDK's own warning, which would come once for every thread */
v8.promiseHooks.createHook = () => {
  const { warn } = console;
  console.warn = () => {
    console.warn = warn;
  };
  throw new Error('no stacks of promises: they cost more than the workflows');
};
/* oxlint-enable no-console */

const { runInContext } = vm.Script.prototype;
let depth = 0;
vm.Script.prototype.runInContext = function (context, options) {
  if (depth++ === 0) Atomics.add(counter, 0, 1);
  try {
    const { timeout: _, ...rest } = options ?? {};
    return runInContext.call(this, context, rest) as unknown;
  } finally {
    if (--depth === 0) Atomics.add(counter, 0, 1);
  }
};

createRequire(import.meta.url)(file);

/**
 * The production worker in a process of its own, whose vendors can be made to hang, to be slow or to lie, and which kills or stops
 * itself where it is told to. Started by `WorkerPost`; the plan comes in `HELIOGRAPH_CHAOS`, everything else as for
 * `heliograph worker`.
 */

import { readFileSync } from 'node:fs';

import { setTimeout as delay } from 'node:timers/promises';

import { Context } from '@temporalio/activity';

import type { Checkpoint } from '../../activities/deps.ts';
import { createFixtureTransport } from '../../adapters/clouds/recorded/fixture-transport.ts';
import { createFixtureAdapter, registry } from '../../adapters/clouds/registry.ts';
import { loadConfig } from '../../environment/config.ts';
import { createLog } from '../../environment/log.ts';
import { installRuntime, startWorker } from '../../worker/worker.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { callersPath, setTraps, tellParent } from '../support/chaos-traps.ts';
import { spoilt } from './hostile.ts';
import { type FromWorker, type ToWorker, vendorKey, type WorkerPlan } from './messages.ts';

const plan = JSON.parse(process.env['HELIOGRAPH_CHAOS'] ?? '') as WorkerPlan;
let { vendors } = plan;
const watched = new Set(plan.watched);
const report: (message: FromWorker) => Promise<void> = tellParent;
const traps = setTraps(report);
let released = Promise.withResolvers<void>();

/** Longer than a local step waits for its vendor, and far from the request's own 8 s. */
const slowMs = 2_200;

/** The fixtures, and where there is trouble, a transport that hangs, is slow or lies. */
const openAdapter: typeof createFixtureAdapter = (options) => {
  const { brand, plant, credentials, now } = options;
  const key = vendorKey(brand, plant.vendorPlantId);
  const isWell =
    vendors.hanging !== brand && vendors.slow !== brand && vendors.hostile[key] === undefined;
  if (isWell) return createFixtureAdapter(options);
  const { definition, vendor } = registry[brand];
  const fixture = createFixtureTransport({
    brand,
    vendor,
    plant,
    knownCredentials: credentials,
    now,
  });
  // The first answer of a poll: all of them together would outlast a short interval.
  let isSlow = vendors.slow === brand;
  return definition.create({
    ...options,
    async transport(request, control) {
      if (vendors.hanging === brand) await hold(brand, control.signal);
      if (isSlow) {
        isSlow = false;
        await delay(slowMs, undefined, { signal: control.signal });
      }
      const response = await fixture(request, control);
      const body = vendors.hostile[key];
      if ('polluted' in {}) await report({ kind: 'POLLUTED' });
      return body === undefined ? response : { ...response, body: spoilt(body, response.body) };
    },
  });
};

/** Until the vendor answers again; rejects at once when the request is given up. */
async function hold(brand: Brand, signal: AbortSignal): Promise<void> {
  const beganAtMs = Date.now();
  const path = callersPath();
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const give = () => reject(signal.reason);
  signal.addEventListener('abort', give, { once: true });
  let cut = false;
  try {
    signal.throwIfAborted();
    await Promise.race([released.promise, givenUp]);
  } catch (error) {
    cut = true;
    throw error;
  } finally {
    signal.removeEventListener('abort', give);
    void report({ kind: 'HELD', brand, path, beganAtMs, endedAtMs: Date.now(), cut });
  }
}

async function checkpoint(name: Checkpoint): Promise<void> {
  if (watched.size > 0) {
    const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
    if (watched.has(workflowId))
      void report({ kind: 'PASSED', workflowId, name, atMs: Date.now() });
  }
  await traps.checkpoint(name);
}

const config = loadConfig(process.env);
const log = createLog(config.LOG_LEVEL, process.stdout);
installRuntime(log);
const running = await startWorker({
  config,
  log,
  bundle: { code: readFileSync(plan.bundleFile, 'utf8') },
  openAdapter,
  checkpoint,
});
process.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'ARM':
      traps.arm(message.fault);
      void report({ kind: 'ARMED' });
      break;
    case 'VENDORS':
      if (vendors.hanging !== message.vendors.hanging) {
        released.resolve();
        released = Promise.withResolvers<void>();
      }
      vendors = message.vendors;
      break;
    case 'STOP':
      running.stop();
  }
});
process.once('disconnect', () => running.stop());
await report({ kind: 'STARTED' });
await running.finished;
process.exit();

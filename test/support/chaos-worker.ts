/**
 * A production worker in a process of its own that kills or stops itself where its test says. Started by
 * `startChaosWorker`; the plan comes in `HELIOGRAPH_CHAOS`, everything else as for `heliograph worker`.
 */

import { readFileSync } from 'node:fs';

import { loadConfig } from '../../environment/config.ts';
import { createLog } from '../../environment/log.ts';
import { installRuntime, startWorker } from '../../worker/worker.ts';
import type { ChaosPlan, ChaosReport } from './chaos-plan.ts';
import { setTraps, tellParent } from './chaos-traps.ts';

const plan = JSON.parse(process.env['HELIOGRAPH_CHAOS'] ?? '') as ChaosPlan;
const report: (message: ChaosReport) => Promise<void> = tellParent;
const traps = setTraps(report);

const log = createLog('error', process.stderr);
installRuntime(log);
const running = await startWorker({
  config: loadConfig(process.env),
  log,
  bundle: { code: readFileSync(plan.bundleFile, 'utf8') },
  reconcile: false,
  checkpoint: traps.checkpoint,
});
process.on('message', (message) => {
  if (message !== 'arm') return;
  traps.arm(plan.fault);
  void report({ kind: 'ARMED' });
});
process.once('disconnect', () => running.stop());
await report({ kind: 'STARTED' });
await running.finished;
process.exit();

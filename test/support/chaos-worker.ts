/**
 * A production worker in a process of its own that kills or stops itself where its test says. Started by
 * `startChaosWorker`; the plan comes in `HELIOGRAPH_CHAOS`, everything else as for `heliograph worker`.
 */

import { readFileSync } from 'node:fs';

import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import pg from 'pg';

import type { Checkpoint } from '../../activities/deps.ts';
import { takeRegular } from '../../activities/failure.ts';
import { loadConfig } from '../../cli/config.ts';
import { createLog } from '../../cli/log.ts';
import { installRuntime, startWorker } from '../../cli/worker.ts';
import {
  type ChaosFault,
  type ChaosPlan,
  type ChaosReport,
  claimingStatements,
  type StepPath,
  type WrittenStep,
} from './chaos-plan.ts';

const plan = JSON.parse(process.env['HELIOGRAPH_CHAOS'] ?? '') as ChaosPlan;
/** Until the test says so, the worker is an ordinary one. */
let armed = false;

/** Resolves when the test's process has it. */
function report(message: ChaosReport): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

function callersPath(): StepPath {
  return Context.current().info.isLocal ? 'LOCAL' : 'REGULAR';
}

/** The loops that stand at the point, each with the path on which it came there. */
const standing = new Map<string, StepPath>();

/** Holds every loop that comes to the point; the last of them brings death to all. */
function dieAt(fault: Extract<ChaosFault, { kind: 'DIE' }>): (name: Checkpoint) => Promise<void> {
  return async (name) => {
    if (!armed) return;
    const path = callersPath();
    if (fault.path === 'REGULAR' && path === 'LOCAL' && name === 'before vendor call') {
      if (stepOf[fault.at] === undefined) {
        throw ApplicationFailure.nonRetryable('chaos: not on the local path', takeRegular);
      }
    }
    if (name !== fault.at) return;
    standing.set(Context.current().info.workflowExecution?.workflowId ?? '', path);
    if (standing.size === fault.plants) {
      await report({
        kind: 'DIES',
        workflowIds: [...standing.keys()],
        paths: [...standing.values()],
      });
      process.kill(process.pid, 'SIGKILL');
    }
    await new Promise(() => {});
  };
}

/** The step whose commit a point follows; the points around the vendor follow none. */
const stepOf: Readonly<Partial<Record<Checkpoint, WrittenStep>>> = {
  'after snapshot commit': 'snapshot',
  'after alerts commit': 'alerts',
  'after ledger commit': 'ledger',
};

type Query = (this: unknown, text: unknown, ...rest: unknown[]) => unknown;

/** Puts `before` between our statements and the database; what it gives is what the statement's caller gets. */
function interceptQueries(
  before: (text: string, send: () => Promise<pg.QueryResult>) => Promise<pg.QueryResult> | null,
): void {
  const { prototype } = pg.Client as unknown as { prototype: { query: Query } };
  const send = prototype.query;
  prototype.query = function (text, ...rest) {
    const sendIt = () => send.call(this, text, ...rest);
    if (typeof text !== 'string') return sendIt();
    return before(text, sendIt as () => Promise<pg.QueryResult>) ?? sendIt();
  };
}

/** The local attempt of the step meets a busy database, so that it is the regular one that commits. */
function refuseLocally(step: WrittenStep): void {
  interceptQueries((text) => {
    if (!armed || !claimingStatements[step].test(text) || callersPath() === 'REGULAR') return null;
    return Promise.reject(Object.assign(new Error('chaos: too busy'), { code: '53300' }));
  });
}

/** Stops this process, once, when the step's claim is ready to be sent. */
function stopBefore(step: WrittenStep): void {
  interceptQueries((text, send) => {
    if (!armed || !claimingStatements[step].test(text)) return null;
    armed = false;
    return report({ kind: 'STOPS' }).then(async () => {
      process.kill(process.pid, 'SIGSTOP');
      const result = await send();
      await report({ kind: 'WROTE_LATE', rowCount: result.rowCount });
      return result;
    });
  });
}

const { fault } = plan;
const step = fault.kind === 'DIE' ? stepOf[fault.at] : undefined;
if (fault.kind === 'STOP') stopBefore(fault.before);
else if (fault.path === 'REGULAR' && step !== undefined) refuseLocally(step);

const log = createLog('error', process.stderr);
installRuntime(log);
const running = await startWorker({
  config: loadConfig(process.env),
  log,
  bundle: { code: readFileSync(plan.bundleFile, 'utf8') },
  reconcile: false,
  ...(fault.kind === 'DIE' ? { checkpoint: dieAt(fault) } : {}),
});
process.on('message', (message) => {
  if (message !== 'arm') return;
  armed = true;
  void report({ kind: 'ARMED' });
});
process.once('disconnect', () => running.stop());
await report({ kind: 'STARTED' });
await running.finished;
process.exit();

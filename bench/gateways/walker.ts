import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { fleetQueue } from '../../workflows/messages.ts';
import { endProcess } from '../processes.ts';

/** The production processes of a bench: the worker that runs the shards' workflows, and walkers. */
export interface BenchProcess {
  pid: number;
  /** Rejects when it ends by itself; does not settle before. */
  ended: Promise<never>;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

const mainPath = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** The command of each, and its variables. */
const kinds = {
  fleet: { command: 'worker', env: { WORKER_QUEUES: fleetQueue } },
  walker: { command: 'worker:gateways', env: {} },
} as const;

/**
 * Starts a worker and waits until it says that it polls.
 *
 * @param options.isElsewhere in a pid namespace of its own, so that no process of this host can tell that it has died; for
 *   root on Linux only.
 */
export async function startProcess(
  which: keyof typeof kinds,
  env: NodeJS.ProcessEnv,
  { signal, isElsewhere = false }: { signal: AbortSignal; isElsewhere?: boolean },
): Promise<BenchProcess> {
  const kind = kinds[which];
  const command = [process.execPath, mainPath, kind.command];
  const [program = '', ...args] = isElsewhere
    ? ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', ...command]
    : command;
  const child = spawn(program, args, {
    env: { ...env, ...kind.env },
    // Ctrl-C reaches only the bench, which stops everything in order. The worker ends when the bench ends.
    detached: true,
    stdio: ['ignore', process.stderr.fd, 'inherit', 'ipc'],
  });
  let isExpected = false;
  const ended = once(child, 'exit').then((): Promise<never> => {
    if (isExpected) return new Promise<never>(() => {});
    throw new Error(`the ${kind.command} ended by itself (${endOf(child)})`);
  });
  // Callers that race with it still see the rejection.
  ended.catch(() => {});
  try {
    await Promise.race([once(child, 'message', { signal }), ended]);
  } catch (error) {
    isExpected = true;
    await endProcess(child);
    throw error;
  }
  return {
    pid: child.pid ?? 0,
    ended,
    async stop(by = 'SIGTERM') {
      isExpected = true;
      await endProcess(child, by);
    },
  };
}

function endOf({ signalCode, exitCode }: ChildProcess): string {
  return signalCode ?? `code ${exitCode}`;
}

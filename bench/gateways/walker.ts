import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { endProcess } from '../processes.ts';

/** The production processes of a bench: the worker that runs the shards' workflows, and walkers. */
export interface BenchProcess {
  pid: number;
  /** Rejects when it ends by itself; does not settle before. */
  ended: Promise<never>;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

const mainPath = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** The queue of the shards' workflows, and that of their activities. */
const queues = { fleet: 'queue:fleet', walker: 'queue:poll:modbus' } as const;

/**
 * Starts a worker and waits until it says that it polls.
 *
 * @param options.isElsewhere in a pid namespace of its own, so that no process of this host can tell that it has died; for
 *   root on Linux only.
 */
export async function startProcess(
  which: keyof typeof queues,
  env: NodeJS.ProcessEnv,
  { signal, isElsewhere = false }: { signal: AbortSignal; isElsewhere?: boolean },
): Promise<BenchProcess> {
  const command = [process.execPath, mainPath, 'worker'];
  const [program = '', ...args] = isElsewhere
    ? ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', ...command]
    : command;
  const child = spawn(program, args, {
    env: { ...env, WORKER_QUEUES: queues[which] },
    // Ctrl-C reaches only the bench, which stops everything in order. The worker ends when the bench ends.
    detached: true,
    stdio: ['ignore', process.stderr.fd, 'inherit', 'ipc'],
  });
  let isExpected = false;
  const ended = once(child, 'exit').then((): Promise<never> => {
    if (isExpected) return new Promise<never>(() => {});
    throw new Error(`the worker of ${queues[which]} ended by itself (${endOf(child)})`);
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

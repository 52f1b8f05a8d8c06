import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { waitsQuestion } from './count-queries.ts';
import { endProcess } from './processes.ts';

const mainPath = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const counterPath = fileURLToPath(new URL('./count-queries.ts', import.meta.url));

/** Runs the production worker in a separate process, so that its cost can be measured alone. */
export interface BenchWorker {
  pid: number;
  /** Number of waits for PostgreSQL since its start. */
  countWaits(): Promise<number>;
  /** Rejects when the worker ends by itself; does not settle before. */
  ended: Promise<never>;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** Starts the worker and waits until it reports that it polls; ends it if `signal` comes before that. */
export async function startBenchWorker(
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<BenchWorker> {
  const child = spawn(process.execPath, ['--import', counterPath, mainPath, 'worker'], {
    env,
    // Its own process group: Ctrl-C reaches only the bench, which stops everything in order. The worker ends when the bench ends.
    detached: true,
    // The worker's lines are for people: standard output has only the result.
    stdio: ['ignore', process.stderr.fd, 'inherit', 'ipc'],
  });
  let isExpected = false;
  const exited = once(child, 'exit');
  const ended = exited.then((): Promise<never> => {
    if (isExpected) return new Promise<never>(() => {});
    throw new Error(`the worker ended by itself (${child.signalCode ?? `code ${child.exitCode}`})`);
  });
  // Marks the rejection as handled; callers that race with it still see it.
  ended.catch(() => {});
  try {
    await Promise.race([once(child, 'message', { signal }), ended]);
  } catch (error) {
    isExpected = true;
    await endProcess(child);
    throw error;
  }
  const { pid } = child;
  if (pid === undefined) throw new Error('a process that runs has no number');
  return {
    pid,
    ended,
    async countWaits() {
      child.send(waitsQuestion);
      const [answer] = (await Promise.race([once(child, 'message'), ended])) as [{ waits: number }];
      return answer.waits;
    },
    async stop(signal = 'SIGTERM') {
      isExpected = true;
      await endProcess(child, signal);
    },
  };
}

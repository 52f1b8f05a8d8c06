import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { waitsQuestion } from './count-queries.ts';

const mainPath = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const counterPath = fileURLToPath(new URL('./count-queries.ts', import.meta.url));
/** Its own limit for what runs is 6 s. */
const stopMsMax = 10_000;

/** The production worker in a process of its own, so that what it costs can be read apart from everything else. */
export interface BenchWorker {
  pid: number;
  /** Waits for PostgreSQL since it started. */
  countWaits(): Promise<number>;
  /** Rejects when the worker ends by itself; settles no earlier than that. */
  ended: Promise<never>;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** Starts the worker and waits until it says that it polls; ends it when `signal` comes before that. */
export async function startBenchWorker(
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<BenchWorker> {
  const child = spawn(process.execPath, ['--import', counterPath, mainPath, 'worker'], {
    env,
    // Its own process group: Ctrl-C reaches the bench alone, which stops things in order. Without the bench it ends as well.
    detached: true,
    // Its lines are for people: standard output holds the result alone.
    stdio: ['ignore', process.stderr.fd, 'inherit', 'ipc'],
  });
  let isExpected = false;
  const exited = once(child, 'exit');
  const ended = exited.then((): Promise<never> => {
    if (isExpected) return new Promise<never>(() => {});
    throw new Error(`the worker ended by itself (${child.signalCode ?? `code ${child.exitCode}`})`);
  });
  // Whoever races with it hears of it; nobody else has to.
  ended.catch(() => {});
  try {
    await Promise.race([once(child, 'message', { signal }), ended]);
  } catch (error) {
    isExpected = true;
    await end(child, exited, 'SIGTERM');
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
      await end(child, exited, signal);
    },
  };
}

async function end(
  child: ChildProcess,
  exited: Promise<unknown>,
  signal: NodeJS.Signals,
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
  await exited;
  clearTimeout(force);
}

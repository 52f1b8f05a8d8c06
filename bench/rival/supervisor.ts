import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { type VendorSettings, vendorVariable } from './vendor.ts';

/** The engines. The hardened one has a lock for each plant and checks its schedulers, as users build it by hand. */
export const engines = ['heliograph', 'bullmq', 'bullmq-hardened'] as const;
export type Engine = (typeof engines)[number];

const workerFile: Record<Engine, string> = {
  heliograph: './heliograph-worker.ts',
  bullmq: './bullmq-worker.ts',
  'bullmq-hardened': './bullmq-worker.ts',
};

/** Delay before a service manager restarts a dead process, ms. */
const restartPauseMs = 1_000;
/** Time that it waits for an end before it kills: Docker's default. */
const stopMsMax = 10_000;
const startMsMax = 60_000;

/** An engine's worker under a service manager, which restarts it when it ends by itself. */
export interface Supervisor {
  /** The number of the running process; null between two. */
  pid(): number | null;
  /** Number of times that it ended by itself. */
  crashes(): number;
  /** Kills it with SIGKILL; the service manager notices. */
  kill(): Promise<void>;
  /** Stops it and starts the next one, as a deploy does. */
  deploy(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the worker and waits until it reports that it polls. */
export async function startSupervisor(options: {
  engine: Engine;
  env: NodeJS.ProcessEnv;
  vendor: Omit<VendorSettings, 'generation'>;
}): Promise<Supervisor> {
  let generation = 0;
  let crashes = 0;
  let state: 'RUNNING' | 'REPLACING' | 'STOPPED' = 'RUNNING';
  let current: ChildProcess | null = null;
  let restarting: Promise<void> = Promise.resolve();

  async function start(): Promise<void> {
    const vendor: VendorSettings = { ...options.vendor, generation };
    generation += 1;
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL(workerFile[options.engine], import.meta.url))],
      {
        env: {
          ...options.env,
          [vendorVariable]: JSON.stringify(vendor),
          BENCH_RIVAL_HARDENED: String(options.engine === 'bullmq-hardened'),
        },
        // Ctrl-C reaches only the bench, which stops everything in order. The worker ends when the bench ends.
        detached: true,
        stdio: ['ignore', process.stderr.fd, 'inherit', 'ipc'],
      },
    );
    current = child;
    const exited = once(child, 'exit');
    child.once('exit', () => {
      if (current === child) current = null;
      if (state !== 'RUNNING') return;
      crashes += 1;
      restarting = restart();
    });
    const limit = new AbortController();
    try {
      await Promise.race([
        once(child, 'message', { signal: limit.signal }),
        exited,
        delay(startMsMax, undefined, { signal: limit.signal }),
      ]);
    } finally {
      limit.abort();
    }
  }

  async function restart(): Promise<void> {
    await delay(restartPauseMs);
    if (state === 'RUNNING') await start();
  }

  async function end(): Promise<void> {
    const child = current;
    if (child === null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
    await exited;
    clearTimeout(force);
  }

  await start();
  if (current === null) {
    state = 'STOPPED';
    throw new Error(`the worker of ${options.engine} ended while it was starting`);
  }
  return {
    pid: () => current?.pid ?? null,
    crashes: () => crashes,
    async kill() {
      const child = current;
      if (child === null) throw new Error('there is no worker to kill');
      state = 'REPLACING';
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      await delay(restartPauseMs);
      state = 'RUNNING';
      await start();
    },
    async deploy() {
      state = 'REPLACING';
      await end();
      state = 'RUNNING';
      await start();
    },
    async stop() {
      state = 'STOPPED';
      await restarting;
      await end();
    },
  };
}

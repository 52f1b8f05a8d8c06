import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { endProcess } from '../processes.ts';
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
const startMsMax = 60_000;

interface SupervisorOptions {
  engine: Engine;
  env: NodeJS.ProcessEnv;
  vendor: Omit<VendorSettings, 'generation'>;
}

/** An engine's worker under a service manager, which restarts it when it ends by itself. */
export class Supervisor {
  /** Number of times that it ended by itself. */
  crashes = 0;
  readonly #options: SupervisorOptions;
  #generation = 0;
  #state: 'RUNNING' | 'REPLACING' | 'STOPPED' = 'RUNNING';
  #current: ChildProcess | null = null;
  #restarting: Promise<void> = Promise.resolve();

  private constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Starts the worker and waits until it reports that it polls. */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const supervisor = new Supervisor(options);
    await supervisor.#start();
    if (supervisor.pid !== null) return supervisor;
    supervisor.#state = 'STOPPED';
    throw new Error(`the worker of ${options.engine} ended while it was starting`);
  }

  /** The number of the running process; null between two. */
  get pid(): number | null {
    return this.#current?.pid ?? null;
  }

  /** Kills it with SIGKILL; the service manager notices. */
  async kill(): Promise<void> {
    if (this.#current === null) throw new Error('there is no worker to kill');
    await this.#replace('SIGKILL', restartPauseMs);
  }

  /** Stops it and starts the next one, as a deploy does. */
  async deploy(): Promise<void> {
    await this.#replace('SIGTERM', 0);
  }

  async stop(): Promise<void> {
    this.#state = 'STOPPED';
    await this.#restarting;
    if (this.#current !== null) await endProcess(this.#current);
  }

  async #replace(signal: NodeJS.Signals, pauseMs: number): Promise<void> {
    this.#state = 'REPLACING';
    if (this.#current !== null) await endProcess(this.#current, signal);
    await delay(pauseMs);
    this.#state = 'RUNNING';
    await this.#start();
  }

  async #start(): Promise<void> {
    const child = this.#spawn();
    this.#current = child;
    const exited = once(child, 'exit');
    child.once('exit', () => {
      if (this.#current === child) this.#current = null;
      if (this.#state !== 'RUNNING') return;
      this.crashes += 1;
      this.#restarting = this.#restart();
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

  #spawn(): ChildProcess {
    const { engine, env } = this.#options;
    const vendor: VendorSettings = { ...this.#options.vendor, generation: this.#generation };
    this.#generation += 1;
    return spawn(process.execPath, [fileURLToPath(new URL(workerFile[engine], import.meta.url))], {
      env: {
        ...env,
        [vendorVariable]: JSON.stringify(vendor),
        BENCH_RIVAL_HARDENED: String(engine === 'bullmq-hardened'),
      },
      // Ctrl-C reaches only the bench, which stops everything in order. The worker ends when the bench ends.
      detached: true,
      stdio: ['ignore', process.stderr.fd, 'inherit', 'ipc'],
    });
  }

  async #restart(): Promise<void> {
    await delay(restartPauseMs);
    if (this.#state === 'RUNNING') await this.#start();
  }
}

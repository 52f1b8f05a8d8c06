import { setTimeout as delay } from 'node:timers/promises';

import { type BenchProcess, startProcess } from '../../../bench/gateways/walker.ts';
import { isAlive } from '../../../worker/dead-workers.ts';
import { pause } from '../scene.ts';

/** Keeps one walker at work, as a service manager does. */

/** As systemd does it. */
const restartPauseMs = 1_000;
/** Servers may be away while it starts. */
const startTries = 60;

interface WalkerPostOptions {
  /** For people. */
  name: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

export class WalkerPost {
  readonly #options: WalkerPostOptions;
  #current: BenchProcess | null = null;
  #isClosed = false;
  /** One sentence for each fault that could not be played. */
  readonly unexpected: string[] = [];

  constructor(options: WalkerPostOptions) {
    this.#options = options;
  }

  /** Starts a walker; one that ends for want of a server is started again. */
  async start(): Promise<void> {
    const { env, signal, name } = this.#options;
    for (let tries = 1; !this.#isClosed; tries += 1) {
      try {
        this.#current = await startProcess('walker', env, { signal });
        this.#watch(this.#current);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (tries === startTries) throw new Error(`${name} does not start`, { cause: error });
        await delay(restartPauseMs);
      }
    }
  }

  #watch(walker: BenchProcess): void {
    walker.ended.catch((error: unknown) => {
      if (this.#isClosed || this.#current !== walker) return;
      this.unexpected.push(`${this.#options.name}: ${(error as Error).message}`);
      void delay(restartPauseMs).then(() => this.start());
    });
  }

  /** SIGKILL, and a new one a second later. */
  async kill(): Promise<void> {
    const walker = this.#taken();
    await walker.stop('SIGKILL');
    if (isAlive(walker.pid)) this.unexpected.push(`process ${walker.pid} was not ended`);
    await delay(restartPauseMs);
    await this.start();
  }

  /** SIGTERM, and a new one when the old one has left. */
  async replace(): Promise<void> {
    await this.#taken().stop('SIGTERM');
    await this.start();
  }

  /** Stands still for a while: longer than its leases. */
  async freeze(lastsS: number): Promise<void> {
    const walker = this.#taken();
    process.kill(walker.pid, 'SIGSTOP');
    try {
      await pause(lastsS, this.#options.signal);
    } finally {
      process.kill(walker.pid, 'SIGCONT');
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#current?.stop();
  }

  #taken(): BenchProcess {
    if (this.#current === null) throw new Error(`${this.#options.name} does not run`);
    return this.#current;
  }
}

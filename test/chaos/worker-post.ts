import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { dyingWithParent } from '../../stack/process.ts';
import type { ChaosFault } from '../support/chaos-plan.ts';
import {
  type FromWorker,
  noTrouble,
  type ToWorker,
  type VendorTrouble,
  type WorkerPlan,
} from './messages.ts';

const workerPath = fileURLToPath(new URL('./worker.ts', import.meta.url));
/** As systemd does it: whoever dies is started again after this. */
const restartPauseMs = 1_000;
/** A worker that does not say by then what it must say has failed. */
const reportLimitMs = 60_000;
/** Its own limit for what runs is 6 s. */
const stopMsMax = 10_000;
const lookPauseMs = 20;

/** A worker's process. */
export interface WorkerProcess {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Everything it told so far. */
  readonly reports: readonly FromWorker[];
  /** The first report of a kind, also one that came already. @throws when none comes in time, or the worker ends first. */
  first<Kind extends FromWorker['kind']>(kind: Kind): Promise<Extract<FromWorker, { kind: Kind }>>;
  arm(fault: ChaosFault): Promise<void>;
  ended: Promise<{ signal: NodeJS.Signals | null; code: number | null; atMs: number }>;
  /** Ends it in order, by force where that takes too long. */
  stop(): Promise<void>;
}

/** Keeps one worker at work: whoever ends is started again after a second, and an end that nobody ordered is noted. */
export class WorkerPost {
  readonly #name: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #bundleFile: string;
  readonly #logDir: string;
  readonly #say: (line: string) => void;
  #current: WorkerProcess | null = null;
  /** Resolves with the worker that works now; replaced while there is none. */
  #working: Promise<WorkerProcess> = new Promise(() => {});
  #vendors: VendorTrouble = noTrouble;
  #watched: readonly string[] = [];
  #started = 0;
  #closed = false;
  readonly #all = new Set<WorkerProcess>();
  readonly #expected = new Set<WorkerProcess>();
  /** One sentence for each worker that ended by itself. */
  readonly unexpected: string[] = [];

  constructor(options: {
    /** For people, and for its logs. */
    name: string;
    env: NodeJS.ProcessEnv;
    bundleFile: string;
    logDir: string;
    say: (line: string) => void;
  }) {
    this.#name = options.name;
    this.#env = options.env;
    this.#bundleFile = options.bundleFile;
    this.#logDir = options.logDir;
    this.#say = options.say;
  }

  /** Starts a worker beside whoever is there; resolves when it polls, and then it is the one at work. */
  async start(): Promise<WorkerProcess> {
    const begun = this.#begin();
    this.#working = begun;
    return begun;
  }

  /** The worker at work; waits for it where it is just being started. */
  working(): Promise<WorkerProcess> {
    return this.#working;
  }

  /** What its vendors do from now on, also to workers that are started later. */
  setVendors(vendors: VendorTrouble): void {
    this.#vendors = vendors;
    if (this.#current !== null) tell(this.#current, { kind: 'VENDORS', vendors });
  }

  get vendors(): VendorTrouble {
    return this.#vendors;
  }

  /** Whose steps workers that are started from now on tell of. */
  watch(workflowIds: readonly string[]): void {
    this.#watched = workflowIds;
  }

  /** The end of this worker is ordered; another one takes its place all the same. */
  expectEnd(worker: WorkerProcess): void {
    this.#expected.add(worker);
  }

  /** Takes this worker off the post: nobody takes its place. */
  dismiss(worker: WorkerProcess): void {
    this.#expected.add(worker);
    if (this.#current === worker) {
      this.#current = null;
      this.#working = new Promise(() => {});
    }
  }

  /** Ends all that it started. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const worker of this.#all) this.#expected.add(worker);
    await Promise.all([...this.#all].map((worker) => worker.stop()));
  }

  async #begin(): Promise<WorkerProcess> {
    if (this.#closed) return new Promise(() => {});
    this.#started += 1;
    const plan: WorkerPlan = {
      bundleFile: this.#bundleFile,
      vendors: this.#vendors,
      watched: this.#watched,
    };
    const worker = await spawnWorker(
      this.#env,
      plan,
      join(this.#logDir, `worker-${this.#name}-${this.#started}.log`),
    );
    this.#all.add(worker);
    this.#current = worker;
    void worker.ended.then((end) => this.#onEnd(worker, end));
    try {
      await worker.first('STARTED');
    } catch (error) {
      // Its successor is on its way.
      if (this.#closed || this.#current === worker) throw error;
      return this.#working;
    }
    return worker;
  }

  #onEnd(worker: WorkerProcess, end: { signal: string | null; code: number | null }): void {
    if (!this.#expected.has(worker)) {
      this.unexpected.push(
        `worker ${this.#name} (${worker.pid}) ended by itself (${end.signal ?? `exit code ${end.code}`})`,
      );
    }
    if (this.#closed || this.#current !== worker) return;
    this.#current = null;
    this.#say(
      `  worker ${this.#name} (${worker.pid}) is gone, another one starts in ${restartPauseMs / 1_000} s`,
    );
    this.#working = delay(restartPauseMs).then(() => this.#begin());
    this.#working.catch(() => {});
  }
}

function tell({ child }: WorkerProcess, message: ToWorker): void {
  if (child.connected) child.send(message, () => {});
}

async function spawnWorker(
  env: NodeJS.ProcessEnv,
  plan: WorkerPlan,
  logFile: string,
): Promise<WorkerProcess> {
  const log = openSync(logFile, 'a');
  // A worker that stands still hears neither Ctrl-C nor the end of its channel: the kernel ends it with this process.
  const [file, prefix] = dyingWithParent('SIGKILL', process.execPath);
  const child = spawn(file, [...prefix, workerPath], {
    env: { ...env, HELIOGRAPH_CHAOS: JSON.stringify(plan) },
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const reports: FromWorker[] = [];
  child.on('message', (message) => void reports.push(message as FromWorker));
  // A message to a process that has just died.
  child.on('error', () => {});
  const ended = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    atMs: Date.now(),
  }));
  await once(child, 'spawn');
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const worker: WorkerProcess = {
    pid: child.pid ?? 0,
    child,
    reports,
    ended,
    async first(kind) {
      const endsAt = performance.now() + reportLimitMs;
      for (;;) {
        const ending = hasEnded();
        const found = reports.find((one) => one.kind === kind);
        if (found !== undefined) return found as Extract<FromWorker, { kind: typeof kind }>;
        if (ending) throw new Error(`worker ${worker.pid} ended before it said ${kind}`);
        if (performance.now() > endsAt)
          throw new Error(`worker ${worker.pid} did not say ${kind} in ${reportLimitMs / 1_000} s`);
        await delay(lookPauseMs);
      }
    },
    async arm(fault) {
      tell(worker, { kind: 'ARM', fault });
      await worker.first('ARMED');
    },
    async stop() {
      if (hasEnded()) return;
      child.kill('SIGCONT');
      tell(worker, { kind: 'STOP' });
      const force = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
      await ended;
      clearTimeout(force);
    },
  };
  return worker;
}

/** What is waited for, and for how long: one timer for all requests of the process, however many there are. */

/** How late a wait may end. A timer for each request would cost more than the request's own arithmetic. */
const tickMs = 10;

/** LATE: its time is over. CUT: whoever waits has been told to stop. */
export type GivenUp = 'LATE' | 'CUT';

interface Ending {
  /** On the clock of `Waits`. */
  readonly endsAtMs: number;
  /** Its place in the list of waits; −1: it is settled. */
  place: number;
  end(why: GivenUp): void;
}

/** One promise that settles once: with what came, or with what `giveUp` makes of its not coming. */
export class Wait<T> implements Ending {
  readonly promise: Promise<T>;
  readonly endsAtMs: number;
  place = -1;
  readonly #waits: Waits;
  readonly #giveUp: (why: GivenUp) => T;
  #resolve!: (value: T) => void;

  constructor(waits: Waits, endsAtMs: number, giveUp: (why: GivenUp) => T) {
    this.endsAtMs = endsAtMs;
    this.#waits = waits;
    this.#giveUp = giveUp;
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    waits.add(this);
  }

  /** The first call counts. */
  settle(value: T): void {
    if (this.place < 0) return;
    this.#waits.remove(this);
    this.#resolve(value);
  }

  /** Ends the wait without what it waits for. */
  end(why: GivenUp): void {
    if (this.place >= 0) this.settle(this.#giveUp(why));
  }
}

/** All waits of a process, looked through every 10 ms while there are any. */
export class Waits {
  readonly #open: Ending[] = [];
  #isTicking = false;

  /** Ms from any start; never jumps. */
  now(): number {
    return performance.now();
  }

  add(wait: Ending): void {
    wait.place = this.#open.length;
    this.#open.push(wait);
    if (this.#isTicking) return;
    this.#isTicking = true;
    setTimeout(this.#tick, tickMs).unref();
  }

  remove(wait: Ending): void {
    const last = this.#open.pop() as Ending;
    if (last !== wait) {
      this.#open[wait.place] = last;
      last.place = wait.place;
    }
    wait.place = -1;
  }

  readonly #tick = (): void => {
    const now = this.now();
    // From the end: one that ends is replaced by one that has been looked at.
    for (let place = this.#open.length - 1; place >= 0; place -= 1) {
      const wait = this.#open[place];
      if (wait !== undefined && wait.endsAtMs <= now) wait.end('LATE');
    }
    this.#isTicking = this.#open.length > 0;
    if (this.#isTicking) setTimeout(this.#tick, tickMs).unref();
  };
}

/** One poll or read: it waits for one thing at a time, has an end, and can be cut. */
export class Job {
  readonly endsAtMs: number;
  readonly #waits: Waits;
  #isCut = false;
  #current: Ending | null = null;

  constructor(waits: Waits, endsAtMs: number) {
    this.#waits = waits;
    this.endsAtMs = endsAtMs;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Ms that are left; at least 0. */
  get leftMs(): number {
    return Math.max(0, this.endsAtMs - this.#waits.now());
  }

  /** Waits at most `ms`, and never beyond the job's end. */
  wait<T>(ms: number, giveUp: (why: GivenUp) => T): Wait<T> {
    const wait = new Wait(this.#waits, Math.min(this.#waits.now() + ms, this.endsAtMs), giveUp);
    this.#current = wait;
    if (this.#isCut) wait.end('CUT');
    return wait;
  }

  /** Lets `ms` pass. */
  async pause(ms: number): Promise<void> {
    await this.wait<undefined>(ms, () => undefined).promise;
  }

  /** Ends what it waits for, and everything that it would wait for. */
  cut(): void {
    this.#isCut = true;
    this.#current?.end('CUT');
  }
}

/** Cuts jobs when their signal aborts. One listener serves all jobs of a signal, however many share it. */
export class Aborts {
  readonly #jobs = new WeakMap<AbortSignal, Set<Job>>();

  /** @returns what to call when the job has ended. */
  watch(signal: AbortSignal, job: Job): () => void {
    if (signal.aborted) job.cut();
    const jobs = this.#jobs.get(signal) ?? this.#listen(signal);
    jobs.add(job);
    return () => jobs.delete(job);
  }

  #listen(signal: AbortSignal): Set<Job> {
    const jobs = new Set<Job>();
    this.#jobs.set(signal, jobs);
    signal.addEventListener('abort', () => {
      for (const job of jobs) job.cut();
    });
    return jobs;
  }
}

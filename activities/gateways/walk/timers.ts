import type { Timer, WalkClock } from './ports.ts';

/** The timers of a walker, by name: there is one of a name at a time. */
export class Timers {
  readonly #clock: WalkClock;
  readonly #timers = new Map<string, Timer>();
  #isClosed = false;

  constructor(clock: WalkClock) {
    this.#clock = clock;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Calls `run` once, `ms` from now, unless a timer of this name waits already. */
  once(name: string, ms: number, run: () => void): void {
    if (this.#isClosed || this.#timers.has(name)) return;
    const timer = this.#clock.after(ms, () => {
      this.#timers.delete(name);
      run();
    });
    this.#timers.set(name, timer);
  }

  /** Calls `run` each `ms`, from `ms` from now on. */
  repeat(name: string, ms: number, run: () => void): void {
    this.once(name, ms, () => {
      this.repeat(name, ms, run);
      run();
    });
  }

  cancel(name: string): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  /** Cancels all, and takes no new ones. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }
}

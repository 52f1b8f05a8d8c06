import type { WalkClock } from '../../activities/gateways/walk/ports.ts';

/** A clock on which three days take seconds, and processes on it that can be killed and stopped. */

interface Event {
  atMs: number;
  order: number;
  run: () => void;
  isCancelled: boolean;
}

/** The time of a simulated world. Between two events everything that waits for nothing but promises has its turn. */
export class VirtualTime {
  #nowMs: number;
  #orders = 0;
  readonly #heap: Event[] = [];

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs `run` at an instant, or at once if it is past. Events of one instant run in the order in which they came. */
  at(atMs: number, run: () => void): { cancel: () => void } {
    this.#orders += 1;
    const event = {
      atMs: Math.max(atMs, this.#nowMs),
      order: this.#orders,
      run,
      isCancelled: false,
    };
    this.#push(event);
    return {
      cancel: () => {
        event.isCancelled = true;
      },
    };
  }

  /** Lives up to an instant. */
  async runUntil(endMs: number): Promise<void> {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.atMs > endMs) break;
      this.#pop();
      if (event.isCancelled) continue;
      this.#nowMs = event.atMs;
      event.run();
      await turn();
    }
    this.#nowMs = endMs;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Event;
      if (!isBefore(event, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Event, heap[below] as Event))
        below += 1;
      if (!isBefore(heap[below] as Event, last)) break;
      heap[at] = heap[below] as Event;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Lets all promises that can go on go on. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A process of the world: what happens to it while it is stopped happens when it goes on, and never once it is killed. */
export class SimulatedProcess {
  readonly clock: WalkClock;
  isKilled = false;
  wasStopped = false;
  readonly #time: VirtualTime;
  #isStopped = false;
  #held: (() => void)[] = [];

  constructor(time: VirtualTime) {
    this.#time = time;
    this.clock = {
      now: () => time.nowMs,
      elapsed: () => time.nowMs,
      after: (ms, run) => {
        let isCancelled = false;
        const fire = (): void =>
          this.deliver(() => {
            if (!isCancelled) run();
          });
        const event = time.at(time.nowMs + Math.max(0, ms), fire);
        return {
          cancel: () => {
            isCancelled = true;
            event.cancel();
          },
        };
      },
    };
  }

  /** Runs something of the process: now, when it goes on, or never. */
  deliver(run: () => void): void {
    if (this.isKilled) return;
    if (this.#isStopped) this.#held.push(run);
    else run();
  }

  /** An answer from outside, `ms` later. It never comes to a process that was killed. */
  answer<T>(ms: number, give: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#time.at(this.#time.nowMs + ms, () => {
        // Servers answer also for a process that is stopped.
        try {
          const given = give();
          this.deliver(() => resolve(given));
        } catch (error) {
          this.deliver(() => reject(error));
        }
      });
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.wasStopped = true;
  }

  goOn(): void {
    this.#isStopped = false;
    for (const run of this.#held.splice(0))
      this.#time.at(this.#time.nowMs, () => this.deliver(run));
  }
}

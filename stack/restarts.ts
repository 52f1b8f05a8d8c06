/** When a process that ends by itself is started again, and when that is no use. */

/** A process that ends as often as this within the window would do so for ever. */
export const endsMax = 5;
/** Ends further apart come from outside (a kill, memory that ran out), and a new start helps. */
const windowMs = 60_000;

/** Counts the ends of one process. */
export class Restarts {
  readonly #nowMs: () => number;
  #endsMs: number[] = [];

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Takes note of an end. @returns whether to start the process again. */
  allowAfterEnd(): boolean {
    const nowMs = this.#nowMs();
    this.#endsMs = [...this.#endsMs.filter((endMs) => nowMs - endMs < windowMs), nowMs];
    return this.#endsMs.length < endsMax;
  }
}

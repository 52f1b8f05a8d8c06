import type { WalkClock } from './ports.ts';

/** Whether the walker may send anything: not during an emergency stop, and not after a pause of its process. */

/** Time to live of a lease. */
export const leaseTtlMs = 4_000;
/** How often the process notes that it runs. */
export const pulseMs = 500;
/** A process that did not run for so long was stopped, not only busy. */
const stoppedMs = 2_000;

export class Guard {
  readonly #clock: WalkClock;
  #pulseAtMs: number;
  /** When the newest renewal that succeeded was sent. */
  #renewedAtMs: number;
  #frozenAtMs: number | null = null;
  #isHalted = false;
  /** Up to here the emergency stop, or the last one, reached. */
  haltedUntilMs = -Infinity;

  constructor(clock: WalkClock) {
    this.#clock = clock;
    this.#pulseAtMs = clock.elapsed();
    this.#renewedAtMs = clock.elapsed();
  }

  /** Called often while the process runs. */
  pulse(): void {
    this.#look();
    this.#pulseAtMs = this.#clock.elapsed();
    if (this.#isHalted) this.haltedUntilMs = this.#clock.now();
  }

  /** A process that was stopped for longer than its leases live sends nothing before it has read them again. */
  maySend(): boolean {
    this.#look();
    return this.#frozenAtMs === null && !this.#isHalted;
  }

  get isFrozen(): boolean {
    this.#look();
    return this.#frozenAtMs !== null;
  }

  get isHalted(): boolean {
    return this.#isHalted;
  }

  /** How long no renewal has succeeded, ms. */
  get databaseSilentMs(): number {
    return this.#clock.elapsed() - this.#renewedAtMs;
  }

  /** @param sentAtMs when the renewal that succeeded was sent, by `elapsed`. */
  renewed(sentAtMs: number, isHalted: boolean): void {
    this.#look();
    this.#renewedAtMs = Math.max(this.#renewedAtMs, sentAtMs);
    if (this.#frozenAtMs !== null && sentAtMs >= this.#frozenAtMs) this.#frozenAtMs = null;
    if (this.#isHalted || isHalted) this.haltedUntilMs = this.#clock.now();
    this.#isHalted = isHalted;
  }

  /** A lease was taken just now: the silence before it does not count. */
  taken(): void {
    this.#renewedAtMs = this.#clock.elapsed();
  }

  #look(): void {
    const nowMs = this.#clock.elapsed();
    const wasStopped = nowMs - this.#pulseAtMs > stoppedMs;
    if (wasStopped && nowMs - this.#renewedAtMs > leaseTtlMs) this.#frozenAtMs ??= nowMs;
  }
}

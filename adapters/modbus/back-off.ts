/** How long to leave alone what fails: 1, 2, 5, 10 … 60 s. */

/** After one failure, two, three …; the last holds for all further ones. */
export const backOffMs = [1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000] as const;

export class BackOff {
  failures = 0;
  #untilMs = -Infinity;

  /** @param nowMs on a clock that never jumps. */
  fail(nowMs: number): void {
    const step = Math.min(this.failures, backOffMs.length - 1);
    this.failures += 1;
    this.#untilMs = nowMs + (backOffMs[step] as number);
  }

  clear(): void {
    this.failures = 0;
    this.#untilMs = -Infinity;
  }

  /** Ms until the next attempt; 0: now. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs);
  }
}

/** A unit that answered this long ago still proves that the way to its gateway is open. */
const proofMs = 600_000;

/** What is known of one unit behind a gateway. */
export interface UnitState {
  backOff: BackOff;
  /** When it answered last; null: its last poll brought no answer. */
  answeredAtMs: number | null;
  /** Polls running that ended with exception 0x0A or 0x0B: the gateway found no way to the unit. */
  unreached: number;
}

export class Units {
  readonly #units = new Map<number, UnitState>();

  of(unitId: number): UnitState {
    const known = this.#units.get(unitId);
    if (known !== undefined) return known;
    const unit = { backOff: new BackOff(), answeredAtMs: null, unreached: 0 };
    this.#units.set(unitId, unit);
    return unit;
  }

  /** Whether some other unit answers: then it is not the gateway that is silent. */
  doesAnotherAnswer(unitId: number, nowMs: number): boolean {
    for (const [id, { answeredAtMs }] of this.#units)
      if (id !== unitId && answeredAtMs !== null && nowMs - answeredAtMs < proofMs) return true;
    return false;
  }
}

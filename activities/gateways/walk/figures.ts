/** How a walk does: polls a second and lateness, over the last ten seconds. */

const spanS = 10;
/** Upper ends of the lateness buckets, ms: fine where the bar lies. */
const ends = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1_000, 2_000,
  5_000, 10_000,
];

export class Figures {
  readonly #seconds = Array.from({ length: spanS }, () => ({
    second: -1,
    polls: 0,
    late: new Uint32Array(ends.length + 1),
  }));

  /** @param lateMs null: the poll stood for no slot. */
  polled(nowMs: number, lateMs: number | null): void {
    const second = Math.floor(nowMs / 1_000);
    const at = this.#seconds[second % spanS];
    if (at === undefined) return;
    if (at.second !== second) {
      at.second = second;
      at.polls = 0;
      at.late.fill(0);
    }
    at.polls += 1;
    if (lateMs === null) return;
    const found = ends.findIndex((end) => lateMs <= end);
    const bucket = found === -1 ? ends.length : found;
    at.late[bucket] = (at.late[bucket] ?? 0) + 1;
  }

  read(nowMs: number): { polls_per_s: number; late_p99_ms: number } {
    const second = Math.floor(nowMs / 1_000);
    // The running second is not whole yet.
    const whole = this.#seconds.filter(
      (one) => one.second < second && one.second >= second - spanS,
    );
    const polls = whole.reduce((sum, one) => sum + one.polls, 0);
    const late = ends.map((_, bucket) =>
      whole.reduce((sum, one) => sum + (one.late[bucket] ?? 0), 0),
    );
    const over = whole.reduce((sum, one) => sum + (one.late[ends.length] ?? 0), 0);
    const all = late.reduce((sum, count) => sum + count, 0) + over;
    let seen = 0;
    const bucket = late.findIndex((count) => (seen += count) >= all * 0.99);
    return {
      polls_per_s: Math.round((polls / Math.min(spanS, Math.max(1, whole.length))) * 10) / 10,
      late_p99_ms: all === 0 ? 0 : (ends[bucket] ?? (ends.at(-1) as number) * 2),
    };
  }
}

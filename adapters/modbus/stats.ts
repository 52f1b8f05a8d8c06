/** What the sockets of a process did since it started: for metrics. */

/** Upper bounds of the buckets of round trips, ms. */
export const roundTripBucketsMs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;

export class ModbusStats {
  connects = 0;
  /** Connections made again because an idle one had been closed by the other side. */
  reconnects = 0;
  requests = 0;
  timeouts = 0;
  /** Frames that could not be the answer. */
  rejectedFrames = 0;
  /** Bytes that came when nothing was asked. */
  lateFrames = 0;
  /** Answers by code of the exception. */
  readonly exceptions = new Map<number, number>();
  /** Sum of all round trips, ms, and how many took at most as long as each bucket; the last bucket has no bound. */
  roundTripMs = 0;
  readonly roundTrips: number[] = Array.from({ length: roundTripBucketsMs.length + 1 }, () => 0);

  answered(ms: number): void {
    this.roundTripMs += ms;
    let bucket = 0;
    while (bucket < roundTripBucketsMs.length && ms > (roundTripBucketsMs[bucket] as number))
      bucket += 1;
    this.roundTrips[bucket] = (this.roundTrips[bucket] ?? 0) + 1;
  }

  exception(code: number): void {
    this.exceptions.set(code, (this.exceptions.get(code) ?? 0) + 1);
  }
}

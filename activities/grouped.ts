/**
 * Groups calls that come close together, so that many plants share one statement.
 *
 * @param run gets at most `sizeMax` items and returns their results in the same order. Its error rejects all calls of the group.
 * @param flightsMax maximum number of runs at once. Calls that come meanwhile wait for the first to end, and share one run.
 * @returns the call for one item. `lingerMs` is how long it may wait for others; the shortest wait counts for the group.
 */
export function grouped<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
  { sizeMax, flightsMax }: { sizeMax: number; flightsMax: number },
): (item: Item, lingerMs: number) => Promise<Result> {
  type Waiting = {
    item: Item;
    resolve: (result: Result) => void;
    reject: (error: unknown) => void;
  };
  let waiting: Waiting[] = [];
  let flights = 0;
  let leavesAtMs = Infinity;
  let timer: NodeJS.Timeout | undefined;

  function leaveBy(atMs: number): void {
    if (atMs >= leavesAtMs) return;
    leavesAtMs = atMs;
    clearTimeout(timer);
    timer = setTimeout(leave, Math.max(0, atMs - performance.now()));
  }

  function leave(): void {
    clearTimeout(timer);
    // The group leaves when a run ends.
    if (flights >= flightsMax) return;
    const group = waiting.slice(0, sizeMax);
    waiting = waiting.slice(sizeMax);
    leavesAtMs = Infinity;
    if (waiting.length > 0) leaveBy(performance.now());
    if (group.length > 0) void fly(group);
  }

  async function fly(group: readonly Waiting[]): Promise<void> {
    flights += 1;
    try {
      const results = await run(group.map(({ item }) => item));
      if (results.length !== group.length)
        throw new Error(`${group.length} were asked together and ${results.length} answered`);
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as Result);
    } catch (error) {
      for (const { reject } of group) reject(error);
    } finally {
      flights -= 1;
      if (leavesAtMs <= performance.now()) leave();
    }
  }

  return (item, lingerMs) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      leaveBy(waiting.length >= sizeMax ? -Infinity : performance.now() + lingerMs);
    });
}

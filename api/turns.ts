import { Problem } from './problem.ts';

/**
 * Lets a few pieces of work run at once and has the others wait. Each key (an address, a person) has a line of its own; the
 * lines are served in rotation, so that one key's many requests do not keep another key waiting.
 */
export type InTurn = <Result>(key: string, run: () => Promise<Result>) => Promise<Result>;

export interface TurnLimits {
  /** How many run at the same time. */
  atOnce: number;
  /** How many wait, of all keys and of one. */
  waitingMax: number;
  waitingMaxOfKey: number;
  /** The sentence for those who may not wait. */
  busy: string;
}

interface Waiting {
  begin: () => void;
  giveUp: (problem: Problem) => void;
}

/** When to ask again after a refusal, s. */
const retryAfterS = 5;

/** The returned function throws Problem 429 when a line is full. */
export function createTurns({ atOnce, waitingMax, waitingMaxOfKey, busy }: TurnLimits): InTurn {
  /** The lines that are not empty; the first one is served next. */
  const lines = new Map<string, Waiting[]>();
  let running = 0;
  let waiting = 0;
  const refusal = () => new Problem('too-many-requests', busy, { retryAfterS });

  /** When everything is full, the newest of the longest line leaves, if that line is longer than the own one. */
  function makeRoom(key: string): void {
    const own = lines.get(key)?.length ?? 0;
    if (own >= waitingMaxOfKey) throw refusal();
    if (waiting < waitingMax) return;
    const longest = [...lines.values()].reduce((a, b) => (b.length > a.length ? b : a), []);
    const last = longest.length > own + 1 ? longest.pop() : undefined;
    if (last === undefined) throw refusal();
    waiting -= 1;
    last.giveUp(refusal());
  }

  async function place(key: string): Promise<void> {
    if (running < atOnce) {
      running += 1;
      return;
    }
    makeRoom(key);
    waiting += 1;
    await new Promise<void>((begin, giveUp) => {
      const line = lines.get(key);
      if (line === undefined) lines.set(key, [{ begin, giveUp }]);
      else line.push({ begin, giveUp });
    });
  }

  /** Gives the free place to the first line, which then goes to the end. */
  function pass(): void {
    const [first] = lines;
    if (first === undefined) {
      running -= 1;
      return;
    }
    const [key, line] = first;
    const next = line.shift();
    lines.delete(key);
    if (line.length > 0) lines.set(key, line);
    waiting -= 1;
    next?.begin();
  }

  return async (key, run) => {
    await place(key);
    try {
      return await run();
    } finally {
      pass();
    }
  };
}

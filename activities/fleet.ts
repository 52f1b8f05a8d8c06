import type { FleetReport } from './contract.ts';
import type { Deps } from './deps.ts';

/** Makes what runs in Temporal what PostgreSQL says: one loop for each row that wants one, whatever the loops watch. */

/** The first start of a large fleet is spread, so that Temporal is not flooded. */
const startsPerSecondMax = 100;
/** The report goes through the history: of a large change it names the first. */
const namedMax = 100;
/**
 * The loops are listed at least so often. In between their number tells: a list of thousands holds up Temporal's store, and
 * so every poll.
 */
const listedEveryMs = 600_000;

/** One context's part in the reconciliation: does its work, and says what it changed. */
export type Reconciler = (nowMs: number) => Promise<FleetReport>;

/**
 * The activity over all parts, which have their turn one after the other.
 *
 * @returns the parts' reports as one: figures of the same word are added, lists joined.
 * @throws the first error, after every part had its turn; the others come again with the next reconciliation.
 */
export function createFleet(reconcilers: readonly Reconciler[], { clock }: Pick<Deps, 'clock'>) {
  return async function reconcileFleet(args: { nowMs: number }): Promise<FleetReport> {
    const nowMs = Math.max(args.nowMs, clock());
    const report: Record<string, number | string[]> = {};
    const errors: unknown[] = [];
    for (const reconcile of reconcilers) {
      try {
        for (const [word, value] of Object.entries(await reconcile(nowMs)))
          report[word] = joined(report[word], value);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
    return report;
  };
}

function joined(
  before: number | string[] | undefined,
  value: number | readonly string[],
): number | string[] {
  if (typeof value === 'number') return value + Number(before ?? 0);
  return [...(Array.isArray(before) ? before : []), ...value.slice(0, namedMax)];
}

/** What the reconciliation does to loops of one kind; given by the composition root, which has the Temporal client. */
export interface Loops<Subject> {
  /** How many loops run. */
  count(): Promise<number>;
  /** The subjects' ids of all loops that run. */
  list(): Promise<ReadonlySet<string>>;
  /** Starts the subject's loop; does nothing where one runs. */
  start(subject: Subject): Promise<void>;
  /**
   * Ends a loop whose workflow task fails again and again, and starts another with nothing in hand; starts one where none
   * runs; leaves any other loop alone. @returns whether it was started.
   */
  restartStuck(subject: Subject): Promise<boolean>;
  /** Tells the loop to look again; does nothing where none runs. */
  signalChanged(subjectId: string): Promise<unknown>;
}

/** The rows that want loops of one kind. */
export interface LoopRows<Subject> {
  /** What the log calls them: `plants`. */
  kind: string;
  /** All of them; `changed`: the loop has not yet seen what people changed. */
  listWanted(): Promise<(Subject & { changed: boolean })[]>;
  /** Those that their loop should have served and has not, or a sample of them: the loop may be stuck. */
  listSilent(nowMs: number): Promise<Subject[]>;
}

/** What was done to the loops, by their subjects' ids. */
export interface LoopsReport {
  wanted: number;
  started: string[];
  /** Loops that nothing wants any more: each was told to look again, sees it, and ends. */
  ended: string[];
  /** Loops that were told of a change. */
  signalled: string[];
  /** Loops that were stuck, or not there while their number was right. */
  restarted: string[];
}

/**
 * Brings the loops of one kind in line with the rows that want them.
 *
 * @example
 * const reconcileLoops = createLoopReconciler(loops, { kind: 'plants', listWanted, listSilent }, deps);
 * const { started } = await reconcileLoops(nowMs);
 */
export function createLoopReconciler<Subject extends { id: string }>(
  loops: Loops<Subject>,
  rows: LoopRows<Subject>,
  { clock, log }: Pick<Deps, 'clock' | 'log'>,
): (nowMs: number) => Promise<LoopsReport> {
  let listedAtMs = -Infinity;

  return async (nowMs) => {
    const wanted = await rows.listWanted();
    const wantedIds = new Set(wanted.map(({ id }) => id));
    const isListNeeded =
      clock() >= listedAtMs + listedEveryMs ||
      // One that no loop has seen yet may stand where one that is gone has left its loop: the number would be right.
      wanted.some(({ changed }) => changed) ||
      (await loops.count()) !== wanted.length;
    const running = isListNeeded ? await loops.list() : wantedIds;
    // Only now: a list that failed is made again at the next reconciliation.
    if (isListNeeded) listedAtMs = clock();
    const missing = wanted.filter(({ id }) => !running.has(id));
    const ended = [...running].filter((id) => !wantedIds.has(id));
    const signalled = wanted.filter((one) => one.changed && running.has(one.id)).map(idOf);
    await startSpread(missing, loops);
    for (const id of [...ended, ...signalled]) await loops.signalChanged(id);
    const restarted = await restartStuck(await rows.listSilent(nowMs));
    return { wanted: wanted.length, started: missing.map(idOf), ended, signalled, restarted };
  };

  /** A loop that no worker can go on with would stand still for ever; all that it knows is in PostgreSQL as well. */
  async function restartStuck(silent: readonly Subject[]): Promise<string[]> {
    const restarted: string[] = [];
    for (const subject of silent) if (await loops.restartStuck(subject)) restarted.push(subject.id);
    if (restarted.length > 0)
      log.error(
        { [rows.kind]: restarted },
        'loops that no worker could go on with were started anew',
      );
    return restarted;
  }
}

const idOf = ({ id }: { id: string }) => id;

async function startSpread<Subject>(
  missing: readonly Subject[],
  loops: Loops<Subject>,
): Promise<void> {
  for (let begin = 0; begin < missing.length; begin += startsPerSecondMax) {
    const beganAt = performance.now();
    await Promise.all(
      missing.slice(begin, begin + startsPerSecondMax).map((subject) => loops.start(subject)),
    );
    const restMs = 1_000 - (performance.now() - beganAt);
    if (begin + startsPerSecondMax < missing.length && restMs > 0)
      await new Promise((resolve) => setTimeout(resolve, restMs));
  }
}

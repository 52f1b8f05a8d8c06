import type { FleetReport } from './contract.ts';
import type { Deps } from './deps.ts';

/** The reconciliation: runs one loop in Temporal for each row of PostgreSQL that wants one, in every context. */

/** Limit of loops started per second, so that the first start of a large fleet does not flood Temporal. */
const startsPerSecondMax = 100;
/** Limit of ids in a list of the report, which becomes part of the workflow's history. */
const namedMax = 100;
/**
 * How often the loops are listed. In between they are only counted, because a list of thousands delays Temporal's store and so
 * every poll.
 */
const listedEveryMs = 600_000;

/** The part of one context in the reconciliation. Returns what it changed. */
export type Reconciler = (nowMs: number) => Promise<FleetReport>;

/**
 * The activity that runs all parts, one after the other.
 *
 * @returns one report of all parts: numbers of the same key are added, lists joined.
 * @throws the first error, after all parts have run.
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

/** What the reconciliation does to loops of one kind. The worker gives it, because activities have no Temporal client. */
export interface Loops<Subject> {
  /** How many loops run. */
  count(): Promise<number>;
  /** The subjects' ids of all loops that run. */
  list(): Promise<ReadonlySet<string>>;
  /** Starts the subject's loop if none runs. */
  start(subject: Subject): Promise<void>;
  /**
   * Replaces a loop whose workflow task fails again and again by one with empty state, and starts one if none runs.
   * @returns whether it started one.
   */
  restartStuck(subject: Subject): Promise<boolean>;
  /** Tells the loop, if one runs, to read its row again. */
  signalChanged(subjectId: string): Promise<unknown>;
}

/** The rows that want loops of one kind. */
export interface LoopRows<Subject> {
  /** Their name in the log: `plants`. */
  kind: string;
  /** `changed`: the loop has not yet seen what people changed. */
  listWanted(): Promise<(Subject & { changed: boolean })[]>;
  /** Rows, or a sample of them, that their loop has not served in time: the loop may be stuck. */
  listSilent(nowMs: number): Promise<Subject[]>;
}

/** What changed; lists are of subjects' ids. */
export interface LoopsReport {
  wanted: number;
  started: string[];
  /** Loops without a row: each was told to read its row again, finds none, and ends. */
  ended: string[];
  signalled: string[];
  /** Loops that were stuck, or missing although the number of loops was right. */
  restarted: string[];
}

/**
 * Reconciles the loops of one kind with the rows that want them.
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
      // If a row is new and another is gone, the number of loops is right and the loops are not.
      wanted.some(({ changed }) => changed) ||
      (await loops.count()) !== wanted.length;
    const running = isListNeeded ? await loops.list() : wantedIds;
    // Only now, so that the next reconciliation repeats a list that failed.
    if (isListNeeded) listedAtMs = clock();
    const missing = wanted.filter(({ id }) => !running.has(id));
    const ended = [...running].filter((id) => !wantedIds.has(id));
    const signalled = wanted.filter((one) => one.changed && running.has(one.id)).map(idOf);
    await startSpread(missing, loops);
    for (const id of [...ended, ...signalled]) await loops.signalChanged(id);
    const restarted = await restartStuck(await rows.listSilent(nowMs));
    return { wanted: wanted.length, started: missing.map(idOf), ended, signalled, restarted };
  };

  /** A loop that no worker can continue would stand still for ever. Everything that it knows is in PostgreSQL as well. */
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

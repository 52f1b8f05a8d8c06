import type { Checkpoint } from '../../activities/deps.ts';

/** What a chaos worker is to do to itself; goes to its process as JSON in `HELIOGRAPH_CHAOS`. */
export interface ChaosPlan {
  /** The workflows' bundle, made by the test: a worker that compiles its own starts too late for its slot. */
  bundleFile: string;
  /** Nothing of this happens before the worker is armed. */
  fault: ChaosFault;
}

export type ChaosFault =
  /** SIGKILL, once the loops of so many plants stand at the point at the same time. */
  | { kind: 'DIE'; at: Checkpoint; path: StepPath; plants: number }
  /** SIGSTOP, right before the step's write leaves for the database; the write goes out after SIGCONT. */
  | {
      kind: 'STOP';
      before: WrittenStep;
      /** Only at a write of one of these; default: at the first of any. */
      plantIds?: readonly string[];
    };

/** Whether a step runs as a local activity or as a regular one. */
export type StepPath = 'LOCAL' | 'REGULAR';

/** The steps that write, each known by the statement with which it claims its slot. */
export type WrittenStep = 'whole' | 'snapshot' | 'alerts' | 'ledger';

export const claimingStatements: Readonly<Record<WrittenStep, RegExp>> = {
  whole: /^\s*\/\* prepared write-whole-polls \*\//,
  snapshot: /^\s*insert into metric_snapshots as s/,
  alerts: /^\s*update plants set status = .*last_slot = /s,
  ledger: /^\s*insert into "poll_logs"/,
};

/** What a chaos worker tells its test. */
export type ChaosReport =
  | { kind: 'STARTED' }
  | { kind: 'ARMED' }
  /** The last word of a worker that kills itself: the loops that stood at the point. */
  | { kind: 'DIES'; workflowIds: string[]; paths: StepPath[] }
  /** `plantId` where the fault named plants. */
  | { kind: 'STOPS'; plantId: string | null }
  /**
   * A write that was held up by SIGSTOP has been answered by the database. `plantIds`: whose polls it wrote, where it was one
   * statement for several.
   */
  | { kind: 'WROTE_LATE'; rowCount: number | null; plantIds: string[] };

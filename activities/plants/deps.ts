import type { Kysely } from 'kysely';

import type { Locks } from '../../db/lock.ts';
import type { Database } from '../../db/tables.ts';
import type { Breaker } from './breaker.ts';
import type { PollCourse } from './contract.ts';
import type { Vendors } from './vendor.ts';

/** What the activities of a worker work with; tests pass their own clock and transport here. */
export interface ActivityDeps {
  db: Kysely<Database>;
  locks: Locks;
  /** `{Temporal cluster id}/{namespace}`: with the workflow id behind it, a lock's owner. */
  lockDomain: string;
  vendors: Vendors;
  breaker: Breaker;
  /** The worker's clock, ms since the epoch. */
  clock: () => number;
  /** How the loops' next runs poll. */
  pollCourse: PollCourse;
  log: ActivityLog;
  /** Called at named points of a poll; does nothing but in tests that kill a worker there. */
  checkpoint: (name: Checkpoint) => Promise<void>;
}

export type Checkpoint =
  | 'before vendor call'
  | 'after vendor answer'
  | 'after snapshot commit'
  | 'after alerts commit'
  | 'after ledger commit';

export interface ActivityLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Where a call comes from; the activity context in a worker, a plain value where activities are played without one. */
export interface CallContext {
  /** `workflow id` and `run id` of the caller. */
  workflowId: string;
  runId: string;
  isLocal: boolean;
  signal: AbortSignal;
  heartbeat: () => void;
}

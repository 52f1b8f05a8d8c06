import type { Kysely } from 'kysely';

import type { Locks } from '../db/lock.ts';
import type { Database } from '../db/tables.ts';

/** What the activities of every context work with; tests pass their own. */
export interface Deps {
  db: Kysely<Database>;
  locks: Locks;
  /** `{Temporal cluster id}/{namespace}`: with the workflow id behind it, a lock's owner. */
  lockDomain: string;
  /** The worker's clock, ms since the epoch. */
  clock: () => number;
  log: ActivityLog;
}

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

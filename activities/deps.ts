import type { Kysely } from 'kysely';

import type { Locks } from '../db/lock.ts';
import type { Database } from '../db/tables.ts';

/** What the activities of every context need; tests pass their own. */
export interface Deps {
  db: Kysely<Database>;
  locks: Locks;
  /** `{Temporal cluster id}/{namespace}`; `/` and the workflow id after it make the owner of a lock. */
  lockDomain: string;
  /** The worker's clock, ms since the epoch. */
  clock: () => number;
  log: ActivityLog;
  /** Called at named points of a poll or a delivery. Does nothing, except in tests that kill a worker there. */
  checkpoint: (name: Checkpoint) => Promise<void>;
}

export type Checkpoint =
  | 'before vendor call'
  | 'after vendor answer'
  | 'after snapshot commit'
  | 'after alerts commit'
  | 'after ledger commit'
  | 'after claiming a delivery'
  | 'after sending a message';

export interface ActivityLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The caller of an activity: from the activity's context in a worker, else a plain value. */
export interface CallContext {
  workflowId: string;
  runId: string;
  isLocal: boolean;
  signal: AbortSignal;
  heartbeat: () => void;
}

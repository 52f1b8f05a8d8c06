import type { Deps } from '../deps.ts';
import type { Breaker } from './breaker.ts';
import type { PollCourse } from './contract.ts';
import type { Vendors } from './vendor.ts';

/** What the activities of plants need; tests pass their own vendors. */
export interface ActivityDeps extends Deps {
  vendors: Vendors;
  breaker: Breaker;
  /** Whether all polling is stopped. Rejects while PostgreSQL is away. */
  isHalted: () => Promise<boolean>;
  /** The course of polls in the loops' next runs. */
  pollCourse: PollCourse;
}

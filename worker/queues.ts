import { fleetQueue } from '../workflows/messages.ts';
import { allPollQueues } from '../workflows/plants/messages.ts';

/** What a worker serves: one entry for each task queue. The activities are those of `activities/create.ts`, by their key. */
export interface ServedQueue {
  name: string;
  activities: 'plants' | 'fleet';
  /** Whether it carries the plants' long-lived loops, which stay in the cache. */
  carriesLoops: boolean;
}

export const servedQueues: readonly ServedQueue[] = [
  ...allPollQueues.map((name) => ({ name, activities: 'plants', carriesLoops: true }) as const),
  { name: fleetQueue, activities: 'fleet', carriesLoops: false },
];

import { queuesByActivities } from '../workflows/queues.ts';

/** How a worker serves each task queue. A queue that is not in this table cannot be compiled. */

interface Service {
  /** Workflows that stay in memory; `LOOPS`: one long-lived loop for each row, as many as the memory holds. */
  cached: number | 'LOOPS';
  /** Workflow tasks that run at once. */
  places: number;
}

type Activities = keyof typeof queuesByActivities;

const services: Readonly<Record<Activities, Service>> = {
  // A task is held from before its slot until its rows are written, about 0.7 s, so a queue can have 50 polls a second. More
  // at once would only slow down each of them in an overload.
  plants: { cached: 'LOOPS', places: 40 },
  // The reconciliation runs one workflow at a time.
  fleet: { cached: 10, places: 40 },
  // One loop for each kind of channel.
  notifications: { cached: 10, places: 10 },
};

/** One entry for each queue; `activities` is the key of what it carries. */
export const servedQueues: readonly (Service & { name: string; activities: Activities })[] = (
  Object.keys(services) as Activities[]
).flatMap((activities) =>
  queuesByActivities[activities].map((name) => ({ name, activities, ...services[activities] })),
);

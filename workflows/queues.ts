import { modbusQueue } from './gateways/messages.ts';
import { fleetQueue } from './messages.ts';
import { notificationsQueue } from './notifications/messages.ts';
import { allPollQueues } from './plants/messages.ts';

/** All task queues, by the activities that they carry (the keys are those of `worker/queues.ts`). */
export const queuesByActivities = {
  plants: allPollQueues,
  fleet: [fleetQueue],
  notifications: [notificationsQueue],
} as const;

/** In the order of `WORKER_QUEUES`' documentation. */
export const allQueues: readonly string[] = Object.values(queuesByActivities).flat();

/** All queues that the diagnosis looks at: also that of gateways, which a worker of its own serves. */
export const watchedQueues: readonly string[] = [...allQueues, modbusQueue];

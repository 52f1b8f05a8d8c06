import { fleetQueue } from './messages.ts';
import { allPollQueues } from './plants/messages.ts';

/** All queues, in the order of `WORKER_QUEUES`' documentation. */
export const allQueues: readonly string[] = [...allPollQueues, fleetQueue];

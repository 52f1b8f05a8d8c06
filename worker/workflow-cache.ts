import { totalmem } from 'node:os';
import v8 from 'node:v8';

import type { Config } from '../environment/config.ts';
import { servedQueues } from './queues.ts';

/**
 * How many loops a worker keeps in memory. A loop that is not there when its slot comes is made again by replaying its run,
 * which costs twice the CPU of an ordinary poll: a fleet should fit.
 *
 * The SDK has a cache for each queue, and a thread with a heap of its own for the workflows of each. So the limit is one for
 * each queue, and it is a limit: a brand of 300 plants takes 300 loops of memory.
 */

/** Resident memory of a cached loop that waits for its slot: measured, see docs/scale.md. */
const loopBytes = 127 * 1024;
/** A worker without a loop. */
const workerBytes = 500 * 1024 ** 2;
/** The queues that carry loops. */
const queues = servedQueues.filter(({ cached }) => cached === 'LOOPS').length;
/** What an unsized process keeps of each queue, however little memory it sees: 1 GB if all four are full. */
const perQueueMin = 2_000;
/** Of the memory: the rest is for services beside the worker, and for the system. */
const memoryPart = 1 / 2;
/** Workflow code, and what a replay needs at once, in the heap of a thread. */
const threadBytes = 200 * 1024 ** 2;
/** A heap that is full to its limit collects garbage all the time. */
const heapRoom = 1.5;

/** What the process may take. */
export interface Machine {
  /** Bytes; of a container its limit. */
  memory: number;
  /** Bytes that V8 gives to each heap of the process. */
  heapLimit: number;
}

export function thisMachine(): Machine {
  const constrained = process.constrainedMemory();
  return {
    memory: constrained > 0 ? Math.min(constrained, totalmem()) : totalmem(),
    heapLimit: v8.getHeapStatistics().heap_size_limit,
  };
}

export interface CacheSize {
  /** Loops of each brand's queue. */
  perQueue: number;
  /** What a workflow thread's heap must be allowed to grow to, MB. */
  threadHeapMb: number;
}

/** By MAX_CACHED_WORKFLOWS, else by the memory: a fleet of 20,000 plants of four brands fits where 6 GB are. */
export function cacheSize(
  config: Pick<Config, 'MAX_CACHED_WORKFLOWS'>,
  machine: Machine = thisMachine(),
): CacheSize {
  const affordable = (machine.memory * memoryPart - workerBytes) / loopBytes / queues;
  const perQueue =
    config.MAX_CACHED_WORKFLOWS ?? Math.max(perQueueMin, Math.floor(affordable / 100) * 100);
  const heapBytes = threadBytes + perQueue * loopBytes * heapRoom;
  return {
    perQueue,
    threadHeapMb: Math.ceil(Math.max(machine.heapLimit, heapBytes) / 1024 ** 2),
  };
}

/** `--max-old-space-size` holds for every thread, whatever it is started with: a sentence where it is too small, else null. */
export function heapProblem({ perQueue }: CacheSize, machine: Machine): string | null {
  const flags = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ');
  const needed = threadBytes + perQueue * loopBytes;
  if (!/--max[-_]old[-_]space[-_]size/.test(flags) || machine.heapLimit >= needed) return null;
  const wanted = Math.ceil((threadBytes + perQueue * loopBytes * heapRoom) / 1024 ** 2);
  return `--max-old-space-size is too small for ${perQueue} loops of a queue: ${wanted} holds them`;
}

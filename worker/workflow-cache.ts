import { totalmem } from 'node:os';
import v8 from 'node:v8';

import type { Config } from '../environment/config.ts';
import { servedQueues } from './queues.ts';

/**
 * Sets how many loops a worker keeps in memory. A loop that is not in memory at its slot is rebuilt by replaying its run,
 * which costs twice the CPU of an ordinary poll, so a fleet should fit.
 *
 * The SDK has a cache for each queue, and a thread with a heap of its own for the workflows of each. So the limit is for
 * each queue, and only an upper limit: a brand of 300 plants uses the memory of 300 loops.
 */

/** Resident memory of a cached loop that waits for its slot, as measured in docs/scale.md. */
const loopBytes = 127 * 1024;
/** Memory of a worker without loops. */
const workerBytes = 500 * 1024 ** 2;
/** The queues that carry loops. */
const queues = servedQueues.filter(({ cached }) => cached === 'LOOPS').length;
/** Minimum number of loops of each queue, even with little memory: 1 GB if all four queues are full. */
const perQueueMin = 2_000;
/** Share of the memory; the rest is for other services and the system. */
const memoryPart = 1 / 2;
/** Heap of a thread for workflow code and a running replay. */
const threadBytes = 200 * 1024 ** 2;
/** Spare factor: a heap near its limit collects garbage all the time. */
const heapRoom = 1.5;

/** The memory available to the process. */
export interface Machine {
  /** Bytes; in a container its limit. */
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
  /** Heap limit that a workflow thread needs, MB. */
  threadHeapMb: number;
}

/** The cache size by MAX_CACHED_WORKFLOWS, else by the memory: 20,000 plants of four brands fit into 6 GB. */
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

/** `--max-old-space-size` applies to every thread and overrides its own limit. Returns a sentence if it is too small, else null. */
export function heapProblem({ perQueue }: CacheSize, machine: Machine): string | null {
  const flags = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ');
  const needed = threadBytes + perQueue * loopBytes;
  if (!/--max[-_]old[-_]space[-_]size/.test(flags) || machine.heapLimit >= needed) return null;
  const wanted = Math.ceil((threadBytes + perQueue * loopBytes * heapRoom) / 1024 ** 2);
  return `--max-old-space-size is too small for ${perQueue} loops of a queue: ${wanted} holds them`;
}

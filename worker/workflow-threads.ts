import threads from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

/**
 * The SDK runs workflows in threads of its own and spends nine tenths of their CPU on two features that cannot be switched off
 * (docs/decisions/0007). Lean threads run the same file of the SDK without them. They replace the time-out, one of the two:
 * each thread counts entries into and exits from workflow code, and this file detects a thread that does not return.
 */

/** The start data of a lean thread. */
export interface LeanThreadData {
  /** The SDK's own file for the thread. */
  file: string;
  /** One Int32, incremented at each entry into and exit from workflow code, so it is odd while inside. */
  crossings: SharedArrayBuffer;
}

const leanThreadPath = fileURLToPath(new URL('./workflow-thread.ts', import.meta.url));
const sdkThread =
  /[\\/]@temporalio[\\/]worker[\\/]lib[\\/]workflow[\\/]workflow-worker-thread\.js$/;

const watchPauseMs = 1_000;
/** The time-out of a workflow task, after which Temporal gives it to another worker, which would get stuck too. */
export const stuckAfterMs = 10_000;

export interface ThreadWatch {
  stop(): void;
}

/**
 * Runs `create`; the workflow threads that it starts are lean.
 *
 * @param onStuck called once for each thread that has been within one call of workflow code for `afterMs`.
 * @param heapMb heap limit of each thread, which holds the cached workflows of its queue. Node's `--max-old-space-size` overrides it.
 *   Default: V8's own limit.
 * @returns what `create` returns, the watch over its threads, and how many of them are lean.
 */
export async function withLeanThreads<T>(
  create: () => Promise<T>,
  onStuck: () => void,
  { afterMs = stuckAfterMs, heapMb }: { afterMs?: number; heapMb?: number } = {},
): Promise<{ created: T; watch: ThreadWatch; threads: number }> {
  const crossings: Int32Array[] = [];
  const { Worker: Thread } = threads;
  class LeanThread extends Thread {
    constructor(file: string | URL, options?: threads.WorkerOptions) {
      if (!sdkThread.test(String(file))) {
        super(file, options);
        return;
      }
      const counter = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
      const data: LeanThreadData = { file: String(file), crossings: counter.buffer };
      super(leanThreadPath, {
        ...options,
        workerData: data,
        ...(heapMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMb } }),
      });
      crossings.push(counter);
    }
  }
  threads.Worker = LeanThread;
  const watch = watchThreads(crossings, onStuck, afterMs);
  try {
    return { created: await create(), watch, threads: crossings.length };
  } catch (error) {
    watch.stop();
    throw error;
  } finally {
    threads.Worker = Thread;
  }
}

/** Checks every counter once a second, including later ones: odd and unchanged for `afterMs` means stuck. */
export function watchThreads(
  crossings: readonly Int32Array[],
  onStuck: () => void,
  afterMs = stuckAfterMs,
): ThreadWatch {
  const seen = new Map<Int32Array, { value: number; forMs: number }>();
  const timer = setInterval(() => {
    for (const counter of crossings) {
      const value = Atomics.load(counter, 0);
      const last = seen.get(counter);
      const forMs = value % 2 !== 0 && value === last?.value ? last.forMs + watchPauseMs : 0;
      seen.set(counter, { value, forMs });
      if (forMs >= afterMs && (last?.forMs ?? 0) < afterMs) onStuck();
    }
  }, watchPauseMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

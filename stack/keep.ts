import { setTimeout as delay } from 'node:timers/promises';
import { endsMax, Restarts } from './restarts.ts';
import type { ServerProcess } from './server.ts';
import { messageOf, StackError } from './stack-error.ts';

/** Starts servers again that end by themselves. */
export interface Keeper {
  /** Aborted when a server ends too often; the reason is a StackError. */
  broken: AbortSignal;
  /** Resolves when no server is being started again. */
  untilWhole(): Promise<void>;
  /** Ends the keeping, and resolves when no start runs any more. */
  stop(): Promise<void>;
}

/** After a start that failed, ms: what hindered it may pass. */
const pauseMs = 1_000;

export function keepRunning(
  servers: readonly ServerProcess[],
  log: (line: string) => void,
): Keeper {
  const broken = new AbortController();
  const stopping = new AbortController();
  const underWay = new Set<Promise<void>>();
  const untilWhole = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.all(underWay);
  };
  for (const server of servers) {
    const restarts = new Restarts();
    server.onUnexpectedEnd = () => {
      const restart = startAgain(server, restarts, log, stopping.signal)
        .catch((error: unknown) => broken.abort(error))
        .finally(() => underWay.delete(restart));
      underWay.add(restart);
    };
  }
  return {
    broken: broken.signal,
    untilWhole,
    async stop() {
      stopping.abort();
      await untilWhole();
    },
  };
}

/** Resolves when the server serves, or `stopping` is aborted. @throws StackError when it ends too often. */
async function startAgain(
  server: ServerProcess,
  restarts: Restarts,
  log: (line: string) => void,
  stopping: AbortSignal,
): Promise<void> {
  while (restarts.allowAfterEnd()) {
    if (stopping.aborted) return;
    log(`${server.name} is started again`);
    try {
      await server.start(stopping);
      log(`${server.name} serves again (process ${server.pid})`);
      return;
    } catch (error) {
      if (stopping.aborted) return;
      log(`${server.name} does not start: ${messageOf(error)}`);
      await delay(pauseMs);
    }
  }
  throw new StackError(
    `${server.name} has ended ${endsMax} times within a minute: see ${server.logFile}`,
  );
}

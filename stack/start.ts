import { portTaken, ServerStartError } from './server.ts';

/** Another program may take a port between our check and the server's start; more often than this is no coincidence. */
const attemptsMax = 5;

/** Runs `attempt`, which claims ports and starts a server on them, and repeats it when a port was taken in between. */
export async function startOnFreePorts<T>(
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt();
    } catch (error) {
      const again = error instanceof ServerStartError && portTaken.test(error.logTail);
      if (!again || attempts === attemptsMax || signal?.aborted) throw error;
    }
  }
}

import { portTaken, ServerStartError } from './server.ts';

/** Somebody may take a port between our look and the server's; more often than this it is no coincidence. */
const attemptsMax = 5;

/** Runs `attempt`, which claims ports and starts a server on them, again where a port was taken in between. */
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

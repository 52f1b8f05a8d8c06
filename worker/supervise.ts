import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { CommandError, exitCodes } from '../environment/config.ts';

/** Keeps a command of Heliograph running as a child process. */

const mainPath = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
/** Time for a child to finish its work; its own limit is shorter. */
const stopMsMax = 8_500;

export interface Supervised {
  /** The command that it runs: `worker`. */
  command: string;
  /** What Node runs for it; default: the command line of Heliograph. */
  program?: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Receives the child's message each time it starts to serve. */
  onStarted: (message: unknown) => void;
  /** Told of each end that nobody asked for. Whether to start it again. */
  allowAfterEnd: () => boolean;
  /** Awaited before it is started again, so that it does not end once more for want of a server. */
  beforeRestart: () => Promise<void>;
}

/**
 * Runs a Heliograph command as a child process and restarts it when it dies. Resolves when it was told to stop and has
 * stopped.
 *
 * @throws CommandError when `allowAfterEnd` says that it ends too often, or for its configuration.
 */
export async function supervise(
  child: Supervised,
  stopping: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  while (!stopping.aborted) {
    const running = spawn(process.execPath, child.program ?? [mainPath, child.command], {
      env: child.env,
      // Its own process group: Ctrl-C reaches only this process, which stops the children before the servers. The channel
      // closes when this process ends, and the child then ends too.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    running.on('message', child.onStarted);
    const code = await ended(running, stopping);
    if (stopping.aborted) return;
    const how = `the ${child.command} ended with code ${code ?? 'none'}`;
    if (code === exitCodes.configuration)
      throw new CommandError(`${how}: see its lines above`, exitCodes.failed);
    if (!child.allowAfterEnd()) {
      throw new CommandError(
        `${how}, too often within a minute: see its lines above`,
        exitCodes.failed,
      );
    }
    say(`${how} and is started again`);
    await child.beforeRestart();
  }
}

async function ended(child: ChildProcess, stopping: AbortSignal): Promise<number | null> {
  let force: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    force = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
  };
  if (stopping.aborted) stop();
  else stopping.addEventListener('abort', stop, { once: true });
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code;
  } finally {
    stopping.removeEventListener('abort', stop);
    clearTimeout(force);
  }
}

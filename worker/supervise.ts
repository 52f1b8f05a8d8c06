import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { CommandError, exitCodes } from '../environment/config.ts';

const mainPath = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
/** A child that ends by itself is started again, but not for ever. */
const startsMax = 5;
/** A child has this long to finish what runs; its own limit is shorter. */
const stopMsMax = 8_500;

export interface Supervised {
  /** The command that it runs: `worker`. */
  command: string;
  env: NodeJS.ProcessEnv;
  /** Takes what the child says when it serves, each time that it was started. */
  onStarted: (message: unknown) => void;
}

/**
 * Runs a command of ours as a child until told to stop; one that dies by itself is started again. Resolves when it was told to
 * stop and has stopped.
 *
 * @throws CommandError when the child ends too often, or for its configuration.
 */
export async function supervise(
  child: Supervised,
  stopping: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  for (let starts = 1; !stopping.aborted; starts += 1) {
    const running = spawn(process.execPath, [mainPath, child.command], {
      env: child.env,
      // Its own process group: Ctrl-C reaches this process alone, which stops the children before the servers. The channel
      // ends with this process, and the child with the channel.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    running.on('message', child.onStarted);
    const code = await ended(running, stopping);
    if (stopping.aborted) return;
    if (code === exitCodes.configuration || starts >= startsMax) {
      throw new CommandError(
        `the ${child.command} ended with code ${code ?? 'none'} for the ${starts}. time: see its lines above`,
        exitCodes.failed,
      );
    }
    say(`the ${child.command} ended with code ${code ?? 'none'} and is started again`);
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
    return await new Promise<number | null>((settle, reject) => {
      child.once('exit', (code) => settle(code));
      child.once('error', reject);
    });
  } finally {
    stopping.removeEventListener('abort', stop);
    clearTimeout(force);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';

import { CommandError, exitCodes, isStackStarting } from '../environment/config.ts';
import type { CommandIo } from './command.ts';

/** Lets a command that is run right after `npm start` wait for the embedded stack. */

/** The servers, the database's first seeding and the worker take longer only at the very first start. */
const waitMsMax = 20_000;
const lookEveryMs = 200;

/**
 * Waits while the embedded stack that the command would use is starting.
 *
 * @throws CommandError 69 if it still starts after `limitMs`.
 */
export async function waitForStack(
  { env, stderr }: Pick<CommandIo, 'env' | 'stderr'>,
  dataDir: string,
  limitMs: number = waitMsMax,
): Promise<void> {
  if (!isStackStarting(env, dataDir)) return;
  stderr.write(
    `heliograph: the stack in ${dataDir} is starting; waiting up to ${limitMs / 1000} s for its worker\n`,
  );
  const endMs = Date.now() + limitMs;
  while (isStackStarting(env, dataDir)) {
    if (Date.now() >= endMs)
      throw new CommandError(
        `the stack in ${dataDir} is still starting: try again when \`npm start\` says "Heliograph polls."`,
        exitCodes.serviceAway,
      );
    await sleep(lookEveryMs);
  }
}

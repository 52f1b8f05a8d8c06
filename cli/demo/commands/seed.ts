import type { Command } from '../../command.ts';
import {
  CommandError,
  exitCodes,
  requireMasterKeys,
  requireMockMode,
} from '../../../environment/config.ts';
import { createLog } from '../../../environment/log.ts';
import { seedDemo } from '../seed.ts';
import { checkMasterKeys, connectDatabase } from '../../../environment/services.ts';
import { textFlag } from '../../command.ts';

/** The demo plants' interval where nothing else is said: quick enough to watch. */
export const demoIntervalS = 60;
/** More generated plants than any machine that would run the demo could poll. */
const generatedMax = 100_000;

/** @throws CommandError 2 when the flag is no whole number within the bounds. */
export function wholeNumberFlag(
  name: string,
  text: string | undefined,
  bounds: { min: number; max: number; otherwise: number },
): number {
  if (text === undefined) return bounds.otherwise;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < bounds.min || value > bounds.max) {
    throw new CommandError(
      `--${name} must be a whole number from ${bounds.min} to ${bounds.max}, not ${text}`,
      exitCodes.usage,
    );
  }
  return value;
}

/** `heliograph seed`: the demo's plants, once. */
export const seed: Command = {
  name: 'seed',
  usage: '[--plants N] [--interval SECONDS] [--json]',
  options: { plants: { type: 'string' }, interval: { type: 'string' } },
  async run(context) {
    const config = context.config();
    requireMockMode(config);
    const generated = wholeNumberFlag('plants', textFlag(context, 'plants'), {
      min: 0,
      max: generatedMax,
      otherwise: 0,
    });
    const intervalS = wholeNumberFlag('interval', textFlag(context, 'interval'), {
      min: 1,
      max: 86_400,
      otherwise: demoIntervalS,
    });
    const masterKeys = requireMasterKeys(config);
    const db = await connectDatabase(config);
    try {
      await checkMasterKeys(db, config);
      const log = createLog('warn', process.stderr);
      const progress = (line: string) => void context.io.stderr.write(`${line}\n`);
      const made = await seedDemo({ db, masterKeys, generated, intervalS, log, progress });
      context.io.stdout.write(
        context.json
          ? `${JSON.stringify(made)}\n`
          : `${made.demo} demo plants and ${made.generated} generated plants made\n`,
      );
      return exitCodes.done;
    } finally {
      await db.destroy();
    }
  },
};

import { requireMasterKeys, requireMockMode } from '../../../environment/config.ts';
import { createLog } from '../../../environment/log.ts';
import { checkMasterKeys, withDatabase } from '../../../environment/services.ts';
import { readFlag } from '../../arguments.ts';
import type { Command, CommandContext } from '../../command.ts';
import { plantFields, wholeNumber } from '../../plant-fields.ts';
import { print } from '../../render.ts';
import { seedDemo } from '../seed.ts';

/** Default interval of the demo's plants: short enough to watch. */
const demoIntervalS = 60;
/** More plants than one machine can poll. */
const generatedMax = 100_000;

/** The size of the demo, from `--plants` and `--interval`. @throws CommandError 2 */
export function readDemo(context: CommandContext): { generated: number; intervalS: number } {
  const readPlants = wholeNumber('a whole number', 0, generatedMax);
  return {
    generated: readFlag(context, 'plants', readPlants) ?? 0,
    intervalS: readFlag(context, 'interval', plantFields.interval) ?? demoIntervalS,
  };
}

/** `heliograph seed`: creates the demo's plants, once. */
export const seed: Command = {
  name: 'seed',
  usage: '[--plants N] [--interval SECONDS] [--json]',
  flags: ['plants', 'interval'],
  async run(context) {
    const config = context.config();
    requireMockMode(config);
    const demo = readDemo(context);
    const masterKeys = requireMasterKeys(config);
    const made = await withDatabase(config, async (db) => {
      await checkMasterKeys(db, config);
      const log = createLog('warn', process.stderr);
      const progress = (line: string) => void context.io.stderr.write(`${line}\n`);
      return seedDemo({ db, masterKeys, ...demo, log, progress });
    });
    print(
      context,
      made,
      () => `${made.demo} demo plants and ${made.generated} generated plants made\n`,
    );
  },
};

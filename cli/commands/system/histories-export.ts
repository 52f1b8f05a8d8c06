import { resolve } from 'node:path';

import { counted } from '../../../domain/wording.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withTemporal } from '../../../environment/temporal.ts';
import { exportHistories } from '../../../operations/plants/histories.ts';
import { readFlag } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { wholeNumber } from '../../plant-fields.ts';
import { folderTrouble, makeFolder, ownFolder } from '../../../stack/data-dir.ts';
import { print, visibleText } from '../../render.ts';

const plantsDefault = 50;
const plantsMax = 10_000;
const folderDefault = 'histories';

/** `heliograph histories export`: writes histories of the running system for `histories replay`. */
export const historiesExport: Command = {
  name: 'histories export',
  usage: `[ID…|--plants N] [--out DIR] [--json]
       the runs of these plants' loops, or of N evenly chosen ones (${plantsDefault}); DIR is ./${folderDefault} unless named`,
  flags: ['plants', 'out'],
  async run(context) {
    const { positionals: plantIds } = context;
    const count = wholeNumber('a whole number of plants', 1, plantsMax);
    const plants = readFlag(context, 'plants', count);
    if (plantIds.length > 0 && plants !== undefined)
      throw usageError(context, 'name plants or a number of plants, not both');
    const folder = readyFolder(context.flags['out'] ?? folderDefault);
    const { exported, missing } = await withTemporal(context.config(), (client) =>
      exportHistories({
        client,
        plantIds: plantIds.length > 0 ? plantIds : null,
        plants: plants ?? plantsDefault,
        folder,
      }),
    );
    const events = exported.reduce((sum, each) => sum + each.events, 0);
    const what = `${counted(exported.length, 'history', 'histories')} with ${counted(events, 'event')}`;
    print(context, { folder, exported, missing }, () => `${what} in ${folder}\n`);
    for (const plantId of missing)
      context.io.stderr.write(`no loop of plant ${visibleText(plantId)} runs\n`);
    return missing.length === 0 && exported.length > 0 ? exitCodes.done : exitCodes.failed;
  },
};

/** Made before anything is asked of Temporal. @returns its full path. @throws CommandError 78 */
function readyFolder(named: string): string {
  const folder = resolve(named);
  try {
    makeFolder(folder, ownFolder);
  } catch (cause) {
    throw new CommandError(
      `cannot write histories to ${folder}: ${folderTrouble(cause)}`,
      exitCodes.configuration,
      { cause },
    );
  }
  return folder;
}

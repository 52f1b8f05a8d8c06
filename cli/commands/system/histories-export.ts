import { resolve } from 'node:path';

import { type Command, textFlag, usageError } from '../../command.ts';
import { exitCodes } from '../../../environment/config.ts';
import { exportHistories } from '../../../operations/plants/histories.ts';
import { wholeNumber } from '../../plant-fields.ts';
import { visibleText, writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { readFlag } from '../../selection.ts';
import { withTemporal } from '../../../environment/temporal.ts';

const plantsDefault = 50;
const plantsMax = 10_000;
const folderDefault = 'histories';

/** `heliograph histories export`: writes histories of the running system for `histories replay`. */
export const historiesExport: Command = {
  name: 'histories export',
  usage: `[ID…|--plants N] [--out DIR] [--json]
       the runs of these plants' loops, or of N evenly chosen ones (${plantsDefault}); DIR is ./${folderDefault} unless named`,
  options: { plants: { type: 'string' }, out: { type: 'string' } },
  async run(context) {
    const { positionals: plantIds } = context;
    const count = wholeNumber('a whole number of plants', 1, plantsMax);
    const plants = readFlag(context, historiesExport, 'plants', count);
    if (plantIds.length > 0 && plants !== undefined)
      throw usageError(historiesExport, 'name plants or a number of plants, not both');
    const folder = resolve(textFlag(context, 'out') ?? folderDefault);
    const { exported, missing } = await withTemporal(context.config(), (client) =>
      exportHistories({
        client,
        plantIds: plantIds.length > 0 ? plantIds : null,
        plants: plants ?? plantsDefault,
        folder,
      }),
    );
    const events = exported.reduce((sum, each) => sum + each.events, 0);
    if (context.json) writeJson(context.io, { folder, exported, missing });
    else
      context.io.stdout.write(
        `${counted(exported.length, 'history', 'histories')} with ${counted(events, 'event')} in ${folder}\n`,
      );
    for (const plantId of missing)
      context.io.stderr.write(`no loop of plant ${visibleText(plantId)} runs\n`);
    return missing.length === 0 && exported.length > 0 ? exitCodes.done : exitCodes.failed;
  },
};

import { decideResume } from '../../../db/plants/decisions.ts';
import type { Command } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { terminalDecider } from '../../decider.ts';
import { writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { confirmMany, findSelected } from './selected-plants.ts';
import { readSelection, selectionOptions } from '../../selection.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { tellLoops, toldNote } from './tell-loops.ts';

/** `heliograph plants resume`: polling goes on, at once; also after refused credentials. */
export const plantsResume: Command = {
  name: 'plants resume',
  usage: 'ID|[--brand B] [--customer C] [--account A] [--yes] [--json]',
  options: selectionOptions,
  async run(context) {
    const selection = readSelection(context, plantsResume);
    const config = context.config();
    const db = await connectDatabase(config);
    let resumed: string[];
    let plants;
    try {
      plants = await findSelected(db, selection);
      await confirmMany(context, plantsResume, selection, plants, 'resumed');
      resumed = await decideResume(
        db,
        plants.map((plant) => plant.id),
        terminalDecider(),
        new Date(),
      );
    } finally {
      await db.destroy();
    }
    const pending = plants.filter((plant) => plant.integration_status === 'PENDING_DOCS').length;
    if (selection.plantId !== null && pending > 0) {
      throw new CommandError(
        `plant ${selection.words} waits for its documents (PENDING_DOCS): \`heliograph plants set ${selection.words} --status ACTIVE\` when they are complete`,
        exitCodes.failed,
      );
    }
    const told = await tellLoops(config, resumed);
    if (context.json) writeJson(context.io, { plant_ids: resumed, loops_told: told.told });
    else if (selection.plantId !== null)
      context.io.stdout.write(
        resumed.length === 0
          ? `${selection.words} is ACTIVE already\n`
          : `${selection.words} resumed\n`,
      );
    else {
      const others =
        pending === 0 ? '' : `; ${counted(pending, 'plant waits', 'plants wait')} for documents`;
      context.io.stdout.write(`${counted(resumed.length, 'plant')} resumed${others}\n`);
    }
    context.io.stderr.write(toldNote(told));
    return exitCodes.done;
  },
};

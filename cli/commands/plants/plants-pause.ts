import { decidePause } from '../../../db/plants/decisions.ts';
import type { Command } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { terminalDecider } from '../../decider.ts';
import { writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { confirmMany, findSelected } from './selected-plants.ts';
import { readSelection, selectionOptions } from '../../selection.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { readUntil, readWords } from '../../said.ts';
import { tellLoops, toldNote } from './tell-loops.ts';

/** `heliograph plants pause`: an operator stops polling, until resumed or until a time. */
export const plantsPause: Command = {
  name: 'plants pause',
  usage:
    'ID|[--brand B] [--customer C] [--account A] [--yes] [--until TIME] [--reason TEXT] [--json]',
  options: { ...selectionOptions, until: { type: 'string' }, reason: { type: 'string' } },
  async run(context) {
    const selection = readSelection(context, plantsPause);
    const until = readUntil(context, plantsPause, Date.now()) ?? null;
    const reason = readWords(context, plantsPause, 'reason');
    const config = context.config();
    const db = await connectDatabase(config);
    let paused: string[];
    let found: number;
    try {
      const plants = await findSelected(db, selection);
      found = plants.length;
      await confirmMany(context, plantsPause, selection, plants, 'paused');
      paused = await decidePause(
        db,
        plants.map((plant) => plant.id),
        { until, reason },
        terminalDecider(),
        new Date(),
      );
    } finally {
      await db.destroy();
    }
    if (selection.plantId !== null && paused.length === 0) {
      throw new CommandError(
        `plant ${selection.words} waits for its documents (PENDING_DOCS) and is not polled anyway`,
        exitCodes.failed,
      );
    }
    const told = await tellLoops(config, paused);
    if (context.json) writeJson(context.io, { plant_ids: paused, until, loops_told: told.told });
    else {
      const ends = until === null ? 'until it is resumed' : `until ${until.toISOString()}`;
      const skipped = found - paused.length;
      const others =
        skipped === 0
          ? ''
          : `; ${counted(skipped, 'plant waits', 'plants wait')} for documents and stayed as ${skipped === 1 ? 'it is' : 'they are'}`;
      context.io.stdout.write(
        `${selection.plantId === null ? counted(paused.length, 'plant') : selection.words} paused ${ends}${others}\n`,
      );
    }
    context.io.stderr.write(toldNote(told));
    return exitCodes.done;
  },
};

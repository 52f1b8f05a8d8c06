import { silencePlants } from '../../../db/plants/alerts-in-hand.ts';
import { type Command, usageError } from '../../command.ts';
import { exitCodes } from '../../../environment/config.ts';
import { terminalDecider } from '../../decider.ts';
import { writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { readUntil, readWords } from '../../said.ts';
import { confirmMany, findSelected } from './selected-plants.ts';
import { readSelection, selectionOptions } from '../../selection.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { tellLoops, toldNote } from './tell-loops.ts';

/** `heliograph alerts silence PLANT`: its alerts stand, but nothing is announced until a time. */
export const alertsSilence: Command = {
  name: 'alerts silence',
  usage: `PLANT|[--brand B] [--customer C] [--account A] [--yes]
       --until TIME [--reason TEXT] | --off [--json]`,
  options: {
    ...selectionOptions,
    until: { type: 'string' },
    reason: { type: 'string' },
    off: { type: 'boolean' },
  },
  async run(context) {
    const selection = readSelection(context, alertsSilence);
    const off = context.values['off'] === true;
    const until = readUntil(context, alertsSilence, Date.now());
    if (off === (until !== undefined))
      throw usageError(alertsSilence, 'say either --until TIME or --off, which ends a silence');
    const silence = {
      until: until ?? null,
      reason: readWords(context, alertsSilence, 'reason'),
    };
    const config = context.config();
    const db = await connectDatabase(config);
    let ids: string[];
    try {
      const plants = await findSelected(db, selection);
      const done = off ? 'unsilenced' : 'silenced';
      await confirmMany(context, alertsSilence, selection, plants, done);
      const all = plants.map((plant) => plant.id);
      ids = await silencePlants(db, all, silence, { by: terminalDecider(), at: new Date() });
    } finally {
      await db.destroy();
    }
    const told = await tellLoops(config, ids);
    if (context.json)
      writeJson(context.io, { plant_ids: ids, until: silence.until, loops_told: told.told });
    else {
      const who = selection.plantId === null ? counted(ids.length, 'plant') : selection.words;
      const how =
        until === undefined ? 'is announced again' : `silenced until ${until.toISOString()}`;
      context.io.stdout.write(`${who} ${how}\n`);
    }
    context.io.stderr.write(toldNote(told));
    return exitCodes.done;
  },
};

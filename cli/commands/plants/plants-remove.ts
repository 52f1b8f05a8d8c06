import { counted } from '../../../domain/wording.ts';
import { withDatabase } from '../../../environment/services.ts';
import { purgePlant, removePlants } from '../../../operations/plants/correct.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { print } from '../../render.ts';
import { filterFlags, readSelection, type Selection } from '../../selection.ts';
import { orFail } from './refusals.ts';
import { agree, decideForSelected, terminalAct } from './selected-plants.ts';

/** `heliograph plants remove`: ends the polling of wrong plants for good, and later deletes what is kept of one. */
export const plantsRemove: Command = {
  name: 'plants remove',
  usage: `ID|[--brand B] [--customer C] [--account A] [--yes] [--purge] [--json]
       lists leave a removed plant out; its ledger is kept and \`heliograph why ID\` answers
       --purge: delete what is kept of a removed plant, 30 days later, or at once if it never answered`,
  flags: filterFlags,
  switches: ['yes', 'purge'],
  async run(context) {
    const selection = readSelection(context);
    if (context.switches.has('purge')) return purge(context, selection);
    await decideForSelected(context, selection, {
      done: 'removed',
      confirm: `${selection.words} will be removed: nothing polls it any more; its ledger is kept`,
      decide: removePlants,
      text: (who) => `${who} removed; the ledger is kept`,
    });
  },
};

async function purge(context: CommandContext, { plantId, words }: Selection): Promise<void> {
  if (plantId === null) throw usageError(context, '--purge deletes one plant: name it by its ID');
  await agree(context, `everything that is kept of ${words} will be deleted for good`);
  const purged = await withDatabase(context.config(), async (db) =>
    orFail(context, await purgePlant(terminalAct(db), plantId)),
  );
  print(
    context,
    { plant_id: plantId, ledger_rows: purged.ledgerRows },
    () => `${words} deleted, with ${counted(purged.ledgerRows, 'row')} of the ledger\n`,
  );
}

import { counted } from '../../../domain/wording.ts';
import { resume } from '../../../operations/plants/actions.ts';
import type { Command } from '../../command.ts';
import { filterFlags, readSelection } from '../../selection.ts';
import { decideForSelected } from './selected-plants.ts';

/** `heliograph plants resume`: polls again at once, also after refused credentials. */
export const plantsResume: Command = {
  name: 'plants resume',
  usage: 'ID|[--brand B] [--customer C] [--account A] [--yes] [--json]',
  flags: filterFlags,
  switches: ['yes'],
  async run(context) {
    const selection = readSelection(context);
    await decideForSelected(context, selection, {
      done: 'resumed',
      decide: resume,
      text(who, { plantIds, refused: { length: pending } }) {
        if (selection.plantId !== null && plantIds.length === 0) return `${who} is ACTIVE already`;
        const others = `; ${counted(pending, 'plant waits', 'plants wait')} for documents`;
        return `${who} resumed${pending === 0 ? '' : others}`;
      },
    });
  },
};

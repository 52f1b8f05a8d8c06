import { counted } from '../../../domain/wording.ts';
import { resume } from '../../../operations/plants/actions.ts';
import type { Command } from '../../command.ts';
import { readSelection, selectionOptions } from '../../selection.ts';
import { decideForSelected } from './selected-plants.ts';

/** `heliograph plants resume`: polling goes on, at once; also after refused credentials. */
export const plantsResume: Command = {
  name: 'plants resume',
  usage: 'ID|[--brand B] [--customer C] [--account A] [--yes] [--json]',
  options: selectionOptions,
  async run(context) {
    const selection = readSelection(context, plantsResume);
    return decideForSelected(context, plantsResume, selection, {
      done: 'resumed',
      decide: resume,
      text(who, { plantIds, refused: { length: pending } }) {
        if (selection.plantId !== null && plantIds.length === 0) return `${who} is ACTIVE already`;
        const others =
          pending === 0 ? '' : `; ${counted(pending, 'plant waits', 'plants wait')} for documents`;
        return `${who} resumed${others}`;
      },
    });
  },
};

import { counted } from '../../../domain/wording.ts';
import { resume } from '../../../operations/plants/actions.ts';
import type { Command } from '../../command.ts';
import { filterFlags, readSelection } from '../../selection.ts';
import { accountSentence } from './refusals.ts';
import { decideForSelected } from './selected-plants.ts';

/** Not "resumed": if the vendor refuses the credentials again, the plants are paused again. */
const asksAgain = 'the vendor is asked again with the credentials that it refused';

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
      text(who, { plantIds, refused, askedAgain = [] }) {
        if (selection.plantId !== null && plantIds.length === 0) return `${who} is ACTIVE already`;
        const useless = refused.filter((one) => one.refusal === 'NO_USE');
        const pending = refused.length - useless.length;
        const accounts = new Map(useless.map((one) => [one.accountId, accountSentence(one)]));
        return [
          ...resumedParts(who, plantIds.length, askedAgain.length),
          ...(pending === 0
            ? []
            : [`${counted(pending, 'plant waits', 'plants wait')} for documents`]),
          ...(useless.length === 0
            ? []
            : [
                `${counted(useless.length, 'plant stays', 'plants stay')} paused: ${[...accounts.values()].join('; ')}`,
              ]),
        ].join('; ');
      },
    });
  },
};

function resumedParts(who: string, resumed: number, again: number): string[] {
  if (again > 0 && again === resumed) return [`${who}: ${asksAgain}`];
  return [`${who} resumed`, ...(again === 0 ? [] : [`for ${again} of them ${asksAgain}`])];
}

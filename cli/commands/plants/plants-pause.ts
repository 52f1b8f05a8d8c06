import { counted } from '../../../domain/wording.ts';
import { pause } from '../../../operations/plants/actions.ts';
import type { Command } from '../../command.ts';
import { readUntil, readWords } from '../../said.ts';
import { readSelection, selectionOptions } from '../../selection.ts';
import { decideForSelected } from './selected-plants.ts';

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
    return decideForSelected(context, plantsPause, selection, {
      done: 'paused',
      decide: (act, ids) => pause(act, ids, { until, reason }),
      json: { until },
      text(who, { refused: { length: skipped } }) {
        const ends = until === null ? 'until it is resumed' : `until ${until.toISOString()}`;
        const others =
          skipped === 0
            ? ''
            : `; ${counted(skipped, 'plant waits', 'plants wait')} for documents and stayed as ${skipped === 1 ? 'it is' : 'they are'}`;
        return `${who} paused ${ends}${others}`;
      },
    });
  },
};

import { counted } from '../../../domain/wording.ts';
import { pause } from '../../../operations/plants/actions.ts';
import { readWords } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { filterFlags, readSelection } from '../../selection.ts';
import { readUntil } from '../../until.ts';
import { decideForSelected, decideUntil } from './selected-plants.ts';

/** `heliograph plants pause`: an operator stops polling, until resumed or until a time. */
export const plantsPause: Command = {
  name: 'plants pause',
  usage:
    'ID|[--brand B] [--customer C] [--account A] [--yes] [--until TIME] [--reason TEXT] [--json]',
  flags: [...filterFlags, 'until', 'reason'],
  switches: ['yes'],
  async run(context) {
    const selection = readSelection(context);
    const until = readUntil(context);
    const reason = readWords(context, 'reason');
    await decideForSelected(context, selection, {
      done: 'paused',
      decide: (act, ids) =>
        decideUntil(act, ids, until, (some, at) => pause(act, some, { until: at, reason })),
      json: { until: until?.json ?? null },
      text(who, { refused: { length: skipped } }) {
        const ends = until?.words ?? 'until it is resumed';
        const others = `; ${counted(skipped, 'plant waits', 'plants wait')} for documents and stayed as ${skipped === 1 ? 'it is' : 'they are'}`;
        return `${who} paused ${ends}${skipped === 0 ? '' : others}`;
      },
    });
  },
};

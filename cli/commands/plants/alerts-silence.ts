import { silence } from '../../../operations/plants/actions.ts';
import { readWords } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { filterFlags, readSelection } from '../../selection.ts';
import { readUntil } from '../../until.ts';
import { decideForSelected, decideUntil } from './selected-plants.ts';

/** `heliograph alerts silence PLANT`: its alerts stay, but none is announced until a time. */
export const alertsSilence: Command = {
  name: 'alerts silence',
  usage: `PLANT|[--brand B] [--customer C] [--account A] [--yes]
       --until TIME [--reason TEXT] | --off [--json]`,
  flags: [...filterFlags, 'until', 'reason'],
  switches: ['yes', 'off'],
  async run(context) {
    const selection = readSelection(context);
    const off = context.switches.has('off');
    const until = readUntil(context);
    if (off === (until !== null))
      throw usageError(context, 'say either --until TIME or --off, which ends a silence');
    const reason = readWords(context, 'reason');
    await decideForSelected(context, selection, {
      done: off ? 'unsilenced' : 'silenced',
      decide: (act, ids) =>
        decideUntil(act, ids, until, (some, at) => silence(act, some, { until: at, reason })),
      json: { until: until?.json ?? null },
      text: (who) => `${who} ${until === null ? 'is announced again' : `silenced ${until.words}`}`,
    });
  },
};

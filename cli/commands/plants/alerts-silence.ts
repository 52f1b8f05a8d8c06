import { silence } from '../../../operations/plants/actions.ts';
import { type Command, usageError } from '../../command.ts';
import { readUntil, readWords } from '../../said.ts';
import { decideForSelected } from './selected-plants.ts';
import { readSelection, selectionOptions } from '../../selection.ts';

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
    const how = {
      until: until ?? null,
      reason: readWords(context, alertsSilence, 'reason'),
    };
    return decideForSelected(context, alertsSilence, selection, {
      done: off ? 'unsilenced' : 'silenced',
      decide: (act, ids) => silence(act, ids, how),
      json: { until: how.until },
      text: (who) =>
        `${who} ${until === undefined ? 'is announced again' : `silenced until ${until.toISOString()}`}`,
    });
  },
};

import { pauseGateways } from '../../../operations/gateways/actions.ts';
import { readWords } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { decideForNamed } from './act.ts';

/** `heliograph gateways pause`: polls gateways no more until they are resumed. */
export const gatewaysPause: Command = {
  name: 'gateways pause',
  usage: 'ID... [--reason TEXT] [--json]',
  flags: ['reason'],
  async run(context) {
    const reason = readWords(context, 'reason');
    return decideForNamed(context, 'paused', (act, ids) => pauseGateways(act, ids, reason));
  },
};

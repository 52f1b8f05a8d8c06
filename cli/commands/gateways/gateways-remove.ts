import { removeGateways } from '../../../operations/gateways/actions.ts';
import type { Command } from '../../command.ts';
import { agree } from '../plants/selected-plants.ts';
import { decideForNamed } from './act.ts';

/** `heliograph gateways remove`: removes gateways after asking. */
export const gatewaysRemove: Command = {
  name: 'gateways remove',
  usage: 'ID... [--yes] [--json]',
  switches: ['yes'],
  async run(context) {
    if (context.positionals.length > 0)
      await agree(context, `${context.positionals.join(', ')} will be removed for good`);
    return decideForNamed(context, 'removed', removeGateways);
  },
};

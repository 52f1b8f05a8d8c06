import { resumeGateways } from '../../../operations/gateways/actions.ts';
import type { Command } from '../../command.ts';
import { decideForNamed } from './act.ts';

/** `heliograph gateways resume`: polls gateways again that were paused, or disabled by their failures. */
export const gatewaysResume: Command = {
  name: 'gateways resume',
  usage: 'ID... [--json]',
  run: (context) => decideForNamed(context, 'polled', resumeGateways),
};

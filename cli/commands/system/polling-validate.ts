import type { Command } from '../../command.ts';
import { readTargets, targetFlags } from './polling-targets.ts';
import { validateTargets } from './validate.ts';

/** `heliograph polling validate`: as `heliograph validate`, also of single gateways and plants. */
export const pollingValidate: Command = {
  name: 'polling validate',
  usage: '[--gateway ID] [--plant ID] [--json]',
  flags: targetFlags,
  run: (context) => validateTargets(context, readTargets(context)),
};

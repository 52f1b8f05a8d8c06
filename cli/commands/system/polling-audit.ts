import type { Command } from '../../command.ts';
import { auditTargets } from './audit.ts';
import { readTargets, targetFlags } from './polling-targets.ts';

/** `heliograph polling audit`: as `heliograph audit`, also of single gateways and plants. */
export const pollingAudit: Command = {
  name: 'polling audit',
  usage: '[--gateway ID] [--plant ID] [--from TIME] [--to TIME] [--json]',
  flags: [...targetFlags, 'from', 'to'],
  run: (context) => auditTargets(context, readTargets(context)),
};

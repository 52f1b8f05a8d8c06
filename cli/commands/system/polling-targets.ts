import { type CommandContext, usageError } from '../../command.ts';
import { noPositionals } from '../../arguments.ts';

/** What the commands about polling are about: named gateways and plants, or all. */

export const targetFlags = ['gateway', 'plant'] as const;

export interface PollingTargets {
  gatewayIds: string[];
  plantIds: string[];
}

/** Reads `--gateway` and `--plant`: one id each, or several with commas. @throws CommandError 2 */
export function readTargets(context: CommandContext): PollingTargets {
  noPositionals(context, 'name what the command is about with --gateway ID or --plant ID');
  return {
    gatewayIds: idsOf(context, 'gateway'),
    plantIds: idsOf(context, 'plant'),
  };
}

export const isEmpty = ({ gatewayIds, plantIds }: PollingTargets): boolean =>
  gatewayIds.length + plantIds.length === 0;

/** The targets, or `--all`, and not both. @throws CommandError 2 */
export function readTargetsOrAll(context: CommandContext, all: string): PollingTargets | 'ALL' {
  const targets = readTargets(context);
  if (!context.switches.has('all')) {
    if (isEmpty(targets))
      throw usageError(context, `name --gateway ID or --plant ID; --all ${all}`);
    return targets;
  }
  if (!isEmpty(targets)) throw usageError(context, `--all ${all}: name no gateway and no plant`);
  return 'ALL';
}

function idsOf(context: CommandContext, flag: (typeof targetFlags)[number]): string[] {
  const text = context.flags[flag];
  if (text === undefined) return [];
  const ids = text.split(',').map((part) => part.trim());
  if (ids.some((id) => id === '')) throw usageError(context, `--${flag} needs an id`);
  return [...new Set(ids)];
}

import type { PlantFilter } from '../db/plants/plants.ts';
import { readFlag } from './arguments.ts';
import { type CommandContext, usageError } from './command.ts';
import { CommandError, exitCodes } from '../environment/config.ts';
import { plantFields } from './plant-fields.ts';
import { visibleText } from './render.ts';

/** Selects the plants of a command: one by its id, or all of a brand, a customer or an account. */

export const filterFlags = ['brand', 'customer', 'account'] as const;

export interface Selection {
  filter: PlantFilter;
  /** The plant named by its id; null if filters select the plants. */
  plantId: string | null;
  /** "solis-canal", "brand SOLIS and customer noord". */
  words: string;
}

/** The filters of the command line, all of which must hold. @throws CommandError 2 for an unknown brand. */
export function readFilter(context: CommandContext): { filter: PlantFilter; words: string } {
  const brand = readFlag(context, 'brand', plantFields.brand);
  const { customer, account } = context.flags;
  const filter: PlantFilter = {
    ...(brand === undefined ? {} : { brand }),
    ...(customer === undefined ? {} : { customer_id: customer }),
    ...(account === undefined ? {} : { account_id: account }),
  };
  const words = Object.entries({ brand, customer, account })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${visibleText(value ?? '')}`);
  return { filter, words: words.join(' and ') };
}

/** @throws CommandError 2 unless either one id or at least one filter is given. */
export function readSelection(context: CommandContext): Selection {
  const [plantId, ...more] = context.positionals;
  const { filter, words } = readFilter(context);
  const how = 'Name one by its ID, or many by --brand, --customer or --account';
  if (more.length > 0 || (plantId !== undefined && words !== ''))
    throw usageError(context, `these are too many plants. ${how}`);
  if (plantId !== undefined)
    return { filter: { ids: [plantId] }, plantId, words: visibleText(plantId) };
  if (words === '') throw usageError(context, `which plants? ${how}`);
  return { filter, plantId: null, words };
}

export function unknownPlant(plantId: string): CommandError {
  return new CommandError(
    `there is no plant ${visibleText(plantId)}: \`heliograph plants list\` shows them all`,
    exitCodes.failed,
  );
}

import type { PlantFilter } from '../db/plants/plants.ts';
import { type Command, type CommandContext, textFlag, usageError } from './command.ts';
import { CommandError, exitCodes } from '../environment/config.ts';
import { FieldProblem, plantFields } from './plant-fields.ts';
import { visibleText } from './render.ts';

/** Selects the plants of a command: one by its id, or all of a brand, a customer or an account. */

export const selectionOptions = {
  brand: { type: 'string' },
  customer: { type: 'string' },
  account: { type: 'string' },
  yes: { type: 'boolean' },
} as const;

export interface Selection {
  filter: PlantFilter;
  /** The plant named by its id; null if filters select the plants. */
  plantId: string | null;
  /** "solis-canal", "brand SOLIS and customer noord". */
  words: string;
}

/** The value of a flag, read by a reader. @throws CommandError 2 with the flag's name. */
export function readFlag<Value>(
  context: CommandContext,
  command: Command,
  name: string,
  read: (text: string) => Value,
): Value | undefined {
  const text = textFlag(context, name);
  if (text === undefined) return undefined;
  try {
    return read(text);
  } catch (error) {
    if (error instanceof FieldProblem) throw usageError(command, `--${name} ${error.message}`);
    throw error;
  }
}

/** The filters of the command line, all of which must hold. @throws CommandError 2 for an unknown brand. */
export function readFilter(
  context: CommandContext,
  command: Command,
): { filter: PlantFilter; words: string } {
  const brand = readFlag(context, command, 'brand', plantFields.brand);
  const customer = textFlag(context, 'customer');
  const account = textFlag(context, 'account');
  const filter: PlantFilter = {
    ...(brand === undefined ? {} : { brand }),
    ...(customer === undefined ? {} : { customer_id: customer }),
    ...(account === undefined ? {} : { account_id: account }),
  };
  const parts = [
    ...(brand === undefined ? [] : [`brand ${brand}`]),
    ...(customer === undefined ? [] : [`customer ${visibleText(customer)}`]),
    ...(account === undefined ? [] : [`account ${visibleText(account)}`]),
  ];
  return { filter, words: parts.join(' and ') };
}

/** @throws CommandError 2 unless either one id or at least one filter is given. */
export function readSelection(context: CommandContext, command: Command): Selection {
  const [plantId, ...more] = context.positionals;
  const { filter, words } = readFilter(context, command);
  const isFiltered = Object.keys(filter).length > 0;
  if (more.length > 0)
    throw usageError(
      command,
      'name one plant by its ID, or many by --brand, --customer or --account',
    );
  if (plantId !== undefined && isFiltered)
    throw usageError(command, 'name a plant by its ID or many by a filter, not both');
  if (plantId !== undefined)
    return { filter: { ids: [plantId] }, plantId, words: visibleText(plantId) };
  if (!isFiltered)
    throw usageError(
      command,
      'which plants? Name one by its ID, or many by --brand, --customer or --account',
    );
  return { filter, plantId: null, words };
}

export function unknownPlant(plantId: string): CommandError {
  return new CommandError(
    `there is no plant ${visibleText(plantId)}: \`heliograph plants list\` shows them all`,
    exitCodes.failed,
  );
}

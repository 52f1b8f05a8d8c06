import { createInterface } from 'node:readline';

import type { Kysely } from 'kysely';

import { listPlants, type PlantView } from '../../../db/plants/plants.ts';
import type { Database } from '../../../db/tables.ts';
import { type Command, type CommandContext, type CommandIo, usageError } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { counted } from '../../../domain/wording.ts';
import { type Selection, unknownPlant } from '../../selection.ts';

/** The plants that are meant, worst first. @throws CommandError 1 where there is none. */
export async function findSelected(
  db: Kysely<Database>,
  selection: Selection,
): Promise<PlantView[]> {
  const plants = await listPlants(db, selection.filter);
  if (plants.length > 0) return plants;
  if (selection.plantId !== null) throw unknownPlant(selection.plantId);
  throw new CommandError(`there is no plant of ${selection.words}`, exitCodes.failed);
}

/**
 * Shows how many plants a filter matches and asks; `--yes` answers for whoever is not there.
 *
 * @param done what will have happened to them: "paused".
 * @throws CommandError 2 without a terminal to ask at, 1 when the answer is no.
 */
export async function confirmMany(
  context: CommandContext,
  command: Command,
  selection: Selection,
  plants: readonly PlantView[],
  done: string,
): Promise<void> {
  if (selection.plantId !== null) return;
  await agree(
    context,
    command,
    `${counted(plants.length, 'plant')} of ${selection.words} will be ${done}`,
  );
}

/**
 * Says what will be done and asks whether it may; `--yes` answers for whoever is not there.
 *
 * @throws CommandError 2 without a terminal to ask at, 1 when the answer is no.
 */
export async function agree(
  context: CommandContext,
  command: Command,
  statement: string,
): Promise<void> {
  const { stdin, stderr } = context.io;
  if (context.values['yes'] === true) {
    stderr.write(`${statement}\n`);
    return;
  }
  if (stdin.isTTY !== true)
    throw usageError(command, `${statement}: say --yes, since there is no terminal to ask at`);
  const answer = await ask(context.io, `${statement}. Go on? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new CommandError('nothing was changed', exitCodes.failed);
}

/** What the person types; nothing when the terminal ends or Ctrl-C is pressed. */
async function ask({ stdin, stderr }: CommandIo, question: string): Promise<string> {
  const prompt = createInterface({ input: stdin, output: stderr });
  return new Promise((resolve) => {
    prompt.once('close', () => resolve(''));
    prompt.question(question, (answer) => {
      resolve(answer);
      prompt.close();
    });
  });
}

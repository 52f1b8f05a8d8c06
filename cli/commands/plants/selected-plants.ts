import { createInterface } from 'node:readline';

import type { Kysely } from 'kysely';

import { listPlants, type PlantView } from '../../../db/plants/plants.ts';
import { allPlants } from '../../../db/scope.ts';
import type { Database } from '../../../db/tables.ts';
import type { Act, Decided } from '../../../operations/plants/actions.ts';
import { type Command, type CommandContext, type CommandIo, usageError } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { terminalDecider } from '../../decider.ts';
import { writeJson } from '../../render.ts';
import { failureOf } from './refusals.ts';
import { tellLoopsOf, toldNote } from './tell-loops.ts';
import { counted } from '../../../domain/wording.ts';
import type { Selection } from '../../selection.ts';

/** The plants that the filter of a command means, worst first. @throws CommandError 1 where there is none. */
export async function findSelected(
  db: Kysely<Database>,
  selection: Selection,
): Promise<PlantView[]> {
  const plants = await listPlants(db, selection.filter);
  if (plants.length > 0) return plants;
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

/** A decision about the plants that a command names. */
interface SelectedDecision {
  /** What will have happened to the plants: "paused". */
  done: string;
  decide: (act: Act, plantIds: readonly string[]) => Promise<Decided>;
  /** Told with `--json` beside the plants. */
  json?: object;
  /** The line that says what was done. @param who "12 plants", or the plant that was named. */
  text: (who: string, decided: Decided) => string;
}

/**
 * Carries a decision out on the plants that are meant, tells their loops, and says what was done. Of many plants those that
 * are in no state for it are left alone.
 *
 * @throws CommandError where the plant that was named is in no state for it, or a value cannot be.
 */
export async function decideForSelected(
  context: CommandContext,
  command: Command,
  selection: Selection,
  { done, decide, json = {}, text }: SelectedDecision,
): Promise<number> {
  const config = context.config();
  const db = await connectDatabase(config);
  let decided: Decided;
  try {
    const ids = selection.plantId === null ? [] : [selection.plantId];
    if (selection.plantId === null) {
      const plants = await findSelected(db, selection);
      await confirmMany(context, command, selection, plants, done);
      ids.push(...plants.map((plant) => plant.id));
    }
    decided = await decide(terminalAct(db), ids);
  } finally {
    await db.destroy();
  }
  const { plantIds, refused } = decided;
  const fatal = refused.find(({ refusal }) => selection.plantId !== null || refusal !== 'NOT_NOW');
  if (fatal !== undefined) throw failureOf(command, fatal);
  const told = await tellLoopsOf(config, plantIds);
  const who = selection.plantId === null ? counted(plantIds.length, 'plant') : selection.words;
  if (context.json) writeJson(context.io, { plant_ids: plantIds, ...json, loops_told: told.told });
  else context.io.stdout.write(`${text(who, decided)}\n`);
  context.io.stderr.write(toldNote(told));
  return exitCodes.done;
}

/** Whoever sits at this terminal, on all plants, now. */
export function terminalAct(db: Kysely<Database>): Act {
  return { db, by: terminalDecider(), at: new Date(), scope: allPlants };
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

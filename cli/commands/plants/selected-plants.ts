import { createInterface } from 'node:readline';

import type { Kysely } from 'kysely';

import { listPlants, type PlantView } from '../../../db/plants/plants.ts';
import { allPlants } from '../../../db/scope.ts';
import type { Database } from '../../../db/tables.ts';
import type { Act, Decided, Refusal } from '../../../operations/plants/actions.ts';
import type { PlantWarning } from '../../../domain/plants/plausible.ts';
import { counted } from '../../../domain/wording.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { type CommandContext, type CommandIo, usageError } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { print } from '../../render.ts';
import type { Selection } from '../../selection.ts';
import type { Until } from '../../until.ts';
import { failureOf } from './refusals.ts';
import { tellLoopsOf, toldNote } from './tell-loops.ts';
import { printWarnings, warningLines } from './warnings.ts';

/** Carries out a decision on the plants that a command selects. */

/** The selected plants, worst first. @throws CommandError 1 if there is none. */
export async function findSelected(
  db: Kysely<Database>,
  selection: Selection,
): Promise<PlantView[]> {
  const plants = await listPlants(db, selection.filter);
  if (plants.length > 0) return plants;
  throw new CommandError(`there is no plant of ${selection.words}`, exitCodes.failed);
}

/**
 * Shows how many plants a filter matches and asks whether to go on; a plant named by its ID needs no answer.
 *
 * @param done what the command does to them: "paused".
 * @throws CommandError as `agree`.
 */
export async function confirmMany(
  context: CommandContext,
  selection: Selection,
  plants: readonly PlantView[],
  done: string,
): Promise<void> {
  if (selection.plantId !== null) return;
  await agree(context, `${counted(plants.length, 'plant')} of ${selection.words} will be ${done}`);
}

/** A decision about the plants that a command names. */
interface SelectedDecision {
  /** What it does to the plants: "paused". */
  done: string;
  decide: (act: Act, plantIds: readonly string[]) => Promise<Decided>;
  /** Also asks about a plant that is named by its ID: what will happen to it. */
  confirm?: string;
  /** Asks the loops to poll as well. */
  pollNow?: boolean;
  /** What looks wrong in a plant afterwards. */
  warn?: (plant: PlantView) => PlantWarning[];
  /** Fields that `--json` prints beside the plants. */
  json?: object;
  /** The line that says what was done. @param who "12 plants", or the plant that was named. */
  text: (who: string, decided: Decided) => string;
}

/** Refusals of single plants, by which the others of a selection are not held up. */
const byState: ReadonlySet<Refusal['refusal']> = new Set(['NOT_NOW', 'NO_USE']);

/**
 * Carries out a decision on the selected plants, tells their loops, and prints what was done. If a filter selects the plants,
 * those whose state does not allow it stay as they are.
 *
 * @throws CommandError if the state of the named plant does not allow it, or a value is invalid.
 */
export async function decideForSelected(
  context: CommandContext,
  selection: Selection,
  { done, decide, confirm, pollNow = false, warn, json = {}, text }: SelectedDecision,
): Promise<void> {
  const config = context.config();
  const { plantId, words } = selection;
  const idsOf = async (db: Kysely<Database>) => {
    if (plantId !== null) {
      if (confirm !== undefined) await agree(context, confirm);
      return [plantId];
    }
    const plants = await findSelected(db, selection);
    await confirmMany(context, selection, plants, done);
    return plants.map((plant) => plant.id);
  };
  const { decided, warnings } = await withDatabase(config, async (db) => {
    const result = await decide(terminalAct(db), await idsOf(db));
    return { decided: result, warnings: await warningsAfter(db, result.plantIds, warn) };
  });
  const { plantIds, refused } = decided;
  const fatal = refused.find(({ refusal }) => plantId !== null || !byState.has(refusal));
  if (fatal !== undefined) throw failureOf(context, fatal);
  const told = await tellLoopsOf(config, plantIds, { pollNow });
  const who = plantId === null ? counted(plantIds.length, 'plant') : words;
  print(
    context,
    {
      plant_ids: plantIds,
      ...json,
      ...(warn === undefined ? {} : { warnings }),
      loops_told: told.told,
    },
    () => `${text(who, decided)}\n`,
  );
  printWarnings(
    context,
    warnings.map((one) => `${one.plant_id}: ${warningLines([one]).join('')}`),
  );
  context.io.stderr.write(toldNote(told));
}

/**
 * Carries out a decision that ends at `--until`, which may be another instant in each plant's zone.
 *
 * @throws CommandError 2 if it has passed in one of the zones; then nothing is decided.
 */
export async function decideUntil(
  { db }: Act,
  plantIds: readonly string[],
  until: Until | null,
  decide: (plantIds: readonly string[], until: Date | null) => Promise<Decided>,
): Promise<Decided> {
  if (until === null || until.instant !== null) return decide(plantIds, until?.instant ?? null);
  const plants = await listPlants(db, { ids: plantIds });
  const zones = new Map(plants.map(({ id, timezone }) => [id, timezone]));
  // What is decided about an unknown plant is refused in any zone.
  const byZone = Map.groupBy(plantIds, (id) => zones.get(id) ?? 'UTC');
  const ends = [...byZone].map(([zone, ids]) => ({ ids, at: until.in(zone) }));
  const all: Decided = { plantIds: [], refused: [] };
  for (const { ids, at } of ends) {
    const decided = await decide(ids, at);
    all.plantIds.push(...decided.plantIds);
    all.refused.push(...decided.refused);
  }
  return all;
}

async function warningsAfter(
  db: Kysely<Database>,
  ids: readonly string[],
  warn: SelectedDecision['warn'],
): Promise<(PlantWarning & { plant_id: string })[]> {
  if (warn === undefined) return [];
  const plants = await listPlants(db, { ids });
  return plants.flatMap((plant) => warn(plant).map((one) => ({ plant_id: plant.id, ...one })));
}

/** The person at this terminal acts on any plant, now. */
export function terminalAct(db: Kysely<Database>): Act {
  return { db, by: terminalDecider(), at: new Date(), scope: allPlants };
}

/**
 * Shows what the command is about to do and asks whether to go on; `--yes` answers without a terminal.
 *
 * @throws CommandError 2 without a terminal to ask at, 1 when the answer is no.
 */
export async function agree(context: CommandContext, statement: string): Promise<void> {
  const { stdin, stderr } = context.io;
  if (context.switches.has('yes')) {
    stderr.write(`${statement}\n`);
    return;
  }
  if (stdin.isTTY !== true)
    throw usageError(context, `${statement}: say --yes, because there is no terminal to ask at`);
  const answer = await ask(context.io, `${statement}. Go on? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new CommandError('nothing was changed', exitCodes.failed);
}

/** The typed answer; empty when the terminal closes or at Ctrl-C. */
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

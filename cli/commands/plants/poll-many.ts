import type { Client } from '@temporalio/client';

import {
  type PollAnswered,
  pollNow,
  type PollRefusal,
} from '../../../operations/plants/poll-now.ts';
import { isPossible } from '../../../domain/plants/wishes.ts';
import { counted } from '../../../domain/wording.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import type { CommandContext } from '../../command.ts';
import { print, visibleText } from '../../render.ts';
import type { Selection } from '../../selection.ts';
import { goodOutcomes, refusalSentence } from './refusals.ts';
import { confirmMany, findSelected } from './selected-plants.ts';

/** Polls many plants for `heliograph plants poll`. */

/** Polls that one command runs at once: more could delay scheduled polls. */
const pollsAtOnce = 10;
/** Number of failed plants that are named. */
const failuresShown = 20;

interface Polled {
  plantId: string;
  result: PollAnswered | PollRefusal;
}

/** The ACTIVE plants of the selection, once the person has agreed. @throws CommandError 1 if there is none. */
export async function findPollable(
  context: CommandContext,
  selection: Selection,
): Promise<string[]> {
  return withDatabase(context.config(), async (db) => {
    const plants = await findSelected(db, selection);
    const active = plants.filter((plant) => isPossible('POLL', plant.integration_status));
    const others = plants.length - active.length;
    if (others > 0)
      context.io.stderr.write(
        `${counted(others, 'plant is', 'plants are')} not ACTIVE and will not be polled\n`,
      );
    if (active.length === 0) throw new CommandError('there is nothing to poll', exitCodes.failed);
    await confirmMany(context, selection, active, 'polled now');
    return active.map((plant) => plant.id);
  });
}

/**
 * Polls the plants, a few at a time, and prints the outcomes.
 *
 * @returns the exit code: 0 if every poll was OK or PARTIAL.
 */
export async function pollMany(
  client: Client,
  context: CommandContext,
  plantIds: readonly string[],
  timeoutMs: number,
): Promise<number> {
  const polled: Polled[] = [];
  const waiting = plantIds.entries();
  const pollNext = async () => {
    for (const [index, plantId] of waiting)
      polled[index] = { plantId, result: await pollNow(client, plantId, timeoutMs) };
  };
  await Promise.all(Array.from({ length: pollsAtOnce }, pollNext));
  const failures = polled.filter(
    ({ result }) => 'refusal' in result || !goodOutcomes.has(result.answer.outcome),
  );
  print(context, polledJson(polled), () => polledText(polled, failures));
  return failures.length === 0 ? exitCodes.done : exitCodes.failed;
}

function countsOf(polled: readonly Polled[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { result } of polled) {
    const word = 'refusal' in result ? result.refusal : result.answer.outcome;
    counts[word] = (counts[word] ?? 0) + 1;
  }
  return counts;
}

function polledJson(polled: readonly Polled[]): object {
  return {
    asked: polled.length,
    counts: countsOf(polled),
    answers: polled.flatMap(({ result }) => ('refusal' in result ? [] : [result.answer])),
    errors: polled.flatMap(({ plantId, result }) =>
      'refusal' in result ? [{ plant_id: plantId, error: refusalSentence(result) }] : [],
    ),
  };
}

function polledText(polled: readonly Polled[], failures: readonly Polled[]): string {
  const counts = Object.entries(countsOf(polled)).map(([word, count]) => `${count} ${word}`);
  const lines = failures.slice(0, failuresShown).map(({ plantId, result }) => {
    if ('refusal' in result) return `  ${plantId}: ${refusalSentence(result)}`;
    return `  ${plantId}: ${result.answer.outcome}${result.answer.error === null ? '' : `, ${result.answer.error}`}`;
  });
  const more =
    failures.length > failuresShown ? [`  and ${failures.length - failuresShown} more`] : [];
  return `${[`${counted(polled.length, 'plant')} polled: ${counts.join(', ')}`, ...lines, ...more].map(visibleText).join('\n')}\n`;
}

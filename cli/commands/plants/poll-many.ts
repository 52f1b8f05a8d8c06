import type { Client } from '@temporalio/client';

import {
  type PollAnswered,
  pollNow,
  type PollRefusal,
} from '../../../operations/plants/poll-now.ts';
import { isPossible } from '../../../domain/plants/wishes.ts';
import type { Command, CommandContext } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { goodOutcomes, refusalSentence } from './refusals.ts';
import { visibleText, writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { confirmMany, findSelected } from './selected-plants.ts';
import type { Selection } from '../../selection.ts';
import { connectDatabase } from '../../../environment/services.ts';

/** Many plants polled at a person's word. */

/** Polls of one command under way at once: a person's hurry must not crowd out the slots. */
const pollsAtOnce = 10;
/** So many plants that were not polled well are named. */
const failuresShown = 20;

interface Polled {
  plantId: string;
  result: PollAnswered | PollRefusal;
}

/** The plants of the selection that are polled at all, once the person has agreed. @throws CommandError 1 where there is none. */
export async function findPollable(
  context: CommandContext,
  command: Command,
  selection: Selection,
): Promise<string[]> {
  const db = await connectDatabase(context.config());
  try {
    const plants = await findSelected(db, selection);
    const active = plants.filter((plant) => isPossible('POLL', plant.integration_status));
    const others = plants.length - active.length;
    if (others > 0)
      context.io.stderr.write(
        `${counted(others, 'plant is', 'plants are')} not ACTIVE and will not be polled\n`,
      );
    if (active.length === 0) throw new CommandError('there is nothing to poll', exitCodes.failed);
    await confirmMany(context, command, selection, active, 'polled now');
    return active.map((plant) => plant.id);
  } finally {
    await db.destroy();
  }
}

/**
 * Polls the plants, a few at a time, and tells what came of it.
 *
 * @returns the exit code: 0 where every poll was OK or PARTIAL.
 */
export async function pollMany(
  client: Client,
  context: CommandContext,
  plantIds: readonly string[],
  timeoutMs: number,
): Promise<number> {
  const results = new Map<string, PollAnswered | PollRefusal>();
  const waiting = [...plantIds];
  const pollNext = async () => {
    for (let plantId = waiting.shift(); plantId !== undefined; plantId = waiting.shift()) {
      results.set(plantId, await pollNow(client, plantId, timeoutMs));
    }
  };
  await Promise.all(Array.from({ length: pollsAtOnce }, pollNext));
  const polled = plantIds.flatMap((plantId): Polled[] => {
    const result = results.get(plantId);
    return result === undefined ? [] : [{ plantId, result }];
  });
  const failures = polled.filter(
    ({ result }) => 'refusal' in result || !goodOutcomes.has(result.answer.outcome),
  );
  if (context.json) writeJson(context.io, polledJson(polled));
  else context.io.stdout.write(polledText(polled, failures));
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

import { pollNow } from '../../../operations/plants/poll-now.ts';
import { durationText } from '../../../domain/wording.ts';
import type { PollAnswer } from '../../../workflows/plants/messages.ts';
import type { Command, CommandContext } from '../../command.ts';
import { type Config, exitCodes } from '../../../environment/config.ts';
import { wholeNumber } from '../../plant-fields.ts';
import { goodOutcomes, orFail } from './refusals.ts';
import { energyCell, nothing, powerCell, visibleText, writeJson } from '../../render.ts';
import { readFlag, readSelection, selectionOptions, unknownPlant } from '../../selection.ts';
import { factsText, indented } from '../../table.ts';
import { withTemporal } from '../../../environment/temporal.ts';

/** A slow vendor has two attempts of some seconds each. */
const timeoutSDefault = 30;
const timeoutSMax = 600;

/** `heliograph plants poll`: has plants polled now, and tells what came of it. */
export const plantsPoll: Command = {
  name: 'plants poll',
  usage: 'ID|[--brand B] [--customer C] [--account A] [--yes] [--timeout SECONDS] [--json]',
  options: { ...selectionOptions, timeout: { type: 'string' } },
  async run(context) {
    const selection = readSelection(context, plantsPoll);
    const timeout = wholeNumber('a whole number of seconds', 1, timeoutSMax);
    const timeoutMs = 1000 * (readFlag(context, plantsPoll, 'timeout', timeout) ?? timeoutSDefault);
    const config = context.config();
    const { plantId } = selection;
    if (plantId !== null) return pollOne(context, config, plantId, timeoutMs);
    const { findPollable, pollMany } = await import('./poll-many.ts');
    const plantIds = await findPollable(context, plantsPoll, selection);
    return withTemporal(config, (client) => pollMany(client, context, plantIds, timeoutMs));
  },
};

/** Asks the loop and nobody else: an ordinary answer is there before a database would be connected. */
async function pollOne(
  context: CommandContext,
  config: Config,
  plantId: string,
  timeoutMs: number,
): Promise<number> {
  const result = await withTemporal(config, (client) => pollNow(client, plantId, timeoutMs));
  const isUnknown =
    'refusal' in result && result.refusal === 'NO_LOOP' && !(await isKnown(config, plantId));
  if (isUnknown) throw unknownPlant(plantId);
  const { answer } = orFail(plantsPoll, result);
  if (context.json) writeJson(context.io, answer);
  else context.io.stdout.write(answerText(answer));
  return goodOutcomes.has(answer.outcome) ? exitCodes.done : exitCodes.failed;
}

async function isKnown(config: Config, plantId: string): Promise<boolean> {
  const [{ connectDatabase }, { findPlant }] = await Promise.all([
    import('../../../environment/services.ts'),
    import('../../../db/plants/plants.ts'),
  ]);
  const db = await connectDatabase(config);
  try {
    return (await findPlant(db, plantId)) !== undefined;
  } finally {
    await db.destroy();
  }
}

function answerText(answer: PollAnswer): string {
  const took = answer.duration_ms === null ? '' : ` in ${answer.duration_ms} ms`;
  const attempts = answer.attempts > 1 ? `, ${answer.attempts} attempts` : '';
  const facts: [string, string][] = [
    ...(answer.error === null
      ? []
      : [['error', errorText(answer.adapter_error_type, answer.error)] as [string, string]]),
    ['power', powerCell(answer.power_w)],
    [
      'today',
      `${energyCell(answer.today_energy_kwh)}${answer.booked_date === null ? '' : ` of ${answer.booked_date}`}`,
    ],
    ['lifetime', energyCell(answer.lifetime_energy_kwh)],
    ['measured', measuredText(answer.source_time)],
    [
      'status',
      answer.status === null ? nothing : `${answer.status} (${answer.status_reason ?? ''})`,
    ],
  ];
  return `${visibleText(answer.plant_id)}: ${answer.outcome}${took}${attempts}\n${indented(factsText(facts))}`;
}

function errorText(type: string | null, error: string): string {
  return type === null ? error : `${type}: ${error}`;
}

function measuredText(sourceTime: string | null): string {
  if (sourceTime === null) return nothing;
  return `${sourceTime} (${durationText(Math.max(0, Date.now() - Date.parse(sourceTime)))} ago)`;
}

import type { PlantRow } from '../../../db/plants/plants.ts';
import { pollNow } from '../../../operations/plants/poll-now.ts';
import { durationText } from '../../../domain/wording.ts';
import type { PollAnswer } from '../../../workflows/plants/messages.ts';
import { type Config, exitCodes } from '../../../environment/config.ts';
import { withTemporal } from '../../../environment/temporal.ts';
import { readFlag } from '../../arguments.ts';
import type { Command, CommandContext } from '../../command.ts';
import { wholeNumber } from '../../plant-fields.ts';
import { energyCell, nothing, powerCell, print, visibleText } from '../../render.ts';
import { filterFlags, readSelection, unknownPlant } from '../../selection.ts';
import { type Fact, factsText, indented } from '../../table.ts';
import { failureOf, goodOutcomes, orFail } from './refusals.ts';

/** Long enough for two attempts at a slow vendor. */
const timeoutSDefault = 30;
const timeoutSMax = 600;

/** `heliograph plants poll`: polls plants now and prints the outcome. */
export const plantsPoll: Command = {
  name: 'plants poll',
  usage: 'ID|[--brand B] [--customer C] [--account A] [--yes] [--timeout SECONDS] [--json]',
  flags: [...filterFlags, 'timeout'],
  switches: ['yes'],
  async run(context) {
    const selection = readSelection(context);
    const timeout = wholeNumber('a whole number of seconds', 1, timeoutSMax);
    const timeoutMs = 1000 * (readFlag(context, 'timeout', timeout) ?? timeoutSDefault);
    const config = context.config();
    const { plantId } = selection;
    if (plantId !== null) return pollOne(context, config, plantId, timeoutMs);
    const { findPollable, pollMany } = await import('./poll-many.ts');
    const plantIds = await findPollable(context, selection);
    return withTemporal(config, (client) => pollMany(client, context, plantIds, timeoutMs));
  },
};

/** Asks only the loop: most answers arrive before a database connection would open. */
async function pollOne(
  context: CommandContext,
  config: Config,
  plantId: string,
  timeoutMs: number,
): Promise<number> {
  const result = await withTemporal(config, (client) => pollNow(client, plantId, timeoutMs));
  if ('refusal' in result && result.refusal === 'NO_LOOP') {
    const plant = await find(config, plantId);
    if (plant === undefined) throw unknownPlant(plantId);
    if (plant.removed_at !== null)
      throw failureOf(context, { refusal: 'REMOVED', plantId, removedAt: plant.removed_at });
  }
  const { answer } = orFail(context, result);
  print(context, answer, () => answerText(answer));
  return goodOutcomes.has(answer.outcome) ? exitCodes.done : exitCodes.failed;
}

async function find(config: Config, plantId: string): Promise<PlantRow | undefined> {
  const [{ withDatabase }, { findPlant }] = await Promise.all([
    import('../../../environment/services.ts'),
    import('../../../db/plants/plants.ts'),
  ]);
  return withDatabase(config, (db) => findPlant(db, plantId));
}

function answerText(answer: PollAnswer): string {
  const took = answer.duration_ms === null ? '' : ` in ${answer.duration_ms} ms`;
  const attempts = answer.attempts > 1 ? `, ${answer.attempts} attempts` : '';
  const booked = answer.booked_date === null ? '' : ` of ${answer.booked_date}`;
  const status = `${answer.status ?? ''} (${answer.status_reason ?? ''})`;
  const facts: Fact[] = [
    ['error', answer.error === null ? null : errorText(answer.adapter_error_type, answer.error)],
    ['power', powerCell(answer.power_w)],
    ['today', `${energyCell(answer.today_energy_kwh)}${booked}`],
    ['lifetime', energyCell(answer.lifetime_energy_kwh)],
    ['measured', measuredText(answer.source_time)],
    ['status', answer.status === null ? nothing : status],
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

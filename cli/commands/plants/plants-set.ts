import { decideSettings } from '../../../db/plants/decisions.ts';
import { profileProblem } from '../../../domain/plants/plant-draft.ts';
import type { PlantSettings, PlantView } from '../../../db/plants/plants.ts';
import { zoneProblem } from '../../../db/zones.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { terminalDecider } from '../../decider.ts';
import { plantFields } from '../../plant-fields.ts';
import { writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { confirmMany, findSelected } from './selected-plants.ts';
import { readFlag, readSelection, type Selection, selectionOptions } from '../../selection.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { tellLoops, toldNote } from './tell-loops.ts';

/** `heliograph plants set`: changes what people own of plants. */
export const plantsSet: Command = {
  name: 'plants set',
  usage: `ID|[--brand B] [--customer C] [--account A] [--yes]
       [--interval SECONDS] [--name NAME] [--timezone ZONE] [--capacity-kw N]
       [--latitude N --longitude N] [--customer-id C] [--status ACTIVE]
       [--status-profile STRICT|DAYLIGHT] [--json]
       an empty value says that there is none; --status ACTIVE: the documents are complete`,
  options: {
    ...selectionOptions,
    interval: { type: 'string' },
    name: { type: 'string' },
    timezone: { type: 'string' },
    'capacity-kw': { type: 'string' },
    latitude: { type: 'string' },
    longitude: { type: 'string' },
    'customer-id': { type: 'string' },
    status: { type: 'string' },
    'status-profile': { type: 'string' },
  },
  async run(context) {
    const selection = readSelection(context, plantsSet);
    const { settings, activates } = readSettings(context, selection);
    const config = context.config();
    const db = await connectDatabase(config);
    let ids: string[];
    try {
      if (settings.timezone !== undefined) {
        const problem = await zoneProblem(db, settings.timezone);
        if (problem !== null) throw usageError(plantsSet, `--timezone ${problem}`);
      }
      const plants = await findSelected(db, selection);
      if (activates) refusePaused(selection, plants);
      refusePlaceless(plants, settings);
      await confirmMany(context, plantsSet, selection, plants, 'set');
      ids = plants.map((plant) => plant.id);
      await decideSettings(db, ids, { settings, activates }, terminalDecider(), new Date());
    } finally {
      await db.destroy();
    }
    const told = await tellLoops(config, ids);
    if (context.json) writeJson(context.io, { plant_ids: ids, loops_told: told.told });
    else
      context.io.stdout.write(
        selection.plantId === null
          ? `${counted(ids.length, 'plant')} set\n`
          : `set ${selection.words}\n`,
      );
    context.io.stderr.write(toldNote(told));
    return exitCodes.done;
  },
};

/** Values of one place or one plant: many plants with the same are a mistake. */
const singleFlags = ['name', 'latitude', 'longitude'] as const;

function readSettings(
  context: CommandContext,
  selection: Selection,
): { settings: PlantSettings; activates: boolean } {
  const read = <Value>(name: string, reader: (text: string) => Value) =>
    readFlag(context, plantsSet, name, reader);
  const status = read('status', plantFields.status);
  if (status === 'PENDING_DOCS')
    throw usageError(
      plantsSet,
      '--status can only become ACTIVE: `heliograph plants pause ID` stops polling',
    );
  const found: { [Key in keyof PlantSettings]: PlantSettings[Key] | undefined } = {
    name: read('name', plantFields.name),
    customer_id: read('customer-id', plantFields.customer),
    timezone: read('timezone', plantFields.timezone),
    latitude: read('latitude', plantFields.latitude),
    longitude: read('longitude', plantFields.longitude),
    installed_capacity_kw: read('capacity-kw', plantFields.capacity_kw),
    poll_interval_s: read('interval', plantFields.interval),
    status_profile: read('status-profile', plantFields.status_profile),
  };
  const settings = Object.fromEntries(
    Object.entries(found).filter(([, value]) => value !== undefined),
  ) as PlantSettings;
  const activates = status !== undefined;
  if (Object.keys(settings).length === 0 && !activates)
    throw usageError(plantsSet, 'there is nothing to set');
  const single = singleFlags.find((name) => name in settings);
  if (selection.plantId === null && single !== undefined)
    throw usageError(plantsSet, `--${single} belongs to one plant: name it by its ID`);
  return { settings, activates };
}

/** @throws CommandError 2 where a plant would be DAYLIGHT without a known place. */
function refusePlaceless(plants: readonly PlantView[], settings: PlantSettings): void {
  for (const plant of plants) {
    const after = { ...plant, ...settings };
    const problem = profileProblem(after.status_profile, after);
    if (problem !== null) throw usageError(plantsSet, `--status-profile of ${plant.id} ${problem}`);
  }
}

function refusePaused(selection: Selection, plants: readonly PlantView[]): void {
  const [plant] = plants;
  const isPaused =
    plant?.integration_status === 'DISABLED_BY_OPERATOR' ||
    plant?.integration_status === 'PAUSED_AUTH_ERROR';
  if (selection.plantId === null || !isPaused) return;
  throw new CommandError(
    `${plant.id} is ${plant.integration_status}: \`heliograph plants resume ${plant.id}\` lifts that`,
    exitCodes.failed,
  );
}

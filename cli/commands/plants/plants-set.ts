import type { PlantSettings } from '../../../db/plants/plants.ts';
import { counted } from '../../../domain/wording.ts';
import { changeSettings } from '../../../operations/plants/actions.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { plantFields } from '../../plant-fields.ts';
import { readFlag, readSelection, type Selection, selectionOptions } from '../../selection.ts';
import { decideForSelected } from './selected-plants.ts';

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
    const change = readSettings(context, selection);
    return decideForSelected(context, plantsSet, selection, {
      done: 'set',
      decide: (act, ids) => changeSettings(act, ids, change),
      text(who, { refused: { length: paused } }) {
        if (selection.plantId !== null) return `set ${who}`;
        const others =
          paused === 0
            ? ''
            : `; ${counted(paused, 'plant is', 'plants are')} paused and stayed as ${paused === 1 ? 'it is' : 'they are'}`;
        return `${who} set${others}`;
      },
    });
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

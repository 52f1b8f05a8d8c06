import type { PlantSettings } from '../../../db/plants/plants.ts';
import type { PlantField } from '../../../domain/plants/plant-draft.ts';
import { counted } from '../../../domain/wording.ts';
import { changeSettings } from '../../../operations/plants/actions.ts';
import { correctVendorPlant } from '../../../operations/plants/correct.ts';
import { settingWarnings } from '../../../operations/plants/plant-view.ts';
import { readFlag } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { plantFields } from '../../plant-fields.ts';
import { visibleText } from '../../render.ts';
import { filterFlags, readSelection, type Selection } from '../../selection.ts';
import { decideForSelected } from './selected-plants.ts';

/** `heliograph plants set`: changes the settings that people own. */
export const plantsSet: Command = {
  name: 'plants set',
  usage: `ID|[--brand B] [--customer C] [--account A] [--yes]
       [--interval SECONDS] [--name NAME] [--timezone ZONE] [--capacity-kw N]
       [--latitude N --longitude N] [--customer-id C] [--status ACTIVE]
       [--status-profile STRICT|DAYLIGHT] [--json]
       ID --vendor-plant-id V [--json], for a plant that never answered
       an empty value removes the value; --status ACTIVE: the documents are complete`,
  flags: [
    ...filterFlags,
    'interval',
    'name',
    'timezone',
    'capacity-kw',
    'latitude',
    'longitude',
    'customer-id',
    'status',
    'status-profile',
    'vendor-plant-id',
  ],
  switches: ['yes'],
  async run(context) {
    const selection = readSelection(context);
    const vendorPlantId = readFlag(context, 'vendor-plant-id', plantFields.vendor_plant_id);
    if (vendorPlantId !== undefined) return setVendorPlant(context, selection, vendorPlantId);
    const change = readSettings(context, selection);
    await decideForSelected(context, selection, {
      done: 'set',
      decide: (act, ids) => changeSettings(act, ids, change),
      warn: (plant) =>
        settingWarnings(plant).filter(({ field }) =>
          judgedBy[field]?.some((setting) => setting in change.settings),
        ),
      text(who, { refused: { length: paused } }) {
        if (selection.plantId !== null) return `set ${who}`;
        const others = `; ${counted(paused, 'plant is', 'plants are')} paused and stayed as ${paused === 1 ? 'it is' : 'they are'}`;
        return `${who} set${paused === 0 ? '' : others}`;
      },
    });
  },
};

async function setVendorPlant(
  context: CommandContext,
  selection: Selection,
  vendorPlantId: string,
): Promise<void> {
  const { plantId } = selection;
  if (plantId === null || Object.keys(context.flags).some((flag) => !loneFlags.includes(flag)))
    throw usageError(
      context,
      '--vendor-plant-id is set for one plant by its ID, and nothing else with it',
    );
  await decideForSelected(context, selection, {
    done: 'set',
    decide: (act) => correctVendorPlant(act, plantId, { vendorPlantId }),
    pollNow: true,
    text: (who) => `set ${who}: it is ${visibleText(vendorPlantId)} at its vendor`,
  });
}

const loneFlags = ['vendor-plant-id', 'data'];

const place = ['latitude', 'longitude', 'timezone'] as const;

/** The settings whose change calls for a warning about a field. */
const judgedBy: Partial<Record<PlantField, readonly (keyof PlantSettings)[]>> = {
  latitude: place,
  longitude: place,
  capacity_kw: ['installed_capacity_kw'],
  interval: ['poll_interval_s'],
};

/** Values that no two plants share: setting them for many plants is a mistake. */
const singleFlags = ['name', 'latitude', 'longitude'] as const;

function readSettings(
  context: CommandContext,
  selection: Selection,
): { settings: PlantSettings; activates: boolean } {
  const read = <Value>(name: string, reader: (text: string) => Value) =>
    readFlag(context, name, reader);
  const status = read('status', plantFields.status);
  if (status === 'PENDING_DOCS')
    throw usageError(
      context,
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
    throw usageError(context, 'there is nothing to set');
  const single = singleFlags.find((name) => name in settings);
  if (selection.plantId === null && single !== undefined)
    throw usageError(context, `--${single} belongs to one plant: name it by its ID`);
  return { settings, activates };
}

import { listPlants, type PlantView } from '../../../db/plants/plants.ts';
import { type Status, statuses } from '../../../domain/plants/plant.ts';
import { type Command, type CommandContext, type CommandIo, usageError } from '../../command.ts';
import { exitCodes } from '../../../environment/config.ts';
import { oneOf } from '../../plant-fields.ts';
import { plantJson, plantSentence, statusWords } from '../../../operations/plants/plant-view.ts';
import { energyCell, outputWidth, powerCell, statusPaint, writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { readFilter, readFlag } from '../../selection.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { type Cell, tableText } from '../../table.ts';

/** `heliograph plants list`: the fleet, worst first. */
export const plantsList: Command = {
  name: 'plants list',
  usage: '[--brand B] [--customer C] [--account A] [--status S] [--json]',
  options: {
    brand: { type: 'string' },
    customer: { type: 'string' },
    account: { type: 'string' },
    status: { type: 'string' },
  },
  async run(context) {
    const { filter, words } = readListFilter(context);
    const db = await connectDatabase(context.config());
    try {
      const plants = await listPlants(db, filter);
      const nowMs = Date.now();
      if (context.json)
        writeJson(
          context.io,
          plants.map((plant) => plantJson(plant, nowMs)),
        );
      else
        context.io.stdout.write(
          plants.length === 0 ? `there is no plant${words}\n` : listText(plants, nowMs, context.io),
        );
      return exitCodes.done;
    } finally {
      await db.destroy();
    }
  },
};

function readListFilter(context: CommandContext) {
  if (context.positionals.length > 0)
    throw usageError(
      plantsList,
      'a list takes filters, not IDs: `heliograph plants show ID` shows one plant',
    );
  const { filter, words } = readFilter(context, plantsList);
  const status = readFlag(context, plantsList, 'status', oneOf<Status>(statuses));
  const parts = [
    ...(words === '' ? [] : [words]),
    ...(status === undefined ? [] : [`status ${status}`]),
  ];
  return {
    filter: { ...filter, ...(status === undefined ? {} : { status }) },
    words: parts.length === 0 ? '' : ` of ${parts.join(' and ')}`,
  };
}

/** The plants, and how many there are of each colour. */
export function listText(plants: readonly PlantView[], nowMs: number, io: CommandIo): string {
  const paint = statusPaint(io);
  const rows = plants.map((plant): Cell[] => [
    { text: statusWords(plant, nowMs), paint: (text) => paint(plant.status, text) },
    plant.id,
    plant.brand,
    powerCell(plant.power_w),
    energyCell(plant.today_energy_kwh),
    String(plant.open_alerts),
    plantSentence(plant, nowMs),
  ]);
  const table = tableText(
    [
      { title: 'STATUS' },
      { title: 'PLANT' },
      { title: 'BRAND' },
      { title: 'POWER', align: 'right' },
      { title: 'TODAY', align: 'right' },
      { title: 'OPEN', align: 'right' },
      { title: 'WHY' },
    ],
    rows,
    outputWidth(io),
  );
  return `${table}\n${summaryText(plants)}\n`;
}

function summaryText(plants: readonly PlantView[]): string {
  const colours = (['RED', 'YELLOW', 'GREEN', 'GREY'] as const)
    .map((status) => ({ status, count: plants.filter((plant) => plant.status === status).length }))
    .filter(({ count }) => count > 0)
    .map(({ status, count }) => `${count} ${status}`);
  const stale = plants.filter((plant) => plant.stale).length;
  return `${counted(plants.length, 'plant')}: ${colours.join(', ')}${stale === 0 ? '' : `; ${stale} not polled in time: is a worker up?`}`;
}

import { listPlants, type PlantView } from '../../../db/plants/plants.ts';
import { type Status, statuses } from '../../../domain/plants/plant.ts';
import { counted } from '../../../domain/wording.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import { withDatabase } from '../../../environment/services.ts';
import {
  plantJson,
  plantSentence,
  powerNow,
  statusWords,
} from '../../../operations/plants/plant-view.ts';
import { noPositionals, readFlag, readZone } from '../../arguments.ts';
import type { Command, CommandContext, CommandIo } from '../../command.ts';
import { oneOf } from '../../plant-fields.ts';
import { energyCell, outputWidth, powerCell, print, statusPaint } from '../../render.ts';
import { filterFlags, readFilter } from '../../selection.ts';
import { type Cell, right, tableText } from '../../table.ts';

/** `heliograph plants list`: lists the fleet, the worst plants first. */
export const plantsList: Command = {
  name: 'plants list',
  usage: '[--brand B] [--customer C] [--account A] [--status S] [--removed] [--json]',
  flags: [...filterFlags, 'status'],
  switches: ['removed'],
  async run(context) {
    const { filter, isRemoved, words } = readListFilter(context);
    const zone = readZone(context);
    const plants = await withDatabase(context.config(), (db) => listPlants(db, filter));
    const nowMs = Date.now();
    print(
      context,
      plants.map((plant) => plantJson(plant, nowMs)),
      () =>
        plants.length === 0
          ? `there is no ${isRemoved ? 'removed ' : ''}plant${words}\n`
          : listText(plants, nowMs, context.io, zone),
    );
  },
};

function readListFilter(context: CommandContext) {
  noPositionals(context, 'a list takes filters: `heliograph plants show ID` shows one plant');
  const { filter, words } = readFilter(context);
  const status = readFlag(context, 'status', oneOf<Status>(statuses));
  const statusWord = status === undefined ? '' : `status ${status}`;
  const isRemoved = context.switches.has('removed');
  const parts = [words, statusWord].filter((part) => part !== '');
  return {
    filter: {
      ...filter,
      ...(status === undefined ? {} : { status }),
      ...(isRemoved ? { removed: 'ONLY' as const } : {}),
    },
    isRemoved,
    words: parts.length === 0 ? '' : ` of ${parts.join(' and ')}`,
  };
}

/** A table of the plants, and the number of plants of each colour. */
export function listText(
  plants: readonly PlantView[],
  nowMs: number,
  io: CommandIo,
  zone: ReaderZone = null,
): string {
  const paint = statusPaint(io);
  const rows = plants.map((plant): Cell[] => [
    { text: statusWords(plant, nowMs, zone), paint: (text) => paint(plant.status, text) },
    plant.id,
    plant.brand,
    powerCell(powerNow(plant).power_now_w),
    energyCell(plant.today_energy_kwh),
    String(plant.open_alerts),
    plantSentence(plant, nowMs, zone),
  ]);
  const table = tableText(
    ['STATUS', 'PLANT', 'BRAND', ...right('POWER', 'TODAY', 'OPEN'), 'WHY'],
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

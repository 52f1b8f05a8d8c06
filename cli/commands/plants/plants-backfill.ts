import type { BackfillResult } from '../../../activities/plants/contract.ts';
import { fillDays } from '../../../activities/plants/days.ts';
import { createVendors } from '../../../activities/plants/vendor.ts';
import { createFixtureAdapter } from '../../../adapters/clouds/registry.ts';
import { findPlant } from '../../../db/plants/plants.ts';
import type { LocalDate } from '../../../domain/zone.ts';
import { addDays, localDateAt } from '../../../domain/zone.ts';
import {
  type Command,
  type CommandContext,
  type CommandIo,
  textFlag,
  usageError,
} from '../../command.ts';
import {
  CommandError,
  exitCodes,
  requireMasterKeys,
  requireMockMode,
} from '../../../environment/config.ts';
import { energyCell, outputWidth, writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { unknownPlant } from '../../selection.ts';
import { checkMasterKeys, connectDatabase } from '../../../environment/services.ts';
import { tableText } from '../../table.ts';

/** The vendor is asked for the whole span at once; further back, in steps. */
const daysMax = 366;

/** `heliograph plants backfill`: days that are over, filled from the vendor's series on a person's word. */
export const plantsBackfill: Command = {
  name: 'plants backfill',
  usage: 'ID --from DATE --to DATE [--dry-run] [--json]',
  options: { from: { type: 'string' }, to: { type: 'string' }, 'dry-run': { type: 'boolean' } },
  async run(context) {
    const [plantId, ...more] = context.positionals;
    if (plantId === undefined || more.length > 0)
      throw usageError(plantsBackfill, 'name one plant by its ID');
    const dates = readDates(context);
    const dryRun = context.values['dry-run'] === true;
    const config = context.config();
    requireMockMode(config);
    const masterKeys = requireMasterKeys(config);
    const db = await connectDatabase(config);
    let result: BackfillResult;
    try {
      await checkMasterKeys(db, config);
      const plant = await findPlant(db, plantId);
      if (plant === undefined) throw unknownPlant(plantId);
      const nowMs = Date.now();
      const today = localDateAt(nowMs, plant.timezone);
      if ((dates.at(-1) ?? '') >= today)
        throw usageError(
          plantsBackfill,
          `--to must lie before ${today}, which is today at the plant`,
        );
      const vendors = createVendors({ masterKeys, openAdapter: createFixtureAdapter });
      const { signal } = new AbortController();
      result = await fillDays(
        { db, vendors },
        { signal },
        { plantId, dates, source: 'OPERATOR', nowMs, dryRun },
      );
    } finally {
      await db.destroy();
    }
    if (context.json) writeJson(context.io, resultJson(plantId, dryRun, result));
    if (result.failure !== null)
      throw new CommandError(
        `the vendor gave no series: ${result.failure.type}: ${result.failure.message}`,
        exitCodes.failed,
      );
    if (!context.json) context.io.stdout.write(daysText(result.days, dryRun, context.io));
    return exitCodes.done;
  },
};

/** Every date from --from to --to. */
function readDates(context: CommandContext): LocalDate[] {
  const from = readDate(context, 'from');
  const to = readDate(context, 'to');
  if (from > to) throw usageError(plantsBackfill, '--from must not lie behind --to');
  const dates: LocalDate[] = [];
  for (let date = from; date <= to; date = addDays(date, 1)) {
    if (dates.length === daysMax)
      throw usageError(plantsBackfill, `--from and --to may span ${daysMax} days at most`);
    dates.push(date);
  }
  return dates;
}

function readDate(context: CommandContext, name: 'from' | 'to'): LocalDate {
  const text = textFlag(context, name);
  if (text === undefined) throw usageError(plantsBackfill, `--${name} is missing`);
  const isDate =
    /^\d{4}-\d{2}-\d{2}$/.test(text) &&
    !Number.isNaN(Date.parse(text)) &&
    addDays(text, 0) === text;
  if (!isDate)
    throw usageError(plantsBackfill, `--${name} must be a date, such as 2026-06-01, not ${text}`);
  return text;
}

function resultJson(plantId: string, dryRun: boolean, { days, failure }: BackfillResult): object {
  return {
    plant_id: plantId,
    dry_run: dryRun,
    days: days.map((day) => ({
      date: day.date,
      old_energy_kwh: day.oldEnergyKwh,
      new_energy_kwh: day.newEnergyKwh,
      changed: day.changed,
      note: day.note,
    })),
    failure: failure === null ? null : { type: failure.type, message: failure.message },
  };
}

function daysText(days: BackfillResult['days'], dryRun: boolean, io: CommandIo): string {
  const changed = days.filter((day) => day.changed).length;
  const table = tableText(
    [
      { title: 'DATE' },
      { title: 'OLD', align: 'right' },
      { title: 'NEW', align: 'right' },
      { title: 'NOTE' },
    ],
    days.map((day) => [
      day.date,
      energyCell(day.oldEnergyKwh),
      energyCell(day.newEnergyKwh),
      day.note,
    ]),
    outputWidth(io),
  );
  return `${table}\n${changed} of ${counted(days.length, 'day')} ${dryRun ? 'would change; nothing was written' : 'changed'}\n`;
}

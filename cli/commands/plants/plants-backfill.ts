import type { BackfillResult } from '../../../activities/plants/contract.ts';
import { fillDays } from '../../../activities/plants/days.ts';
import { createVendors } from '../../../activities/plants/vendor.ts';
import { createFixtureAdapter } from '../../../adapters/clouds/registry.ts';
import { findOpenHalt } from '../../../db/halts.ts';
import { findPlant } from '../../../db/plants/plants.ts';
import { addDays, type LocalDate, localDateAt } from '../../../domain/zone.ts';
import { counted } from '../../../domain/wording.ts';
import {
  CommandError,
  exitCodes,
  requireMasterKeys,
  requireMockMode,
} from '../../../environment/config.ts';
import { checkMasterKeys, withDatabase } from '../../../environment/services.ts';
import { onePositional, requireFlag } from '../../arguments.ts';
import { type Command, type CommandContext, type CommandIo, usageError } from '../../command.ts';
import { FieldProblem } from '../../plant-fields.ts';
import { energyCell, outputWidth, snakeCased, visibleText, writeJson } from '../../render.ts';
import { unknownPlant } from '../../selection.ts';
import { right, tableText } from '../../table.ts';
import { failureOf } from './refusals.ts';

/** The vendor gets one question for the whole span; a person fills a longer one in several calls. */
const daysMax = 366;

/** `heliograph plants backfill`: fills past days from the vendor's series. */
export const plantsBackfill: Command = {
  name: 'plants backfill',
  usage: 'ID --from DATE --to DATE [--dry-run] [--json]',
  flags: ['from', 'to'],
  switches: ['dry-run'],
  async run(context) {
    const plantId = onePositional(context, 'name one plant by its ID');
    const dates = readDates(context);
    const dryRun = context.switches.has('dry-run');
    const config = context.config();
    requireMockMode(config);
    const masterKeys = requireMasterKeys(config);
    const { days, failure } = await withDatabase(config, async (db) => {
      await checkMasterKeys(db, config);
      const plant = await findPlant(db, plantId);
      if (plant === undefined) throw unknownPlant(plantId);
      if (plant.removed_at !== null)
        throw failureOf(context, { refusal: 'REMOVED', plantId, removedAt: plant.removed_at });
      const nowMs = Date.now();
      const today = localDateAt(nowMs, plant.timezone);
      if ((dates.at(-1) ?? '') >= today)
        throw usageError(context, `--to must lie before ${today}, which is today at the plant`);
      const isHalted = async () => (await findOpenHalt(db)) !== null;
      const vendors = createVendors({ masterKeys, openAdapter: createFixtureAdapter, isHalted });
      const { signal } = new AbortController();
      const args = { plantId, dates, source: 'OPERATOR' as const, nowMs, dryRun };
      return fillDays({ db, vendors }, { signal }, args);
    });
    if (context.json) {
      const shown = failure === null ? null : { type: failure.type, message: failure.message };
      writeJson(context.io, snakeCased({ plantId, dryRun, days, failure: shown }));
    }
    if (failure !== null)
      throw new CommandError(
        `the vendor gave no series: ${failure.type}: ${failure.message}`,
        exitCodes.failed,
      );
    if (!context.json) context.io.stdout.write(daysText(days, dryRun, context.io));
  },
};

/** Every date from --from to --to. */
function readDates(context: CommandContext): LocalDate[] {
  const from = requireFlag(context, 'from', readDate);
  const to = requireFlag(context, 'to', readDate);
  if (from > to) throw usageError(context, '--from must not lie after --to');
  const dates: LocalDate[] = [];
  for (let date = from; date <= to; date = addDays(date, 1)) {
    if (dates.length === daysMax)
      throw usageError(context, `--from and --to may span ${daysMax} days at most`);
    dates.push(date);
  }
  return dates;
}

function readDate(text: string): LocalDate {
  const isDate =
    /^\d{4}-\d{2}-\d{2}$/.test(text) &&
    !Number.isNaN(Date.parse(text)) &&
    addDays(text, 0) === text;
  if (!isDate)
    throw new FieldProblem(`must be a date, such as 2026-06-01, not ${visibleText(text)}`);
  return text;
}

function daysText(days: BackfillResult['days'], dryRun: boolean, io: CommandIo): string {
  const changed = days.filter((day) => day.changed).length;
  const table = tableText(
    ['DATE', ...right('OLD', 'NEW'), 'NOTE'],
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

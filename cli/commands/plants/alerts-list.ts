import { type Page, readPage } from '../../../db/page.ts';
import { type AlertView, listAlerts } from '../../../db/plants/alerts.ts';
import { findPlant } from '../../../db/plants/plants.ts';
import type { AlertState } from '../../../domain/plants/facts.ts';
import { energyText, counted } from '../../../domain/wording.ts';
import {
  type Command,
  type CommandContext,
  type CommandIo,
  textFlag,
  usageError,
} from '../../command.ts';
import { exitCodes } from '../../../environment/config.ts';
import { oneOf, plantFields, wholeNumber } from '../../plant-fields.ts';
import { nothing, outputWidth, statusPaint, timeCell, writeJson } from '../../render.ts';
import { readFlag, unknownPlant } from '../../selection.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { tableText } from '../../table.ts';

const limitDefault = 100;
const limitMax = 10_000;

const states = ['NEW', 'ACKED', 'RESOLVED'] as const satisfies readonly AlertState[];

/** `heliograph alerts list`: what is open, the worst first; or what was. */
export const alertsList: Command = {
  name: 'alerts list',
  usage:
    '[--plant ID] [--brand B] [--state NEW|ACKED|RESOLVED | --history | --all] [--limit N] [--json]',
  options: {
    plant: { type: 'string' },
    brand: { type: 'string' },
    state: { type: 'string' },
    history: { type: 'boolean' },
    all: { type: 'boolean' },
    limit: { type: 'string' },
  },
  async run(context) {
    if (context.positionals.length > 0) throw usageError(alertsList, 'name a plant by --plant ID');
    const plantId = textFlag(context, 'plant');
    const brand = readFlag(context, alertsList, 'brand', plantFields.brand);
    const limit =
      readFlag(context, alertsList, 'limit', wholeNumber('a whole number', 1, limitMax)) ??
      limitDefault;
    const asked = readStates(context);
    const db = await connectDatabase(context.config());
    try {
      if (plantId !== undefined && (await findPlant(db, plantId)) === undefined)
        throw unknownPlant(plantId);
      const page = await readPage(limit, (rows) =>
        listAlerts(db, {
          limit: rows,
          states: asked,
          ...(plantId === undefined ? {} : { plantId }),
          ...(brand === undefined ? {} : { brand }),
        }),
      );
      if (context.json) writeJson(context.io, page.rows);
      else context.io.stdout.write(alertsText(page, asked, context.io));
      return exitCodes.done;
    } finally {
      await db.destroy();
    }
  },
};

/** @throws CommandError 2 where the flags contradict each other. */
function readStates(context: CommandContext): readonly AlertState[] {
  const state = readFlag(context, alertsList, 'state', oneOf(states));
  const { history, all } = context.values;
  if ([state !== undefined, history === true, all === true].filter(Boolean).length > 1)
    throw usageError(alertsList, 'say one of --state, --history and --all');
  if (state !== undefined) return [state];
  if (history === true) return ['RESOLVED'];
  return all === true ? states : ['NEW', 'ACKED'];
}

function alertsText(
  { rows: alerts, nextAfter }: Page<AlertView>,
  asked: readonly AlertState[],
  io: CommandIo,
): string {
  if (alerts.length === 0) {
    if (asked.length === states.length) return 'there is no alert\n';
    return asked.includes('RESOLVED') ? 'no alert was resolved yet\n' : 'no alert is open\n';
  }
  const more = nextAfter === null ? '' : `, and there are more: --limit shows up to ${limitMax}`;
  return `${alertsTable(alerts, io, { plant: true, timezone: 'UTC' })}\n${counted(alerts.length, 'alert')}${more}. Times are UTC; ≈ is an estimate.\n`;
}

/** @param shown whose clock tells the times, and whether a column names the plant. */
export function alertsTable(
  alerts: readonly AlertView[],
  io: CommandIo,
  shown: { plant: boolean; timezone: string },
): string {
  const paint = statusPaint(io);
  return tableText(
    [
      { title: 'ID', align: 'right' },
      { title: 'SEVERITY' },
      { title: 'STATE' },
      ...(shown.plant ? [{ title: 'PLANT' }] : []),
      { title: 'TYPE' },
      { title: 'SINCE' },
      { title: 'LOST' },
      { title: 'MESSAGE' },
    ],
    alerts.map((alert) => [
      String(alert.id),
      {
        text: alert.severity,
        paint: (text: string) => (alert.state === 'RESOLVED' ? text : paint(alert.severity, text)),
      },
      alert.state,
      ...(shown.plant ? [alert.plant_id] : []),
      alert.type,
      timeCell(alert.started_at, shown.timezone),
      lossCell(alert),
      alertWords(alert, shown.timezone),
    ]),
    outputWidth(io),
  );
}

/** "≈ 12.3 kWh"; where the plant may well be producing unseen, "≈ 12.3 kWh at risk". */
function lossCell({ estimated_lost_kwh: lostKwh, at_risk_kwh: atRiskKwh }: AlertView): string {
  if (lostKwh !== null) return `≈ ${energyText(lostKwh)}`;
  return atRiskKwh === null ? nothing : `≈ ${energyText(atRiskKwh)} at risk`;
}

function alertWords(alert: AlertView, timezone: string): string {
  if (alert.resolved_at !== null)
    return `${alert.message} (resolved ${timeCell(alert.resolved_at, timezone)})`;
  if (alert.state !== 'ACKED') return alert.message;
  const until = alert.acked_until === null ? '' : ` until ${timeCell(alert.acked_until, timezone)}`;
  const comment = alert.ack_comment === null ? '' : `: ${alert.ack_comment}`;
  return `${alert.message} (acknowledged by ${alert.acked_by ?? 'somebody'}${until}${comment})`;
}

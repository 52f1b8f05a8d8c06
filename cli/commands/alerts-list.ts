import { type AlertView, listAlerts } from '../../db/alerts.ts';
import { findPlant } from '../../db/plants.ts';
import { type Command, type CommandIo, textFlag, usageError } from '../command.ts';
import { exitCodes } from '../config.ts';
import { wholeNumber } from '../plant-fields.ts';
import { counted, outputWidth, statusPaint, timeCell, writeJson } from '../render.ts';
import { readFlag, unknownPlant } from '../selection.ts';
import { connectDatabase } from '../services.ts';
import { tableText } from '../table.ts';

const limitDefault = 100;
const limitMax = 10_000;

/** `heliograph alerts list`: what is open, the worst first. */
export const alertsList: Command = {
  name: 'alerts list',
  usage: '[--plant ID] [--all] [--limit N] [--json]',
  options: { plant: { type: 'string' }, all: { type: 'boolean' }, limit: { type: 'string' } },
  async run(context) {
    if (context.positionals.length > 0) throw usageError(alertsList, 'name a plant by --plant ID');
    const plantId = textFlag(context, 'plant');
    const limit =
      readFlag(context, alertsList, 'limit', wholeNumber('a whole number', 1, limitMax)) ??
      limitDefault;
    const includeResolved = context.values['all'] === true;
    const db = await connectDatabase(context.config());
    try {
      if (plantId !== undefined && (await findPlant(db, plantId)) === undefined)
        throw unknownPlant(plantId);
      const alerts = await listAlerts(db, {
        limit,
        includeResolved,
        ...(plantId === undefined ? {} : { plantId }),
      });
      if (context.json) writeJson(context.io, alerts);
      else context.io.stdout.write(alertsText(alerts, { includeResolved, limit }, context.io));
      return exitCodes.done;
    } finally {
      await db.destroy();
    }
  },
};

function alertsText(
  alerts: readonly AlertView[],
  asked: { includeResolved: boolean; limit: number },
  io: CommandIo,
): string {
  if (alerts.length === 0)
    return asked.includeResolved ? 'there is no alert\n' : 'no alert is open\n';
  const more =
    alerts.length === asked.limit ? `, and perhaps more: --limit shows up to ${limitMax}` : '';
  return `${alertsTable(alerts, io, { plant: true, timezone: 'UTC' })}\n${counted(alerts.length, 'alert')}${more}. Times are UTC.\n`;
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
      { title: 'SEVERITY' },
      { title: 'STATE' },
      ...(shown.plant ? [{ title: 'PLANT' }] : []),
      { title: 'TYPE' },
      { title: 'SINCE' },
      { title: 'MESSAGE' },
    ],
    alerts.map((alert) => [
      {
        text: alert.severity,
        paint: (text: string) => (alert.state === 'RESOLVED' ? text : paint(alert.severity, text)),
      },
      alert.state,
      ...(shown.plant ? [alert.plant_id] : []),
      alert.type,
      timeCell(alert.started_at, shown.timezone),
      alertWords(alert, shown.timezone),
    ]),
    outputWidth(io),
  );
}

function alertWords(alert: AlertView, timezone: string): string {
  if (alert.resolved_at !== null)
    return `${alert.message} (resolved ${timeCell(alert.resolved_at, timezone)})`;
  if (alert.state === 'ACKED' && alert.acked_until !== null)
    return `${alert.message} (acknowledged until ${timeCell(alert.acked_until, timezone)})`;
  return alert.message;
}

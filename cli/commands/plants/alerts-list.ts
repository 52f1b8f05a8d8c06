import { type Page, readPage } from '../../../db/page.ts';
import { type AlertView, listAlerts } from '../../../db/plants/alerts.ts';
import { findPlant } from '../../../db/plants/plants.ts';
import type { AlertState } from '../../../domain/plants/facts.ts';
import { energyText, counted } from '../../../domain/wording.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import { withDatabase } from '../../../environment/services.ts';
import { noPositionals, readFlag, readZone } from '../../arguments.ts';
import { type Command, type CommandContext, type CommandIo, usageError } from '../../command.ts';
import { oneOf, plantFields, wholeNumber } from '../../plant-fields.ts';
import { pauseSentence, silenceSentence } from '../../../operations/plants/plant-view.ts';
import { nothing, outputWidth, print, statusPaint, timeCell } from '../../render.ts';
import { unknownPlant } from '../../selection.ts';
import { right, tableText } from '../../table.ts';

const limitDefault = 100;
const limitMax = 10_000;

const states = ['NEW', 'ACKED', 'RESOLVED'] as const satisfies readonly AlertState[];

/** `heliograph alerts list`: lists open alerts, the worst first, or resolved ones. */
export const alertsList: Command = {
  name: 'alerts list',
  usage:
    '[--plant ID] [--brand B] [--state NEW|ACKED|RESOLVED | --history | --all] [--limit N] [--json]',
  flags: ['plant', 'brand', 'state', 'limit'],
  switches: ['history', 'all'],
  async run(context) {
    noPositionals(context, 'name a plant by --plant ID');
    const { plant: plantId } = context.flags;
    const brand = readFlag(context, 'brand', plantFields.brand);
    const readLimit = wholeNumber('a whole number', 1, limitMax);
    const limit = readFlag(context, 'limit', readLimit) ?? limitDefault;
    const asked = readStates(context);
    const page = await withDatabase(context.config(), async (db) => {
      if (plantId !== undefined && (await findPlant(db, plantId)) === undefined)
        throw unknownPlant(plantId);
      const filter = {
        states: asked,
        ...(plantId === undefined ? {} : { plantId }),
        ...(brand === undefined ? {} : { brand }),
      };
      return readPage(limit, (rows) => listAlerts(db, { limit: rows, ...filter }));
    });
    const shown = { plant: true, zone: readZone(context), nowMs: Date.now() };
    print(context, page.rows, () => alertsText(page, asked, shown, context.io));
  },
};

/** @throws CommandError 2 if the flags contradict each other. */
function readStates(context: CommandContext): readonly AlertState[] {
  const state = readFlag(context, 'state', oneOf(states));
  const [history, all] = [context.switches.has('history'), context.switches.has('all')];
  if ([state !== undefined, history, all].filter(Boolean).length > 1)
    throw usageError(context, 'say one of --state, --history and --all');
  if (state !== undefined) return [state];
  if (history) return ['RESOLVED'];
  return all ? states : ['NEW', 'ACKED'];
}

function alertsText(
  { rows: alerts, nextAfter }: Page<AlertView>,
  asked: readonly AlertState[],
  shown: ShownAlerts,
  io: CommandIo,
): string {
  if (alerts.length === 0) {
    if (asked.length === states.length) return 'there is no alert\n';
    return asked.includes('RESOLVED') ? 'no alert was resolved yet\n' : 'no alert is open\n';
  }
  const more = nextAfter === null ? '' : `, and there are more: --limit shows up to ${limitMax}`;
  return `${alertsTable(alerts, io, shown)}\n${counted(alerts.length, 'alert')}${more}. ≈ is an estimate.\n`;
}

interface ShownAlerts {
  /** Whether a column names the plant, and the last one says whether people hold it back. */
  plant: boolean;
  zone: ReaderZone;
  nowMs: number;
}

export function alertsTable(
  alerts: readonly AlertView[],
  io: CommandIo,
  shown: ShownAlerts,
): string {
  const paint = statusPaint(io);
  const plantTitle = shown.plant ? ['PLANT'] : [];
  return tableText(
    [...right('ID'), 'SEVERITY', 'STATE', ...plantTitle, 'TYPE', 'SINCE', 'LOST', 'MESSAGE'],
    alerts.map((alert) => [
      String(alert.id),
      {
        text: alert.severity,
        paint: (text: string) => (alert.state === 'RESOLVED' ? text : paint(alert.severity, text)),
      },
      alert.state,
      ...(shown.plant ? [alert.plant_id] : []),
      alert.type,
      timeCell(alert.started_at, shown.zone ?? alert.timezone),
      lossCell(alert),
      alertWords(alert, shown),
    ]),
    outputWidth(io),
  );
}

/** "≈ 12.3 kWh"; "≈ 12.3 kWh at risk" while the plant may be producing unseen. */
function lossCell({ estimated_lost_kwh: lostKwh, at_risk_kwh: atRiskKwh }: AlertView): string {
  if (lostKwh !== null) return `≈ ${energyText(lostKwh)}`;
  return atRiskKwh === null ? nothing : `≈ ${energyText(atRiskKwh)} at risk`;
}

function alertWords(alert: AlertView, { plant, zone, nowMs }: ShownAlerts): string {
  const held = plant && alert.resolved_at === null;
  const holds = held
    ? [pauseSentence(alert, nowMs, zone), silenceSentence(alert, nowMs, zone)]
    : [];
  return [stateWords(alert, zone ?? alert.timezone), ...holds]
    .filter((sentence) => sentence !== null)
    .join(' ');
}

function stateWords(alert: AlertView, timezone: string): string {
  if (alert.resolved_at !== null)
    return `${alert.message} (resolved ${timeCell(alert.resolved_at, timezone)})`;
  if (alert.state !== 'ACKED') return alert.message;
  const until = alert.acked_until === null ? '' : ` until ${timeCell(alert.acked_until, timezone)}`;
  const comment = alert.ack_comment === null ? '' : `: ${alert.ack_comment}`;
  return `${alert.message} (acknowledged by ${alert.acked_by ?? 'somebody'}${until}${comment})`;
}

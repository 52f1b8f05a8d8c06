import { type Page, readPage } from '../../../db/page.ts';
import { type AlertView, listAlerts } from '../../../db/plants/alerts.ts';
import { type IncidentView, listIncidents } from '../../../db/plants/incidents.ts';
import { findPlant } from '../../../db/plants/plants.ts';
import type { Db } from '../../../db/database.ts';
import { allPlants } from '../../../db/scope.ts';
import type { AlertState } from '../../../domain/plants/facts.ts';
import type { Brand } from '../../../domain/plants/plant.ts';
import { incidentAlertWords, incidentWords } from '../../../operations/plants/incidents.ts';
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
const idMax = Number.MAX_SAFE_INTEGER;

const states = ['NEW', 'ACKED', 'RESOLVED'] as const satisfies readonly AlertState[];

/** `heliograph alerts list`: lists open alerts, the worst first, or resolved ones. */
export const alertsList: Command = {
  name: 'alerts list',
  usage:
    '[--plant ID] [--brand B] [--incident N] [--state NEW|ACKED|RESOLVED | --history | --all] [--limit N] [--json]',
  flags: ['plant', 'brand', 'incident', 'state', 'limit'],
  switches: ['history', 'all'],
  async run(context) {
    noPositionals(context, 'name a plant by --plant ID');
    const { plant: plantId } = context.flags;
    const brand = readFlag(context, 'brand', plantFields.brand);
    const readLimit = wholeNumber('a whole number', 1, limitMax);
    const limit = readFlag(context, 'limit', readLimit) ?? limitDefault;
    const asked = readStates(context);
    const incidentId = readFlag(context, 'incident', wholeNumber('a number', 1, idMax));
    const { page, incidents } = await withDatabase(context.config(), async (db) => {
      if (plantId !== undefined && (await findPlant(db, plantId)) === undefined)
        throw unknownPlant(plantId);
      const filter = {
        states: asked,
        ...(plantId === undefined ? {} : { plantId }),
        ...(brand === undefined ? {} : { brand }),
        ...(incidentId === undefined ? {} : { incidentId }),
      };
      const lines = incidentId === undefined ? await findIncidents(db, asked, plantId, brand) : [];
      // For people an incident is one line; programs get every alert, with the incident that explains it.
      const folded = context.json ? [] : lines.map(({ id }) => id);
      return {
        incidents: lines,
        page: await readPage(limit, (rows) =>
          listAlerts(db, { limit: rows, ...filter, withoutIncidents: folded }),
        ),
      };
    });
    const shown = { plant: true, zone: readZone(context), nowMs: Date.now() };
    print(context, page.rows, () =>
      [incidentsText(incidents, shown), alertsText(page, asked, shown, context.io)].join(''),
    );
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

/** The open incidents, the closed ones with resolved alerts; none where the alerts of one plant are listed. */
async function findIncidents(
  db: Db,
  asked: readonly AlertState[],
  plantId: string | undefined,
  brand: Brand | undefined,
): Promise<IncidentView[]> {
  if (plantId !== undefined) return [];
  const isOpen = asked.some((state) => state !== 'RESOLVED');
  const found = [
    ...(isOpen ? await listIncidents(db, { state: 'open' }, allPlants) : []),
    ...(asked.includes('RESOLVED') ? await listIncidents(db, { state: 'closed' }, allPlants) : []),
  ];
  return found.filter((one) => brand === undefined || one.brand === null || one.brand === brand);
}

/** One line for each incident, which --incident unfolds. */
function incidentsText(
  incidents: readonly IncidentView[],
  { nowMs, zone }: { nowMs: number; zone: ReaderZone },
): string {
  const lines = incidents.map((incident) => {
    const { id, closed_at } = incident;
    const unfold = `--incident ${id}${closed_at === null ? '' : ' --all'}`;
    return `${incidentWords(incident, nowMs, zone)} ${incidentAlertWords(incident)}: ${unfold} lists them.\n`;
  });
  return lines.length === 0 ? '' : `${lines.join('')}\n`;
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

import type { PlantView } from '../../../db/plants/plants.ts';
import { allPlants } from '../../../db/scope.ts';
import { durationText } from '../../../domain/wording.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import { webUiUrl } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import {
  dayJson,
  pauseSentence,
  plantJson,
  plantSentence,
  powerNow,
  silenceSentence,
  statusWords,
} from '../../../operations/plants/plant-view.ts';
import { brandName } from '../../../domain/plants/plant.ts';
import { type PlantDetail, readPlant } from '../../../operations/plants/read-plant.ts';
import { onePositional, readZone } from '../../arguments.ts';
import type { Command, CommandIo } from '../../command.ts';
import {
  energyCell,
  nothing,
  outputWidth,
  powerCell,
  print,
  secondsCell,
  statusPaint,
  timeCell,
  visibleText,
} from '../../render.ts';
import { unknownPlant } from '../../selection.ts';
import { type Fact, factsText, indented, right, section, tableText } from '../../table.ts';
import { alertsTable } from './alerts-list.ts';
import { warningLines } from './warnings.ts';

/** `heliograph plants show ID`: shows everything known about one plant. */
export const plantsShow: Command = {
  name: 'plants show',
  usage: 'ID [--json]',
  async run(context) {
    const plantId = onePositional(context, 'name one plant by its ID');
    const config = context.config();
    const shown = await withDatabase(config, (db) =>
      readPlant(db, plantId, {
        scope: allPlants,
        nowMs: Date.now(),
        temporal: { webUiUrl: webUiUrl(config), namespace: config.TEMPORAL_NAMESPACE },
      }),
    );
    if (shown === undefined) throw unknownPlant(plantId);
    const zone = readZone(context);
    print(context, shownJson(shown), () => shownText(shown, zone, context.io));
  },
};

function shownJson(shown: PlantDetail): object {
  const { plant, nowMs } = shown;
  return {
    ...plantJson(plant, nowMs),
    account: shown.account,
    next_slot: shown.nextSlotAt,
    next_closing: shown.nextClosingAt,
    alerts: shown.alerts,
    last_polls: shown.polls,
    days: shown.days.map(dayJson),
    warnings: shown.warnings,
    workflow_id: shown.workflowId,
    workflow_url: shown.workflowUrl,
  };
}

function shownText(shown: PlantDetail, zone: ReaderZone, io: CommandIo): string {
  const { plant, nowMs } = shown;
  const heading = `${plant.id}  ${visibleText(plant.name)}`;
  const status = statusPaint(io)(plant.status, statusWords(plant, nowMs, zone));
  return [
    `${heading}\n${status}  ${visibleText(plantSentence(plant, nowMs, zone))}\n`,
    indented(factsText(plantFacts(shown, zone))),
    ...(shown.warnings.length === 0
      ? []
      : [section('Check its settings', `${warningLines(shown.warnings).join('\n')}\n`)]),
    section(
      'Active alerts',
      shown.alerts.length === 0
        ? 'none\n'
        : alertsTable(shown.alerts, io, { plant: false, zone, nowMs }),
    ),
    section(
      'Last polls',
      shown.polls.length === 0 ? 'none yet\n' : pollsTable(shown, zone ?? plant.timezone, io),
    ),
    section('Days', shown.days.length === 0 ? 'none yet\n' : daysTable(shown, io)),
  ].join('\n');
}

function plantFacts(shown: PlantDetail, zone: ReaderZone): Fact[] {
  const { plant, account, nextSlotAt, nowMs } = shown;
  const timezone = zone ?? plant.timezone;
  const place =
    plant.latitude === null || plant.longitude === null
      ? ''
      : ` at ${plant.latitude}, ${plant.longitude}`;
  const next =
    nextSlotAt === null
      ? ''
      : `, next at ${secondsCell(nextSlotAt, timezone)} (in ${durationText(nextSlotAt.getTime() - nowMs)})`;
  const seen = `${timeCell(plant.last_seen_at, timezone)} (${plant.last_seen_source ?? ''})`;
  return [
    ['brand', `${brandName(plant.brand)}, vendor's id ${plant.vendor_plant_id}`],
    ['account', `${account.id}${account.has_credentials ? '' : ' (no credentials yet)'}`],
    ['customer', plant.customer_id ?? nothing],
    ['place', `${plant.timezone}${place}`],
    [
      'night',
      plant.status_profile === 'STRICT'
        ? 'STRICT: the 2 h are wall clock'
        : 'DAYLIGHT: the 2 h count by daylight only',
    ],
    [
      'capacity',
      plant.installed_capacity_kw === null ? nothing : `${plant.installed_capacity_kw} kW`,
    ],
    ['integration', integrationText(plant, timezone)],
    ['pause', pauseSentence(plant, nowMs, zone)],
    ['silence', silenceSentence(plant, nowMs, zone)],
    ['polled', `every ${plant.poll_interval_s} s${next}`],
    ['last poll', timeCell(plant.last_polled_at, timezone)],
    ['failed polls', `${plant.consecutive_failures} in a row`],
    ['last seen', plant.last_seen_at === null ? 'never' : seen],
    [plant.status, `since ${timeCell(plant.status_since, timezone)} (${plant.status_reason})`],
    ['power', powerText(plant)],
    ['today', energyCell(plant.today_energy_kwh)],
    ['next closing', timeCell(shown.nextClosingAt, timezone)],
    ['workflow', shown.workflowId],
    ['', shown.workflowUrl],
  ];
}

/** The current power, or why there is none. */
function powerText(plant: PlantView): string {
  const { power_now_w: powerW, power_note: note } = powerNow(plant);
  return note === null ? powerCell(powerW) : `${nothing} (${note})`;
}

function integrationText(
  { integration_status: status, activated_at: activatedAt }: PlantView,
  timezone: string,
): string {
  return status === 'ACTIVE' ? `ACTIVE since ${timeCell(activatedAt, timezone)}` : status;
}

function pollsTable({ polls }: PlantDetail, timezone: string, io: CommandIo): string {
  return tableText(
    ['SLOT', 'TRIGGER', 'OUTCOME', ...right('TOOK', 'POWER', 'TODAY'), 'ERROR'],
    polls.map((poll) => [
      secondsCell(poll.scheduled_for, timezone),
      poll.trigger,
      poll.slots_missed !== null && poll.slots_missed > 1
        ? `${poll.outcome} × ${poll.slots_missed}`
        : poll.outcome,
      poll.duration_ms === null ? nothing : `${poll.duration_ms} ms`,
      powerCell(poll.power_w),
      energyCell(poll.today_energy_kwh),
      poll.error === null
        ? ''
        : `${poll.adapter_error_type === null ? '' : `${poll.adapter_error_type}: `}${poll.error}`,
    ]),
    outputWidth(io) - 2,
  );
}

function daysTable({ days }: PlantDetail, io: CommandIo): string {
  return tableText(
    ['DATE', ...right('ENERGY', 'PEAK'), 'QUALITY', 'COMPLETE'],
    days.map((day) => [
      day.date,
      energyCell(day.todayEnergyKwh),
      powerCell(day.peakPowerW),
      day.quality,
      day.complete ? 'yes' : 'no',
    ]),
    outputWidth(io) - 2,
  );
}

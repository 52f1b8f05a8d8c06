import { findLedgerKeptFrom } from '../../../db/ledger/prune.ts';
import { plantLedger } from '../../../db/plants/ledger.ts';
import { listPlants } from '../../../db/plants/plants.ts';
import { findWhyFacts } from '../../../db/plants/why.ts';
import { explain, type Why } from '../../../domain/plants/why.ts';
import { durationText, energyText } from '../../../domain/wording.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import {
  type Held,
  heldJson,
  pauseSentence,
  silenceSentence,
} from '../../../operations/plants/plant-view.ts';
import { instant, onePositional, readFlag, readZone } from '../../arguments.ts';
import { type Command, type CommandIo, usageError } from '../../command.ts';
import {
  energyCell,
  nothing,
  outputWidth,
  powerCell,
  print,
  statusPaint,
  timeCell,
  visibleText,
} from '../../render.ts';
import { unknownPlant } from '../../selection.ts';
import { type Fact, factsText, indented, right, section, tableText } from '../../table.ts';

/** `heliograph why ID`: shows the rule behind a plant's colour and all inputs of the rule, now or at a time. */
export const why: Command = {
  name: 'why',
  usage: 'ID [--at TIME] [--json]',
  flags: ['at'],
  async run(context) {
    const plantId = onePositional(context, 'name one plant by its ID');
    const nowMs = Date.now();
    const atMs = readFlag(context, 'at', instant)?.getTime() ?? null;
    const { at: text } = context.flags;
    if (atMs !== null && atMs > nowMs) throw usageError(context, `--at ${text} has not come yet`);
    const { facts, plant } = await withDatabase(context.config(), async (db) => {
      const keptFromMs = await findLedgerKeptFrom(db, plantLedger);
      if (atMs !== null && keptFromMs !== null && atMs < keptFromMs)
        throw new CommandError(
          `the polls before ${new Date(keptFromMs).toISOString()} were pruned, and without them nothing can be said of ${text}`,
          exitCodes.failed,
        );
      const found = await findWhyFacts(db, plantId, atMs, nowMs);
      if (found === null) throw unknownPlant(plantId);
      const [shown] = await listPlants(db, { ids: [plantId], removed: 'TOO' });
      return { facts: found, plant: shown };
    });
    const explained = explain(facts);
    const clock = { zone: readZone(context), timezone: facts.plant.timezone, nowMs };
    const removedAt = plant?.removed_at ?? null;
    const removed =
      removedAt === null ? '' : `  (removed ${timeCell(removedAt, clock.zone ?? clock.timezone)})`;
    const heading = `${plantId}  ${visibleText(plant?.name ?? '')}${removed}`;
    // What people order now says nothing of another time.
    const held = atMs === null && plant !== undefined && removedAt === null ? plant : null;
    const document = { ...explained, removed_at: removedAt, held: held && heldJson(held) };
    print(context, document, () => whyText({ ...explained, held }, heading, clock, context.io));
  },
};

function whyText(
  one: Why & { held: Held | null },
  heading: string,
  { zone, timezone: plantZone, nowMs }: { zone: ReaderZone; timezone: string; nowMs: number },
  io: CommandIo,
): string {
  const timezone = zone ?? plantZone;
  const time = (text: string | null) => timeCell(text === null ? null : new Date(text), timezone);
  const status =
    one.status === null
      ? 'not known'
      : statusPaint(io)(one.status, `${one.status} (${one.status_reason ?? ''})`);
  const silence = (seconds: number | null) =>
    seconds === null ? nothing : durationText(Math.max(0, seconds) * 1_000);
  const { inputs, poll, low_generation: low } = one;
  const facts: Fact[] = [
    ['rule', one.rule],
    ['integration', inputs.integration_status ?? nothing],
    ['pause', one.held && pauseSentence(one.held, nowMs, zone)],
    ['silence', one.held && silenceSentence(one.held, nowMs, zone)],
    ['active since', time(inputs.activated_at)],
    ['last seen', `${time(inputs.last_seen_at)} (${inputs.last_seen_source ?? 'never'})`],
    ['unseen', silence(inputs.unseen_s)],
    [
      'of it daylight',
      inputs.status_profile === 'DAYLIGHT' ? silence(inputs.unseen_s_for_2h) : null,
    ],
    ['incident', one.incident?.sentence ?? null],
    ['low generation', low.note],
  ];
  return [
    `${heading}  at ${time(one.at)}\n${status}\n`,
    indented(factsText(facts)),
    section(
      'The poll that decided',
      poll === null ? 'none in the ledger\n' : factsText(pollFacts(poll, time)),
    ),
    section('Active alerts', one.alerts.length === 0 ? 'none\n' : alertsText(one, time, io)),
    section('Days in the median', low.days.length === 0 ? 'none is complete\n' : daysText(one, io)),
    ...(one.limits.length === 0
      ? []
      : [section('To know', one.limits.map((line) => `${line}\n`).join(''))]),
  ].join('\n');
}

function pollFacts(poll: NonNullable<Why['poll']>, time: (text: string | null) => string): Fact[] {
  const error =
    poll.error === null ? '' : `: ${poll.adapter_error_type ?? ''} ${visibleText(poll.error)}`;
  return [
    ['slot', time(poll.scheduled_for)],
    ['outcome', `${poll.outcome}${error}`],
    // A failed poll measured nothing and books nothing: what was booked before stays.
    ...(poll.outcome === 'FAILED' ? [] : answerFacts(poll, time)),
  ];
}

function answerFacts(
  poll: NonNullable<Why['poll']>,
  time: (text: string | null) => string,
): Fact[] {
  return [
    ['measured', time(poll.source_time)],
    ['power', powerCell(poll.power_w)],
    ['total', `${energyCell(poll.today_energy_kwh)} (booked to ${poll.booked_date ?? 'no day'})`],
  ];
}

function alertsText({ alerts }: Why, time: (text: string | null) => string, io: CommandIo): string {
  const rows = alerts.flatMap((alert) => [
    [
      String(alert.id),
      alert.severity,
      alert.state,
      alert.type,
      time(alert.started_at),
      alert.message,
    ],
    ...alert.events.map((event) => [
      '',
      '',
      event.to_state,
      `by ${visibleText(event.actor)}`,
      time(event.at),
      event.reason === alert.message ? nothing : event.reason,
    ]),
  ]);
  const titles = ['ID', 'SEVERITY', 'STATE', 'TYPE', 'AT', 'WORDS'];
  return tableText(titles, rows, outputWidth(io) - 2);
}

function daysText({ low_generation: { days } }: Why, io: CommandIo): string {
  return tableText(
    ['DATE', ...right('DAY', 'BY THIS TIME'), ''],
    days.map((day) => [
      day.date,
      energyText(day.today_energy_kwh),
      energyCell(day.total_at_time_kwh),
      '',
    ]),
    outputWidth(io) - 2,
  );
}

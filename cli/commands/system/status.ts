import { type PollingError, readPollingErrors } from '../../../db/plants/operations.ts';
import type { FleetTrouble } from '../../../db/plants/trouble.ts';
import { counted } from '../../../domain/wording.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import { components } from '../../../operations/components.ts';
import {
  diagnose,
  type Fact,
  type Finding,
  type Look,
  type State,
  valueOf,
} from '../../../operations/diagnosis.ts';
import { loopCounts } from '../../../operations/plants/components.ts';
import { incidentJson } from '../../../operations/plants/incidents.ts';
import { fleetTrouble } from '../../../operations/plants/trouble.ts';
import * as figures from '../../../operations/plants/figures.ts';
import { queueViews } from '../../../operations/queues.ts';
import { reconciled } from '../../../operations/reconciliation.ts';
import { databaseVersions, temporalVersion } from '../../../operations/servers.ts';
import { productVersion } from '../../../operations/version.ts';
import { noPositionals, readZone } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { nothing, outputWidth, print, timeCell, visibleText } from '../../render.ts';
import { type Fact as Line, factsText, right, tableText } from '../../table.ts';
import { exitCodeOf, findingsText, withLook } from './findings.ts';

/** `heliograph status`: the diagnosis, and figures of polling. */
export const status: Command = {
  name: 'status',
  usage: '[--detailed] [--json]',
  switches: ['detailed'],
  async run(context) {
    noPositionals(
      context,
      'the command shows the whole system: `heliograph plants show ID` shows one plant',
    );
    const zone = readZone(context);
    const { findings, seen } = await withLook(context.config(), (look) => readStatus(look, zone));
    const layout = {
      detailed: context.switches.has('detailed'),
      zone: zone ?? 'UTC',
      width: outputWidth(context.io),
    };
    print(context, seen, () => statusText(findings, seen, layout));
    return exitCodeOf(findings);
  },
};

const pollingErrors: Fact<PollingError[]> = ({ db }) => readPollingErrors(db);

/** What `--json` prints. Programs read it, so no field is ever removed. */
export type SystemStatus = Awaited<ReturnType<typeof readStatus>>['seen'];

/** @throws what the services throw when they are away. */
async function readStatus(look: Look, zone: ReaderZone) {
  const takenAt = new Date().toISOString();
  const { findings, fleet } = await diagnose(components, look, zone);
  const the = async <Value>(fact: Fact<Value>) => valueOf(await look(fact));
  const seen = {
    taken_at: takenAt,
    problems: problemsOf(findings).map(({ sentence }) => sentence),
    fleet: fleetJson(fleet, await the(fleetTrouble), Date.parse(takenAt)),
    queues: await the(queueViews),
    loops: await the(loopCounts),
    reconciliation: await the(reconciled),
    lateness: await the(figures.lateness),
    polling: await the(figures.brandPolling),
    missed_24h: await the(figures.missedSlots),
    errors: await the(pollingErrors),
    versions: {
      heliograph: productVersion(),
      node: process.versions.node,
      temporal: await the(temporalVersion),
      ...(await the(databaseVersions)),
    },
  };
  return { findings, seen };
}

/** The incidents, accounts and plants behind the fleet's state. */
function fleetJson(state: State, { incidents, accounts, plants }: FleetTrouble, nowMs: number) {
  return {
    state,
    incidents: incidents.map((incident) => incidentJson(incident, nowMs)),
    accounts,
    plants,
  };
}

const problemsOf = (findings: readonly Finding[]) => findings.filter(({ state }) => state !== 'ok');

interface Layout {
  detailed: boolean;
  /** Of times that belong to no single plant. */
  zone: string;
  width: number;
}

function statusText(findings: readonly Finding[], seen: SystemStatus, layout: Layout): string {
  const problems = problemsOf(findings);
  return [
    problems.length === 0
      ? 'nothing is wrong\n'
      : `${counted(problems.length, 'problem')}\n${findingsText(problems.flatMap(withSubjects))}`,
    factsText([...wellText(findings), ...figuresText(seen, layout)]),
    ...(layout.detailed ? [queuesText(seen, layout), brandsText(seen, layout)] : []),
    errorsText(seen, layout),
  ].join('\n');
}

/** The finding, and below it what it counts, each by name. */
function withSubjects(finding: Finding): Finding[] {
  const { component, subjects = [], sentence } = finding;
  const named = subjects.filter((each) => !sentence.includes(each.sentence));
  return [finding, ...named.map((each) => ({ ...finding, ...each, kind: component }))];
}

function wellText(findings: readonly Finding[]): Line[] {
  return findings
    .filter(({ state }) => state === 'ok')
    .map(({ component, sentence }) => [component, sentence]);
}

function figuresText(seen: SystemStatus, { detailed }: Layout): Line[] {
  const { polling, lateness: late, missed_24h: missed, versions } = seen;
  const sum = (key: 'polls' | 'late') => polling.reduce((total, brand) => total + brand[key], 0);
  const slots = counted(missed.written + missed.unwritten, 'slot');
  const unwritten = `, ${missed.unwritten} of them of plants that are not polled now`;
  const most = Math.max(...polling.map((brand) => brand.late_max_ms ?? 0));
  return [
    ['last hour', `${counted(sum('polls'), 'poll')}, ${sum('late')} late`],
    [
      'lateness',
      late === null
        ? nothing
        : `p50 ${millis(late.p50)}, p99 ${millis(late.p99)}, at most ${millis(most)}`,
    ],
    ['missed, 24 h', `${slots}${missed.unwritten === 0 ? '' : unwritten}`],
    [
      'versions',
      `heliograph ${versions.heliograph}, node ${versions.node}, Temporal ${versions.temporal}, PostgreSQL ${versions.postgres}`,
    ],
    ['migration', detailed ? (versions.migration ?? nothing) : null],
  ];
}

function millis(value: number | null): string {
  if (value === null) return nothing;
  return value < 10_000 ? `${Math.round(value)} ms` : `${Math.round(value / 1_000)} s`;
}

function queuesText({ queues }: SystemStatus, { width }: Layout): string {
  const rows = queues.map(({ queue, workers, backlog, backlog_age_s: ageS }) => [
    queue,
    String(workers.length),
    String(backlog),
    backlog === 0 ? nothing : `${ageS} s`,
    visibleText(workers.map(({ identity }) => identity).join(', ')) || nothing,
  ]);
  return tableText(['queue', ...right('workers', 'backlog', 'oldest'), 'who'], rows, width);
}

function brandsText({ polling }: SystemStatus, { width }: Layout): string {
  const numbers = right('ACTIVE', 'not polled', 'polls', 'late', 'p50', 'p99', 'max');
  const rows = polling.map((brand) => [
    brand.brand,
    ...[brand.active_plants, brand.not_polled, brand.polls, brand.late].map(String),
    ...[brand.late_p50_ms, brand.late_p99_ms, brand.late_max_ms].map(millis),
    Object.entries(brand.outcomes)
      .map(([outcome, count]) => `${count} ${outcome}`)
      .join(', ') || nothing,
  ]);
  return tableText(['brand', ...numbers, 'outcomes'], rows, width);
}

function errorsText({ errors }: SystemStatus, { detailed, zone, width }: Layout): string {
  if (errors.length === 0) return 'no errors in the last hour\n';
  const rows = errors.map((error) => [
    error.brand,
    error.error_type,
    String(error.polls),
    String(error.plants),
    timeCell(error.newest_at, zone),
    detailed ? visibleText(error.newest ?? nothing) : '',
  ]);
  const titles = ['errors, last hour', 'type', ...right('polls', 'plants'), 'newest'];
  return tableText([...titles, detailed ? 'which says' : ''], rows, width);
}

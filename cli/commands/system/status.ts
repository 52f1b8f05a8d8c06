import { type PollingError, readPollingErrors } from '../../../db/plants/operations.ts';
import { counted } from '../../../domain/wording.ts';
import { exitCodes } from '../../../environment/config.ts';
import { components } from '../../../operations/components.ts';
import {
  diagnose,
  type Fact,
  type Finding,
  type Look,
  valueOf,
} from '../../../operations/diagnosis.ts';
import { loopCounts } from '../../../operations/plants/components.ts';
import * as figures from '../../../operations/plants/figures.ts';
import { queueViews } from '../../../operations/queues.ts';
import { reconciled } from '../../../operations/reconciliation.ts';
import { databaseVersions, temporalVersion } from '../../../operations/servers.ts';
import { productVersion } from '../../../operations/version.ts';
import { type Command, usageError } from '../../command.ts';
import { nothing, outputWidth, visibleText, writeJson } from '../../render.ts';
import { tableText } from '../../table.ts';
import { findingsText, withLook } from './findings.ts';

/** `heliograph status`: the diagnosis, and figures of polling. */
export const status: Command = {
  name: 'status',
  usage: '[--detailed] [--json]',
  options: { detailed: { type: 'boolean' } },
  async run(context) {
    if (context.positionals.length > 0)
      throw usageError(
        status,
        'the command shows the whole system: `heliograph plants show ID` shows one plant',
      );
    const { findings, seen } = await withLook(context.config(), readStatus);
    const detailed = context.values['detailed'] === true;
    if (context.json) writeJson(context.io, seen);
    else
      context.io.stdout.write(
        statusText(findings, seen, { detailed, width: outputWidth(context.io) }),
      );
    return seen.problems.length === 0 ? exitCodes.done : exitCodes.failed;
  },
};

const pollingErrors: Fact<PollingError[]> = ({ db }) => readPollingErrors(db);

/** What `--json` prints, which is made to be read by programs: a field that was once there stays. */
export type SystemStatus = Awaited<ReturnType<typeof readStatus>>['seen'];

/** @throws what the services throw when they are away. */
async function readStatus(look: Look) {
  const takenAt = new Date().toISOString();
  const { findings } = await diagnose(components, look);
  const the = async <Value>(fact: Fact<Value>) => valueOf(await look(fact));
  const seen = {
    taken_at: takenAt,
    problems: problemsOf(findings).map(({ sentence }) => sentence),
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

const problemsOf = (findings: readonly Finding[]) => findings.filter(({ state }) => state !== 'ok');

interface Layout {
  detailed: boolean;
  width: number;
}

function statusText(findings: readonly Finding[], seen: SystemStatus, layout: Layout): string {
  const problems = problemsOf(findings);
  const lines = [...wellText(findings), ...figuresText(seen, layout)];
  const nameWidth = Math.max(...lines.map(([name]) => name.length));
  return [
    problems.length === 0
      ? 'nothing is wrong\n'
      : `${counted(problems.length, 'problem')}\n${findingsText(problems)}`,
    lines.map(([name, text]) => `${name.padEnd(nameWidth)}  ${text}\n`).join(''),
    ...(layout.detailed ? [queuesText(seen, layout), brandsText(seen, layout)] : []),
    errorsText(seen, layout),
  ].join('\n');
}

type Line = [name: string, text: string];

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
    ...(detailed ? [['migration', versions.migration ?? nothing] satisfies Line] : []),
  ];
}

function millis(value: number | null): string {
  if (value === null) return nothing;
  return value < 10_000 ? `${Math.round(value)} ms` : `${Math.round(value / 1_000)} s`;
}

/** Names at the left, then numbers, then what is long. */
function columns(names: string[], numbers: string[], texts: string[]) {
  const right = numbers.map((title) => ({ title, align: 'right' as const }));
  const left = (titles: string[]) => titles.map((title) => ({ title }));
  return [...left(names), ...right, ...left(texts)];
}

function queuesText({ queues }: SystemStatus, { width }: Layout): string {
  const rows = queues.map(({ queue, workers, backlog, backlog_age_s: ageS }) => [
    queue,
    String(workers.length),
    String(backlog),
    backlog === 0 ? nothing : `${ageS} s`,
    visibleText(workers.map(({ identity }) => identity).join(', ')) || nothing,
  ]);
  return tableText(columns(['queue'], ['workers', 'backlog', 'oldest'], ['who']), rows, width);
}

function brandsText({ polling }: SystemStatus, { width }: Layout): string {
  const numbers = ['ACTIVE', 'not polled', 'polls', 'late', 'p50', 'p99', 'max'];
  const rows = polling.map((brand) => [
    brand.brand,
    ...[brand.active_plants, brand.not_polled, brand.polls, brand.late].map(String),
    ...[brand.late_p50_ms, brand.late_p99_ms, brand.late_max_ms].map(millis),
    Object.entries(brand.outcomes)
      .map(([outcome, count]) => `${count} ${outcome}`)
      .join(', ') || nothing,
  ]);
  return tableText(columns(['brand'], numbers, ['outcomes']), rows, width);
}

function errorsText({ errors }: SystemStatus, { detailed, width }: Layout): string {
  if (errors.length === 0) return 'no errors in the last hour\n';
  const names = ['errors, last hour', 'type'];
  const rows = errors.map((error) => [
    error.brand,
    error.error_type,
    String(error.polls),
    String(error.plants),
    error.newest_at.toISOString(),
    detailed ? visibleText(error.newest ?? nothing) : '',
  ]);
  const texts = ['newest', detailed ? 'which says' : ''];
  return tableText(columns(names, ['polls', 'plants'], texts), rows, width);
}

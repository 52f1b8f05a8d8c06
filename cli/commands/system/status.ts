import { readPollingErrors, type PollingError } from '../../../db/plants/operations.ts';
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
import { type LoopCounts, loopCounts } from '../../../operations/plants/components.ts';
import {
  brandPolling,
  type BrandStatus,
  lateness,
  type MissedSlots,
  missedSlots,
} from '../../../operations/plants/figures.ts';
import { queueViews, type QueueView } from '../../../operations/queues.ts';
import { type Reconciliation, reconciliationFact } from '../../../operations/reconciliation.ts';
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
        'it is of the whole system: `heliograph plants show ID` is of one plant',
      );
    const { findings, seen } = await withLook(context.config(), readStatus);
    if (context.json) writeJson(context.io, seen);
    else
      context.io.stdout.write(
        statusText(findings, seen, {
          detailed: context.values['detailed'] === true,
          width: outputWidth(context.io),
        }),
      );
    return seen.problems.length === 0 ? exitCodes.done : exitCodes.failed;
  },
};

/** As `--json` prints it. */
export interface SystemStatus {
  taken_at: string;
  /** Sentences; empty when nothing is wrong. */
  problems: string[];
  queues: QueueView[];
  loops: LoopCounts;
  reconciliation: Reconciliation;
  /** Of scheduled polls of the last hour, ms; null where none was. */
  lateness: { p50: number; p99: number } | null;
  polling: BrandStatus[];
  missed_24h: MissedSlots;
  errors: PollingError[];
  versions: {
    heliograph: string;
    node: string;
    temporal: string;
    postgres: string;
    migration: string | null;
  };
}

const pollingErrors: Fact<PollingError[]> = ({ db }) => readPollingErrors(db);

/** @throws what the services throw when they are away. */
async function readStatus(look: Look): Promise<{ findings: Finding[]; seen: SystemStatus }> {
  const takenAt = new Date().toISOString();
  const { findings } = await diagnose(components, look);
  const the = async <Value>(fact: Fact<Value>) => valueOf(await look(fact));
  const seen = {
    taken_at: takenAt,
    problems: problemsOf(findings).map(({ sentence }) => sentence),
    queues: await the(queueViews),
    loops: await the(loopCounts),
    reconciliation: await the(reconciliationFact),
    lateness: await the(lateness),
    polling: await the(brandPolling),
    missed_24h: await the(missedSlots),
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

function statusText(
  findings: readonly Finding[],
  seen: SystemStatus,
  options: { detailed: boolean; width: number },
): string {
  const { polling, missed_24h: missed, versions } = seen;
  const problems = problemsOf(findings);
  const sum = (count: (brand: BrandStatus) => number) =>
    polling.reduce((total, brand) => total + count(brand), 0);
  const facts: [string, string][] = [
    ...findings
      .filter(({ state }) => state === 'ok')
      .map(({ component, sentence }): [string, string] => [component, sentence]),
    [
      'last hour',
      `${counted(
        sum((brand) => brand.polls),
        'poll',
      )}, ${sum((brand) => brand.late)} late`,
    ],
    ['lateness', latenessText(seen)],
    [
      'missed, 24 h',
      missed.unwritten === 0
        ? counted(missed.written, 'slot')
        : `${counted(missed.written + missed.unwritten, 'slot')}, ${missed.unwritten} of them of plants that are not polled now`,
    ],
    [
      'versions',
      `heliograph ${versions.heliograph}, node ${versions.node}, Temporal ${versions.temporal}, PostgreSQL ${versions.postgres}`,
    ],
    ...(options.detailed ? [['migration', versions.migration ?? nothing] as [string, string]] : []),
  ];
  const nameWidth = Math.max(...facts.map(([name]) => name.length));
  return [
    problems.length === 0
      ? 'nothing is wrong\n'
      : `${counted(problems.length, 'problem')}\n${findingsText(problems)}`,
    '\n',
    facts.map(([name, text]) => `${name.padEnd(nameWidth)}  ${text}\n`).join(''),
    options.detailed ? `\n${queuesText(seen, options)}\n${brandsText(seen, options.width)}` : '',
    `\n${errorsText(seen, options)}`,
  ].join('');
}

function latenessText({ lateness, polling }: SystemStatus): string {
  if (lateness === null) return nothing;
  const most = Math.max(...polling.map((brand) => brand.late_max_ms ?? 0));
  return `p50 ${millis(lateness.p50)}, p99 ${millis(lateness.p99)}, at most ${millis(most)}`;
}

function millis(value: number | null): string {
  if (value === null) return nothing;
  return value < 10_000 ? `${Math.round(value)} ms` : `${Math.round(value / 1_000)} s`;
}

function queuesText({ queues }: SystemStatus, { width }: { width: number }): string {
  const columns = [
    { title: 'queue' },
    { title: 'workers', align: 'right' as const },
    { title: 'backlog', align: 'right' as const },
    { title: 'oldest', align: 'right' as const },
    { title: 'who' },
  ];
  return tableText(
    columns,
    queues.map(({ queue, workers, backlog, backlog_age_s: ageS }) => [
      queue,
      String(workers.length),
      String(backlog),
      backlog === 0 ? nothing : `${ageS} s`,
      visibleText(workers.map(({ identity }) => identity).join(', ')) || nothing,
    ]),
    width,
  );
}

function brandsText({ polling }: SystemStatus, width: number): string {
  const right = (title: string) => ({ title, align: 'right' as const });
  return tableText(
    [
      { title: 'brand' },
      right('ACTIVE'),
      right('not polled'),
      right('polls'),
      right('late'),
      right('p50'),
      right('p99'),
      right('max'),
      { title: 'outcomes' },
    ],
    polling.map((brand) => [
      brand.brand,
      String(brand.active_plants),
      String(brand.not_polled),
      String(brand.polls),
      String(brand.late),
      millis(brand.late_p50_ms),
      millis(brand.late_p99_ms),
      millis(brand.late_max_ms),
      Object.entries(brand.outcomes)
        .map(([outcome, count]) => `${count} ${outcome}`)
        .join(', ') || nothing,
    ]),
    width,
  );
}

function errorsText(
  { errors }: SystemStatus,
  { detailed, width }: { detailed: boolean; width: number },
): string {
  if (errors.length === 0) return 'no errors in the last hour\n';
  const rows = errors.map((error) => [
    error.brand,
    error.error_type,
    String(error.polls),
    String(error.plants),
    error.newest_at.toISOString(),
    detailed ? visibleText(error.newest ?? nothing) : '',
  ]);
  return tableText(
    [
      { title: 'errors, last hour' },
      { title: 'type' },
      { title: 'polls', align: 'right' },
      { title: 'plants', align: 'right' },
      { title: 'newest' },
      { title: detailed ? 'which says' : '' },
    ],
    rows,
    width,
  );
}

import { type Client, ServiceError } from '@temporalio/client';

import type { BrandPolling } from '../../../db/plants/operations.ts';
import { type Command, usageError } from '../../command.ts';
import { type Config, exitCodes } from '../../../environment/config.ts';
import { nothing, outputWidth, visibleText, writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { readSystemStatus, type SystemStatus } from '../../../operations/plants/status.ts';
import { indented, tableText } from '../../table.ts';
import { connectTemporal, temporalAway } from '../../../environment/temporal.ts';

/** `heliograph status`: shows workers, loops and polls, problems first. */
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
    const seen = await runOnServices(context.config());
    if (context.json) writeJson(context.io, seen);
    else
      context.io.stdout.write(
        statusText(seen, {
          detailed: context.values['detailed'] === true,
          width: outputWidth(context.io),
        }),
      );
    return seen.problems.length === 0 ? exitCodes.done : exitCodes.failed;
  },
};

async function runOnServices(config: Config): Promise<SystemStatus> {
  const db = await connectDatabase(config);
  let client: Client | null = null;
  try {
    client = await connectTemporal(config);
    return await readSystemStatus({ db, client });
  } catch (error) {
    throw error instanceof ServiceError ? temporalAway(config, error) : error;
  } finally {
    await Promise.allSettled([client?.connection.close(), db.destroy()]);
  }
}

export function statusText(
  seen: SystemStatus,
  options: { detailed: boolean; width: number },
): string {
  const { problems, loops, polling, missed_24h: missed, versions, reconciliation } = seen;
  const sum = (count: (brand: BrandPolling) => number) =>
    polling.reduce((total, brand) => total + count(brand), 0);
  const facts: [string, string][] = [
    [
      'loops',
      `${loops.running} running; ${counted(loops.plants, 'plant')}, ${loops.active} ACTIVE`,
    ],
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
        : `${counted(missed.written + missed.unwritten, 'slot')}, ${missed.unwritten} of them from plants that are not polled now`,
    ],
    ['reconciled', reconciliation.last_run_at ?? nothing],
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
      : `${counted(problems.length, 'problem')}\n${indented(problems.map((each) => `${each}\n`).join(''))}`,
    '\n',
    facts.map(([name, text]) => `${name.padEnd(nameWidth)}  ${text}\n`).join(''),
    `\n${queuesText(seen, options)}`,
    options.detailed ? `\n${brandsText(seen, options.width)}` : '',
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

function queuesText(
  { queues }: SystemStatus,
  { detailed, width }: { detailed: boolean; width: number },
): string {
  const columns = [
    { title: 'queue' },
    { title: 'workers', align: 'right' as const },
    { title: 'backlog', align: 'right' as const },
    { title: 'oldest', align: 'right' as const },
    { title: detailed ? 'who' : '' },
  ];
  return tableText(
    columns,
    queues.map(({ queue, workers, backlog, backlog_age_s: ageS }) => [
      queue,
      String(workers.length),
      String(backlog),
      backlog === 0 ? nothing : `${ageS} s`,
      detailed ? visibleText(workers.map(({ identity }) => identity).join(', ')) || nothing : '',
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
